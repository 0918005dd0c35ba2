"""Numbered frames at a steady rate, stamped with the monotonic clock, which all processes of a machine share."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Burst:
    """What a source is asked to send."""

    frames: int
    rate_hz: float
    payload: bytes = b""
    """A backend: the preview that goes with each frame, if any. A raw source: the record to send."""


Stamps = dict[int, float]
"""When each step was about to be sent."""


class Steps:
    """Numbers steps from 1, over all bursts of a run."""

    def __init__(self) -> None:
        self._last = 0

    async def play(self, burst: Burst, send: Callable[[int, bytes], Awaitable[float]]) -> Stamps:
        """Calls `send` with each step and the burst's payload, at its time; it tells when it began to send."""
        now = asyncio.get_running_loop().time
        begin, stamps = now(), {}
        for number in range(burst.frames):
            await asyncio.sleep(max(0.0, begin + number / burst.rate_hz - now()))
            self._last += 1
            stamps[self._last] = await send(self._last, burst.payload)
        return stamps
