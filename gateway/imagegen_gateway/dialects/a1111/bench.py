"""Where pictures are worked on: two at a time, as they take 4 bytes a pixel and more once they are decoded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

AT_ONCE: Final = 2
T = TypeVar("T")


class Bench:
    """Has places for so many works; whoever waits for one should hold nothing decoded."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Does it as soon as there is a place."""
        await self._places.acquire()
        # A thread goes on when its caller goes away, so its place is free only when the thread has ended.
        task = asyncio.ensure_future(work())
        task.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(task)
