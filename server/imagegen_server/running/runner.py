"""Brings jobs that wait to backends and keeps watch over them until they end.

One loop looks at everything whenever something changed: jobs whose time is over are ended, attempts of jobs that are
to be stopped are stopped, attempts that nobody drives (left by an earlier process) are taken up again, and what waits
is placed by `scheduling`. The ledger is the only truth about jobs; what is kept here is which attempts this process
drives.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from imagegen_server.backend import Backend
from imagegen_server.changes import Topic
from imagegen_server.errors import ServerError
from imagegen_server.fleet import Fleet
from imagegen_server.happenings import (
    CancelRequested,
    DeadlinePassed,
    Moved,
    Updated,
)
from imagegen_server.jobs import Attempt, Failure, Incident, Job, JobState, Move, Slice
from imagegen_server.quotas import Quotas
from imagegen_server.running.attempts import AttemptDriver
from imagegen_server.running.deadlines import next_deadline
from imagegen_server.running.fence import Fence
from imagegen_server.running.foresight import Foresight
from imagegen_server.running.outlook import Outlook
from imagegen_server.running.queue_control import QueueControl
from imagegen_server.running.retrying import broken
from imagegen_server.running.slicing import cut, handed_over, within
from imagegen_server.running.surroundings import Surroundings
from imagegen_server.scheduling import Decision, Place, Situation, book, decide, next_look
from imagegen_server.stores.store import Store
from imagegen_server.tasks import task_group, to_its_end

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE_AFTER_FAULT_S: Final = 5.0
LEAST_WAIT_S: Final = 0.02
"""Between two looks that nothing but the time brings about."""
LONGEST_REST_S: Final = 0.1


class Runner:
    """Made by `open_runner`."""

    def __init__(
        self,
        surroundings: Surroundings,
        fleet: Fleet,
        tasks: asyncio.TaskGroup,
        *,
        control: QueueControl,
        quotas: Callable[[], Quotas],
        changed: asyncio.Event,
        new_id: Callable[[], str],
    ) -> None:
        self.control = control
        """What people have decided about the queue."""
        self._at = surroundings
        self._ledger = surroundings.ledger
        self._fleet = fleet
        self._tasks = tasks
        self._changed = changed
        self._new_id = new_id
        self._outlook = Outlook(
            fleet,
            estimator=surroundings.experience.estimator,
            orphans=surroundings.orphans,
            control=control,
            quotas=quotas,
            clock=surroundings.clock,
            max_pause_s=surroundings.patience.max_backoff_s,
        )
        self._fence = Fence(
            surroundings.orphans,
            ledger=surroundings.ledger,
            fleet=fleet,
            timeout_s=surroundings.patience.cancel_timeout_s,
        )
        self._foresight = Foresight(
            surroundings.hub, situation=self._situation, queue=self.queue, clock=surroundings.clock
        )
        self._drivers: dict[str, AttemptDriver] = {}
        """By the id of their attempts."""
        self._ending: set[str] = set()
        """Jobs that are being told that their time is over."""
        self._closing: set[str] = set()
        """Attempts at backends that are no longer configured, which are being ended."""
        self._submitting: Counter[tuple[str, str]] = Counter()
        """Calls that are storing a job, by its owner, and its request_id or else its id."""
        self._paused_until = 0.0

    # --- what callers ask for ---------------------------------------------------------------------------------------

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

    def is_submitting(self, owner: str, request_id: str) -> bool:
        """Whether another call with this idempotency key is storing its job."""
        return (owner, request_id) in self._submitting

    def queue(self) -> list[Job]:
        """The jobs that wait, oldest first."""
        starting = self._starting
        jobs = self._ledger.unfinished()
        return [job for job in jobs if job.state is JobState.QUEUED and job.job_id not in starting]

    def queued_of(self, owner: str | None = None) -> int:
        """How many jobs of this owner wait, those included that are being stored. None: of anyone."""
        # As a set: what has just been stored is known from both.
        waiting = {(job.owner, job.request_id or job.job_id) for job in self.queue()} | self._submitting.keys()
        return sum(owner in {None, each} for each, _ in waiting)

    def places(self) -> Mapping[str, Place]:
        """The place of each job that waits, and what is foreseen for it."""
        return self._foresight.places()

    def place_of_new(self, job: Job) -> Place | None:
        """The place that a job would have if it came now; None: that takes longer, as of graphs and in long queues."""
        jobs = [*self._ledger.unfinished(), job]
        situation = self._outlook.situation(jobs, self._drivers.values(), without=self._starting | self._ending)
        return self._foresight.place_of_new(job, situation)

    def order(self) -> list[str]:
        """The jobs that wait, by id, next one first."""
        places = self.places()
        return sorted(places, key=lambda job_id: places[job_id].ahead)

    def running_jobs(self, backend: str) -> list[str]:
        """The jobs that have attempts there which this process drives."""
        return list({driver.job_id: None for driver in self._drivers.values() if driver.backend.name == backend})

    def is_busy(self, backend: str) -> bool:
        """Whether anything of ours runs there, or is being stopped."""
        if any(driver.backend.name == backend for driver in self._drivers.values()):
            return True
        if any(self._at.orphans.is_being_stopped(orphan.job_id, backend) for orphan in self._at.orphans):
            return True
        return any(attempt.backend == backend for job in self._ledger.unfinished() for attempt in job.running)

    # --- its tasks --------------------------------------------------------------------------------------------------

    async def keep_looking(self) -> None:
        """Starts and stops attempts until it is cancelled."""
        while True:
            self._changed.clear()
            try:
                again = await self._look_when_due()
            except Exception:
                # Whatever it is, attempts that run must not be lost to it.
                log.exception("looking at the jobs failed")
                again = self._paused_until = self._at.clock() + PAUSE_AFTER_FAULT_S
            with suppress(TimeoutError):
                async with asyncio.timeout(None if again is None else max(again - self._at.clock(), LEAST_WAIT_S)):
                    await self._changed.wait()

    async def keep_telling_places(self) -> None:
        """Tells waiting jobs when their place has changed, until it is cancelled."""
        await self._foresight.keep_telling()

    def detach(self) -> None:
        """To be called before the tasks are cancelled: attempts that can be found again stay at their backends."""
        for driver in self._drivers.values():
            driver.detach()

    # --- looking ----------------------------------------------------------------------------------------------------

    async def _look_when_due(self) -> float | None:
        """Looks, unless there is a pause; gives when to look again although nothing has changed."""
        if self._at.clock() < self._paused_until:
            return self._paused_until
        if not await self._outlook.appraise(self._ledger.unfinished()):
            self._changed.set()
        began = time.perf_counter()
        self._look()
        # A long queue takes its time to look at: meanwhile others have theirs, and more may have changed.
        await asyncio.sleep(min(time.perf_counter() - began, LONGEST_REST_S))
        return self._next_time()

    def _look(self) -> None:
        jobs = self._ledger.unfinished()
        self._outlook.keep_only(jobs)
        if not jobs and not self._drivers:
            self._outlook.rest()
        for job in jobs:
            self._mind_deadline(job)
            if job.state is not JobState.QUEUED:
                self._mind_attempts(job)
        for orphan, backend in self._fence.due(self._drivers):
            self._tasks.create_task(self._guarded(partial(self._fence.stop, orphan, backend)))
        self._start_what_is_due()
        self._foresight.note_change()
        # Which jobs run where, and what was decided about the queue.
        self._at.changes.tell(Topic.BACKENDS)
        self._at.changes.tell(Topic.QUEUE)

    def _mind_deadline(self, job: Job) -> None:
        deadline = next_deadline(job)
        if deadline is not None and deadline[0] <= self._at.clock() and job.job_id not in self._ending:
            self._ending.add(job.job_id)
            self._tasks.create_task(self._guarded(partial(self._expire, job.job_id, deadline[1])))

    def _mind_attempts(self, job: Job) -> None:
        for attempt in job.running:
            if attempt.attempt_id not in self._drivers and attempt.attempt_id not in self._closing:
                self._take_up(job, attempt)
            driver = self._drivers.get(attempt.attempt_id)
            if driver is not None and job.state is JobState.CANCELLING:
                driver.request_cancel()

    def _start_what_is_due(self) -> None:
        if not self._has_free_slot:
            return
        situation = self._situation()
        missing: dict[str, list[Slice]] = {}
        for decision in decide(situation):
            job, backend = self._ledger.committed(decision.job_id), self._fleet.get(decision.backend)
            assert job is not None
            assert backend is not None
            rest = missing.setdefault(job.job_id, list(job.missing))
            driver = self._start(job, backend, decision, rest) if rest else None
            if driver is not None:
                driver.charged_s = book(situation, decision)
            if self._outlook.eligibility.leaves_model_open(job):
                rest.clear()  # goes at the next look, where the model is that this one has taken

    def _situation(self) -> Situation:
        return self._outlook.situation(
            self._ledger.unfinished(), self._drivers.values(), without=self._starting | self._ending
        )

    @property
    def _has_free_slot(self) -> bool:
        """Whether anything can be started at all: asked first, as a long queue costs time to look at."""
        taken = Counter(driver.backend.name for driver in self._drivers.values())
        return any(backend.is_open and taken[backend.name] < backend.slots for backend in self._fleet)

    @property
    def _starting(self) -> set[str]:
        """Jobs with an attempt that is not stored yet."""
        return {driver.job_id for driver in self._drivers.values() if not driver.has_begun}

    def _next_time(self) -> float | None:
        """When something will change by itself."""
        deadlines = [next_deadline(job) for job in self._ledger.unfinished() if job.job_id not in self._ending]
        times = [deadline[0] for deadline in deadlines if deadline is not None]
        look = next_look(self._situation()) if self._has_free_slot else None
        return min(times if look is None else [*times, look], default=None)

    # --- acting -----------------------------------------------------------------------------------------------------

    def _start(self, job: Job, backend: Backend, decision: Decision, missing: list[Slice]) -> AttemptDriver | None:
        """Starts an attempt at the first of what is missing, and takes it away from there."""
        left = self._at.orphans.find(job.job_id, backend.name) if backend.adapter.capabilities.reattach else None
        piece = within(missing, handed_over(job, left.number)) if left is not None else None
        if left is None or piece is None:
            left = None
            piece, missing[:] = cut(job.spec, missing, decision.passes)
        else:
            missing.clear()  # what lies around it goes elsewhere at the next look
        attempt_id = left.attempt_id if left is not None else self._new_id()
        if attempt_id in self._drivers:
            return None  # the driver that gave it up has not quite ended
        model = self._outlook.eligibility.spec_for(job, backend).model
        driver = self._driver(job, attempt_id, backend, piece, model)
        self._tasks.create_task(self._driven(driver, partial(driver.run_new, piece, model=model, left=left)))
        return driver

    def _take_up(self, job: Job, attempt: Attempt) -> None:
        """Goes on with an attempt that nobody drives."""
        backend = self._fleet.get(attempt.backend)
        if backend is None:
            self._closing.add(attempt.attempt_id)
            self._tasks.create_task(self._guarded(partial(self._close, job, attempt)))
            return
        driver = self._driver(job, attempt.attempt_id, backend, attempt.slice, job.spec.model)
        driver.has_begun = True
        self._tasks.create_task(self._driven(driver, partial(driver.adopt, job, attempt)))

    def _driver(self, job: Job, attempt_id: str, backend: Backend, piece: Slice, model: str) -> AttemptDriver:
        work = self._outlook.work(job, piece.count)
        work = replace(work, model=work.model or model)
        is_loaded = work.model in {"", self._outlook.resident_model(backend, self._drivers.values())}
        driver = AttemptDriver(
            job.job_id,
            attempt_id,
            backend,
            self._at,
            owner=job.owner,
            work=work,
            needs_load=not is_loaded,
            on_rest=self._changed.set,
        )
        self._drivers[attempt_id] = driver
        return driver

    async def _close(self, job: Job, attempt: Attempt) -> None:
        """Ends an attempt at a backend that is no longer configured."""
        try:
            message = f"the backend {attempt.backend!r} is no longer configured, so nobody can tell what became of it"
            failure = Failure(reason="ATTEMPT_UNCERTAIN", message=message)
            ending = broken(
                job,
                attempt.number,
                failure,
                limits=self._at.limits,
                can_retry=True,
                is_uncertain=True,
                incident=Incident.RESTART,
            )
            await self._ledger.apply(job.job_id, ending)
        finally:
            self._closing.discard(attempt.attempt_id)

    async def _expire(self, job_id: str, failure: Failure) -> None:
        try:
            await self._ledger.apply(job_id, DeadlinePassed(failure=failure))
        finally:
            self._ending.discard(job_id)

    async def _driven(self, driver: AttemptDriver, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._guarded(work)
        finally:
            del self._drivers[driver.attempt_id]
            self._outlook.note_end(driver)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        # Called here, so that nothing is left of it if this task is cancelled before it begins.
        try:
            await work()
        except Exception:
            # The store failed, or we did: everything is as it was, and is looked at again after a pause.
            log.exception("work on a job failed")
            self._paused_until = self._at.clock() + PAUSE_AFTER_FAULT_S
        finally:
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
    quotas: Callable[[], Quotas],
    changed: asyncio.Event,
    new_id: Callable[[], str],
) -> AsyncIterator[Runner]:
    """Runs jobs while the block is open. At its end attempts that can be found again stay at their backends.

    `quotas` gives those that count now. `changed` is set by whoever has news that may start, move or stop a job.
    Raises StoreError.
    """
    async with task_group() as tasks:
        control = await QueueControl.open(store, fleet, tasks=tasks, changed=changed)
        runner = Runner(surroundings, fleet, tasks, control=control, quotas=quotas, changed=changed, new_id=new_id)
        tasks.create_task(runner.keep_looking())
        tasks.create_task(runner.keep_telling_places())
        try:
            yield runner
        finally:
            runner.detach()
