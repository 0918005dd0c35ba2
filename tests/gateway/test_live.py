"""Live pictures: the parts of a multipart stream, and single frames."""

import asyncio
import io

import aiohttp
import pytest
from PIL import Image

from imagegen.v1 import job_pb2
from imagegen_gateway.cards import card_size, draw_card
from tests.gateway.fake_server import FakeServer

LIVE = "/api/v1/jobs/j1/live"


def png(colour: str = "red", size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


class Parts:
    """Reads multipart/x-mixed-replace as strictly as a browser: the length must be right, the boundary must follow."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        assert response.status == 200
        assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=imagegen-frame"
        self.content = response.content
        self.is_last = False

    async def begin(self) -> "Parts":
        assert await self.content.readline() == b"--imagegen-frame\r\n"
        return self

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(10):
            headers = {}
            while (line := await self.content.readline()) != b"\r\n":
                name, _, value = line.decode().strip().partition(": ")
                headers[name] = value
            data = await self.content.readexactly(int(headers["Content-Length"]))
            assert await self.content.readexactly(2) == b"\r\n"
            end = await self.content.readline()
            assert end in {b"--imagegen-frame\r\n", b"--imagegen-frame--\r\n"}
            self.is_last = end.endswith(b"--\r\n")
            return headers["Content-Type"], data


async def test_a_card_then_previews_then_the_finished_picture(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    final = png("blue", (600, 400))
    async with http.get(LIVE) as response:
        parts = await Parts(response).begin()
        kind, card = await parts.next()
        assert kind == "image/png"
        assert Image.open(io.BytesIO(card)).size == (512, 512)
        fake.run("j1")
        fake.preview("j1", b"first", frame=1)
        while kind != "image/jpeg":
            kind, frame = await parts.next()
        assert frame == b"first"
        fake.preview("j1", b"second", frame=2)
        assert await parts.next() == ("image/jpeg", b"second")
        fake.add_output("j1", final)
        fake.complete("j1")
        assert await parts.next() == ("image/png", final)
        assert parts.is_last
        assert await response.content.read() == b""
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"


async def test_an_ended_job_is_its_picture(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    first, second = png("blue"), png("green")
    fake.add_output("j1", first)
    fake.add_output("j1", second)
    fake.complete("j1")
    async with http.get(LIVE) as response:
        assert response.content_type == "image/png"
        assert await response.read() == first
        etag = response.headers["ETag"]
        assert "max-age=3600" in response.headers["Cache-Control"]
    async with http.get(LIVE, headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    async with http.get(f"{LIVE}?index=1") as response:
        assert await response.read() == second
    assert fake.opened == []


async def test_a_failure_is_told_in_a_picture(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    job = fake.add_job("j1")
    job.error.message = "out of memory"
    async with http.get(LIVE) as response:
        parts = await Parts(response).begin()
        _, waiting = await parts.next()
        fake.complete("j1", job_pb2.JOB_STATE_FAILED)
        kind, trouble = await parts.next()
    assert kind == "image/png"
    assert parts.is_last
    assert trouble != waiting
    async with http.get(LIVE) as response:
        assert await response.read() == trouble
        assert response.headers["Cache-Control"] == "no-store"


async def test_the_card_tells_how_far_a_job_without_previews_is(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    job = fake.add_job("j1")
    job.spec.image.width, job.spec.image.height = 1024, 512
    async with http.get(LIVE) as response:
        parts = await Parts(response).begin()
        assert (await parts.next())[1] == draw_card("waiting in the queue", (512, 256))
        fake.run("j1")
        assert (await parts.next())[1] == draw_card("at work", (512, 256))
        fake.progress("j1", 0.52)
        assert (await parts.next())[1] == draw_card("at work, 50 %", (512, 256))


async def test_max_rate_hz_skips_to_the_newest(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with http.get(f"{LIVE}?max_rate_hz=5") as response:
        parts = await Parts(response).begin()
        await parts.next()
        fake.preview("j1", b"1")
        assert (await parts.next())[1] == b"1"
        for number in range(2, 6):
            fake.preview("j1", str(number).encode())
        assert (await parts.next())[1] == b"5"


@pytest.mark.parametrize("settings", [{"ping_interval_s": 0.02}])
async def test_the_last_frame_is_repeated_to_find_dead_peers(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with http.get(LIVE) as response:
        parts = await Parts(response).begin()
        assert await parts.next() == await parts.next()


@pytest.mark.parametrize("query", ["index=-1", "index=1000", "index=%C2%B2", "max_rate_hz=x", "max_pixels=1", "w=64"])
async def test_bad_options_are_400(fake: FakeServer, http: aiohttp.ClientSession, query: str) -> None:
    fake.add_job("j1")
    async with http.get(f"{LIVE}?{query}") as response:
        assert response.status == 400


async def test_an_unknown_job_is_404(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/jobs/nobody/live") as response:
        assert response.status == 404
        assert (await response.json())["reason"] == "JOB_NOT_FOUND"


async def test_a_frame_without_a_preview_is_404(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with http.get("/api/v1/jobs/j1/preview") as response:
        assert response.status == 404


async def test_a_lost_final_picture_cuts_the_stream(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with http.get(LIVE) as response:
        parts = await Parts(response).begin()
        await parts.next()
        fake.add_output("j1", png())
        fake.assets.clear()
        fake.complete("j1")
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()


def test_cards_have_the_shape_of_the_picture() -> None:
    assert card_size(0, 0) == (512, 512)
    assert card_size(2048, 1024) == (512, 256)
    assert card_size(4096, 8) == (512, 64)
