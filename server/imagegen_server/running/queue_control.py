"""What people have decided about the queue: whose jobs wait, and which backends get nothing new. It lasts."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from imagegen_server.errors import bad_field
from imagegen_server.fleet import Fleet
from imagegen_server.stores.store import Store
from imagegen_server.tasks import to_its_end

KEY: Final = "queue_control"
MAX_PAUSED_OWNERS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decisions:
    is_paused: bool = False
    paused_owners: frozenset[str] = frozenset()
    drained: frozenset[str] = frozenset()


class QueueControl:
    """Made by `open`. A change is stored before it takes effect; changing what is so already changes nothing."""

    def __init__(
        self, store: Store, fleet: Fleet, tasks: asyncio.TaskGroup, changed: asyncio.Event, decisions: _Decisions
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._fleet = fleet
        self._changed = changed
        self._decisions = decisions
        self._changing = asyncio.Lock()
        self._take_effect(decisions)

    @classmethod
    async def open(
        cls, store: Store, fleet: Fleet, *, tasks: asyncio.TaskGroup, changed: asyncio.Event
    ) -> "QueueControl":
        """With what was decided before. `changed` is set with every change. Raises StoreError."""
        return cls(store, fleet, tasks, changed, _decode(await store.get_value(KEY)))

    @property
    def is_paused(self) -> bool:
        """Whether the whole queue is paused."""
        return self._decisions.is_paused

    @property
    def paused_owners(self) -> list[str]:
        """Owners that were paused by themselves, in order of their names."""
        return sorted(self._decisions.paused_owners)

    def holds(self, owner: str) -> bool:
        """Whether no job of this owner may be started."""
        return self._decisions.is_paused or owner in self._decisions.paused_owners

    def is_drained(self, backend: str) -> bool:
        return backend in self._decisions.drained

    async def pause(self, owner: str = "") -> None:
        """Starts no more jobs of this owner; empty: of anyone. Refused: INVALID_REQUEST. Raises StoreError."""
        await self._change(lambda now: _paused(now, owner))

    async def resume(self, owner: str = "") -> None:
        """Takes `pause` back, of this owner or of the whole queue. Raises StoreError."""
        await self._change(lambda now: _resumed(now, owner))

    async def drain(self, backend: str) -> None:
        """Hands nothing new to the backend. Raises StoreError."""
        await self._change(lambda now: replace(now, drained=now.drained | {backend}))

    async def undrain(self, backend: str) -> None:
        """Takes `drain` back. Raises StoreError."""
        await self._change(lambda now: replace(now, drained=now.drained - {backend}))

    async def _change(self, change: Callable[[_Decisions], _Decisions]) -> None:
        # What is stored must take effect, although whoever asked for it has gone.
        await to_its_end(self._tasks, self._store_and_take_effect(change))

    async def _store_and_take_effect(self, change: Callable[[_Decisions], _Decisions]) -> None:
        # Held across the write, so that each change is made to what the one before has stored.
        async with self._changing:
            decisions = change(self._decisions)
            if decisions != self._decisions:
                await self._store.set_value(KEY, _encode(decisions))
                self._take_effect(decisions)

    def _take_effect(self, decisions: _Decisions) -> None:
        self._decisions = decisions
        for backend in self._fleet:
            backend.set_drained(backend.name in decisions.drained)
        self._changed.set()


def _paused(now: _Decisions, owner: str) -> _Decisions:
    if not owner:
        return replace(now, is_paused=True)
    if owner not in now.paused_owners and len(now.paused_owners) >= MAX_PAUSED_OWNERS:
        message = f"{MAX_PAUSED_OWNERS} owners are paused already; resume some of them, or pause the whole queue"
        raise bad_field("INVALID_REQUEST", "owner", message)
    return replace(now, paused_owners=now.paused_owners | {owner})


def _resumed(now: _Decisions, owner: str) -> _Decisions:
    return replace(now, paused_owners=now.paused_owners - {owner}) if owner else replace(now, is_paused=False)


def _encode(decisions: _Decisions) -> bytes:
    document = {
        "is_paused": decisions.is_paused,
        "paused_owners": sorted(decisions.paused_owners),
        "drained": sorted(decisions.drained),
    }
    return json.dumps(document).encode()


def _decode(data: bytes | None) -> _Decisions:
    if data is None:
        return _Decisions()
    document = json.loads(data)
    return _Decisions(
        is_paused=document["is_paused"],
        paused_owners=frozenset(document["paused_owners"]),
        drained=frozenset(document["drained"]),
    )
