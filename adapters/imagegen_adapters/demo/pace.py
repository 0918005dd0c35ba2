"""How fast the demo paints, and how often it shows what it has."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from imagegen_adapters.contract import PreviewFrame, PreviewWish, Update

_T = TypeVar("_T")

_UNHURRIED_SPEED = 10.0
"""From this speed on nothing waits: pictures come as fast as the processor allows."""


class Pace:
    """How long things take at a given speed."""

    def __init__(self, speed: float) -> None:
        self._factor = 1 / speed if speed < _UNHURRIED_SPEED else 0.0

    async def rest(self, duration_s: float) -> None:
        await asyncio.sleep(duration_s * self._factor)

    async def kept(self, work: Coroutine[None, None, _T], duration_s: float) -> _T:
        """What `work` gives, not before `duration_s` has passed."""
        clock = asyncio.get_running_loop().time
        end = clock() + duration_s * self._factor
        result = await work
        await asyncio.sleep(max(0.0, end - clock()))
        return result


class PreviewClock:
    """When the next preview frame is wanted."""

    def __init__(self, wish: PreviewWish) -> None:
        self._wish = wish
        self._asked_at = 0.0
        self._next_at = 0.0

    def is_due(self) -> bool:
        self._asked_at = asyncio.get_running_loop().time()
        return self._wish.enabled and self._asked_at >= self._next_at

    def note(self, update: Update) -> None:
        if isinstance(update, PreviewFrame):
            self._next_at = self._asked_at + 1 / max(self._wish.max_rate_hz, 0.01)
