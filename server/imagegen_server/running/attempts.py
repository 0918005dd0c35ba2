"""Drives one attempt: from the hand-over to a backend to the end of it in the ledger."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import structlog

from imagegen_adapters.contract import Handle, PreviewWish, Run, Task, Warned
from imagegen_adapters.errors import AdapterError, Cancelled, GpuFault, Lost, OutOfMemory, Uncertain, Unreachable
from imagegen_server.backend import Backend
from imagegen_server.errors import Refused
from imagegen_server.happenings import (
    AttemptBegan,
    AttemptBroke,
    AttemptCancelled,
    AttemptSucceeded,
    AttemptTold,
    Happening,
)
from imagegen_server.jobs import Attempt, Failure, Incident, Job, Slice
from imagegen_server.lifecycle import InvalidHappening
from imagegen_server.running.masks import with_plain_masks
from imagegen_server.running.orphans import Orphan
from imagegen_server.running.previews import MAX_RATE_HZ
from imagegen_server.running.recording import Recorder
from imagegen_server.running.retrying import broken
from imagegen_server.running.slicing import handed_over, part_of
from imagegen_server.running.surroundings import Surroundings
from imagegen_server.scheduling.measuring import RunMeter
from imagegen_server.scheduling.work import Work
from imagegen_server.stores.store import StoreError
from imagegen_server.tasks import running
from imagegen_server.wire.errors import failure_of

log = structlog.get_logger(__name__)

OpenRun = Callable[[Task], AbstractAsyncContextManager[Run]]


class AttemptDriver:
    """One attempt of one job on one backend. `run_new` or `adopt` is called once, in a task of its own.

    When that task is cancelled, nothing is recorded: the attempt is left running at the backend if it was `detach`ed
    and the adapter can find it again, and stopped there otherwise.
    """

    def __init__(
        self,
        job_id: str,
        attempt_id: str,
        backend: Backend,
        surroundings: Surroundings,
        *,
        owner: str,
        work: Work,
        needs_load: bool = False,
        on_rest: Callable[[], None],
    ) -> None:
        """`work` is what its images are to the backend, `needs_load` whether another model is loaded there.

        `on_rest` is called when the attempt has begun and its job still misses what nobody makes.
        """
        self.job_id = job_id
        self.attempt_id = attempt_id
        self.backend = backend
        self.has_begun = False
        """Whether the ledger knows of the attempt."""
        self.owner = owner
        self.work = work
        self.charged_s = 0.0
        """What its owner was charged for it."""
        self.share_done = 0.0
        """Share of the attempt that was done, once it has ended."""
        self._needs_load = needs_load
        self._on_rest = on_rest
        self._at = surroundings
        self._run: Run | None = None
        self._number = 0
        self._is_adopted = False
        self._meter: RunMeter | None = None
        self._recorder: Recorder | None = None
        self._cancel_wanted = asyncio.Event()
        self._log = log.bind(job_id=job_id, backend=backend.name)

    def remaining_s(self) -> float | None:
        """Predicted seconds until it ends, from when its turn comes at the backend; None: cannot be told."""
        estimator = self._at.experience.estimator
        if self._meter is None:
            return estimator.run_s(self.backend.name, self.work)
        return self._meter.remaining_s(estimator, asyncio.get_running_loop().time())

    def request_cancel(self) -> None:
        """Has the attempt stopped at the backend. May be called at any time and more than once."""
        self._cancel_wanted.set()

    def detach(self) -> None:
        """From now on the end of the task leaves the attempt running at the backend, if it can be found again.

        One that is to be cancelled too: the job keeps the wish, and a backend that is silent must not hold up the end.
        """
        if self._run is not None and self.backend.adapter.capabilities.reattach:
            self._run.detach()

    async def run_new(self, piece: Slice, *, model: str = "", left: Orphan | None = None) -> None:
        """Hands a new attempt over. `model` is what this backend takes for the job's. Raises StoreError.

        With `left` an earlier attempt of the same id, which ended without an answer, may still be at the backend: it is
        taken up, and handed over again only if it is not there.
        """
        began = AttemptBegan(
            attempt_id=self.attempt_id,
            backend=self.backend.name,
            handle=left.handle if left is not None else self.backend.adapter.handle_for(self.attempt_id),
            slice=piece,
            model=model,
        )
        try:
            # Stored before the hand-over: after a crash the backend can be asked what became of it.
            job = await self._at.ledger.apply(self.job_id, began)
        except (InvalidHappening, Refused):
            return  # cancelled in the meantime, or ended and deleted
        self._number, self.has_begun = len(job.attempts), True
        if job.missing:
            self._on_rest()
        self._log.info("attempt started", attempt=self._number, images=piece.count, owner=self.owner)
        if left is None:
            await self._drive(self._hand_over(job))
        else:
            await self._at.orphans.remove(self.attempt_id)
            await self._drive(self._take_up_or_hand_over(job, left))

    async def adopt(self, job: Job, attempt: Attempt) -> None:
        """Takes up an attempt that an earlier process handed over. Raises StoreError."""
        self._number, self.has_begun, self._is_adopted = attempt.number, True, True
        self._log.info("attempt adopted", attempt=self._number)
        first_frame = _next_frame(attempt, self._at.clock())
        await self._drive(self._take_up(job, attempt.handle, first_frame))

    async def _drive(self, attempt: Awaitable[Happening]) -> None:
        try:
            ending = await attempt
        except AdapterError as error:
            ending = await self._broken(error)
        except Refused as refused:
            ending = self._failed(Failure(reason=refused.reason, message=str(refused)))
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the edge of this task: whatever it is, the job must not hang on it
            self._log.exception("attempt failed unexpectedly")
            ending = self._failed(Failure(reason="INTERNAL", message="a fault of this service; its log has more"))
        job = await self._at.ledger.apply(self.job_id, ending)
        self._at.board.forget(self.job_id, self._number)
        has_succeeded = isinstance(ending, AttemptSucceeded)
        self.share_done = 1.0 if has_succeeded else self._meter.fraction if self._meter is not None else 0.0
        self._log.info("attempt ended", attempt=self._number, state=job.state.value, **_reason(ending))

    async def _hand_over(self, job: Job) -> Happening:
        return await self._attempt(job, self.backend.adapter.run, first_frame=1)

    async def _take_up(self, job: Job, handle: Handle, first_frame: int) -> Happening:
        return await self._attempt(
            job, lambda task: self.backend.adapter.reattach(task, handle), first_frame, is_new=False
        )

    async def _take_up_or_hand_over(self, job: Job, left: Orphan) -> Happening:
        try:
            return await self._take_up(job, left.handle, first_frame=1)
        except Lost:
            is_part = handed_over(job, self._number) != job.attempts[self._number - 1].slice
            if self._was_accepted or self._cancel_wanted.is_set() or is_part:
                # It was found, and lost afterwards; or it need not be made any more; or it is less than what the
                # backend knows by this id, and gets an id of its own.
                raise
            return await self._hand_over(job)

    async def _attempt(self, job: Job, open_run: OpenRun, first_frame: int, *, is_new: bool = True) -> Happening:
        task = await self._task_for(job)
        if is_new and self._cancel_wanted.is_set():
            return AttemptCancelled(number=self._number)
        now = asyncio.get_running_loop().time()
        meter = RunMeter(
            self.backend.name, self.work, now, is_adopted=not is_new, needs_load=is_new and self._needs_load
        )
        recorder = Recorder(job, self._number, surroundings=self._at, meter=meter, first_frame=first_frame)
        self._meter, self._recorder = meter, recorder
        deadline = asyncio.timeout(None)
        async with open_run(task) as run, running(recorder.pump_previews(), self._forward_cancel(run, deadline)):
            self._run = run
            try:
                async with deadline:
                    async for update in run:
                        await recorder.record(update)
            except StoreError:
                # Nothing is wrong with the attempt: it is taken up again when there is something to write it to.
                self.detach()
                raise
            except TimeoutError:
                if not deadline.expired():
                    raise
                return await self._give_up_cancelling()
        self._at.experience.learn(meter.sample(asyncio.get_running_loop().time()))
        if recorder.has_delivered:
            return AttemptSucceeded(number=self._number)
        return self._failed(Failure(reason="NO_OUTPUT", message="the run ended without any image"))

    async def _task_for(self, job: Job) -> Task:
        spec = job.spec
        stored = {digest: await self._at.assets.bytes(digest) for digest in spec.digests}
        source, files = await asyncio.to_thread(with_plain_masks, spec.source, stored)
        return Task(
            attempt_id=self.attempt_id,
            source=part_of(source, handed_over(job, self._number)),
            preview=PreviewWish(enabled=spec.preview.enabled, max_rate_hz=spec.preview.max_rate_hz),
            files=files,
            options=spec.backend_options.get(self.backend.adapter.kind, {}),
        )

    async def _forward_cancel(self, run: Run, deadline: asyncio.Timeout) -> None:
        await self._cancel_wanted.wait()
        deadline.reschedule(asyncio.get_running_loop().time() + self._at.patience.cancel_timeout_s)
        try:
            await run.cancel()
        except AdapterError as error:
            # The run ends by itself, or by the deadline.
            self._log.warning("cancel did not reach the backend", reason=str(error))

    async def _give_up_cancelling(self) -> Happening:
        message = "the backend did not confirm the cancel in time; it may still be working on the job"
        warned = Warned(code="CANCEL_NOT_CONFIRMED", message=message)
        await self._at.ledger.apply(self.job_id, AttemptTold(number=self._number, update=warned))
        return AttemptCancelled(number=self._number)

    # --- what went wrong --------------------------------------------------------------------------------------------

    async def _broken(self, error: AdapterError) -> Happening:
        """What the adapter's error means for the attempt. Raises StoreError."""
        # What the backend does not have any more need not be stopped.
        if isinstance(error, Cancelled | Lost) and self._cancel_wanted.is_set():
            return AttemptCancelled(number=self._number)
        incident = self._incident(error)
        self._suspect_backend(error)
        job = self._committed_job()
        if isinstance(error, Unreachable):
            attempt = job.attempts[self._number - 1]
            source = part_of(job.spec.source, handed_over(job, self._number))
            await self._at.orphans.add(self.job_id, attempt, source, has_died=error.backend_died)
        return broken(
            job,
            self._number,
            failure_of(error),
            limits=self._at.limits,
            can_retry=error.can_retry,
            is_uncertain=isinstance(error, Uncertain),
            incident=incident,
        )

    def _incident(self, error: AdapterError) -> Incident:
        if self._is_adopted and not self._was_accepted and isinstance(error, Lost | Uncertain):
            return Incident.RESTART
        if isinstance(error, GpuFault):
            # A GPU that was broken before has not been broken by this attempt.
            return Incident.TAKEDOWN if self.backend.is_healthy else Incident.NONE
        # What only waited at a backend that died is not what killed it. A machine that hangs only falls silent.
        is_at_work = self._was_accepted and self._meter is not None and not self._meter.is_waiting
        has_gone = error.backend_died or isinstance(error, Unreachable)
        return Incident.TAKEDOWN if is_at_work and has_gone else Incident.NONE

    def _suspect_backend(self, error: AdapterError) -> None:
        patience = self._at.patience
        match error:
            case OutOfMemory():
                self.backend.suspect(str(error), hold_s=patience.out_of_memory_hold_s, free_memory=True)
            case GpuFault():
                self.backend.suspect(str(error), hold_s=patience.gpu_fault_hold_s)
            case _ if error.backend_at_fault:
                self.backend.suspect(str(error))

    def _failed(self, failure: Failure) -> AttemptBroke:
        """An end that a retry cannot help."""
        return AttemptBroke(number=self._number, failure=failure, will_retry=False)

    @property
    def _was_accepted(self) -> bool:
        return self._recorder is not None and self._recorder.was_accepted

    def _committed_job(self) -> Job:
        job = self._at.ledger.committed(self.job_id)
        assert job is not None, "a job with a running attempt has not ended"
        return job


def _next_frame(attempt: Attempt, now: float) -> int:
    """A number above those of all frames of the attempt that earlier processes can have published."""
    return 2 + int(max(now - attempt.start_time, 0.0) * MAX_RATE_HZ)


def _reason(ending: Happening) -> dict[str, str]:
    return {"reason": ending.failure.reason} if isinstance(ending, AttemptBroke) else {}
