"""The server is killed in mid-work: nothing that was accepted is lost, nothing is made twice, and nobody sees a gap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import AttemptState, ImageParameters, Job, JobSpec, JobState, UncertainPolicy
from imagegen_client import Client
from tests.chaos.reading import reason_of
from tests.e2e.programs import gateway_program, running, server_program
from tests.e2e.stack import DURABLE, SseEvent, durable, read_events
from tests.fakes.a1111.server import open_fake as open_a1111
from tests.fakes.comfyui.server import FakeComfyUI
from tests.fakes.comfyui.server import open_fake as open_comfyui

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

FAIL, RETRY = UncertainPolicy.UNCERTAIN_POLICY_FAIL, UncertainPolicy.UNCERTAIN_POLICY_RETRY


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was found after the server had been killed and started again."""

    spread: Job
    """Four images, which two ComfyUI were making."""
    over_grpc: list[JobEvent]
    over_sse: list[SseEvent]
    """What its watchers saw, from before the crash."""
    comfyui: tuple[FakeComfyUI, FakeComfyUI]
    queued: Job
    """Had not begun."""
    cautious: Job
    """Was running where nobody can be asked, and is not to be made twice."""
    careless: Job
    """The same, and may be."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    async with AsyncExitStack() as stack:
        comfyui = [await stack.enter_async_context(open_comfyui(step_s=0.1)) for _ in range(2)]
        others = [await stack.enter_async_context(open_a1111(step_s=0.03, is_webui=False)) for _ in range(2)]
        backends = [
            {"name": f"comfyui-{number}", "kind": "comfyui", "url": fake.url, "labels": {"for": "batches"}}
            for number, fake in enumerate(comfyui)
        ]
        backends += [
            {"name": f"a1111-{number}", "kind": "a1111", "url": fake.url} for number, fake in enumerate(others)
        ]
        server = server_program(tmp_path_factory.mktemp("data"), backends)
        gateway = gateway_program(server)
        await stack.enter_async_context(running(server, gateway))
        client = await stack.enter_async_context(Client(server.address, give_up_after_s=30))
        session = await stack.enter_async_context(aiohttp.ClientSession(gateway.address))
        watch = Watching(client, session)

        # A job is spread over backends that have been measured, if that saves seconds: as it would at this pace.
        for number, painter in enumerate(comfyui):
            await watch.until_ended((await client.create_job(spec(steps=3, backend=f"comfyui-{number}"))).job_id)
            painter.worker.step_s = 0.02
        cautious = await client.create_job(spec(steps=100, backend="a1111-0", on_uncertain=FAIL))
        careless = await client.create_job(spec(steps=100, backend="a1111-1", on_uncertain=RETRY))
        queued = await client.create_job(spec(steps=2, backend="a1111-0"))
        await asyncio.gather(*(watch.until_at_work(job.job_id) for job in (cautious, careless)))
        for fake in others:
            fake.engine.gate.clear()  # they are at work for as long as it takes
        spread = await client.create_job(spec(steps=70, count=4, backend_labels={"for": "batches"}))
        async with asyncio.TaskGroup() as tasks:
            over_grpc = tasks.create_task(watch.over_grpc(spread.job_id))
            over_sse = tasks.create_task(watch.over_sse(spread.job_id))
            await watch.until_at_work(spread.job_id, attempts=2)
            await server.kill()
            await server.start()
            await asyncio.gather(*(watch.until_given_up(job.job_id) for job in (cautious, careless)))
            for fake in others:
                fake.engine.step_s = 0.0
                fake.engine.gate.set()
        yield Aftermath(
            spread=await client.get_job(spread.job_id),
            over_grpc=over_grpc.result(),
            over_sse=over_sse.result(),
            comfyui=(comfyui[0], comfyui[1]),
            queued=await watch.until_ended(queued.job_id),
            cautious=await watch.until_ended(cautious.job_id),
            careless=await watch.until_ended(careless.job_id),
        )


@dataclass(frozen=True, slots=True)
class Watching:
    """Over both ways in."""

    client: Client
    session: aiohttp.ClientSession

    async def until_at_work(self, job_id: str, *, attempts: int = 1) -> None:
        at_work = set[int]()
        async with self.client.watch(job_id) as watch:
            async for event in watch:
                if event.HasField("progress") and event.progress.step > 1:
                    at_work.add(event.attempt)
                if len(at_work) == attempts:
                    return
        raise AssertionError(f"the job has ended, and only attempts {at_work} were seen at work")

    async def until_given_up(self, job_id: str) -> None:
        async with self.client.watch(job_id, resume_token="earliest") as watch:
            async for event in watch:
                if event.HasField("attempt_failed"):
                    return
        raise AssertionError("the job has ended, and no attempt had failed")

    async def until_ended(self, job_id: str) -> Job:
        return (await self.over_grpc(job_id))[-1].completed.job

    async def over_grpc(self, job_id: str) -> list[JobEvent]:
        """The durable events."""
        async with self.client.watch(job_id, resume_token="earliest") as watch:
            return [event async for event in watch if event.WhichOneof("event") in DURABLE]

    async def over_sse(self, job_id: str) -> list[SseEvent]:
        """One stream: the gateway sees to it that it goes on."""
        async with self.session.get(f"/api/v1/jobs/{job_id}/events?last_event_id=earliest") as stream:
            return [event async for event in read_events(stream)]


def spec(*, steps: int, count: int = 1, **more: object) -> JobSpec:
    image = ImageParameters(prompt="a storm", width=64, height=64, steps=steps, seed=100, count=count)
    return JobSpec(image=image, **more)  # type: ignore[arg-type]  # fields by name


async def test_every_watcher_sees_each_durable_event_once(aftermath: Aftermath) -> None:
    expected = list(range(1, aftermath.spread.sequence + 1))
    assert [event.sequence for event in aftermath.over_grpc] == expected
    assert durable(aftermath.over_sse) == expected


async def test_all_attempts_of_a_job_are_taken_up_again(aftermath: Aftermath) -> None:
    job = aftermath.spread
    assert job.state == JobState.JOB_STATE_SUCCEEDED
    assert {attempt.backend for attempt in job.attempts} == {"comfyui-0", "comfyui-1"}
    assert [attempt.state for attempt in job.attempts] == [AttemptState.ATTEMPT_STATE_SUCCEEDED] * 2


async def test_no_image_is_made_twice_or_lost(aftermath: Aftermath) -> None:
    outputs = sorted(aftermath.spread.outputs, key=lambda output: output.image_index)
    assert [(output.image_index, output.seed) for output in outputs] == [(i, 100 + i) for i in range(4)]
    assert [len(fake.worker.history) for fake in aftermath.comfyui] == [2, 2], "the first job and one attempt each"


async def test_what_had_not_begun_is_done(aftermath: Aftermath) -> None:
    assert aftermath.queued.state == JobState.JOB_STATE_SUCCEEDED


async def test_what_nobody_can_tell_about_is_uncertain_and_ends_the_job_if_it_says_so(aftermath: Aftermath) -> None:
    job = aftermath.cautious
    assert [attempt.state for attempt in job.attempts] == [AttemptState.ATTEMPT_STATE_UNCERTAIN]
    assert job.state == JobState.JOB_STATE_FAILED
    assert reason_of(job.error) == reason_of(job.attempts[0].error) == "ATTEMPT_UNCERTAIN"


async def test_what_nobody_can_tell_about_is_tried_again_otherwise(aftermath: Aftermath) -> None:
    job = aftermath.careless
    states = [attempt.state for attempt in job.attempts]
    assert states == [AttemptState.ATTEMPT_STATE_UNCERTAIN, AttemptState.ATTEMPT_STATE_SUCCEEDED]
    assert job.state == JobState.JOB_STATE_SUCCEEDED
    assert len(job.outputs) == 1
