"""One attempt at a server: handed over or taken up, followed to its end, stopped on the way if need be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from imagegen_adapters.comfyui.backend import Backend
from imagegen_adapters.comfyui.following import Follower
from imagegen_adapters.comfyui.handover import locate, prepare, recall, submit
from imagegen_adapters.comfyui.patience import CancelWish, NotConfirmedError, insist
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.contract import Accepted, Handle, Phase, PhaseChanged, Task, Update, Warned
from imagegen_adapters.errors import AdapterError, Cancelled, Lost, Unintelligible, Unreachable
from imagegen_adapters.updates import UpdateBuffer

log = structlog.get_logger(__name__)


class Attempt:
    """A run of the contract. `driven` runs it."""

    def __init__(self, backend: Backend, task: Task, *, handle: Handle | None = None) -> None:
        """With a handle it is taken up, else handed over."""
        self.is_detached = False
        self._backend = backend
        self._link = backend.link
        self._task = task
        self._handle = handle
        self._buffer = UpdateBuffer()
        self._wish = CancelWish(backend.timing.cancel_s)

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._buffer

    async def cancel(self) -> None:
        self._wish.make()

    def detach(self) -> None:
        self.is_detached = True

    async def drive(self) -> None:
        """Does the attempt. Its outcome is in the updates; only cancelling this task raises."""
        try:
            await (self._hand_over() if self._handle is None else self._take_up(self._handle))
            self._buffer.close()
        except AdapterError as error:
            self._buffer.fail(error)
        except NotConfirmedError:
            message = "the backend was asked to stop the job but has not confirmed it"
            self._buffer.put(Warned(code="CANCEL_NOT_CONFIRMED", message=message))
            self._buffer.fail(Cancelled("cancelled, not confirmed by the backend"))
        except Exception as error:
            log.exception("attempt failed by a fault of the adapter", attempt_id=self._task.attempt_id)
            self._buffer.fail(Unintelligible(f"the adapter failed: {type(error).__name__}"))
        finally:
            self._buffer.fail(Unreachable("the adapter was closed"))

    async def _hand_over(self) -> None:
        self._buffer.put(PhaseChanged(phase=Phase.PREPARING))
        async with self._wish.breaks_off():
            await self._link.ready()
            workflow = await prepare(self._backend, self._task)
        with self._link.submitting():
            prompt_id = await submit(self._backend, self._task, workflow)
            handle = Handle(remote_id=prompt_id, client_id=self._link.client_id)
            follower = self._accept(workflow, handle, submitted_at=self._link.generation)
        await self._follow(follower, handle)

    async def _take_up(self, handle: Handle) -> None:
        # Not broken off by a cancel: what is to be stopped must be found first.
        timing = self._backend.timing
        prompt_id = await insist(lambda: locate(self._backend, self._task, handle.remote_id), timing, self._wish)
        if prompt_id is None:
            raise Lost("the backend does not know the attempt any more")
        await insist(self._backend.learn, timing, self._wish)
        handle = Handle(remote_id=prompt_id, client_id=handle.client_id)
        await self._follow(self._accept(recall(self._backend, self._task), handle, submitted_at=None), handle)

    def _accept(self, workflow: Workflow, handle: Handle, *, submitted_at: int | None) -> Follower:
        """From here on the prompt's frames are heard."""
        follower = Follower(
            self._backend,
            workflow,
            handle,
            buffer=self._buffer,
            wish=self._wish,
            wants_previews=self._task.preview.enabled,
            submitted_at=submitted_at,
        )
        self._buffer.put(Accepted(handle=handle))
        self._buffer.put(PhaseChanged(phase=Phase.WAITING))
        self._warn_of_missing_previews(follower)
        if follower.hears_frames:
            self._link.attach(handle.remote_id, follower)
        return follower

    async def _follow(self, follower: Follower, handle: Handle) -> None:
        try:
            await follower.follow()
        finally:
            self._link.detach(handle.remote_id)

    def _warn_of_missing_previews(self, follower: Follower) -> None:
        info = self._backend.info
        if not self._task.preview.enabled:
            return
        if not follower.hears_frames:
            message = "taken up under another client id: the backend tells only the one that queued it"
            self._buffer.put(Warned(code="PREVIEWS_UNAVAILABLE", message=message))
        elif info.preview_method == "none" and not info.takes_preview_method:
            message = "the backend sends no previews: start ComfyUI with --preview-method auto"
            self._buffer.put(Warned(code="PREVIEWS_UNAVAILABLE", message=message))


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
