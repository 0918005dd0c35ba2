"""The settings of a running server: what counts now, and the one way to change it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from imagegen_server.settings.layers import BUILT_IN, Layer, changed, effective, settings_of
from imagegen_server.settings.model import Settings
from imagegen_server.stores.store import Store

KEPT_CHANGES: Final = 1000


class RuntimeSettings:
    """Made by `open`. Updates are stored one after the other, each before it counts."""

    def __init__(
        self, store: Store, tasks: asyncio.TaskGroup, *, configured: Layer, on_change: Callable[[], None]
    ) -> None:
        self._store = store
        self._tasks = tasks
        self._configured = configured
        self._on_change = on_change
        self.stored: Layer = {}
        """What was set at run time."""
        self.version = 0
        """Grows with every change; 0: there was none."""
        self._current = settings_of(self.effective)

    @property
    def current(self) -> Settings:
        """What counts now. Ask again for each request: it is replaced as a whole."""
        return self._current

    @property
    def effective(self) -> Layer:
        """The same by paths."""
        return effective(BUILT_IN, self._configured, self.stored)

    async def update(self, given: Layer, paths: Iterable[str], *, expected_version: int, owner: str) -> None:
        """Sets these paths to what is given, or else to what `imagegen.toml` says. Goes on when the caller goes away.

        Changing what is so already changes nothing. Refused: CHANGED_MEANWHILE, unless `expected_version` is 0 or the
        version. Raises StoreError: then all is as it was.
        """
        raise NotImplementedError
