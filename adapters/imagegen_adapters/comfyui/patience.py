"""How long a run waits: for a server that does not answer, and for the confirmation of a cancel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from imagegen_adapters.comfyui.client import Timing
from imagegen_adapters.errors import Cancelled, Unintelligible, Unreachable

T = TypeVar("T")


class NotConfirmedError(Exception):
    """The server has not confirmed a cancel in time."""


class CancelWish:
    """Whether the caller wants the run to stop, and until when the server may take for it."""

    def __init__(self, limit_s: float) -> None:
        self.changed = asyncio.Event()
        """Set when the wish is made; whoever waits for anything else in a run sets it too."""
        self._limit_s = limit_s
        self._deadline: float | None = None
        self._scope: asyncio.Timeout | None = None

    @property
    def is_made(self) -> bool:
        return self._deadline is not None

    def make(self) -> None:
        if self._deadline is not None:
            return
        now = asyncio.get_running_loop().time()
        self._deadline = now + self._limit_s
        if self._scope is not None:
            self._scope.reschedule(now)
        self.changed.set()

    def check(self) -> None:
        """Raises NotConfirmedError if the wish was made too long ago."""
        if self._deadline is not None and asyncio.get_running_loop().time() >= self._deadline:
            raise NotConfirmedError

    @asynccontextmanager
    async def breaks_off(self) -> AsyncIterator[None]:
        """A block that the wish ends at once, by Cancelled."""
        try:
            async with asyncio.timeout(0 if self.is_made else None) as self._scope:
                yield
        except TimeoutError:
            raise Cancelled("cancelled") from None
        finally:
            self._scope = None


async def insist(call: Callable[[], Awaitable[T]], timing: Timing, wish: CancelWish) -> T:
    """Repeats a call while the server cannot be reached, up to the limit that a run has for that."""
    clock = asyncio.get_running_loop()
    since = clock.time()
    while True:
        try:
            return await call()
        except (Unreachable, Unintelligible):
            wish.check()
            if not wish.is_made and clock.time() - since >= timing.unreachable_s:
                raise
        await asyncio.sleep(timing.poll_s)
