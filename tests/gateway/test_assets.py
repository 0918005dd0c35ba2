"""Assets over HTTP: caching, ranges, thumbnails, uploads."""

import asyncio
import base64
import hashlib
import io
from typing import Any

import aiohttp
import pytest
from PIL import ExifTags, Image

from imagegen.v1 import asset_pb2, asset_pb2_grpc
from imagegen_gateway.assets import IMMUTABLE, Assets
from imagegen_gateway.channels import open_channels
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.thumbnails import AT_ONCE, Thumbnails
from tests.gateway.fake_server import FakeServer, serve_fake

DATA = bytes(range(256)) * 20
DIGEST = hashlib.sha256(DATA).hexdigest()
PATH = f"/api/v1/assets/{DIGEST}"


def picture(mode: str = "RGB", size: tuple[int, int] = (600, 300), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


async def test_bytes_with_everything_a_browser_needs(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH) as response:
        assert await response.read() == DATA
        headers = response.headers
    assert headers["ETag"] == f'"{DIGEST}"'
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == str(len(DATA))
    assert "immutable" in headers["Cache-Control"]
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["Content-Disposition"] == f'inline; filename="{DIGEST[:16]}.png"'
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("media_type", ["image/svg+xml", "text/html", "application/json", ""])
async def test_what_could_run_scripts_is_a_download(
    fake: FakeServer, http: aiohttp.ClientSession, media_type: str
) -> None:
    fake.add_asset(DATA, media_type)
    async with http.get(PATH) as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")


async def test_who_has_it_gets_304(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    for etag in (f'"{DIGEST}"', f'"other", W/"{DIGEST}"', "*"):
        async with http.get(PATH, headers={"If-None-Match": etag}) as response:
            assert response.status == 304
            assert response.headers["ETag"] == f'"{DIGEST}"'
    async with http.get(PATH, headers={"If-None-Match": '"other"'}) as response:
        assert response.status == 200


async def test_head_tells_the_size(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    async with http.head(PATH) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == str(len(DATA))
        assert await response.read() == b""


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=100-", 100, 5120), ("bytes=-5", 5115, 5120), ("bytes=5000-9999", 5000, 5120)],
)
async def test_ranges(fake: FakeServer, http: aiohttp.ClientSession, asked: str, start: int, stop: int) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH, headers={"Range": asked}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/5120"
        assert await response.read() == DATA[start:stop]


@pytest.mark.parametrize("asked", ["bytes=5120-", "bytes=-0"])
async def test_a_range_behind_the_end_is_416(fake: FakeServer, http: aiohttp.ClientSession, asked: str) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH, headers={"Range": asked}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == "bytes */5120"
        assert (await response.json())["reason"] == "INVALID_RANGE"


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=5-2"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=-"},
        {"Range": "bytes=0-1", "If-Range": '"other"'},
    ],
)
async def test_a_range_that_cannot_be_honoured_is_ignored(
    fake: FakeServer, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH, headers=headers) as response:
        assert response.status == 200
        assert await response.read() == DATA


async def test_a_range_of_the_same_version_is_honoured(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH, headers={"Range": "bytes=0-1", "If-Range": f'"{DIGEST}"'}) as response:
        assert response.status == 206


@pytest.mark.parametrize(("policy", "prefix"), [("strip", b"2 "), ("a1111", b"3 ")])
async def test_a_picture_with_other_metadata_is_a_file_of_its_own(
    fake: FakeServer, http: aiohttp.ClientSession, policy: str, prefix: bytes
) -> None:
    fake.add_asset(DATA)
    whole, path = prefix + DATA, f"{PATH}?metadata={policy}"
    etag = f'"{hashlib.sha256(whole).hexdigest()}"'
    async with http.get(path) as response:
        assert await response.read() == whole
        headers = response.headers
    assert (headers["ETag"], headers["Content-Length"]) == (etag, str(len(whole)))
    assert headers["Cache-Control"] == ("private, no-cache" if policy == "a1111" else IMMUTABLE)
    assert headers["Content-Disposition"] == f'inline; filename="{DIGEST[:16]}.png"'
    async with http.head(path) as response:
        assert (response.headers["Content-Length"], await response.read()) == (str(len(whole)), b"")
    async with http.get(path, headers={"If-None-Match": etag}) as response:
        assert (response.status, response.headers["ETag"]) == (304, etag)
    async with http.get(path, headers={"Range": "bytes=1-3"}) as response:
        assert (response.status, await response.read()) == (206, whole[1:4])
        assert response.headers["Content-Range"] == f"bytes 1-3/{len(whole)}"
    async with http.get(path, headers={"Range": "bytes=0-", "If-Range": f'"{DIGEST}"'}) as response:
        assert response.status == 200


async def test_metadata_are_kept_unless_said_otherwise(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    async with http.get(PATH + "?metadata=keep") as response:
        assert (response.headers["ETag"], await response.read()) == (f'"{DIGEST}"', DATA)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("metadata=none", "must be one of keep, strip, a1111"),
        ("w=64&metadata=a1111", "a thumbnail has none: leave out w or this"),
        ("deleted=true&metadata=strip", "a deleted file is given as it is stored: bring it back first"),
    ],
)
async def test_metadata_that_cannot_be_are_refused(http: aiohttp.ClientSession, query: str, why: str) -> None:
    async with http.get(f"{PATH}?{query}") as response:
        assert response.status == 400
        assert (await response.json())["errors"] == [{"field": "metadata", "description": why}]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/assets/" + "0" * 64, 404),
        ("/api/v1/assets/..%2Fetc", 400),
        (PATH + "?x=1", 400),
        (PATH + "?deleted=yes", 400),
    ],
)
async def test_what_is_not_there(http: aiohttp.ClientSession, path: str, status: int) -> None:
    async with http.get(path) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("source", "size"),
    [
        (picture(), (128, 64)),
        (picture("RGBA"), (128, 64)),
        (picture("P"), (128, 64)),
        (picture("L"), (128, 64)),
        (picture("I;16"), (128, 64)),
        (picture(size=(30, 60)), (30, 60)),
        (picture(kind="JPEG"), (128, 64)),
    ],
    ids=["rgb", "rgba", "palette", "grey", "deep grey", "small", "jpeg"],
)
async def test_thumbnails_are_webp_and_never_enlarged(
    fake: FakeServer, http: aiohttp.ClientSession, source: bytes, size: tuple[int, int]
) -> None:
    asset = fake.add_asset(source)
    async with http.get(f"/api/v1/assets/{asset.digest}?w=128") as response:
        assert response.content_type == "image/webp"
        assert Image.open(io.BytesIO(await response.read())).size == size
        etag = response.headers["ETag"]
    fake.requests.clear()
    async with http.get(f"/api/v1/assets/{asset.digest}?w=128", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    assert "ReadAsset" not in fake.requests, "the second comes from memory"


async def test_a_thumbnail_is_turned_as_the_file_says(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    out = io.BytesIO()
    Image.new("RGB", (600, 300)).save(out, "JPEG", exif=exif)
    asset = fake.add_asset(out.getvalue())
    async with http.get(f"/api/v1/assets/{asset.digest}?w=128") as response:
        assert Image.open(io.BytesIO(await response.read())).size == (128, 256)


async def test_nothing_is_made_for_those_who_have_gone() -> None:
    """Who scrolls past a thousand pictures wants to see the last ones."""
    asked: list[str] = []
    may_read = asyncio.Event()

    async def read(digest: str, *, max_bytes: int) -> tuple[asset_pb2.Asset, bytes]:
        asked.append(digest)
        await may_read.wait()
        return asset_pb2.Asset(media_type="image/png"), picture(size=(2, 2))

    thumbnails = Thumbnails(10_000)
    waiting = [asyncio.create_task(thumbnails.get(str(number), 64, read)) for number in range(20)]
    await asyncio.wait(waiting, timeout=0)
    for task in waiting[:-1]:
        task.cancel()
    may_read.set()
    await asyncio.wait(waiting)
    assert not waiting[-1].cancelled()
    assert asked == [*map(str, range(AT_ONCE)), "19"]


@pytest.mark.parametrize("query", ["", "w=64"])
async def test_a_deleted_picture_is_for_those_who_ask_for_deleted_ones(
    fake: FakeServer, http: aiohttp.ClientSession, query: str
) -> None:
    asset = fake.add_asset(picture())
    path = f"/api/v1/assets/{asset.digest}?{query}"
    async with http.get(path) as response:
        assert response.headers["Cache-Control"] == IMMUTABLE
    asset.delete_time.GetCurrentTime()
    async with http.get(path) as response:
        assert response.status == 404, "also of what is in memory"
    async with http.get(f"{path}&deleted=true") as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "private, no-cache")
        whole, etag = await response.read(), response.headers["ETag"]
    async with http.get(f"{path}&deleted=true", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    if not query:
        async with http.get(f"{path}&deleted=true", headers={"Range": "bytes=1-3"}) as response:
            assert (response.status, await response.read()) == (206, whole[1:4])


@pytest.mark.parametrize("settings", [{"thumbnail_cache_bytes": 0}])
async def test_thumbnails_without_a_cache(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    asset = fake.add_asset(picture())
    for _ in range(2):
        async with http.get(f"/api/v1/assets/{asset.digest}?w=64") as response:
            assert response.status == 200


async def test_only_some_widths_are_made(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_asset(DATA)
    async with http.get(f"{PATH}?w=100") as response:
        assert response.status == 400
        assert "64, 128, 256, 512, 1024" in (await response.json())["detail"]


@pytest.mark.parametrize("data", [b"no picture", picture()[:60]], ids=["garbage", "cut"])
async def test_a_thumbnail_of_garbage_is_415(fake: FakeServer, http: aiohttp.ClientSession, data: bytes) -> None:
    asset = fake.add_asset(data)
    async with http.get(f"/api/v1/assets/{asset.digest}?w=64") as response:
        assert response.status == 415


async def test_a_decompression_bomb_is_not_decoded(
    fake: FakeServer, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegen_gateway.thumbnails.MAX_SOURCE_PIXELS", 100_000)
    asset = fake.add_asset(picture())
    async with http.get(f"/api/v1/assets/{asset.digest}?w=64") as response:
        assert response.status == 415
        assert "pixels" in (await response.json())["detail"]


async def test_upload_of_a_body(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/assets", data=DATA, headers={"Content-Type": "image/png"}) as response:
        assert response.status == 201
        assert response.headers["Location"] == PATH
        answer = await response.json()
    assert answer["digest"] == DIGEST
    assert answer["size_bytes"] == str(len(DATA))
    assert fake.assets[DIGEST][1] == DATA


async def test_upload_of_a_form(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData()
    form.add_field("file", DATA, filename="../../etc/passwd", content_type="image/png")
    async with http.post("/api/v1/assets", data=form) as response:
        assert response.status == 201
    assert fake.assets[DIGEST][1] == DATA


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, f"?digest={DIGEST}", 201),
        ({"Content-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"}, "", 201),
        ({"Digest": f"SHA-256={base64.b64encode(bytes.fromhex(DIGEST)).decode()}"}, "", 201),
        ({}, f"?digest={'0' * 64}", 400),
        ({}, "?digest=zz", 400),
        ({"Content-Digest": "sha-256=:aGk=:"}, "", 400),
    ],
)
async def test_an_announced_digest_is_checked(
    http: aiohttp.ClientSession, headers: dict[str, str], query: str, status: int
) -> None:
    headers = {"Content-Type": "image/png", **headers}
    async with http.post(f"/api/v1/assets{query}", data=DATA, headers=headers) as response:
        assert response.status == status


@pytest.mark.parametrize("settings", [{"max_upload_bytes": 1000}])
@pytest.mark.parametrize("how", ["body", "chunked", "form"])
async def test_an_upload_that_is_too_large_is_413(http: aiohttp.ClientSession, how: str) -> None:
    async def chunks() -> Any:
        for start in range(0, len(DATA), 500):
            yield DATA[start : start + 500]

    form = aiohttp.FormData()
    form.add_field("file", DATA, filename="a.png")
    data: Any = {"body": DATA, "chunked": chunks(), "form": form}[how]
    headers = {} if how == "form" else {"Content-Type": "image/png"}
    async with http.post("/api/v1/assets", data=data, headers=headers) as response:
        assert response.status == 413
        assert (await response.json())["reason"] == "ASSET_TOO_LARGE"


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [(b"bad image", "image/png", 400), (b"{}", "application/json", 415), (b"x", "text/plain", 415)],
)
async def test_uploads_that_are_refused(http: aiohttp.ClientSession, data: bytes, kind: str, status: int) -> None:
    async with http.post("/api/v1/assets", data=data, headers={"Content-Type": kind}) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"


async def test_a_form_without_the_file_is_400(http: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData()
    form.add_field("picture", DATA, filename="a.png")
    async with http.post("/api/v1/assets", data=form) as response:
        assert response.status == 400
        assert "file" in (await response.json())["detail"]


async def test_who_waits_for_a_job_gets_its_picture_from_a_server_that_restarts() -> None:
    fake = FakeServer()
    asset = fake.add_asset(DATA)
    async with serve_fake(fake):
        address = fake.address
    async with open_channels(address) as channels:
        assets = Assets(asset_pb2_grpc.AssetServiceStub(channels.bulk), GatewaySettings(), Thumbnails(0))
        reading = asyncio.create_task(assets.read(asset.digest, max_bytes=len(DATA)))
        await asyncio.wait([reading], timeout=0.1)  # it has found nobody
        async with serve_fake(fake, address):
            assert (await reading)[1] == DATA
