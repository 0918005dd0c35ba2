"""Tells whoever watches that something changed beside jobs.

A change is a topic and an id, and no more: whoever hears of it reads what there is now. So a watcher that is slow loses
nothing by being told once of what changed often. `tell` never waits.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from imagegen_server.hub import MAX_WATCHERS, ShuttingDown, TooManyWatchers

MAX_IDS: Final = 100
"""Of more changes of one topic that wait for a watcher, it is told as of one that concerns all."""


class Topic(Enum):
    """What can change."""

    BACKENDS = auto()
    """How backends are, by name."""
    QUEUE = auto()
    """Which jobs wait and run, or what people have decided about them."""
    SETTINGS = auto()
    WORKFLOWS = auto()
    """By workflow_id."""
    MODELS = auto()
    """What backends have: models, samplers, node definitions."""
    ASSETS = auto()
    """Files that were not made by jobs just now, by digest."""
    KEYS = auto()
    """Never by name: everybody hears of changes, and names are for admins."""
    JOBS = auto()
    """Jobs that were forgotten, by id."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something is no longer as it was."""

    topic: Topic
    id: str = ""
    """Which; empty: several, or all."""


class Changes:
    """Belongs to one event loop."""

    def __init__(self, *, max_watchers: int = MAX_WATCHERS) -> None:
        self._max_watchers = max_watchers
        self._watchers: set[Watcher] = set()
        self._is_closed = False

    def tell(self, topic: Topic, id: str = "") -> None:  # noqa: A002  # as in the contract
        """Notes a change for every watcher. To be called when it counts already, so after it was stored."""
        change = Change(topic, id)
        for watcher in self._watchers:
            watcher.offer(change)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator["Watcher"]:
        """A watcher of what changes from now on. Raises ShuttingDown or TooManyWatchers."""
        if self._is_closed:
            raise ShuttingDown
        if len(self._watchers) >= self._max_watchers:
            raise TooManyWatchers
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Ends all watchers, and lets none in any more: the server goes down."""
        self._is_closed = True
        for watcher in self._watchers:
            watcher.close()


class Watcher:
    """Gathers changes until they are taken. Made by `Changes.watch`."""

    def __init__(self) -> None:
        self._waiting: dict[Topic, dict[str, None]] = {}
        self._has_news = asyncio.Event()
        self._is_closed = False

    def offer(self, change: Change) -> None:
        """Notes a change; one that waits already is noted once."""
        ids = self._waiting.setdefault(change.topic, {})
        if "" not in ids:
            ids[change.id] = None
            if not change.id or len(ids) > MAX_IDS:
                self._waiting[change.topic] = {"": None}
        self._has_news.set()

    def close(self) -> None:
        self._is_closed = True
        self._has_news.set()

    async def news(self) -> list[Change]:
        """Waits until something has changed; gives all that has since the last call. Raises ShuttingDown."""
        await self._has_news.wait()
        if self._is_closed:
            raise ShuttingDown
        waiting, self._waiting = self._waiting, {}
        self._has_news.clear()
        return [Change(topic, id_) for topic, ids in waiting.items() for id_ in ids]
