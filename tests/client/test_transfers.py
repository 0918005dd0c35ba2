"""Bytes up and down: complete, checked, and resumed."""

import hashlib
import random
from pathlib import Path

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagegen.v1.asset_pb2 import MetadataPolicy, ReadAssetRequest, WriteAssetRequest
from imagegen_client import Client, Damaged, InvalidRequest, NotFound
from imagegen_client.transfers import CHUNK_BYTES
from tests.client.conftest import FAST
from tests.client.fake import RESET, FakeServer, Fault, serve_fake
from tests.client.fake.assets import CHUNK_BYTES as SERVER_CHUNK_BYTES

CONTENT = random.Random(7).randbytes(5 * SERVER_CHUNK_BYTES + 17)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
async def test_upload_of_bytes_and_of_a_file_give_the_same_asset(client: Client, tmp_path: Path, size: int) -> None:
    content = CONTENT[:1] * size
    path = tmp_path / "picture.png"
    path.write_bytes(content)

    assert (await client.upload(content)).digest == hashlib.sha256(content).hexdigest()
    assert (await client.upload(path)).digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("cut", range(4))
async def test_upload_that_is_cut_begins_anew(server: FakeServer, client: Client, cut: int) -> None:
    content = CONTENT[:1] * (2 * CHUNK_BYTES + 1)
    server.cuts["WriteAsset"] = [cut, cut]

    asset = await client.upload(content)

    assert server.assets[asset.digest][1] == content


async def test_upload_that_is_refused_early_says_why(server: FakeServer, client: Client) -> None:
    server.faults["WriteAsset"] = [Fault(code=grpc.StatusCode.INVALID_ARGUMENT, reason="ASSET_TOO_LARGE")] * 2

    with pytest.raises(InvalidRequest) as caught:
        await client.upload(bytes(20 * CHUNK_BYTES))

    assert caught.value.reason == "ASSET_TOO_LARGE"
    assert len(server.requests_of(WriteAssetRequest)) <= 2


async def test_upload_of_a_file_that_is_not_there(client: Client, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await client.upload(tmp_path / "nothing.png")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 3), max_size=5))
async def test_download_goes_on_where_it_was_cut(cuts: list[int]) -> None:
    server = FakeServer()
    server.cut_by = RESET
    server.cuts["ReadAsset"] = list(cuts)
    asset = server.store(CONTENT)
    async with serve_fake(server) as port, Client(f"127.0.0.1:{port}", backoff=FAST) as client:
        assert await client.download(asset.digest) == CONTENT

    offsets = [request.offset for request in server.requests_of(ReadAssetRequest)]
    assert offsets == [sum(cuts[:number]) * SERVER_CHUNK_BYTES for number in range(len(offsets))]


async def test_what_is_rewritten_is_read_anew_when_it_was_cut(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    server.cuts["ReadAsset"] = [2, 0]
    asset, policy = server.store(CONTENT), MetadataPolicy.METADATA_POLICY_STRIP

    await client.download_to(asset.digest, tmp_path / "picture.png", metadata=policy)

    assert contents(tmp_path) == {"picture.png": b"METADATA_POLICY_STRIP" + CONTENT}
    assert [request.offset for request in server.requests_of(ReadAssetRequest)] == [0, 0, 0]
    with pytest.raises(Damaged, match="has more than"):
        await client.download(asset.digest, metadata=policy, max_bytes=len(CONTENT))


async def test_download_to_a_file(server: FakeServer, client: Client, tmp_path: Path) -> None:
    asset = server.store(CONTENT)
    server.cuts["ReadAsset"] = [2]

    await client.download_to(asset.digest, tmp_path / "picture.png")

    assert contents(tmp_path) == {"picture.png": CONTENT}


async def test_download_never_overwrites_unasked(server: FakeServer, client: Client, tmp_path: Path) -> None:
    asset, path = server.store(CONTENT), tmp_path / "picture.png"
    path.write_bytes(b"mine")

    with pytest.raises(FileExistsError):
        await client.download_to(asset.digest, path)
    assert path.read_bytes() == b"mine"

    await client.download_to(asset.digest, path, overwrite=True)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("overwrite", [False, True])
async def test_download_that_fails_leaves_nothing_behind(
    server: FakeServer, client: Client, tmp_path: Path, overwrite: bool
) -> None:
    path = tmp_path / "picture.png"
    if overwrite:
        path.write_bytes(b"mine")

    with pytest.raises(NotFound):
        await client.download_to("0" * 64, path, overwrite=overwrite)

    assert contents(tmp_path) == ({"picture.png": b"mine"} if overwrite else {})


async def test_other_bytes_than_the_digest_names_are_damaged(server: FakeServer, client: Client) -> None:
    asset = server.store(CONTENT)
    server.assets[asset.digest] = (asset, bytes(len(CONTENT)))

    with pytest.raises(Damaged, match="another digest"):
        await client.download(asset.digest)


@pytest.mark.parametrize(("content", "what"), [(CONTENT + b"x", "larger"), (CONTENT[:-1], "ended after")])
async def test_more_or_less_bytes_than_announced_are_damaged(
    server: FakeServer, client: Client, content: bytes, what: str
) -> None:
    asset = server.store(CONTENT)
    server.assets[asset.digest] = (asset, content)

    with pytest.raises(Damaged, match=what):
        await client.download(asset.digest)


async def test_download_has_a_bound(server: FakeServer, client: Client) -> None:
    asset = server.store(CONTENT)

    with pytest.raises(Damaged, match="more than the 100"):
        await client.download(asset.digest, max_bytes=100)


async def test_empty_asset_is_downloaded(server: FakeServer, client: Client) -> None:
    assert await client.download(server.store(b"").digest) == b""
