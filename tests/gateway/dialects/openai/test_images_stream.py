"""Pictures on the way, with the real `openai` package."""

import asyncio
import base64
from typing import Any

import aiohttp
import openai
import pytest

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.dialects.openai.partials import Spread
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of, until_job_is
from tests.gateway.dialects.pictures import opened, png

FOX = "a red fox"


def test_frames_are_spread_over_the_run() -> None:
    spread = Spread(3)
    chosen = [(step, spread.choose(frame(step), step / 20)) for step in range(21)]
    assert [(step, preview.frame) for step, preview in chosen if preview is not None] == [(5, 5), (10, 10), (15, 15)]


@pytest.mark.parametrize(
    ("wanted", "looks", "sent"),
    [
        (0, [(1, 0.5), (2, 1.0)], []),
        (1, [(1, 0.2), (None, 0.6)], [1]),  # a frame that came too early is sent when it is time
        (3, [(1, 0.9), (None, 1.0)], [1]),  # a stretch without frames has none
        (2, [(None, 0.5), (7, 0.5), (8, 0.5), (9, 0.7)], [7, 9]),
    ],
)
def test_no_frame_is_sent_twice(wanted: int, looks: list[tuple[int | None, float]], sent: list[int]) -> None:
    spread = Spread(wanted)
    chosen = [spread.choose(None if number is None else frame(number), done) for number, done in looks]
    assert [preview.frame for preview in chosen if preview is not None] == sent
    assert spread.sent == len(sent)


def frame(number: int) -> event_pb2.Preview:
    return event_pb2.Preview(frame=number)


@pytest.mark.parametrize("speed", ["4"])
@pytest.mark.parametrize(("wanted", "given"), [(openai.omit, "jpeg"), ("png", "png")])
async def test_a_stream_shows_how_the_picture_emerges(house: House, wanted: Any, given: str) -> None:
    def ask() -> list[Any]:
        with openai.OpenAI(base_url=f"{house.url}/openai/v1", api_key="any") as api:
            return list(
                api.images.generate(prompt=FOX, size="128x64", stream=True, partial_images=2, output_format=wanted)
            )

    *partial, completed = await asyncio.to_thread(ask)
    assert [event.partial_image_index for event in partial] in ([0], [0, 1])  # a busy machine leaves one out
    assert {event.type for event in partial} == {"image_generation.partial_image"}
    assert {opened(base64.b64decode(event.b64_json)).format for event in partial} == {given.upper()}
    assert {event.output_format for event in partial} == {given}
    assert (completed.type, completed.size, completed.output_format) == ("image_generation.completed", "128x64", "png")
    assert opened(base64.b64decode(completed.b64_json)).size == (128, 64)
    assert (completed.usage.total_tokens, completed.created_at > 0) == (0, True)


async def test_an_edit_streams_each_picture_as_it_is_finished(api: openai.AsyncOpenAI) -> None:
    events = await api.images.edit(
        image=[("fox.png", png())], prompt="a blue fox", n=2, stream=True, output_format="webp", extra_body={"steps": 2}
    )
    types = []
    async for event in events:
        types.append(event.type)
        assert opened(base64.b64decode(event.b64_json)).format == "WEBP"
    assert types == ["image_edit.completed"] * 2


@pytest.mark.parametrize("speed", ["0.25"])
@pytest.mark.parametrize("settings", [{"ping_interval_s": 0.01}])
async def test_a_failure_is_an_event_and_silence_is_broken(house: House, http: aiohttp.ClientSession) -> None:
    async with http.post("/openai/v1/images/generations", json={"prompt": FOX, "stream": True}) as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b": ping\n\n")
        await house.client.cancel((await jobs_of(house))[0].job_id)
        rest = (await response.read()).decode()
    assert "event: error\n" in rest
    assert '"code":"cancelled_by_caller"' in rest


@pytest.mark.parametrize("speed", ["0.25"])
async def test_the_package_raises_a_failure_that_comes_in_a_stream(house: House, api: openai.AsyncOpenAI) -> None:
    events = await api.images.generate(prompt=FOX, stream=True)
    await house.client.cancel((await jobs_of(house))[0].job_id)
    with pytest.raises(openai.APIError, match="cancel"):
        [event async for event in events]


@pytest.mark.parametrize("speed", ["0.25"])
async def test_a_reader_that_leaves_a_stream_has_its_job_cancelled(house: House, api: openai.AsyncOpenAI) -> None:
    events = await api.images.generate(prompt=FOX, stream=True, partial_images=3)
    await events.close()
    await until_job_is(house, job_pb2.JOB_STATE_CANCELLED)
