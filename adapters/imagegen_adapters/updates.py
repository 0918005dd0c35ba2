"""The buffer between an adapter and whoever iterates over a run."""

import asyncio
from collections import deque

from imagegen_adapters.contract import PreviewFrame, Progressed, Update


class UpdateBuffer:
    """Keeps every update in order, but only the newest progress and the newest preview.

    Bounded by its producer: lasting updates are a handful per image. One consumer; `close` or `fail` ends it, once.
    """

    def __init__(self) -> None:
        self._items: deque[Update] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._error: BaseException | None = None

    def put(self, update: Update) -> None:
        """Adds an update; an ephemeral one replaces its untaken predecessor. Ignored after the end."""
        if self._closed:
            return
        if isinstance(update, Progressed | PreviewFrame):
            self._drop(type(update))
        self._items.append(update)
        self._wake.set()

    def close(self) -> None:
        """No more updates: iteration ends after those that are left."""
        self._closed = True
        self._wake.set()

    def fail(self, error: BaseException) -> None:
        """No more updates: iteration raises `error` after those that are left. The first end counts."""
        if not self._closed:
            self._error = error
        self.close()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def __aiter__(self) -> "UpdateBuffer":
        return self

    async def __anext__(self) -> Update:
        while not self._items:
            if self._closed:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()

    def _drop(self, kind: type[Update]) -> None:
        for position, item in enumerate(self._items):
            if type(item) is kind:
                del self._items[position]
                return
