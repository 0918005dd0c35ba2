"""The server is stopped and started again: what was under way goes on, and what was said before still holds."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # ships no stubs
from grpc_status import rpc_status

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from tests.e2e.programs import gateway_program, running, server_program
from tests.e2e.stack import DURABLE, SseEvent, durable, read_events
from tests.fakes.comfyui.server import open_fake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


async def test_a_restart_changes_nothing_for_those_who_come_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(open_fake(step_s=0.02))
        server = server_program(tmp_path, [{"kind": "comfyui", "url": fake.url}])
        gateway = gateway_program(server)
        await stack.enter_async_context(running(server, gateway))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(server.address))
        rest = Rest(await stack.enter_async_context(aiohttp.ClientSession(gateway.address)))
        running_job = await rest.create("running", steps=100)
        watch = ImageGenServiceStub(channel).WatchJob
        events: list[JobEvent] = []

        async def read_on() -> None:
            token = events[-1].resume_token if events else "earliest"
            request = WatchJobRequest(job_id=running_job, resume_token=token)
            async for response in watch(request, wait_for_ready=True):
                events.append(response.event)
                if response.event.HasField("progress"):
                    at_work.set()

        at_work = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            over_sse = tasks.create_task(rest.watch(running_job))
            over_grpc = tasks.create_task(raised_by(read_on()))
            await at_work.wait()
            await rest.ask("POST", "/api/v1/queue:pause", {})
            held_job = await rest.create("held", steps=2)

            assert await server.stop() == 0
            error = await over_grpc
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert any(detail.Is(RetryInfo.DESCRIPTOR) for detail in details_of(error))
            await server.start()
            await read_on()

        job = await rest.ask("GET", f"/api/v1/jobs/{running_job}")
        assert job["job"]["state"] == "JOB_STATE_SUCCEEDED"
        assert len(job["job"]["attempts"]) == len(fake.worker.history) == 1, "the backend went on with it meanwhile"
        everything = list(range(1, int(job["job"]["sequence"]) + 1))
        assert [event.sequence for event in events if event.WhichOneof("event") in DURABLE] == everything
        assert durable(over_sse.result()) == everything

        assert (await rest.ask("GET", "/api/v1/queue"))["queue"]["paused"]
        held = (await rest.ask("GET", f"/api/v1/jobs/{held_job}"))["job"]
        assert (held["state"], held["queue"]["reason"]) == ("JOB_STATE_QUEUED", "WAIT_REASON_QUEUE_PAUSED")
        assert await rest.create("held", steps=2) == held_job, "the key still stands for the job that was accepted"
        await rest.ask("POST", "/api/v1/queue:resume", {})
        assert (await rest.watch(held_job))[-1].event == "completed"


class Rest:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def create(self, key: str, *, steps: int) -> str:
        spec = {"image": {"prompt": "a quay", "width": 64, "height": 64, "steps": steps, "seed": "1"}}
        answer = await self.ask("POST", "/api/v1/jobs", {"spec": spec}, **{"Idempotency-Key": key})
        return str(answer["job"]["job_id"])

    async def watch(self, job_id: str) -> list[SseEvent]:
        async with self._session.get(f"/api/v1/jobs/{job_id}/events?last_event_id=earliest") as stream:
            return [event async for event in read_events(stream)]


async def raised_by(reading: Coroutine[Any, Any, None]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await reading
    return raised.value


def details_of(error: grpc.aio.AioRpcError) -> Sequence[Any]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # has what a Call has, as far as it is used
    assert status is not None
    return list(status.details)
