"""Loads of models at one backend. They belong to the backend and not to those who ask for them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from imagegen_adapters.errors import Unreachable


class Loads:
    """Each model is loaded once at a time, whoever asks, and to its end although nobody waits any more."""

    def __init__(self, load: Callable[[str], Coroutine[Any, Any, None]], log: structlog.stdlib.BoundLogger) -> None:
        self._load = load
        self._log = log
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def load(self, name: str) -> None:
        """Waits until it is loaded. Raises what the load raises, and Unreachable if it is cancelled."""
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = asyncio.create_task(self._load(name), name=f"load {name}")
            task.add_done_callback(lambda ended: self._note_end(name, ended))
        await asyncio.wait([task])
        if task.cancelled():
            raise Unreachable("nobody drives this backend any more")
        task.result()

    async def cancel(self) -> None:
        """All that are under way, and waits for their ends."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note_end(self, name: str, ended: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)
        if not ended.cancelled():
            error = ended.exception()
            self._log.info("model loaded" if error is None else "model not loaded", model=name, reason=str(error or ""))
