"""Brings queued jobs to backends and keeps watch over them until they end.

One loop looks at everything whenever something changed: jobs that wait are placed by `scheduling`, jobs whose cancel
was asked for are stopped, and attempts that nobody drives (left by an earlier process) are taken up again. The ledger
is the only truth about jobs; what is kept here is which attempts this process drives.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import structlog

from imagegen_adapters.contract import ImageParameters
from imagegen_server.attempts import AttemptDriver, Surroundings
from imagegen_server.eligibility import Eligibility
from imagegen_server.errors import ServerError
from imagegen_server.fleet import Backend, Fleet
from imagegen_server.history import Ephemeral
from imagegen_server.jobs import Attempt, Failure, Job, JobState, Move
from imagegen_server.lifecycle import AttemptBroke, AttemptCancelled, CancelRequested, Moved, Updated
from imagegen_server.queue_control import QueueControl
from imagegen_server.scheduling import Candidate, Place, WaitingJob, assign, next_retry
from imagegen_server.stores.store import Store
from imagegen_server.tasks import task_group, to_its_end
from imagegen_server.wire.events import queue_event

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_RESTARTS: Final = 10
"""A job that was under way at so many ends of the process is not tried again: it may be what ends it."""
PLACES_INTERVAL_S: Final = 1.0
"""Waiting jobs are told their place at most this often, because one change moves all of them."""
PAUSE_AFTER_FAULT_S: Final = 5.0


class Runner:
    """Made by `open_runner`."""

    def __init__(
        self,
        surroundings: Surroundings,
        fleet: Fleet,
        tasks: asyncio.TaskGroup,
        *,
        control: QueueControl,
        changed: asyncio.Event,
        new_id: Callable[[], str],
        max_queued_jobs: int,
    ) -> None:
        self.control = control
        self._at = surroundings
        self._ledger = surroundings.ledger
        self._fleet = fleet
        self._tasks = tasks
        self._new_id = new_id
        self._busy: set[str] = set()
        """Jobs that a task of ours works on."""
        self._drivers: dict[str, AttemptDriver] = {}
        """Those of them that have an attempt at a backend."""
        self._eligibility = Eligibility(fleet)
        self._max_queued_jobs = max_queued_jobs
        self._submitting: Counter[tuple[str, str]] = Counter()
        """Calls that are storing a job, by its owner, and its request_id or else its id."""
        self._changed = changed
        self._places: Mapping[str, Place] = {}
        self._places_version: tuple[int, frozenset[str]] = (-1, frozenset())
        self._places_changed = asyncio.Event()
        self._paused_until = 0.0

    async def submit(self, job: Job, request_digest: bytes) -> tuple[Job, bool]:
        """Stores a new job and has it run; gives it, and whether an earlier call had made it.

        Goes on when the caller goes away. Refused: REQUEST_ID_REUSED. Raises StoreError.
        """
        key = job.owner, job.request_id or job.job_id
        self._submitting[key] += 1
        try:
            return await self._to_its_end(self._ledger.create(job, request_digest))
        finally:
            self._submitting -= Counter({key: 1})

    async def cancel(self, job_id: str) -> Job:
        """Asks for the job's end; gives it as it is once the wish is stored.

        Goes on when the caller goes away. Refused: JOB_NOT_FOUND. Raises StoreError.
        """
        return await self._to_its_end(self._ledger.apply(job_id, CancelRequested()))

    def cancel_soon(self, job_id: str) -> None:
        """The same without waiting, also for a job that is about to be stored."""
        self._tasks.create_task(self._cancel_quietly(job_id))

    async def update(self, job_id: str, updated: Updated) -> Job:
        """Changes a job that has not ended; gives it after the change, once that is stored.

        Goes on when the caller goes away. Refused: JOB_NOT_FOUND. Raises InvalidHappening, StoreError.
        """
        return await self._to_its_end(self._ledger.apply(job_id, updated))

    async def move(self, job_id: str, move: Move | None) -> Job:
        """Gives a queued job another place; None: it lines up anew. As `update`."""
        return await self._to_its_end(self._ledger.apply(job_id, Moved(move=move)))

    def has_room(self, owner: str, request_id: str) -> bool:
        """Whether one more job may wait. A call whose twin is being stored needs no room of its own."""
        return self.is_submitting(owner, request_id) or self.queued_of() < self._max_queued_jobs

    def is_submitting(self, owner: str, request_id: str) -> bool:
        """Whether another call with this idempotency key is storing its job."""
        return (owner, request_id) in self._submitting

    def queued_of(self, owner: str | None = None) -> int:
        """How many jobs of this owner wait, those included that are being stored. None: of anyone."""
        owners = [job.owner for job in self.queue()] + [each for each, _ in self._submitting]
        return len(owners) if owner is None else owners.count(owner)

    def queue(self) -> list[Job]:
        """The jobs that wait, oldest first."""
        jobs = self._ledger.unfinished()
        return [job for job in jobs if job.state is JobState.QUEUED and job.job_id not in self._busy]

    def places(self) -> Mapping[str, Place]:
        """The place of each job that waits."""
        # A stream of all jobs asks once per job: counted anew only when something changed.
        version = (self._at.hub.position, frozenset(self._busy))
        if version != self._places_version:
            queue = self.queue()
            self._places = {job.job_id: Place(ahead=ahead, length=len(queue)) for ahead, job in enumerate(queue)}
            self._places_version = version
        return self._places

    def order(self) -> list[str]:
        """The jobs that wait, by id, next one first."""
        places = self.places()
        return sorted(places, key=lambda job_id: places[job_id].ahead)

    def running_jobs(self, backend: str) -> list[str]:
        """The jobs whose attempts this process drives there."""
        return [driver.job_id for driver in self._drivers.values() if driver.backend.name == backend]

    async def keep_looking(self) -> None:
        """Starts and stops attempts until it is cancelled."""
        while True:
            self._changed.clear()
            if self._at.clock() >= self._paused_until:
                await self._eligibility.judge_graphs(self.queue())
                self._look()
            await self._wait_for_change()

    async def keep_telling_places(self) -> None:
        """Tells waiting jobs when their place has changed, until it is cancelled."""
        told: Mapping[str, Place] = {}
        while True:
            await self._places_changed.wait()
            self._places_changed.clear()
            places = self.places()
            for job_id, place in places.items():
                if told.get(job_id) != place:
                    payload = queue_event(job_id, self._at.clock(), place)
                    self._at.hub.publish_ephemeral(job_id, Ephemeral.QUEUE, payload)
            told = places
            await asyncio.sleep(PLACES_INTERVAL_S)

    def detach(self) -> None:
        """To be called before the tasks are cancelled: attempts that can be found again stay at their backends."""
        for driver in self._drivers.values():
            driver.detach()

    # --- looking ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        jobs = self._ledger.unfinished()
        self._eligibility.keep_only(jobs)
        for job in jobs:
            driver = self._drivers.get(job.job_id)
            if driver is not None and job.state is JobState.CANCELLING:
                driver.request_cancel()
            elif job.running and job.job_id not in self._busy:
                self._take_up(job, job.running[-1])
        for job, backend in self._decide():
            self._start(job, backend)
        self._places_changed.set()

    def _decide(self) -> list[tuple[Job, Backend]]:
        queue = {job.job_id: job for job in self.queue()}
        backends = {backend.name: backend for backend in self._fleet}
        decisions = assign(
            self._waiting(queue.values()),
            [self._candidate(backend) for backend in backends.values()],
            lambda job_id, name: self._eligibility.accepts(queue[job_id], backends[name]),
            self._at.clock(),
        )
        return [(queue[decision.job_id], backends[decision.backend]) for decision in decisions]

    def _waiting(self, queue: Iterable[Job]) -> list[WaitingJob]:
        return [waiting(job, self._at.patience.max_backoff_s) for job in queue]

    def _candidate(self, backend: Backend) -> Candidate:
        taken = len(self.running_jobs(backend.name))
        return Candidate(
            name=backend.name,
            is_healthy=backend.is_healthy,
            free_slots=backend.adapter.capabilities.max_concurrent_runs - taken,
            resident_model=backend.health.status.resident_model,
        )

    async def _wait_for_change(self) -> None:
        now = self._at.clock()
        again = next_retry(self._waiting(self.queue()), now)
        if now < self._paused_until:
            again = self._paused_until
        with suppress(TimeoutError):
            async with asyncio.timeout(None if again is None else again - now):
                await self._changed.wait()

    # --- acting -----------------------------------------------------------------------------------------------------

    def _start(self, job: Job, backend: Backend) -> None:
        driver = AttemptDriver(job.job_id, backend, self._at)
        source = self._eligibility.spec_for(job, backend).source
        model = source.model if isinstance(source, ImageParameters) else ""
        piece = job.missing[0]
        self._drivers[job.job_id] = driver
        left = _left_behind(job, backend)
        if left is None:
            self._work_on(job.job_id, driver.run_new(self._new_id(), piece, model=model))
        else:
            self._work_on(job.job_id, driver.run_new(left.attempt_id, piece, model=model, left=left.handle))

    def _take_up(self, job: Job, attempt: Attempt) -> None:
        """Goes on with an attempt that nobody drives."""
        backend = self._fleet.get(attempt.backend)
        if backend is None:
            self._work_on(job.job_id, self._end_lost(job, attempt))
            return
        driver = AttemptDriver(job.job_id, backend, self._at)
        if not backend.adapter.capabilities.reattach:
            self._work_on(job.job_id, self._end_lost(job, attempt, driver))
            return
        if job.state is JobState.CANCELLING:
            driver.request_cancel()
        self._drivers[job.job_id] = driver
        self._work_on(job.job_id, driver.adopt(job, attempt))

    async def _end_lost(self, job: Job, attempt: Attempt, driver: AttemptDriver | None = None) -> None:
        if driver is not None:
            await driver.stop_lost(job, attempt)
        if job.state is JobState.CANCELLING:
            await self._ledger.apply(job.job_id, AttemptCancelled(number=attempt.number))
            return
        failure = Failure(reason="ATTEMPT_LOST", message="the server went down, and this backend keeps no results")
        times_lost = sum(_was_lost(attempt) for attempt in job.attempts) + 1
        will_retry = times_lost < MAX_RESTARTS
        broke = AttemptBroke(number=attempt.number, failure=failure, will_retry=will_retry)
        await self._ledger.apply(job.job_id, broke)

    def _work_on(self, job_id: str, work: Coroutine[Any, Any, None]) -> None:
        self._busy.add(job_id)
        self._tasks.create_task(self._guarded(job_id, work))

    async def _guarded(self, job_id: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # The store failed, or we did: the job is as it was, and is looked at again after a pause.
            log.exception("work on a job failed", job_id=job_id)
            self._paused_until = self._at.clock() + PAUSE_AFTER_FAULT_S
        finally:
            self._busy.discard(job_id)
            self._drivers.pop(job_id, None)
            self._changed.set()

    async def _cancel_quietly(self, job_id: str) -> None:
        try:
            await self._ledger.apply(job_id, CancelRequested())
        except ServerError as error:
            log.info("cancel came to nothing", job_id=job_id, reason=str(error))
        self._changed.set()

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        async def with_news() -> T:
            try:
                return await work
            finally:
                self._changed.set()

        return await to_its_end(self._tasks, with_news())


@asynccontextmanager
async def open_runner(
    surroundings: Surroundings,
    fleet: Fleet,
    *,
    store: Store,
    changed: asyncio.Event,
    new_id: Callable[[], str],
    max_queued_jobs: int,
) -> AsyncIterator[Runner]:
    """Runs jobs while the block is open. At its end attempts that can be found again stay at their backends.

    `changed` is set by whoever has news that may start, move or stop a job.
    """
    async with task_group() as tasks:
        control = await QueueControl.open(store, fleet, tasks=tasks, changed=changed)
        runner = Runner(
            surroundings,
            fleet,
            tasks,
            control=control,
            changed=changed,
            new_id=new_id,
            max_queued_jobs=max_queued_jobs,
        )
        tasks.create_task(runner.keep_looking())
        tasks.create_task(runner.keep_telling_places())
        try:
            yield runner
        finally:
            runner.detach()


def waiting(job: Job, max_backoff_s: float) -> WaitingJob:
    """A queued job as the scheduler sees it."""
    source, last = job.spec.source, job.attempts[-1] if job.attempts else None
    has_failed = last is not None and not _was_lost(last)
    return WaitingJob(
        job_id=job.job_id,
        pinned_backend=job.spec.backend,
        model=source.model if isinstance(source, ImageParameters) else "",
        failed_on=last.backend if last is not None and has_failed else "",
        not_before=(last.end_time or 0.0) + backoff_s(len(job.attempts), max_backoff_s)
        if last is not None and has_failed
        else 0.0,
    )


def backoff_s(attempts: int, max_backoff_s: float) -> float:
    """Pause after so many attempts."""
    return min(2.0 ** (attempts - 1), max_backoff_s)


def _left_behind(job: Job, backend: Backend) -> Attempt | None:
    """The job's last attempt, if this backend fell silent over it: it may still be at work on it."""
    last = job.attempts[-1] if job.attempts else None
    if last is None or last.backend != backend.name or not backend.adapter.capabilities.reattach:
        return None
    return last if last.failure is not None and last.failure.reason == "BACKEND_UNREACHABLE" else None


def _was_lost(attempt: Attempt) -> bool:
    return attempt.failure is not None and attempt.failure.reason == "ATTEMPT_LOST"
