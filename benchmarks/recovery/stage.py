"""The real programs, and a job that runs there for as long as it is watched."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from imagegen.v1.backend_pb2 import BackendHealth
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import ImageParameters
from imagegen_client import Client
from tests.e2e.programs import Program, fake_program, gateway_program, running, server_program
from tests.e2e.stack import read_events

WITHIN_S = 120.0
"""Whatever is waited for comes within this time, or the benchmark fails."""
HEALTHY = BackendHealth.BACKEND_HEALTH_HEALTHY
STEP_S = 0.05
STEPS = 500
"""More than any round takes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of interest, and when it arrived by the monotonic clock."""

    at: float
    kind: str
    attempt: int
    step: int = 0


class Watcher:
    """What has arrived, to be waited for."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._changed = asyncio.Condition()

    async def note(self, kind: str, attempt: int, step: int = 0) -> None:
        async with self._changed:
            self._seen.append(Seen(time.monotonic(), kind, attempt, step))
            self._changed.notify_all()

    async def first(self, kind: str, *, after: float = 0.0, attempt: int = 1) -> Seen:
        """The first of a kind after a moment, of this attempt or a later one; of progress, one with a step."""

        def find() -> Seen | None:
            fitting = (s for s in self._seen if s.kind == kind and s.at > after and s.attempt >= attempt)
            return next((seen for seen in fitting if seen.step or kind != "progress"), None)

        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(lambda: find() is not None)
        found = find()
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class RunningJob:
    backend: Program
    """Where it runs."""
    handed_over_s: float
    """From the call that made it to its first step."""
    over_grpc: Watcher
    over_sse: Watcher


@dataclass(frozen=True, slots=True)
class Stage:
    server: Program
    backends: tuple[Program, ...]
    client: Client
    session: aiohttp.ClientSession
    """Of the gateway's address."""

    @asynccontextmanager
    async def running_job(self) -> AsyncIterator[RunningJob]:
        """Sampling on one of the backends, watched over both ways from its begin. Cancelled at the end."""
        await self._until_all_are_healthy()
        begin = time.monotonic()
        source = ImageParameters(prompt="a lighthouse", width=64, height=64, steps=STEPS, seed=1)
        job = await self.client.create_job(source)
        over_grpc, over_sse = Watcher(), Watcher()
        async with asyncio.TaskGroup() as tasks:
            watching = [
                tasks.create_task(self._watch_over_grpc(job.job_id, over_grpc)),
                tasks.create_task(self._watch_over_sse(job.job_id, over_sse)),
            ]
            first = await over_grpc.first("progress")
            await over_sse.first("progress")
            name = (await self.client.get_job(job.job_id)).attempts[0].backend
            backend = next(each for each in self.backends if each.name == name)
            yield RunningJob(backend, first.at - begin, over_grpc, over_sse)
            await self.client.cancel(job.job_id)
            await over_grpc.first("completed")
            for task in watching:
                task.cancel()

    async def until_taken_out(self, backend: Program) -> float:
        """When it was seen, by the monotonic clock, that the backend gets no more jobs."""
        async with asyncio.timeout(WITHIN_S):
            while (await self.client.get_backend(backend.name)).health == HEALTHY:  # noqa: ASYNC110  # others
                await asyncio.sleep(0.02)
        return time.monotonic()

    async def _until_all_are_healthy(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not all(each.health == HEALTHY for each in await self.client.list_backends()):  # noqa: ASYNC110  # others
                await asyncio.sleep(0.2)

    async def _watch_over_grpc(self, job_id: str, watcher: Watcher) -> None:
        async with self.client.watch(job_id) as watch:
            async for event in watch:
                await watcher.note(_kind(event), event.attempt, event.progress.step)

    async def _watch_over_sse(self, job_id: str, watcher: Watcher) -> None:
        """As a browser does: it comes back with the id of the last event, if it has to."""
        token = ""
        while True:
            headers = {"Last-Event-ID": token} if token else {}
            async with self.session.get(f"/api/v1/jobs/{job_id}/events", headers=headers) as stream:
                async for event in read_events(stream):
                    token = event.token or token
                    step = int(event.data.get("progress", {}).get("step", 0))
                    await watcher.note(event.event, int(event.data.get("attempt", 0)), step)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def open_stage(folder: Path) -> AsyncIterator[Stage]:
    """Two ComfyUI, the server, the gateway, and somebody at each of the two ways in."""
    backends = tuple(fake_program(name, "comfyui", step_s=STEP_S) for name in ("first", "second"))
    server = server_program(folder, [{"name": b.name, "kind": "comfyui", "url": b.address} for b in backends])
    gateway = gateway_program(server)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(*backends, server, gateway))
        timeout = aiohttp.ClientTimeout(total=None)
        yield Stage(
            server=server,
            backends=backends,
            client=await stack.enter_async_context(Client(server.address, give_up_after_s=WITHIN_S)),
            session=await stack.enter_async_context(aiohttp.ClientSession(gateway.address, timeout=timeout)),
        )


def _kind(event: JobEvent) -> str:
    return str(event.WhichOneof("event"))
