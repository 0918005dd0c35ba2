"""How long a run waits: for a server that does not answer, and for the confirmation of a cancel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from imagegen_adapters.comfyui.client import Timing
from imagegen_adapters.errors import AdapterError, Cancelled, Unintelligible, Unreachable

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


class Outage:
    """How long a server has given no sensible answer, and whether that is long enough. Time is an argument."""

    def __init__(self, timing: Timing, now: float) -> None:
        self._timing = timing
        self._heard_at = now
        self._refused_since: float | None = None

    def end(self, now: float) -> None:
        """The server was heard."""
        self._heard_at = now
        self._refused_since = None

    def judge(self, error: AdapterError, wish: CancelWish, now: float) -> None:
        """Raises if there is no sense in asking again after this answer, or lack of one."""
        wish.check()
        is_dead = self._is_dead(error, now)
        if is_dead and wish.is_made:
            raise NotConfirmedError  # there is nobody who could, now
        if is_dead or (not wish.is_made and now - self._heard_at >= self._timing.unreachable_s):
            raise error

    def _is_dead(self, error: AdapterError, now: float) -> bool:
        # Not believed at once: a server that is started again, or moved, refuses for a moment.
        if not error.backend_died:
            self._refused_since = None
            return False
        if self._refused_since is None:
            self._refused_since = now
        return now - self._refused_since >= self._timing.refused_s


async def insist(call: Callable[[], Awaitable[T]], timing: Timing, wish: CancelWish) -> T:
    """Repeats a call while the server cannot be reached, up to the limit that a run has for that."""
    clock = asyncio.get_running_loop()
    outage = Outage(timing, clock.time())
    while True:
        try:
            return await call()
        except (Unreachable, Unintelligible) as error:
            outage.judge(error, wish, clock.time())
        await asyncio.sleep(timing.poll_s)
