"""One attempt at a server, from hand-over to its last image. What frames mean is `tracking`'s business."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import structlog

from imagegen_adapters.comfyui.answers import HistoryEntry, Place, QueueEntry
from imagegen_adapters.comfyui.backend import Backend
from imagegen_adapters.comfyui.handover import locate, prepare, recall, submit
from imagegen_adapters.comfyui.images import media_type_of
from imagegen_adapters.comfyui.nodes import NodeClasses
from imagegen_adapters.comfyui.progress import checkpoint_of
from imagegen_adapters.comfyui.protocol import PromptFrame
from imagegen_adapters.comfyui.stopping import Stopper
from imagegen_adapters.comfyui.tracking import PromptEnded, Result, ResultsShown, Tracker
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageReady,
    Phase,
    PhaseChanged,
    Task,
    Update,
    Warned,
)
from imagegen_adapters.errors import AdapterError, Cancelled, Interrupted, Lost, Unintelligible, Unreachable
from imagegen_adapters.updates import UpdateBuffer

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Attempt:
    """A run of the contract, and a listener of the link. `driven` runs it.

    Frames are turned into updates where they arrive, in the link's task. All that waits (questions over HTTP, results,
    cancelling) is done one after the other in `drive`, which frames and callers wake.
    """

    def __init__(self, backend: Backend, task: Task, *, handle: Handle | None = None) -> None:
        self.is_detached = False
        self._backend = backend
        self._client = backend.client
        self._link = backend.link
        self._timing = backend.timing
        self._task = task
        self._handle = handle
        self._buffer = UpdateBuffer()
        self._wake = asyncio.Event()
        self._scope: asyncio.Timeout | None = None
        self._tracker: Tracker | None = None
        self._workflow: Workflow | None = None
        self._prompt_id = ""
        self._stopper: Stopper | None = None
        self._results: deque[Result] = deque()
        self._delivered = 0
        self._hears_frames = True
        self._submitted_at: int | None = None  # the link's generation, if this process handed it over
        self._has_lost_link = False
        self._is_renewing = False
        self._waiting_behind: int | None = None
        self._last_contact = self._last_frame = self._now()
        self._next_question = 0.0
        self._renew_after_s = 2 * self._timing.silence_s
        self._cancel_deadline: float | None = None
        self._next_cancel = 0.0

    # --- what the contract asks for ---

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._buffer

    async def cancel(self) -> None:
        if self._cancel_deadline is None:
            self._cancel_deadline = self._now() + self._timing.cancel_s
        if self._scope is not None:
            self._scope.reschedule(self._now())
        self._wake.set()

    def detach(self) -> None:
        self.is_detached = True

    # --- what the link calls ---

    def on_frame(self, frame: PromptFrame) -> None:
        assert self._tracker is not None
        self._last_contact = self._last_frame = self._now()
        self._next_question = self._last_frame + self._timing.silence_s
        for step in self._tracker.feed(frame):
            match step:
                case ResultsShown():
                    self._results.extend(step.results)
                    self._wake.set()
                case PromptEnded():
                    self._wake.set()
                case _:
                    self._put(step)

    def on_queue_changed(self) -> None:
        if self._tracker is not None and not self._tracker.has_started:
            self._ask_within(self._timing.poll_s)

    def on_link_changed(self) -> None:
        assert self._tracker is not None
        is_at_work = self._tracker.has_started and not self._tracker.has_ended
        if is_at_work and not self._is_renewing and not self._has_lost_link:
            self._has_lost_link = True
            message = "the connection to the backend was lost; progress and previews are missing for that time"
            self._buffer.put(Warned(code="BACKEND_RECONNECTED", message=message))
        if self._link.is_up:
            self._is_renewing = False
        self._last_frame = self._now()
        self._ask_within(0)

    # --- the driver ---

    async def drive(self) -> None:
        """Does the attempt. Its outcome is in the updates; only cancelling this task raises."""
        try:
            await (self._hand_over() if self._handle is None else self._take_up(self._handle))
            await self._follow()
            self._buffer.close()
        except AdapterError as error:
            self._buffer.fail(error)
        except Exception as error:
            log.exception("attempt failed by a fault of the adapter", attempt_id=self._task.attempt_id)
            self._buffer.fail(Unintelligible(f"the adapter failed: {type(error).__name__}"))
        finally:
            self._link.detach(self._prompt_id)
            self._buffer.fail(Unreachable("the adapter was closed"))

    async def _hand_over(self) -> None:
        self._buffer.put(PhaseChanged(phase=Phase.PREPARING))
        async with self._abandoned_by_cancel():
            await self._link.ready()
            workflow = await prepare(self._backend, self._task)
        with self._link.submitting():
            prompt_id = await submit(self._backend, self._task, workflow)
            self._submitted_at = self._link.generation
            self._accept(workflow, Handle(remote_id=prompt_id, client_id=self._link.client_id))

    async def _take_up(self, handle: Handle) -> None:
        # Not broken off by a cancel: what is to be stopped must be found first.
        prompt_id = await self._insist(lambda: locate(self._backend, self._task, handle.remote_id))
        if prompt_id is None:
            raise Lost("the backend does not know the attempt any more")
        await self._insist(self._backend.learn)
        self._hears_frames = handle.client_id == self._link.client_id
        self._accept(recall(self._task), Handle(remote_id=prompt_id, client_id=handle.client_id))
        self._ask_within(0)

    def _accept(self, workflow: Workflow, handle: Handle) -> None:
        wants_previews = self._task.preview.enabled
        self._workflow = workflow
        self._tracker = Tracker(workflow, self._backend.classes or NodeClasses(), wants_previews=wants_previews)
        self._prompt_id = handle.remote_id
        self._stopper = Stopper(self._backend, self._prompt_id)
        self._last_contact = self._last_frame = self._now()
        self._next_question = self._now() + self._timing.poll_s
        self._buffer.put(Accepted(handle=handle))
        self._buffer.put(PhaseChanged(phase=Phase.WAITING))
        if wants_previews:
            self._warn_of_missing_previews()
        if self._hears_frames:
            self._link.attach(self._prompt_id, self)

    async def _follow(self) -> None:
        """Until the prompt has ended and its results are delivered."""
        assert self._tracker is not None
        while True:
            self._wake.clear()
            if self._tracker.has_ended:
                # By now history has the outcome, unless it has forgotten it already.
                entry = await self._insist(lambda: self._client.history(self._prompt_id))
                return await self._conclude(entry)
            if self._cancel_deadline is not None and self._now() >= self._next_cancel:
                await self._press_cancel()
            elif self._cancel_deadline is None and self._results:
                await self._deliver_unless_cancelled()
            elif self._now() >= self._next_question:
                ended = await self._ask()
                if ended is not None:
                    return await self._conclude(ended)
            else:
                await self._sleep()

    # --- questions ---

    async def _ask(self) -> HistoryEntry | None:
        """Asks where the prompt is. Gives its history if it has ended; raises if it is gone."""
        assert self._tracker is not None
        self._ask_within(self._timing.poll_s, is_later=True)
        try:
            # In this order: between the two, a prompt can only go from the queue into history.
            entry = _entry_of(await self._client.queue(), self._prompt_id)
            ended = await self._client.history(self._prompt_id) if entry is None else None
        except (Unreachable, Unintelligible) as error:
            self._give_up_in_time(error)
            return None
        self._last_contact = self._now()
        if entry is not None:
            self._note_place(entry)
        elif ended is None and not self._tracker.has_ended:
            raise self._gone()
        elif ended is not None and self._expects_frames():
            return None
        return ended

    def _expects_frames(self) -> bool:
        """Whether images may still be on their way over a socket that lags behind history."""
        assert self._tracker is not None
        is_hearing = self._hears_frames and self._link.is_up and self._silent_s() < self._renew_after_s
        return is_hearing and self._tracker.lacks_sent_images

    def _note_place(self, entry: QueueEntry) -> None:
        assert self._tracker is not None
        if self._tracker.has_started:
            pass
        elif entry.place is Place.PENDING and entry.ahead != self._waiting_behind:
            self._waiting_behind = entry.ahead
            title = f"{entry.ahead} ahead in the backend's queue"
            self._buffer.put(PhaseChanged(phase=Phase.WAITING, title=title))
        elif entry.place is Place.RUNNING and self._waiting_behind != 0:
            self._waiting_behind = 0
            self._buffer.put(PhaseChanged(phase=Phase.PROCESSING))
        if not self._hears_frames or self._cancel_deadline is not None:
            return
        if entry.place is Place.RUNNING and self._link.is_up and self._silent_s() >= self._renew_after_s:
            # Nothing may be wrong: a model can take minutes to load. Then this costs a reconnect, ever more rarely.
            self._renew_after_s *= 2
            self._is_renewing = True
            self._link.renew()
        if entry.place is Place.PENDING and self._link.is_up:
            self._ask_within(self._timing.silence_s, is_later=True)

    def _gone(self) -> AdapterError:
        """The error for a prompt that is neither in the queue nor in history."""
        assert self._tracker is not None
        if self._cancel_deadline is not None:
            return Cancelled("cancelled")
        is_same_server = self._link.is_up and self._submitted_at == self._link.generation
        if is_same_server and not self._tracker.has_started:
            return Interrupted("somebody took it out of the backend's queue")
        return Lost("the backend does not know the attempt any more: it restarted, or its history was cleared")

    async def _insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call while the server cannot be reached, up to the limit that an attempt has for that."""
        self._last_contact = self._now()
        while True:
            try:
                answer = await call()
            except (Unreachable, Unintelligible) as error:
                self._give_up_in_time(error)
                await asyncio.sleep(self._timing.poll_s)
            else:
                self._last_contact = self._now()
                return answer

    def _give_up_in_time(self, error: AdapterError) -> None:
        if self._cancel_deadline is not None:
            self._check_cancel_deadline()
        elif self._now() - self._last_contact >= self._timing.unreachable_s:
            raise error
        log.debug("backend does not answer", attempt_id=self._task.attempt_id, reason=str(error))

    # --- results ---

    async def _conclude(self, entry: HistoryEntry | None) -> None:
        assert self._tracker is not None
        error = self._tracker.verdict(entry, is_cancelled=self._cancel_deadline is not None)
        if error is not None:
            raise error
        if entry is not None:
            self._results.extend(self._tracker.take_files(entry.files))
        while self._results:
            await self._deliver_next()
        error = self._tracker.shortfall(self._delivered)
        if error is not None:
            raise error
        self._warn_of_missing_results(self._tracker)
        self._buffer.put(self._tracker.completed())

    async def _deliver_unless_cancelled(self) -> None:
        """A cancel comes before a file; if the prompt ends well all the same, the file is fetched again."""
        with suppress(Cancelled):
            async with self._abandoned_by_cancel():
                await self._deliver_next()

    async def _deliver_next(self) -> None:
        result = self._results[0]
        data = await self._insist(lambda: self._client.fetch(result.file))
        self._results.popleft()
        if not data:
            message = f"the backend lists {result.file.filename!r} but does not have it"
            self._buffer.put(Warned(code="OUTPUT_UNREADABLE", message=message))
            return
        self._put(
            ImageReady(
                data=data,
                media_type=media_type_of(data, result.file.filename),
                image_index=result.image_index,
                seed=result.seed,
                node_id=result.file.node,
                intermediate=result.is_intermediate,
            )
        )

    def _put(self, update: Update) -> None:
        if isinstance(update, ImageReady):
            self._delivered += 1
        if isinstance(update, PhaseChanged) and update.phase is Phase.SAMPLING and self._workflow is not None:
            self._backend.note_resident(checkpoint_of(self._workflow.graph))
        self._buffer.put(update)

    def _warn_of_missing_previews(self) -> None:
        info = self._backend.info
        if not self._hears_frames:
            message = "taken up under another client id: the backend tells only the one that queued it"
            self._buffer.put(Warned(code="PREVIEWS_UNAVAILABLE", message=message))
        elif info.preview_method == "none" and not info.takes_preview_method:
            message = "the backend sends no previews: start ComfyUI with --preview-method auto"
            self._buffer.put(Warned(code="PREVIEWS_UNAVAILABLE", message=message))

    def _warn_of_missing_results(self, tracker: Tracker) -> None:
        if tracker.blocked_reason:
            self._buffer.put(Warned(code="PARTIAL_RESULT", message=tracker.blocked_reason))
        if tracker.lacks_sent_images:
            message = "images that the graph sends over the websocket did not arrive"
            self._buffer.put(Warned(code="PARTIAL_RESULT", message=message))

    # --- cancelling ---

    async def _press_cancel(self) -> None:
        """Asks the server to stop the prompt. Whether it did is then asked, or told by frames."""
        assert self._stopper is not None
        self._check_cancel_deadline()
        self._next_cancel = self._now() + self._timing.poll_s
        self._ask_within(0)
        await self._stopper.stop()

    def _check_cancel_deadline(self) -> None:
        if self._cancel_deadline is not None and self._now() >= self._cancel_deadline:
            message = "the backend was asked to stop the job but has not confirmed it"
            self._buffer.put(Warned(code="CANCEL_NOT_CONFIRMED", message=message))
            raise Cancelled("cancelled, not confirmed by the backend")

    @asynccontextmanager
    async def _abandoned_by_cancel(self) -> AsyncIterator[None]:
        """A block of calls that `cancel` breaks off, which raises Cancelled."""
        try:
            async with asyncio.timeout(0 if self._cancel_deadline is not None else None) as self._scope:
                yield
        except TimeoutError:
            raise Cancelled("cancelled") from None
        finally:
            self._scope = None

    # --- time ---

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _silent_s(self) -> float:
        return self._now() - self._last_frame

    def _ask_within(self, seconds: float, *, is_later: bool = False) -> None:
        at = self._now() + seconds
        self._next_question = at if is_later else min(self._next_question, at)
        if not is_later:
            self._wake.set()

    async def _sleep(self) -> None:
        """Until something is to be done."""
        until = self._next_question if self._cancel_deadline is None else min(self._next_question, self._next_cancel)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wake.wait()


@asynccontextmanager
async def driven(attempt: Attempt, backend: Backend) -> AsyncIterator[Attempt]:
    """Runs an attempt for as long as the block; leaving it early stops the attempt at the server."""
    driver = asyncio.create_task(attempt.drive(), name="comfyui attempt")
    backend.drivers.add(driver)
    try:
        yield attempt
    finally:
        try:
            if not attempt.is_detached and not driver.done():
                await attempt.cancel()
                await asyncio.wait((driver,), timeout=backend.timing.cancel_s + backend.timing.request_s)
        finally:
            backend.drivers.discard(driver)
            driver.cancel()
            await asyncio.gather(driver, return_exceptions=True)


def _entry_of(queue: tuple[QueueEntry, ...], prompt_id: str) -> QueueEntry | None:
    return next((entry for entry in queue if entry.prompt_id == prompt_id), None)
