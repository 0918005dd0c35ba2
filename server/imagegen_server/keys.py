"""The keys that were made at run time. Whoever checks them is a gateway; the server only keeps them."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Final

import structlog

from imagegen_server.changes import Changes, Topic
from imagegen_server.errors import Refused, key_exists, key_not_found
from imagegen_server.stores.store import Store, StoredKey
from imagegen_server.tasks import task_group, to_its_end

log = structlog.get_logger(__name__)

MAX_KEYS: Final = 1000
SECRET_BYTES: Final = 32


class Keys:
    """Made by `open_keys`. What changes them goes on when the caller goes away, so that every change is told."""

    def __init__(self, store: Store, changes: Changes, tasks: asyncio.TaskGroup, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._changes = changes
        self._tasks = tasks
        self._clock = clock

    async def stored(self) -> list[StoredKey]:
        """By name."""
        return await self._store.keys()

    async def add(self, name: str, *, owner: str, is_admin: bool, acts_for_users: bool) -> tuple[StoredKey, str]:
        """Makes a key; gives it with its secret, which nobody can be told again.

        Refused: KEY_EXISTS, QUOTA_EXCEEDED.
        """
        secret = secrets.token_urlsafe(SECRET_BYTES)
        key = StoredKey(
            name=name,
            owner=owner,
            is_admin=is_admin,
            acts_for_users=acts_for_users,
            create_time=self._clock(),
            sha256=sha256(secret.encode()).digest(),
        )
        await to_its_end(self._tasks, self._add(key))
        return key, secret

    async def delete(self, name: str) -> None:
        """Takes a key away. Refused: KEY_NOT_FOUND."""
        await to_its_end(self._tasks, self._delete(name))

    async def watch(self) -> AsyncGenerator[list[StoredKey], None]:
        """All keys: at once, and again after every change. Raises ShuttingDown, TooManyWatchers, StoreError."""
        async with self._changes.watch() as watcher:
            yield await self.stored()
            while True:
                if any(change.topic is Topic.KEYS for change in await watcher.news()):
                    yield await self.stored()

    async def _add(self, key: StoredKey) -> None:
        if (count := len(await self.stored())) >= MAX_KEYS:
            raise Refused("QUOTA_EXCEEDED", f"there are {count} keys, the most that are kept; delete one")
        if not await self._store.add_key(key):
            raise key_exists(key.name)
        log.info("key made", key=key.name, is_admin=key.is_admin)
        self._changes.tell(Topic.KEYS)

    async def _delete(self, name: str) -> None:
        if not await self._store.delete_key(name):
            raise key_not_found(name)
        log.info("key deleted", key=name)
        self._changes.tell(Topic.KEYS)


@asynccontextmanager
async def open_keys(store: Store, changes: Changes, *, clock: Callable[[], float]) -> AsyncIterator[Keys]:
    """The keys of a store; every change is told."""
    async with task_group() as tasks:
        yield Keys(store, changes, tasks, clock=clock)
