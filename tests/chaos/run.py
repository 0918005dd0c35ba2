"""One run: everything is started, used and disturbed, then healed and awaited, and at last looked at."""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.job_pb2 import Job, JobState
from imagegen_client import Backoff, Client, ImagegenError
from tests.chaos.callers import GIVE_UP_AFTER_S, Caller, draw_picture
from tests.chaos.evidence import Accepted, Evidence, Watched
from tests.chaos.plan import BACKENDS, GATEWAY, SERVER, Plan, PlannedJob, Way
from tests.chaos.programs import Program, running_programs
from tests.chaos.troubles import Troublemaker
from tests.chaos.watchers import HttpWatcher, watch_over_grpc

if TYPE_CHECKING:  # a name that is in the stubs only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub

UNFINISHED = (JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_CANCELLING)
EMPTY_WITHIN_S = 15.0
"""An attempt that was given up while its backend was away may still be at work there, and ends by itself."""


async def run_chaos(plan: Plan, folder: Path, *, settle_s: float, tell: Callable[[str], None]) -> Evidence:
    """Does what the plan says, and gathers what is to be judged. Ends within the plan's time and some `settle_s`."""
    async with AsyncExitStack() as stack:
        programs = await stack.enter_async_context(running_programs(folder))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=40.0)
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(programs[GATEWAY].address, timeout=timeout, connector=connector)
        )
        control = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)))
        client = await stack.enter_async_context(
            Client(programs[SERVER].address, give_up_after_s=GIVE_UP_AFTER_S, backoff=Backoff(longest_s=0.5))
        )
        picture = await client.upload(draw_picture())
        evidence = Evidence()
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(programs[SERVER].address))
        run = _Run(
            plan=plan,
            caller=Caller(client=client, session=session, picture=picture.digest),
            troublemaker=Troublemaker(programs, control, evidence),
            evidence=evidence,
            stub=ImageGenServiceStub(channel),
            tell=tell,
        )
        await run.disturb()
        await run.settle(settle_s)
        await run.look()
        evidence.lines = {name: program.lines for name, program in programs.items()}
        await _stop(programs, evidence)
        evidence.completed = _completed(folder)
        return evidence


def _completed(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "imagegen.db")) as database:
        return [job_id for (job_id,) in database.execute("SELECT job_id FROM events WHERE kind = 'completed'")]


async def _stop(programs: dict[str, Program], evidence: Evidence) -> None:
    for name in (GATEWAY, SERVER):
        try:
            code = await programs[name].stop()
        except TimeoutError:
            evidence.problems.append(f"{name} did not end when it was stopped at last")
            continue
        if code:
            evidence.problems.append(f"{name} ended with status {code} when it was stopped at last")


class _Run:
    def __init__(
        self,
        *,
        plan: Plan,
        caller: Caller,
        troublemaker: Troublemaker,
        evidence: Evidence,
        stub: "ImageGenServiceAsyncStub",
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._caller = caller
        self._client = caller.client
        self._troublemaker = troublemaker
        self._evidence = evidence
        self._stub = stub
        self._tell = tell
        self._name = uuid.uuid4().hex[:8]
        self._tasks: set[asyncio.Task[None]] = set()
        """What goes on beside: watchers, cancels, repetitions."""

    async def disturb(self) -> None:
        async with asyncio.TaskGroup() as group:
            for trouble in self._plan.troubles:
                group.create_task(self._troublemaker.make(trouble))
            for job in self._plan.jobs:
                group.create_task(self._use(job))
        self._tell(f"{len(self._evidence.accepted)} jobs accepted, {len(self._evidence.incidents)} disturbances")

    async def settle(self, settle_s: float) -> None:
        """Heals everything and waits until every job has ended and every watcher knows it."""
        await self._troublemaker.heal()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settle_s
        while (left := await self._unfinished()) and loop.time() < deadline:  # noqa: ASYNC110  # other processes
            await asyncio.sleep(0.5)
        if left:
            about = [f"{job.job_id} {JobState.Name(job.state)}" for job in left]
            self._evidence.problems.append(f"not ended {settle_s:.0f} s after everything was healed: {about}")
        # Whoever watches a job that has ended is told so very soon.
        _, late = await asyncio.wait(self._tasks, timeout=10.0) if self._tasks else (set(), set())
        for task in late:
            self._evidence.problems.append(f"not done though everything was healed: {task.get_name()}")
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self._evidence.problems.append(f"a caller failed: {outcome!r}")

    async def look(self) -> None:
        evidence = self._evidence
        evidence.jobs = {job.job_id: job async for job in self._client.list_jobs(page_size=500)}
        for job_id in evidence.jobs:
            if evidence.jobs[job_id].state not in UNFINISHED:
                evidence.histories[job_id] = await self._replay(job_id)
        for digest in {output.asset.digest for job in evidence.jobs.values() for output in job.outputs}:
            try:
                await self._client.download(digest)
            except ImagegenError as error:
                evidence.unreadable.append(f"the bytes of output {digest} cannot be had: {error}")
        for name in BACKENDS:
            evidence.left_over[name] = await self._await_empty(name)

    async def _replay(self, job_id: str) -> list[JobEvent]:
        """As the server sends it: the client would hide what comes twice."""
        request = WatchJobRequest(job_id=job_id, resume_token="earliest")
        async with asyncio.timeout(10.0):
            return [response.event async for response in self._stub.WatchJob(request)]

    async def _use(self, planned: PlannedJob) -> None:
        await asyncio.sleep(planned.at_s)
        try:
            job_id = await self._caller.hand_in(planned, run=self._name)
        except (ImagegenError, TimeoutError) as error:
            self._evidence.problems.append(f"job {planned.number} was not accepted: {error!r}")
            return
        accepted = Accepted(planned=planned, job_id=job_id)
        self._evidence.accepted.append(accepted)
        self._watch(accepted)
        if planned.cancel_after_s is not None:
            self._begin(self._caller.cancel(accepted), f"cancel of {job_id}")
        if planned.repeat_after_s is not None:
            self._begin(self._caller.repeat(accepted, run=self._name), f"repetition of {job_id}")

    def _watch(self, accepted: Accepted) -> None:
        planned, job_id = accepted.planned, accepted.job_id
        if planned.watch is None:
            return
        watched = Watched(job_id=job_id, way=planned.watch)
        self._evidence.watched.append(watched)
        if planned.watch is Way.GRPC:
            watching = watch_over_grpc(self._client, watched)
        else:
            watching = HttpWatcher(self._caller.session, watched, planned.hang_up_after).watch()
        self._begin(watching, f"watcher of {job_id} over {planned.watch}")

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(work, name=name))

    async def _unfinished(self) -> list[Job]:
        return [job async for job in self._client.list_jobs(states=UNFINISHED, page_size=500)]

    async def _await_empty(self, name: str) -> list[str]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + EMPTY_WITHIN_S
        while (left := await self._troublemaker.take_stock(name)) and loop.time() < deadline:  # noqa: ASYNC110  # same
            await asyncio.sleep(0.5)
        return left
