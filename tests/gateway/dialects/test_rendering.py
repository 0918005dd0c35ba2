"""A job that somebody waits for: its moments, its end, and what happens when the caller goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import asset_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_client import Client
from imagegen_gateway.callers import Caller
from imagegen_gateway.channels import open_channels
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.dialects.rendering import (
    MAX_ANSWER_BYTES,
    Studio,
    check_together,
    failure_of,
    finished_pictures,
    images_of,
    open_studio,
)
from imagegen_gateway.errors import Problem
from imagegen_gateway.hub import Hubs, open_hubs
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings
from tests.gateway.dialects.conftest import House

ANNA = Caller(owner="anna")


@asynccontextmanager
async def parts_at(address: str) -> AsyncIterator[tuple[Studio, Hubs]]:
    """What a gateway in front of this server makes and follows jobs with."""
    settings = GatewaySettings(server=address)
    async with (
        open_channels(address) as channels,
        open_hubs(image_gen_pb2_grpc.ImageGenServiceStub(channels.events), settings) as hubs,
        open_studio(channels.events, hubs, 5.0) as studio,
    ):
        yield studio, hubs


@pytest.fixture(name="parts")
async def parts_fixture(house: House) -> AsyncIterator[tuple[Studio, Hubs]]:
    async with parts_at(house.client.address) as parts:
        yield parts


def fox(**fields: Any) -> job_pb2.JobSpec:
    return job_pb2.JobSpec(image=job_pb2.ImageParameters(prompt="a red fox", **fields))


async def state_of(client: Client, job_id: str) -> str:
    return job_pb2.JobState.Name((await client.get_job(job_id)).state).removeprefix("JOB_STATE_")


async def test_moments_give_every_result_once_and_end_with_the_job(parts: tuple[Studio, Hubs]) -> None:
    async with parts[0].render(fox(count=3, width=64, height=64, steps=4), ANNA) as rendering:
        async with aclosing(rendering.moments(interval_s=0.0)) as looks:
            moments = [moment async for moment in looks]
        job = await rendering.ended()
    assert [output.index for moment in moments for output in moment.outputs] == [0, 1, 2]
    assert [moment.is_last for moment in moments] == [False] * (len(moments) - 1) + [True]
    assert job == moments[-1].job
    assert (job.owner, failure_of(job), len(images_of(job))) == ("anna", None, 3)
    async with parts[0].follow(job.job_id) as again, aclosing(again.moments()) as looks:
        assert [output.index for output in (await anext(looks)).outputs] == [0, 1, 2]


@pytest.mark.parametrize("speed", ["1"])
async def test_previews_come_once_each_and_small(parts: tuple[Studio, Hubs], house: House) -> None:
    frames: list[int] = []
    async with (
        parts[0].render(fox(width=1024, height=1024), ANNA) as rendering,
        aclosing(rendering.moments(interval_s=0.0)) as looks,
    ):
        async for moment in looks:
            if moment.preview is not None:
                assert max(moment.preview.width, moment.preview.height) <= 512
                assert moment.preview.media_type == "image/jpeg"
                frames.append(moment.preview.frame)
            if len(frames) == 3:
                break
    assert frames == sorted(set(frames))
    assert await state_of(house.client, rendering.job_id) in {"CANCELLING", "CANCELLED"}


@pytest.mark.parametrize("speed", ["0.25"])
async def test_silence_is_broken_by_moments_without_news(parts: tuple[Studio, Hubs]) -> None:
    async with (
        parts[0].render(fox(), ANNA) as rendering,
        aclosing(rendering.moments(heartbeat_s=0.01)) as looks,
    ):
        async for moment in looks:
            if not moment.events:
                assert not moment.outputs
                assert moment.preview is None
                return


@pytest.mark.parametrize("speed", ["0.25"])
async def test_a_caller_that_goes_away_has_its_job_cancelled(parts: tuple[Studio, Hubs], house: House) -> None:
    studio, _ = parts
    seen = asyncio.get_running_loop().create_future()

    async def wait_for_it() -> None:
        async with studio.render(fox(), ANNA) as rendering:
            seen.set_result(rendering.job_id)
            await rendering.ended()

    waiting = asyncio.create_task(wait_for_it())
    job_id = await seen
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await state_of(house.client, job_id) in {"CANCELLING", "CANCELLED"}


@pytest.mark.parametrize("speed", ["0.25"])
async def test_a_gateway_that_goes_down_leaves_the_job_alone(parts: tuple[Studio, Hubs], house: House) -> None:
    studio, hubs = parts
    async with studio.render(fox(), ANNA) as rendering:
        hubs.close()
        with pytest.raises(Problem, match="goes on without it"):
            await rendering.ended()
    assert await state_of(house.client, rendering.job_id) in {"QUEUED", "RUNNING"}
    await house.client.cancel(rendering.job_id)


@pytest.mark.parametrize("speed", ["0.25"])
async def test_a_caller_that_goes_away_while_its_job_is_made_has_none(parts: tuple[Studio, Hubs], house: House) -> None:
    studio, _ = parts
    creating = asyncio.create_task(studio.create(fox(), ANNA))
    await asyncio.sleep(0)  # it has begun, and has no answer yet
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    await studio.close()
    assert [await state_of(house.client, job.job_id) async for job in house.client.list_jobs()] in (
        ["CANCELLING"],
        ["CANCELLED"],
    )


@pytest.mark.parametrize("speed", ["0.25"])
async def test_who_named_the_request_may_come_again(parts: tuple[Studio, Hubs], house: House) -> None:
    studio, _ = parts
    async with studio.render(fox(seed=1), ANNA, request_id="again") as first:
        pass
    creating = asyncio.create_task(studio.create(fox(seed=1), ANNA, request_id="again"))
    await asyncio.sleep(0)  # it has begun, and has no answer yet
    creating.cancel()
    await asyncio.wait([creating])
    async with studio.render(fox(seed=1), ANNA, request_id="again") as second:
        assert first.job_id == second.job_id
    assert await state_of(house.client, first.job_id) in {"QUEUED", "RUNNING"}
    await house.client.cancel(first.job_id)


async def test_a_job_is_handed_in_once_also_while_the_server_restarts(tmp_path: Path) -> None:
    chosen = ServerSettings(grpc="127.0.0.1:0", data_dir=tmp_path, backends=(BackendSettings(kind="demo"),))
    async with AsyncExitStack() as running, AsyncExitStack() as callers:
        address = (await running.enter_async_context(serve(chosen))).address
        studio, _ = await callers.enter_async_context(parts_at(address))
        await studio.create(fox(), ANNA)  # connected
        await running.aclose()
        creating = asyncio.create_task(studio.create(fox(), ANNA))
        await asyncio.sleep(0)  # it has begun, and nobody is there to hear of it
        await running.enter_async_context(serve(chosen.model_copy(update={"grpc": address})))
        job = await creating
        async with Client(address) as client:
            jobs = [found.job_id async for found in client.list_jobs()]
            assert (len(jobs), jobs[0]) == (2, job.job_id)
            assert job.request_id  # what a repeated call is known by


async def test_a_caller_that_goes_away_while_the_server_restarts_has_its_job_cancelled(tmp_path: Path) -> None:
    chosen = ServerSettings(
        grpc="127.0.0.1:0", data_dir=tmp_path, backends=(BackendSettings(kind="demo", options={"speed": "0.25"}),)
    )
    async with AsyncExitStack() as running, AsyncExitStack() as callers:
        address = (await running.enter_async_context(serve(chosen))).address
        studio, _ = await callers.enter_async_context(parts_at(address))
        rendering = studio.render(fox(), ANNA)
        job_id = (await rendering.__aenter__()).job_id
        await running.aclose()
        leaving = asyncio.create_task(rendering.__aexit__(None, None, None))
        await asyncio.sleep(0)  # it has begun to leave, and nobody is there to hear of it
        await running.enter_async_context(serve(chosen.model_copy(update={"grpc": address})))
        await leaving
        async with Client(address) as client:
            assert await state_of(client, job_id) in {"CANCELLING", "CANCELLED"}


async def test_what_the_server_refuses_is_raised(parts: tuple[Studio, Hubs]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with parts[0].render(fox(width=63), ANNA):
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def output(
    index: int,
    image_index: int,
    media_type: str = "image/png",
    kind: job_pb2.OutputKind.ValueType = job_pb2.OUTPUT_KIND_FINAL,
) -> job_pb2.Output:
    asset = asset_pb2.Asset(media_type=media_type)
    return job_pb2.Output(index=index, image_index=image_index, asset=asset, kind=kind)


def test_pictures_are_the_results_in_the_order_of_the_images_whoever_was_first() -> None:
    job = job_pb2.Job(
        state=job_pb2.JOB_STATE_SUCCEEDED,
        outputs=[
            output(0, 2),
            output(1, 0, kind=job_pb2.OUTPUT_KIND_INTERMEDIATE),
            output(2, 1),
            output(3, 0, "video/mp4"),
            output(4, 0),
        ],
    )
    assert [picture.index for picture in finished_pictures(job)] == [4, 2, 0]


@pytest.mark.parametrize(
    ("state", "status"),
    [(job_pb2.JOB_STATE_SUCCEEDED, 502), (job_pb2.JOB_STATE_CANCELLED, 499)],
)
def test_a_job_without_pictures_is_a_problem(state: job_pb2.JobState.ValueType, status: int) -> None:
    job = job_pb2.Job(state=state, outputs=[output(0, 0, "audio/flac")])
    with pytest.raises(Problem) as caught:
        finished_pictures(job)
    assert caught.value.status == status


def test_pictures_that_are_too_much_for_one_answer_are_refused() -> None:
    output = job_pb2.Output(asset=asset_pb2.Asset(size_bytes=MAX_ANSWER_BYTES // 4))
    check_together([output] * 4)
    with pytest.raises(Problem, match="in the gallery") as caught:
        check_together([output] * 5)
    assert caught.value.status == 413
