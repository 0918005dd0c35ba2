"""Drives one attempt: from the hand-over to a backend to the end of it in the ledger."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import assert_never

import structlog

from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageParameters,
    ImageReady,
    ModelLoading,
    PhaseChanged,
    Planned,
    PreviewFrame,
    PreviewWish,
    Progressed,
    RawGraph,
    Run,
    Task,
    Update,
    Warned,
)
from imagegen_adapters.errors import AdapterError, Cancelled, GpuFault, Lost
from imagegen_server.assets import AssetStore
from imagegen_server.errors import Refused
from imagegen_server.fleet import Backend
from imagegen_server.history import Ephemeral
from imagegen_server.hub import Hub
from imagegen_server.jobs import AssetOrigin, Attempt, Failure, Job, Output, Slice
from imagegen_server.ledger import Ledger
from imagegen_server.lifecycle import (
    AttemptAccepted,
    AttemptBegan,
    AttemptBroke,
    AttemptCancelled,
    AttemptSucceeded,
    AttemptTold,
    Happening,
    InvalidHappening,
    OutputStored,
)
from imagegen_server.masks import plain_mask
from imagegen_server.previews import MAX_RATE_HZ, Preview, PreviewPipe
from imagegen_server.progress import ProgressTracker
from imagegen_server.stores.store import StoreError
from imagegen_server.tasks import running
from imagegen_server.wire import events
from imagegen_server.wire.errors import failure_of

log = structlog.get_logger(__name__)

OpenRun = Callable[[Task], AbstractAsyncContextManager[Run]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what may not come."""

    cancel_timeout_s: float = 60.0
    """A backend that has not confirmed a cancel by then is left alone, with a warning."""
    gpu_fault_hold_s: float = 60.0
    """So long a backend with a broken GPU gets nothing new, even if it answers."""
    max_backoff_s: float = 30.0
    """Longest pause between two attempts of a job; the first is of one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every attempt works with."""

    ledger: Ledger
    hub: Hub
    assets: AssetStore
    executor: Executor
    """For previews."""
    clock: Callable[[], float]
    max_attempts: int
    patience: Patience


class AttemptDriver:
    """One attempt of one job on one backend. `run_new` or `adopt` is called once, in a task of its own.

    When that task is cancelled, nothing is recorded: the attempt is left running at the backend if it was `detach`ed
    and the adapter can find it again, and stopped there otherwise.
    """

    def __init__(self, job_id: str, backend: Backend, surroundings: Surroundings) -> None:
        self.job_id = job_id
        self.backend = backend
        self._at = surroundings
        self._run: Run | None = None
        self._number = 0
        self._cancel_wanted = asyncio.Event()
        self._log = log.bind(job_id=job_id, backend=backend.name)

    def request_cancel(self) -> None:
        """Has the attempt stopped at the backend. May be called at any time and more than once."""
        self._cancel_wanted.set()

    def detach(self) -> None:
        """From now on the end of the task leaves the attempt running at the backend, if it can be found again.

        One that is to be cancelled too: the job keeps the wish, and a backend that is silent must not hold up the end.
        """
        if self._run is not None and self.backend.adapter.capabilities.reattach:
            self._run.detach()

    async def run_new(self, attempt_id: str, piece: Slice, *, model: str = "", left: Handle | None = None) -> None:
        """Hands a new attempt over. `model` is what this backend takes for the job's. Raises StoreError.

        With `left` an earlier attempt of this id, which ended without an answer, may still be at the backend under that
        handle: it is taken up, and handed over again only if it is not there.
        """
        adapter = self.backend.adapter
        handle = left or adapter.handle_for(attempt_id)
        began = AttemptBegan(attempt_id=attempt_id, backend=self.backend.name, handle=handle, slice=piece, model=model)
        try:
            # Stored before the hand-over: after a crash the backend can be asked what became of it.
            job = await self._at.ledger.apply(self.job_id, began)
        except InvalidHappening:
            return  # cancelled in the meantime
        self._number = len(job.attempts)
        self._log.info("attempt started", attempt=self._number)
        await self._drive(job, self._hand_over(job) if left is None else self._take_up_or_hand_over(job, left))

    async def adopt(self, job: Job, attempt: Attempt) -> None:
        """Takes up an attempt that an earlier process handed over. Raises StoreError."""
        self._number = attempt.number
        handle, first_frame = attempt.handle, _next_frame(attempt, self._at.clock())
        self._log.info("attempt adopted", attempt=self._number)
        await self._drive(job, self._take_up(job, handle, first_frame))

    async def stop_lost(self, job: Job, attempt: Attempt) -> None:
        """Has the backend stop an attempt of an earlier process that nobody can follow, if it can tell which it is."""
        task = Task(attempt_id=attempt.attempt_id, source=job.spec.source)
        try:
            async with self.backend.adapter.reattach(task, attempt.handle) as run:
                async for _ in run:
                    pass
        except AdapterError as error:
            self._log.debug("attempt lost", reason=str(error))

    async def _drive(self, job: Job, attempt: Awaitable[Happening]) -> None:
        try:
            ending = await attempt
        except AdapterError as error:
            ending = self._broken(job, error)
        except Refused as refused:
            failure = Failure(reason=refused.reason, message=str(refused))
            ending = AttemptBroke(number=self._number, failure=failure, will_retry=False)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # the edge of this task: whatever it is, the job must not hang on it
            self._log.exception("attempt failed unexpectedly")
            failure = Failure(reason="INTERNAL", message="a fault of this service; its log has more")
            ending = AttemptBroke(number=self._number, failure=failure, will_retry=False)
        job = await self._at.ledger.apply(self.job_id, ending)
        self._log.info("attempt ended", attempt=self._number, state=job.state.value, **_reason(ending))

    async def _hand_over(self, job: Job) -> Happening:
        return await self._attempt(job, self.backend.adapter.run, first_frame=1)

    async def _take_up(self, job: Job, handle: Handle, first_frame: int) -> Happening:
        return await self._attempt(job, lambda task: self.backend.adapter.reattach(task, handle), first_frame)

    async def _take_up_or_hand_over(self, job: Job, handle: Handle) -> Happening:
        try:
            return await self._take_up(job, handle, first_frame=1)
        except Lost:
            if self._at.ledger.committed(self.job_id) is not job:
                raise  # it was found, and lost afterwards; or a cancel was asked for
            return await self._hand_over(job)

    async def _attempt(self, job: Job, open_run: OpenRun, first_frame: int) -> Happening:
        task = await self._task_for(job)
        recorder = _Recorder(job, self._number, self._at, first_frame)
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
        return recorder.ending()

    async def _task_for(self, job: Job) -> Task:
        attempt = job.attempts[self._number - 1]
        spec = job.spec
        stored = {digest: await self._at.assets.bytes(digest) for digest in spec.digests}
        source, files = await asyncio.to_thread(_with_plain_mask, spec.source, stored)
        return Task(
            attempt_id=attempt.attempt_id,
            source=_sliced(source, attempt.slice),
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

    def _broken(self, job: Job, error: AdapterError) -> Happening:
        if isinstance(error, Cancelled) and self._cancel_wanted.is_set():
            return AttemptCancelled(number=self._number)
        if error.backend_at_fault:
            hold_s = self._at.patience.gpu_fault_hold_s if isinstance(error, GpuFault) else 0.0
            self.backend.suspect(str(error), hold_s=hold_s)
        will_retry = error.can_retry and len(job.attempts) < self._at.max_attempts
        return AttemptBroke(number=self._number, failure=failure_of(error), will_retry=will_retry)


class _Recorder:
    """Turns an attempt's updates into happenings and ephemeral events."""

    def __init__(self, job: Job, number: int, surroundings: Surroundings, first_frame: int) -> None:
        self._job = job
        self._at = surroundings
        self._number = number
        self._slice = job.attempts[number - 1].slice
        self._progress = ProgressTracker()
        self._pipe = PreviewPipe(
            job.spec.preview, self._publish_preview, surroundings.executor, first_number=first_frame
        )
        self._is_graph = isinstance(job.spec.source, RawGraph)
        self._heard_of = Counter[str]()
        # What an earlier attempt, or an earlier process, has delivered is not stored again.
        told = Counter[str]()
        self._stored = {self._key(each, told) for each in job.outputs}

    async def pump_previews(self) -> None:
        await self._pipe.pump()

    async def record(self, update: Update) -> None:
        match update:
            case Accepted(handle=handle):
                await self._apply(AttemptAccepted(number=self._number, handle=handle))
            case Planned() | Warned():
                await self._tell(update)
            case ImageReady():
                await self._store(update)
            case PhaseChanged():
                self._publish(Ephemeral.PHASE, events.phase_event(*self._now(), update))
            case ModelLoading():
                self._publish(Ephemeral.MODEL_LOADING, events.model_loading_event(*self._now(), update))
            case Progressed():
                progress, speed = self._progress.track(update, asyncio.get_running_loop().time())
                self._publish(Ephemeral.PROGRESS, events.progress_event(*self._now(), progress, speed))
            case PreviewFrame():
                self._pipe.offer(update)
            case _ as never:
                assert_never(never)

    def ending(self) -> Happening:
        """How an attempt ends whose run has delivered everything."""
        if any(not output.intermediate for output in self._job.outputs):
            return AttemptSucceeded(number=self._number)
        failure = Failure(reason="NO_OUTPUT", message="the run ended without any image")
        return AttemptBroke(number=self._number, failure=failure, will_retry=False)

    async def _apply(self, happening: Happening) -> None:
        self._job = await self._at.ledger.apply(self._job.job_id, happening)

    async def _tell(self, update: Planned | Warned) -> None:
        await self._apply(AttemptTold(number=self._number, update=update))

    async def _store(self, image: ImageReady) -> None:
        key = self._key(image, self._heard_of)
        if key in self._stored:
            return
        try:
            asset = await self._at.assets.put(
                image.data,
                origin=AssetOrigin.OUTPUT,
                job_id=self._job.job_id,
                require_image=isinstance(self._job.spec.source, ImageParameters),
            )
        except Refused as refused:
            await self._tell(Warned(code="OUTPUT_UNREADABLE", message=f"an output was left out: {refused}"))
            return
        self._stored.add(key)
        await self._apply(
            OutputStored(
                number=self._number,
                asset=asset,
                image_index=len(self._job.outputs) if self._is_graph else self._slice.first + image.image_index,
                seed=image.seed,
                node_id=image.node_id,
                intermediate=image.intermediate,
            )
        )

    def _key(self, image: ImageReady | Output, heard_of: Counter[str]) -> tuple[str, int, bool]:
        """The same for the same image in every attempt."""
        if not self._is_graph:
            # The index says which image it is, whichever backend made it; an adapter counts within its slice.
            first = self._slice.first if isinstance(image, ImageReady) else 0
            return "", first + image.image_index, image.intermediate
        # Nodes are heard of in any order, and after a restart not of all again; but each lists its images in order.
        heard_of[image.node_id] += 1
        return image.node_id, heard_of[image.node_id], image.intermediate

    def _publish_preview(self, preview: Preview) -> None:
        self._publish(Ephemeral.PREVIEW, events.PreviewEvent(*self._now(), preview, self._at.executor))

    def _publish(self, kind: Ephemeral, payload: events.EphemeralEvent | events.PreviewEvent) -> None:
        self._at.hub.publish_ephemeral(self._job.job_id, kind, payload)

    def _now(self) -> tuple[str, int, float]:
        return self._job.job_id, self._number, self._at.clock()


def _sliced(source: ImageParameters | RawGraph, piece: Slice) -> ImageParameters | RawGraph:
    """The part of the request that one attempt makes: image i has the seed that it would have in the whole."""
    if not isinstance(source, ImageParameters):
        return source
    return replace(source, seed=source.seed + piece.first, count=piece.count)


def _with_plain_mask(
    source: ImageParameters | RawGraph, files: dict[str, bytes]
) -> tuple[ImageParameters | RawGraph, dict[str, bytes]]:
    """The mask in the one form that every backend reads alike, under a digest of its own."""
    if not isinstance(source, ImageParameters) or not source.mask:
        return source, files
    mask = plain_mask(files[source.mask])
    digest = hashlib.sha256(mask).hexdigest()
    # The initial image may be the same file, and stays as it is.
    return replace(source, mask=digest), {source.init_image: files[source.init_image], digest: mask}


def _next_frame(attempt: Attempt, now: float) -> int:
    """A number above those of all frames of the attempt that earlier processes can have published."""
    return 2 + int(max(now - attempt.start_time, 0.0) * MAX_RATE_HZ)


def _reason(ending: Happening) -> dict[str, str]:
    return {"reason": ending.failure.reason} if isinstance(ending, AttemptBroke) else {}
