"""One run: everything is started, used and disturbed, then healed and awaited, and at last looked at."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.job_pb2 import Job, JobState, Output, OutputKind
from imagegen_client import Backoff, Client, ImagegenError
from tests.chaos.callers import Caller
from tests.chaos.evidence import Accepted, Evidence, Watched
from tests.chaos.plan import BACKENDS, GATEWAY, SERVER, Owner, Plan, PlannedJob, Way
from tests.chaos.programs import running_programs
from tests.chaos.specs import draw_picture, make_workflow, seed_of
from tests.chaos.troubles import Troublemaker
from tests.chaos.watchers import HttpWatcher, watch_over_grpc
from tests.chaos.ways import GIVE_UP_AFTER_S, GrpcWay, HttpWay
from tests.e2e.programs import Program

if TYPE_CHECKING:  # a name that is in the stubs only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub

UNFINISHED = (JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_CANCELLING)
EMPTY_WITHIN_S = 25.0
"""What was given up at an A1111 that cannot be asked is at work there until it ends by itself."""


async def run_chaos(plan: Plan, folder: Path, *, settle_s: float, tell: Callable[[str], None]) -> Evidence:
    """Does what the plan says, and gathers what is to be judged. Ends within the plan's time and some `settle_s`."""
    evidence = Evidence()
    async with running_programs(folder, has_task_ids=plan.has_task_ids) as programs:
        async with _open_run(plan, programs, evidence, tell) as run:
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


async def _stop(programs: Mapping[str, Program], evidence: Evidence) -> None:
    for name in (GATEWAY, SERVER):
        try:
            code = await programs[name].stop()
        except TimeoutError:
            evidence.problems.append(f"{name} did not end when it was stopped at last")
            continue
        if code:
            evidence.problems.append(f"{name} ended with status {code} when it was stopped at last")


@asynccontextmanager
async def _open_run(
    plan: Plan, programs: Mapping[str, Program], evidence: Evidence, tell: Callable[[str], None]
) -> "AsyncIterator[_Run]":
    async with AsyncExitStack() as stack:

        async def open_client(owner: str = "") -> Client:
            client = Client(
                programs[SERVER].address, owner=owner, give_up_after_s=GIVE_UP_AFTER_S, backoff=Backoff(longest_s=0.5)
            )
            return await stack.enter_async_context(client)

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=40.0)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(programs[GATEWAY].address, timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        )
        control = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10.0)))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(programs[SERVER].address))
        operator = await open_client()
        picture = (await operator.upload(draw_picture())).digest
        await operator.create_workflow(make_workflow(plan.jobs[0]))
        name = uuid.uuid4().hex[:8]
        clients = {owner: await open_client(owner) for owner in Owner}
        yield _Run(
            plan=plan,
            operator=operator,
            callers={
                owner: Caller(
                    client=client,
                    ways={Way.GRPC: GrpcWay(client), Way.HTTP: HttpWay(session, owner)},
                    picture=picture,
                    run=name,
                    evidence=evidence,
                )
                for owner, client in clients.items()
            },
            session=session,
            troublemaker=Troublemaker(programs, control, operator, evidence),
            evidence=evidence,
            stub=ImageGenServiceStub(channel),
            tell=tell,
        )


class _Run:
    def __init__(
        self,
        *,
        plan: Plan,
        operator: Client,
        callers: Mapping[Owner, Caller],
        session: aiohttp.ClientSession,
        troublemaker: Troublemaker,
        evidence: Evidence,
        stub: "ImageGenServiceAsyncStub",
        tell: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._operator = operator
        self._callers = callers
        self._session = session
        self._troublemaker = troublemaker
        self._evidence = evidence
        self._stub = stub
        self._tell = tell
        self._tasks: set[asyncio.Task[None]] = set()
        """What goes on beside: watchers and wishes."""

    async def disturb(self) -> None:
        async with asyncio.TaskGroup() as group:
            for trouble in self._plan.troubles:
                group.create_task(self._troublemaker.make(trouble))
            for job in self._plan.jobs:
                group.create_task(self._use(job))
        self._tell(f"{len(self._evidence.accepted)} jobs accepted, {len(self._evidence.incidents)} disturbances")

    async def settle(self, settle_s: float) -> None:
        """Heals everything and waits until every job has ended and everybody has what he wanted."""
        await self._troublemaker.heal()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + settle_s
        while ((left := await self._unfinished()) or self._pending()) and loop.time() < deadline:  # noqa: ASYNC110  # others
            await asyncio.sleep(0.5)
        if left:
            about = [f"{job.job_id} {JobState.Name(job.state)}" for job in left]
            self._evidence.problems.append(f"not ended {settle_s:.0f} s after everything was healed: {about}")
        for task in self._pending():
            self._evidence.problems.append(f"not done though everything was healed: {task.get_name()}")
            task.cancel()
        for task, outcome in zip(self._tasks, await asyncio.gather(*self._tasks, return_exceptions=True), strict=True):
            if isinstance(outcome, Exception):
                self._evidence.problems.append(f"{task.get_name()} failed: {outcome!r}")

    async def look(self) -> None:
        evidence = self._evidence
        evidence.jobs = {job.job_id: job async for job in self._operator.list_jobs(page_size=500)}
        for owner in Owner:
            evidence.jobs_of[owner] = {job.job_id async for job in self._operator.list_jobs(owner=owner, page_size=500)}
        for job in evidence.jobs.values():
            if job.state not in UNFINISHED:
                evidence.histories[job.job_id] = await self._replay(job.job_id)
            for output in job.outputs:
                await self._look_at(job, output)
        for name in BACKENDS:
            evidence.left_over[name] = await self._await_empty(name)
        queue = await self._operator.queue()
        if queue.queued or queue.running or queue.cancelling or queue.paused or queue.paused_owners:
            evidence.problems.append(f"the queue says at the end: {queue}")

    async def _look_at(self, job: Job, output: Output) -> None:
        try:
            picture = await self._operator.download(output.asset.digest)
        except ImagegenError as error:
            self._evidence.unreadable.append(f"the bytes of output {output.asset.digest} cannot be had: {error}")
            return
        if output.kind == OutputKind.OUTPUT_KIND_FINAL:
            self._evidence.seeds[job.job_id, output.index] = seed_of(picture, output.node_id)

    async def _replay(self, job_id: str) -> list[JobEvent]:
        """As the server sends it: the client would hide what comes twice."""
        request = WatchJobRequest(job_id=job_id, resume_token="earliest")
        async with asyncio.timeout(10.0):
            return [response.event async for response in self._stub.WatchJob(request)]

    async def _use(self, planned: PlannedJob) -> None:
        await asyncio.sleep(planned.at_s)
        caller = self._callers[planned.owner]
        try:
            accepted = await caller.hand_in(planned)
        except (ImagegenError, TimeoutError) as error:
            self._evidence.problems.append(f"job {planned.number} was not accepted: {error!r}")
            return
        self._watch(accepted, caller.client)
        for wish in planned.wishes:
            self._begin(caller.fulfil(wish, accepted), f"{wish.kind} of {accepted.job_id} over {wish.way}")

    def _watch(self, accepted: Accepted, client: Client) -> None:
        planned, job_id = accepted.planned, accepted.job_id
        if planned.watch is None:
            return
        watched = Watched(job_id=job_id, way=planned.watch)
        self._evidence.watched.append(watched)
        if planned.watch is Way.GRPC:
            watching = watch_over_grpc(client, watched)
        else:
            watching = HttpWatcher(self._session, watched, planned.hang_up_after).watch()
        self._begin(watching, f"watcher of {job_id} over {planned.watch}")

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(work, name=name))

    def _pending(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if not task.done()]

    async def _unfinished(self) -> list[Job]:
        return [job async for job in self._operator.list_jobs(states=UNFINISHED, page_size=500)]

    async def _await_empty(self, name: str) -> list[str]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + EMPTY_WITHIN_S
        while (left := await self._troublemaker.take_stock(name)) and loop.time() < deadline:  # noqa: ASYNC110  # others
            await asyncio.sleep(0.5)
        return left
