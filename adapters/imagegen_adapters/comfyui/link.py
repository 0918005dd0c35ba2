"""The one websocket to a backend: opened when it is first needed, kept, opened again with care, and shared by all runs.

A server that notices the end of an old socket only after the new one has come, under the same client id, drops the new
one from its books: it stays open and silent. So the old one's close is awaited and a pause kept before the next, and
runs that hear nothing ask for another (`renew`).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import structlog

from imagegen_adapters.comfyui.client import ComfyClient, Timing
from imagegen_adapters.comfyui.protocol import FeatureFlags, FrameDecoder, PromptFrame, ServerStatus
from imagegen_adapters.errors import AdapterError, Unintelligible

_EARLY_FRAMES = 256

log = structlog.get_logger(__name__)


class Listener(Protocol):
    """A run, as the link sees it. Called in the loop; must not block."""

    def on_frame(self, frame: PromptFrame) -> None: ...

    def on_queue_changed(self) -> None:
        """Somebody's job came or went."""

    def on_link_changed(self) -> None:
        """The socket was lost, or is there again; what was sent between is gone."""


class Link:
    """See the module's docstring. `open_link` makes it."""

    def __init__(self, client: ComfyClient, client_id: str, timing: Timing) -> None:
        self.client_id = client_id
        self.is_up = False
        self.generation = 0
        """Counts the sockets so far."""
        self._client = client
        self._timing = timing
        self._listeners: dict[str, Listener] = {}
        self._waiting: set[asyncio.Future[None]] = set()
        self._wanted = asyncio.Event()
        self._renewal = asyncio.Event()
        self._submissions = 0
        self._early: deque[PromptFrame] = deque(maxlen=_EARLY_FRAMES)

    async def ready(self) -> None:
        """Returns when the socket is open. Raises what the next attempt to open it raises."""
        if self.is_up:
            return
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(opened)
        self._wanted.set()
        try:
            await opened
        finally:
            self._waiting.discard(opened)

    def renew(self) -> None:
        """Closes the socket, if it is open, and opens another after the pause."""
        self._renewal.set()

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Meanwhile frames of unknown prompts are kept: they can outrun the answer that tells us our prompt's id."""
        self._submissions += 1
        try:
            yield
        finally:
            self._submissions -= 1
            if not self._submissions:
                self._early.clear()

    def attach(self, prompt_id: str, listener: Listener) -> None:
        """From now on the listener gets the prompt's frames, those that came early first."""
        self._listeners[prompt_id] = listener
        self._wanted.set()
        for frame in [frame for frame in self._early if frame.prompt_id == prompt_id]:
            self._early.remove(frame)
            listener.on_frame(frame)

    def detach(self, prompt_id: str) -> None:
        self._listeners.pop(prompt_id, None)

    async def serve(self) -> None:
        """Keeps the socket open for as long as somebody listens."""
        failures = 0
        while True:
            if not self._listeners and not self._waiting:
                self._wanted.clear()
            await self._wanted.wait()
            try:
                async with self._client.events(self.client_id) as messages:
                    self._come_up()
                    await self._read(messages)
                failures = 0
            except AdapterError as error:
                failures += 1
                log.debug("websocket failed", reason=str(error))
                self._tell_waiting(error)
            except Exception:
                failures += 1
                log.exception("websocket failed by a fault of the adapter")
                self._tell_waiting(Unintelligible("the adapter failed to keep its connection"))
            finally:
                self._go_down()
            pause = self._timing.reconnect_pause_s * 2 ** min(max(failures - 1, 0), 8)
            await asyncio.sleep(min(pause, max(self._timing.reconnect_limit_s, self._timing.reconnect_pause_s)))

    async def _read(self, messages: AsyncIterator[str | bytes]) -> None:
        """Returns when the socket has ended or is to be renewed."""
        reading = asyncio.ensure_future(self._dispatch_all(messages))
        renewal = asyncio.ensure_future(self._renewal.wait())
        try:
            await asyncio.wait((reading, renewal), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            for task in (reading, renewal):
                task.cancel()
            await asyncio.gather(reading, renewal, return_exceptions=True)

    async def _dispatch_all(self, messages: AsyncIterator[str | bytes]) -> None:
        decoder = FrameDecoder()
        async for message in messages:
            try:
                frame = decoder.decode(message)
            except Unintelligible as error:
                log.debug("websocket message ignored", reason=str(error))
                continue
            match frame:
                case None | FeatureFlags():
                    pass
                case ServerStatus():
                    for listener in tuple(self._listeners.values()):
                        listener.on_queue_changed()
                case _:
                    self._dispatch(frame)

    def _dispatch(self, frame: PromptFrame) -> None:
        listener = self._listeners.get(frame.prompt_id)
        if listener is not None:
            try:
                listener.on_frame(frame)
            except Exception:
                # One run must not take the socket from all others. Its own outcome is in history.
                log.exception("frame failed by a fault of the adapter", frame=type(frame).__name__)
        elif self._submissions:
            self._early.append(frame)

    def _come_up(self) -> None:
        self.is_up = True
        self.generation += 1
        self._renewal.clear()
        self._tell_waiting(None)
        self._tell_listeners()

    def _go_down(self) -> None:
        was_up, self.is_up = self.is_up, False
        if was_up:
            self._tell_listeners()

    def _tell_listeners(self) -> None:
        for listener in tuple(self._listeners.values()):
            listener.on_link_changed()

    def _tell_waiting(self, error: AdapterError | None) -> None:
        for waiting in tuple(self._waiting):
            if waiting.done():
                continue
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)


@asynccontextmanager
async def open_link(client: ComfyClient, client_id: str, timing: Timing) -> AsyncIterator[Link]:
    """A link, closed on leaving."""
    link = Link(client, client_id, timing)
    task = asyncio.create_task(link.serve(), name="comfyui link")
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
