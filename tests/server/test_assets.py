import asyncio
import hashlib
import io
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from imagegen_adapters.contract import ImageParameters
from imagegen_server.assets import CHUNK_BYTES, AssetStore
from imagegen_server.errors import Refused
from imagegen_server.happenings import CancelRequested
from imagegen_server.jobs import AssetOrigin, JobSpec
from imagegen_server.stores.store import Store
from tests.server.material import a_job
from tests.server.workplace import Workplace

MAX_BYTES = 2_000_000
UPLOAD = AssetOrigin.UPLOAD


def a_picture(kind: str = "PNG", size: tuple[int, int] = (24, 16), colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def a_noisy_picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.frombytes("RGB", (400, 300), os.urandom(400 * 300 * 3)).save(file, kind)
    return file.getvalue()


def a_bomb() -> bytes:
    """A PNG whose header promises 20000 x 20000 pixels."""
    header = b"IHDR" + (20000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    chunk = (13).to_bytes(4) + header + zlib.crc32(header).to_bytes(4)
    return b"\x89PNG\r\n\x1a\n" + chunk + a_picture()[33:]


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "assets"


@pytest.fixture
async def assets(folder: Path, store: Store) -> AssetStore:
    return AssetStore(folder, store, max_bytes=MAX_BYTES)


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def gather(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
async def test_an_image_is_kept_under_its_digest(assets: AssetStore, folder: Path, kind: str, media_type: str) -> None:
    data = a_picture(kind)
    asset = await assets.put(data, origin=UPLOAD, job_id="job-1")
    assert asset.digest == digest_of(data)
    assert (asset.size_bytes, asset.media_type, asset.width, asset.height) == (len(data), media_type, 24, 16)
    assert (asset.origin, asset.job_id) == (UPLOAD, "job-1")
    assert await assets.get(asset.digest) == asset
    assert await assets.bytes(asset.digest) == data
    assert files_in(folder) == {f"{asset.digest[:2]}/{asset.digest[2:]}"}


async def test_an_asset_can_be_written_piece_by_piece(assets: AssetStore) -> None:
    data = a_noisy_picture()
    async with assets.writer() as writer:
        for start in range(0, len(data), 10_000):
            await writer.write(data[start : start + 10_000])
        asset = await writer.commit(origin=UPLOAD, expected_digest=digest_of(data), expected_size=len(data))
    assert await assets.bytes(asset.digest) == data


async def test_the_same_bytes_are_the_same_asset(assets: AssetStore, folder: Path) -> None:
    first = await assets.put(a_picture(), origin=UPLOAD)
    assert await assets.put(a_picture(), origin=AssetOrigin.OUTPUT, job_id="job-1") == first
    assert len(files_in(folder)) == 1


async def test_the_same_bytes_many_times_at_once(assets: AssetStore, folder: Path) -> None:
    data = a_noisy_picture()
    stored = await asyncio.gather(*(assets.put(data, origin=UPLOAD) for _ in range(10)))
    assert len(set(stored)) == 1
    assert len(files_in(folder)) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no PNG, JPEG or WebP"),
        (b"hello", "no PNG, JPEG or WebP"),
        (a_picture("GIF"), "no PNG, JPEG or WebP"),
        (a_noisy_picture()[:-5000], "no PNG, JPEG or WebP"),
        (a_noisy_picture("JPEG")[:-5000], "no PNG, JPEG or WebP"),
        (a_noisy_picture("WEBP")[:-5000], "no PNG, JPEG or WebP"),
        (a_picture()[:30], "no PNG, JPEG or WebP"),
        (a_bomb(), "pixels that are allowed"),
    ],
    ids=["empty", "text", "gif", "half a png", "half a jpeg", "half a webp", "a header", "a bomb"],
)
async def test_what_is_no_image_is_refused_and_leaves_nothing(
    assets: AssetStore, folder: Path, data: bytes, message: str
) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        await assets.put(data, origin=UPLOAD)
    assert refusal.value.reason == "INVALID_IMAGE"
    assert files_in(folder) == set()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("orientation", "size"), [(1, (24, 16)), (3, (24, 16)), (6, (16, 24)), (8, (16, 24))])
async def test_the_size_is_that_of_the_picture_as_it_is_shown(
    assets: AssetStore, kind: str, orientation: int, size: tuple[int, int]
) -> None:
    """What a phone took upright is stored lying, and every backend turns it."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(file, kind, exif=exif.tobytes())
    asset = await assets.put(file.getvalue(), origin=UPLOAD)
    assert (asset.width, asset.height) == size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", bytes(range(64))])
async def test_broken_exif_data_are_no_reason_to_refuse_a_picture(assets: AssetStore, exif: bytes) -> None:
    file = io.BytesIO()
    Image.new("RGB", (24, 16), "red").save(file, "JPEG", exif=exif)
    asset = await assets.put(file.getvalue(), origin=UPLOAD)
    assert (asset.width, asset.height) == (24, 16)


async def test_a_jpeg_with_a_second_picture_behind_it_is_a_jpeg(assets: AssetStore) -> None:
    file = io.BytesIO()
    Image.new("RGB", (24, 16)).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (24, 16), "red")])
    assert (await assets.put(file.getvalue(), origin=UPLOAD)).media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (a_picture("GIF"), "image/gif"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x1a\x45\xdf\xa3webm", "video/webm"),
        (b"<html><script>alert(1)</script>", "application/octet-stream"),
        (b"<svg/>", "application/octet-stream"),
        (b"", "application/octet-stream"),
        (a_bomb(), "application/octet-stream"),
    ],
)
async def test_other_results_are_kept_and_typed_by_their_content(
    assets: AssetStore, data: bytes, media_type: str
) -> None:
    asset = await assets.put(data, origin=AssetOrigin.OUTPUT, require_image=False)
    assert (asset.media_type, asset.width, asset.height) == (media_type, 0, 0)
    assert await assets.bytes(asset.digest) == data


async def test_a_result_that_is_an_image_is_known_as_one(assets: AssetStore) -> None:
    asset = await assets.put(a_picture(), origin=AssetOrigin.OUTPUT, require_image=False)
    assert (asset.media_type, asset.width, asset.height) == ("image/png", 24, 16)


@pytest.mark.parametrize("announced", [{"expected_digest": "ab" * 32}, {"expected_size": 5}])
async def test_other_bytes_than_announced_are_refused(
    assets: AssetStore, folder: Path, announced: dict[str, str | int]
) -> None:
    async with assets.writer() as writer:
        await writer.write(a_picture())
        with pytest.raises(Refused) as refusal:
            await writer.commit(origin=UPLOAD, **announced)  # type: ignore[arg-type]  # a table of keywords
    assert refusal.value.reason == "DIGEST_MISMATCH"
    assert files_in(folder) == set()


async def test_a_file_that_is_too_large_is_refused_while_it_comes(assets: AssetStore, folder: Path) -> None:
    async with assets.writer() as writer:
        await writer.write(b"x" * MAX_BYTES)
        with pytest.raises(Refused) as refusal:
            await writer.write(b"x")
    assert refusal.value.reason == "ASSET_TOO_LARGE"
    assert files_in(folder) == set()


async def test_a_writer_that_goes_away_leaves_nothing(assets: AssetStore, folder: Path) -> None:
    async with assets.writer() as writer:
        await writer.write(a_picture())
    assert files_in(folder) == set()

    written = asyncio.Event()

    async def write() -> None:
        async with assets.writer() as writer:
            await writer.write(a_picture())
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await written.wait()
    assert len(files_in(folder)) == 1
    task.cancel()
    await asyncio.wait([task])
    assert files_in(folder) == set()


async def test_what_an_earlier_process_left_unfinished_is_removed(folder: Path, store: Store) -> None:
    assets = AssetStore(folder, store, max_bytes=MAX_BYTES)
    asset = await assets.put(a_picture(), origin=UPLOAD)
    await asyncio.to_thread((folder / "unfinished" / "half").write_bytes, b"half")
    again = AssetStore(folder, store, max_bytes=MAX_BYTES)
    assert len(files_in(folder)) == 1
    assert await again.bytes(asset.digest) == a_picture()


@pytest.mark.parametrize(
    ("offset", "limit"),
    [(0, 0), (1, 0), (0, 1), (CHUNK_BYTES - 1, 2), (300_000, 0), (0, 10**9), (10, CHUNK_BYTES)],
)
async def test_a_part_can_be_read(assets: AssetStore, offset: int, limit: int) -> None:
    data = a_noisy_picture()
    asset = await assets.put(data, origin=UPLOAD)
    chunks = await gather(assets.read(asset.digest, offset=offset, limit=limit))
    assert b"".join(chunks) == (data[offset : offset + limit] if limit else data[offset:])
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)


async def test_reading_from_the_end_gives_nothing_and_from_behind_it_is_refused(assets: AssetStore) -> None:
    asset = await assets.put(a_picture(), origin=UPLOAD)
    assert await gather(assets.read(asset.digest, offset=asset.size_bytes)) == []
    with pytest.raises(Refused) as refusal:
        await gather(assets.read(asset.digest, offset=asset.size_bytes + 1))
    assert refusal.value.reason == "INVALID_RANGE"


@pytest.mark.parametrize("digest", ["ab" * 32, "", "..", "../imagegen.db", "AB" * 32, "ab" * 32 + "\n", "a/" * 32])
async def test_what_is_not_there_or_no_digest_is_not_found(assets: AssetStore, digest: str) -> None:
    for call in (
        assets.get(digest),
        assets.bytes(digest),
        gather(assets.read(digest)),
        assets.delete(digest),
        assets.undelete(digest),
        assets.mark(digest, favorite=True),
        assets.remove(digest),
    ):
        with pytest.raises(Refused) as refusal:
            await call
        assert refusal.value.reason == "ASSET_NOT_FOUND"


async def test_a_file_that_somebody_removed_is_not_found(assets: AssetStore, folder: Path) -> None:
    asset = await assets.put(a_picture(), origin=UPLOAD)
    (folder / asset.digest[:2] / asset.digest[2:]).unlink()
    with pytest.raises(Refused) as refusal:
        await assets.bytes(asset.digest)
    assert refusal.value.reason == "ASSET_NOT_FOUND"
    await assets.put(a_picture(), origin=UPLOAD)
    assert await assets.bytes(asset.digest) == a_picture()


async def test_a_removed_asset_is_gone_and_can_be_stored_again(assets: AssetStore, folder: Path) -> None:
    asset = await assets.put(a_picture(), origin=UPLOAD)
    await assets.remove(asset.digest)
    assert files_in(folder) == set()
    with pytest.raises(Refused):
        await assets.entry(asset.digest, include_deleted=True)
    again = await assets.put(a_picture(), origin=UPLOAD)
    assert await assets.bytes(again.digest) == a_picture()


async def test_an_asset_is_there_or_not_whatever_happens_at_once(assets: AssetStore, folder: Path) -> None:
    digest = digest_of(a_picture())
    for _ in range(10):
        await asyncio.gather(
            assets.put(a_picture(), origin=UPLOAD),
            assets.put(a_picture(), origin=UPLOAD),
            assets.remove(digest),
            assets.put(a_picture(), origin=UPLOAD),
            assets.delete(digest),
            assets.undelete(digest),
            assets.remove(digest),
            return_exceptions=True,
        )
        try:
            await assets.entry(digest, include_deleted=True)
        except Refused:
            assert files_in(folder) == set()
        else:
            # One that was deleted can still be brought back, so its bytes must be there.
            await assets.undelete(digest)
            assert await assets.bytes(digest) == a_picture()


async def test_an_asset_that_a_job_needs_stays(folder: Path, workplace: Workplace) -> None:
    assets = AssetStore(folder, workplace.store, max_bytes=MAX_BYTES)
    asset = await assets.put(a_picture(), origin=UPLOAD)
    spec = JobSpec(source=ImageParameters(prompt="", init_image=asset.digest))
    await workplace.ledger.create(a_job(spec=spec))
    for call in (assets.delete(asset.digest), assets.remove(asset.digest)):
        with pytest.raises(Refused) as refusal:
            await call
        assert refusal.value.reason == "ASSET_IN_USE"
    assert await assets.bytes(asset.digest) == a_picture()
    await workplace.ledger.apply("job-1", CancelRequested())
    await assets.delete(asset.digest)


async def test_a_reader_keeps_its_file_when_it_is_deleted(assets: AssetStore) -> None:
    data = a_noisy_picture()
    asset = await assets.put(data, origin=UPLOAD)
    chunks = assets.read(asset.digest)
    first = await anext(chunks)
    await assets.remove(asset.digest)
    assert first + b"".join([chunk async for chunk in chunks]) == data


async def test_a_reader_that_leaves_early_closes_its_file(assets: AssetStore) -> None:
    asset = await assets.put(a_noisy_picture(), origin=UPLOAD)
    chunks = assets.read(asset.digest)
    await anext(chunks)
    await chunks.aclose()


async def test_what_is_held_is_not_deleted(assets: AssetStore) -> None:
    digest = (await assets.put(a_picture(), origin=UPLOAD)).digest
    async with assets.holding([digest, digest]), assets.holding([digest]):
        for call in (assets.delete(digest), assets.remove(digest)):
            with pytest.raises(Refused) as refusal:
                await call
            assert refusal.value.reason == "ASSET_IN_USE"
    await assets.delete(digest)


async def test_a_delete_that_came_first_is_waited_for(assets: AssetStore) -> None:
    digest = (await assets.put(a_picture(), origin=UPLOAD)).digest
    lock = assets._lock(digest)
    async with lock:  # as a delete has it, between its two steps
        held = assets.holding([digest])
        entering = asyncio.create_task(held.__aenter__())
        await asyncio.sleep(0)
        assert not entering.done()
    await entering
    await held.__aexit__(None, None, None)
