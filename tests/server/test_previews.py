"""Frames as the job asked for them, and smaller ones for watchers."""

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobResponse
from imagegen_adapters.contract import PreviewFrame
from imagegen_server.jobs import PreviewOptions
from imagegen_server.running.previews import Preview, PreviewPipe, PreviewVariant, UnreadableFrame, render, scale_down
from imagegen_server.tasks import running
from imagegen_server.wire.events import PreviewEvent
from tests.server.scripted import frame, picture


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def preview(size: tuple[int, int] = (64, 32)) -> Preview:
    return render(frame(size=size), 1, PreviewOptions())


def test_a_frame_that_fits_keeps_its_bytes() -> None:
    sent = frame(7, (64, 32))
    shown = render(sent, 3, PreviewOptions(max_pixels=64))
    assert shown.data == sent.data
    assert (shown.width, shown.height, shown.frame, shown.step) == (64, 32, 3, 7)
    assert shown.media_type == "image/jpeg"


def test_a_large_frame_is_scaled_down() -> None:
    shown = render(frame(size=(64, 32)), 1, PreviewOptions(max_pixels=16))
    assert opened(shown.data).size == (16, 8) == (shown.width, shown.height)


@pytest.mark.parametrize(("format_name", "media_type"), [("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_a_frame_is_encoded_as_asked(format_name: str, media_type: str) -> None:
    sent = PreviewFrame(data=picture(1), media_type="image/png")
    shown = render(sent, 1, PreviewOptions(format=format_name, quality=50))
    assert shown.media_type == media_type
    assert opened(shown.data).format == format_name.upper()


def test_the_media_type_is_what_the_bytes_are() -> None:
    assert render(PreviewFrame(data=picture(1), media_type="image/jpeg"), 1, PreviewOptions()).media_type == "image/png"


@pytest.mark.parametrize("data", [b"", b"no picture", picture(1)[:40]])
def test_a_broken_frame_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableFrame):
        render(PreviewFrame(data=data, media_type="image/png"), 1, PreviewOptions(format="jpeg"))


def test_a_broken_picture_is_told_without_bytes_where_it_cannot_be_scaled() -> None:
    whole = frame(size=(256, 256)).data
    broken = render(PreviewFrame(data=whole[:-200], media_type="image/jpeg"), 1, PreviewOptions())
    assert scale_down(broken, 16).data == b""


async def test_the_pipe_publishes_the_newest_and_numbers_what_it_publishes(executor: ThreadPoolExecutor) -> None:
    shown: list[Preview] = []
    arrived = asyncio.Event()

    def publish(preview: Preview) -> None:
        shown.append(preview)
        arrived.set()

    pipe = PreviewPipe(PreviewOptions(max_rate_hz=30), publish, executor)
    for shade in range(5):
        pipe.offer(frame(shade))
    async with asyncio.timeout(5), running(pipe.pump()):
        await arrived.wait()
        arrived.clear()
        pipe.offer(PreviewFrame(data=b"broken", media_type="image/jpeg"))
        pipe.offer(frame(8))
        await arrived.wait()
    assert [(each.step, each.frame) for each in shown] == [(4, 1), (8, 2)]


async def test_the_pipe_is_silent_where_previews_are_off(executor: ThreadPoolExecutor) -> None:
    shown: list[Preview] = []
    pipe = PreviewPipe(PreviewOptions(enabled=False), shown.append, executor)
    pipe.offer(frame())
    async with running(pipe.pump()):
        for _ in range(5):
            await asyncio.sleep(0)
    assert shown == []


def told(event: PreviewEvent, variant: PreviewVariant) -> JobEvent:
    data = event.encode(sequence=3, token="t", variant=variant)
    return WatchJobResponse.FromString(data).event


async def test_watchers_get_the_variant_they_want(executor: ThreadPoolExecutor) -> None:
    event = PreviewEvent("job", 1, 0.0, preview(), executor)
    whole, small, notice = PreviewVariant(), PreviewVariant(max_pixels=16), PreviewVariant(with_data=False)
    for variant in (whole, small, notice):
        await event.prepare(variant)
    assert (told(event, whole).preview.width, told(event, small).preview.width) == (64, 16)
    assert opened(told(event, small).preview.data).size == (16, 8)
    assert told(event, notice).preview.data == b""
    assert (told(event, notice).preview.width, told(event, notice).sequence) == (64, 3)


async def test_a_watcher_that_leaves_does_not_take_the_picture_from_others(executor: ThreadPoolExecutor) -> None:
    event = PreviewEvent("job", 1, 0.0, preview((512, 512)), executor)
    variant = PreviewVariant(max_pixels=16)
    leaving, staying = asyncio.create_task(event.prepare(variant)), asyncio.create_task(event.prepare(variant))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    assert told(event, variant).preview.width == 16
