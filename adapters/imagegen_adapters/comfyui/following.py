"""Follows a prompt that the server has, to its last image. What frames mean is `tracking`'s business."""

import asyncio
from collections import deque
from contextlib import suppress

import structlog

from imagegen_adapters.comfyui.answers import HistoryEntry, Place, QueueEntry
from imagegen_adapters.comfyui.backend import Backend
from imagegen_adapters.comfyui.images import media_type_of
from imagegen_adapters.comfyui.patience import CancelWish, Outage, insist
from imagegen_adapters.comfyui.progress import checkpoint_of
from imagegen_adapters.comfyui.protocol import PromptFrame
from imagegen_adapters.comfyui.stopping import Stopper
from imagegen_adapters.comfyui.tracking import PromptEnded, Result, ResultsShown, Tracker
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.contract import Handle, ImageReady, Phase, PhaseChanged, Update, Warned
from imagegen_adapters.errors import AdapterError, Cancelled, Interrupted, Lost, NoOutput, Unintelligible, Unreachable
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.updates import UpdateBuffer

log = structlog.get_logger(__name__)


class Follower:
    """A listener of the link. Frames are turned into updates where they arrive, in the link's task.

    All that waits (questions over HTTP, results, cancelling) is done one after the other by `follow`, which frames and
    callers wake.
    """

    def __init__(
        self,
        backend: Backend,
        workflow: Workflow,
        handle: Handle,
        *,
        buffer: UpdateBuffer,
        wish: CancelWish,
        wants_previews: bool,
        submitted_at: int | None,
    ) -> None:
        """`submitted_at` is the link's generation when this process handed the prompt over; None: another one did."""
        self.hears_frames = handle.client_id == backend.link.client_id
        self._backend = backend
        self._client = backend.client
        self._link = backend.link
        self._timing = backend.timing
        self._buffer = buffer
        self._wish = wish
        self._prompt_id = handle.remote_id
        self._checkpoint = checkpoint_of(workflow.graph)
        self._tracker = Tracker(workflow, backend.classes or NodeClasses(), wants_previews=wants_previews)
        self._stopper = Stopper(backend, handle.remote_id)
        self._submitted_at = submitted_at
        self._results: deque[Result] = deque()
        self._delivered = 0
        self._has_missed_files = False
        self._has_lost_link = False
        self._is_renewing = False
        self._waiting_behind: int | None = None
        self._last_frame = self._now()
        self._outage = Outage(backend.timing, self._last_frame)
        self._next_question = self._now() + (self._timing.poll_s if submitted_at is not None else 0)
        self._next_cancel = 0.0
        self._renew_after_s = 2 * self._timing.silence_s

    # --- what the link calls ---

    def on_frame(self, frame: PromptFrame) -> None:
        self._last_frame = self._now()
        self._outage.end(self._last_frame)
        self._next_question = self._last_frame + self._timing.silence_s
        for step in self._tracker.feed(frame):
            match step:
                case ResultsShown():
                    self._results.extend(step.results)
                    self._wish.changed.set()
                case PromptEnded():
                    self._wish.changed.set()
                case _:
                    self._put(step)

    def on_queue_changed(self) -> None:
        if not self._tracker.has_started:
            self._ask_within(self._timing.poll_s)

    def on_link_changed(self) -> None:
        is_at_work = self._tracker.has_started and not self._tracker.has_ended
        if is_at_work and not self._is_renewing and not self._has_lost_link:
            self._has_lost_link = True
            message = "the connection to the backend was lost; progress and previews are missing for that time"
            self._buffer.put(Warned(code="BACKEND_RECONNECTED", message=message))
        if self._link.is_up:
            self._is_renewing = False
        self._last_frame = self._now()
        self._ask_within(0)

    # --- the loop ---

    async def follow(self) -> None:
        """Until the prompt has ended and its results are delivered."""
        while True:
            self._wish.changed.clear()
            if self._tracker.has_ended:
                # By now history has the outcome, unless it has forgotten it already.
                entry = await insist(lambda: self._client.history(self._prompt_id), self._timing, self._wish)
                return await self._conclude(entry)
            if self._wish.is_made and self._now() >= self._next_cancel:
                await self._press_cancel()
            elif self._results and not self._wish.is_made:
                await self._deliver_unless_cancelled()
            elif self._now() >= self._next_question:
                ended = await self._ask()
                if ended is not None:
                    return await self._conclude(ended)
            else:
                await self._sleep()

    async def _press_cancel(self) -> None:
        """Asks the server to stop the prompt. Whether it did is then asked, or told by frames."""
        self._wish.check()
        self._next_cancel = self._now() + self._timing.poll_s
        self._ask_within(0)
        await self._stopper.stop()

    async def _sleep(self) -> None:
        """Until something is to be done."""
        until = min(self._next_question, self._next_cancel) if self._wish.is_made else self._next_question
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._wish.changed.wait()

    # --- questions ---

    async def _ask(self) -> HistoryEntry | None:
        """Asks where the prompt is. Gives its history if it has ended; raises if it is gone."""
        self._next_question = self._now() + self._timing.poll_s
        try:
            # In this order: between the two, a prompt can only go from the queue into history.
            queue = await self._client.queue()
            entry = next((entry for entry in queue if entry.prompt_id == self._prompt_id), None)
            ended = await self._client.history(self._prompt_id) if entry is None else None
        except (Unreachable, Unintelligible) as error:
            self._outage.judge(error, self._wish, self._now())
            log.debug("backend does not answer", prompt_id=self._prompt_id, reason=str(error))
            return None
        self._outage.end(self._now())
        if entry is not None:
            self._note_place(entry)
        elif ended is None and not self._tracker.has_ended:
            raise self._gone()
        return ended if ended is not None and not self._expects_frames() else None

    def _expects_frames(self) -> bool:
        """Whether images may still be on their way over a socket that lags behind history."""
        is_hearing = self.hears_frames and self._link.is_up and self._silent_s() < self._renew_after_s
        return is_hearing and self._tracker.lacks_sent_images

    def _note_place(self, entry: QueueEntry) -> None:
        if not self._tracker.has_started:
            self._tell_place(entry)
        if not self.hears_frames or not self._link.is_up or self._wish.is_made:
            return
        if entry.place is Place.PENDING:
            self._next_question = self._now() + self._timing.silence_s
        elif self._silent_s() >= self._renew_after_s:
            # Nothing may be wrong: a model can take minutes to load. Then this costs a reconnect, ever more rarely.
            self._renew_after_s *= 2
            self._is_renewing = True
            self._link.renew()

    def _tell_place(self, entry: QueueEntry) -> None:
        if entry.ahead == self._waiting_behind:
            return
        self._waiting_behind = entry.ahead
        if entry.place is Place.PENDING:
            title = f"{entry.ahead} ahead in the backend's queue"
            self._buffer.put(PhaseChanged(phase=Phase.WAITING, title=title))
        else:
            self._buffer.put(PhaseChanged(phase=Phase.PROCESSING))

    def _gone(self) -> AdapterError:
        """The error for a prompt that is neither in the queue nor in history."""
        if self._wish.is_made:
            return Cancelled("cancelled")
        if not self._was_away and not self._tracker.has_started:
            return Interrupted("somebody took it out of the backend's queue")
        message = "the backend does not know the attempt any more: it restarted, or its history was cleared"
        # Nobody can clear away what runs.
        return Lost(message, backend_died=self._tracker.has_started and self._was_away)

    @property
    def _was_away(self) -> bool:
        """Whether frames of the prompt can have been sent to nobody."""
        return not self._link.is_up or self._submitted_at != self._link.generation

    # --- results ---

    async def _conclude(self, entry: HistoryEntry | None) -> None:
        error = self._tracker.verdict(entry, is_cancelled=self._wish.is_made)
        if error is not None:
            raise error
        if entry is not None:
            self._results.extend(self._tracker.take_files(entry.files))
        while self._results:
            await self._deliver_next()
        error = self._tracker.shortfall(self._delivered)
        if isinstance(error, NoOutput) and self._tracker.lacks_sent_images and self._was_away:
            raise Lost("the images were sent over the websocket while nobody listened")
        if isinstance(error, NoOutput) and entry is None and self._has_missed_files:
            raise Lost("the backend has forgotten the attempt, and lost its images before they were fetched")
        if error is not None:
            raise error
        if self._tracker.blocked_reason:
            self._buffer.put(Warned(code="PARTIAL_RESULT", message=self._tracker.blocked_reason))
        if self._tracker.lacks_sent_images:
            message = "images that the graph sends over the websocket did not arrive"
            self._buffer.put(Warned(code="PARTIAL_RESULT", message=message))
        self._buffer.put(self._tracker.completed())

    async def _deliver_unless_cancelled(self) -> None:
        """A cancel comes before a file; if the prompt ends well all the same, the file is fetched again."""
        with suppress(Cancelled):
            async with self._wish.breaks_off():
                await self._deliver_next()

    async def _deliver_next(self) -> None:
        result = self._results[0]
        data = await insist(lambda: self._client.fetch(result.file), self._timing, self._wish)
        self._results.popleft()
        if not data:
            message = f"the backend lists {result.file.filename!r} but does not have it"
            self._buffer.put(Warned(code="OUTPUT_UNREADABLE", message=message))
            self._has_missed_files = True
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
        if isinstance(update, PhaseChanged) and update.phase is Phase.SAMPLING:
            self._backend.note_resident(self._checkpoint)
        self._buffer.put(update)

    # --- time ---

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _silent_s(self) -> float:
        return self._now() - self._last_frame

    def _ask_within(self, seconds: float) -> None:
        self._next_question = min(self._next_question, self._now() + seconds)
        self._wish.changed.set()
