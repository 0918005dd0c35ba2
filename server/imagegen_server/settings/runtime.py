"""The settings of a running server: what counts now, and the one way to change it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
import structlog

from imagegen_server.errors import changed_meanwhile
from imagegen_server.settings.layers import BUILT_IN, PATHS, Layer, changed, effective, settings_of
from imagegen_server.settings.model import Settings
from imagegen_server.stores.store import Store, StoredChange
from imagegen_server.tasks import task_group, to_its_end

log = structlog.get_logger(__name__)

KEPT_CHANGES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The settings as of one version."""

    version: int
    """Grows by one with every change; never 0, which callers give who have seen none."""
    stored: Layer
    """What was set at run time."""
    effective: Layer
    """What counts, by paths."""
    current: Settings
    """The same as a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who set what to what."""

    version: int
    """That it made."""
    time: float
    owner: str
    before: Layer
    """What had been set, of the fields that were changed."""
    after: Layer

    @property
    def paths(self) -> list[str]:
        """The fields that were changed."""
        return [path for path in PATHS if path in self.before or path in self.after]


class RuntimeSettings:
    """Made by `open_settings`. Updates come one after the other; each is stored before it counts."""

    def __init__(
        self,
        store: Store,
        tasks: asyncio.TaskGroup,
        *,
        configured: Layer,
        document: bytes | None,
        clock: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._configured = configured
        self._clock = clock
        self._on_change = on_change
        self._changing = asyncio.Lock()
        self._state = self._state_of(*_decode(document))

    @property
    def state(self) -> State:
        return self._state

    @property
    def current(self) -> Settings:
        """What counts now. Ask again for each request: it is replaced as a whole."""
        return self._state.current

    async def update(self, given: Layer, paths: Iterable[str], *, expected_version: int = 0, owner: str = "") -> State:
        """Sets these paths to what is given, or else to what `imagegen.toml` says. Gives the state that it made.

        Changing what is so already changes nothing. Goes on when the caller goes away. Refused: CHANGED_MEANWHILE,
        unless `expected_version` is the version, or 0. Raises StoreError: then all is as it was.
        """
        return await to_its_end(self._tasks, self._update(given, list(paths), expected_version, owner))

    async def changes(self, *, limit: int) -> list[Change]:
        """The newest first. Raises StoreError."""
        return [_read(change) for change in await self._store.settings_changes(limit=limit)]

    async def _update(self, given: Layer, paths: list[str], expected_version: int, owner: str) -> State:
        # Held across the write, so that each change is made to what the one before has stored.
        async with self._changing:
            before = self._state
            if expected_version not in {0, before.version}:
                raise changed_meanwhile("the settings", before.version)
            state = self._state_of(before.version + 1, changed(before.stored, given, paths))
            if state.stored == before.stored:
                return before
            change = self._change(before, state, owner)
            await self._store.change_settings(_encode(state), change, keep=KEPT_CHANGES)
            self._state = state
            log.info("settings changed", version=state.version, owner=owner, paths=_read(change).paths)
        self._on_change()
        return state

    def _state_of(self, version: int, stored: Layer) -> State:
        values = effective(BUILT_IN, self._configured, stored)
        return State(version=version, stored=stored, effective=values, current=settings_of(values))

    def _change(self, before: State, after: State, owner: str) -> StoredChange:
        paths = [path for path in PATHS if before.stored.get(path) != after.stored.get(path)]
        record = {"before": _part(before.stored, paths), "after": _part(after.stored, paths)}
        return StoredChange(version=after.version, time=self._clock(), owner=owner, record=orjson.dumps(record))


@asynccontextmanager
async def open_settings(
    store: Store, *, configured: Layer, clock: Callable[[], float], on_change: Callable[[], None]
) -> AsyncIterator[RuntimeSettings]:
    """With what was stored before. `configured` is the layer below; `on_change` is called after each change."""
    document = await store.settings()
    async with task_group() as tasks:
        yield RuntimeSettings(store, tasks, configured=configured, document=document, clock=clock, on_change=on_change)


def _part(layer: Layer, paths: Iterable[str]) -> dict[str, Any]:
    return {path: layer[path] for path in paths if path in layer}


def _encode(state: State) -> bytes:
    return orjson.dumps({"version": state.version, "stored": dict(state.stored)})


def _decode(document: bytes | None) -> tuple[int, Layer]:
    """Version and layer. What another version of this server knew and this one does not, is left out."""
    if document is None:
        return 1, {}
    known: Mapping[str, Any] = orjson.loads(document)
    return known["version"], _part(known["stored"], PATHS)


def _read(change: StoredChange) -> Change:
    record = orjson.loads(change.record)
    return Change(
        version=change.version,
        time=change.time,
        owner=change.owner,
        before=_part(record["before"], PATHS),
        after=_part(record["after"], PATHS),
    )
