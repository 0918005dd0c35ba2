"""The keys that count now: those of the configuration, and those that the server keeps.

The server tells of its keys over one stream, which is opened again whenever it ends. What is known stays known while
the server is away. Before its first answer nobody can say whether a key is wrong, or whether one is needed at all.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import structlog
from aiohttp import web

from imagegen.v1 import key_pb2, key_pb2_grpc
from imagegen_gateway.following import Pauses
from imagegen_gateway.keys import Key, KeySettings, Role, find_key, has_admin

if TYPE_CHECKING:  # this name is in the stubs only
    from imagegen.v1.key_pb2_grpc import KeyServiceAsyncStub

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 2.0
"""How long a request waits for the server's first answer."""
STREAM_LASTS_S: Final = 300.0
"""After so long the stream is opened again: a connection that died without a word would be silent for ever."""


@dataclass(slots=True, eq=False)
class Use:
    """A request that is being handled."""

    transport: asyncio.WriteTransport | None
    """Of its connection."""
    digest: bytes
    """Of the key that it came with; empty: there was none."""
    has_begun: bool = False
    """Whether part of the answer was sent before the handler is done."""


USE: Final = web.RequestKey("use", Use)


class Keyring:
    """Made by `open_keyring`."""

    def __init__(self, configured: Iterable[KeySettings]) -> None:
        self.configured = tuple(key.checked() for key in configured)
        """Those that the server knows nothing of."""
        self.stored: tuple[Key, ...] = ()
        """Those that the server keeps, as far as it has told."""
        self._uses = set[Use]()
        self._changed = asyncio.Condition()
        self.is_complete = False
        """Whether the server has told of its keys, so that there are no others."""
        self.server_id = ""
        """Which server that is; empty: it has not told."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """All that are known."""
        return self.configured + self.stored

    def find(self, shown: str) -> Key | None:
        """The key that was shown; None: it is not known here."""
        return find_key(self.keys, shown)

    async def until(self, condition: Callable[[], bool]) -> bool:
        """Waits until something is so that depends on what keys there are; False: it did not come to be in time."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            return False
        return True

    @contextmanager
    def using(self, request: web.Request, key: Key | None) -> Iterator[None]:
        """Around the handling of a request: an answer that has begun is broken off when its key is taken away.

        Without a key: when the first one is made.
        """
        use = request[USE] = Use(request.transport, key.sha256 if key is not None else b"")
        self._uses.add(use)
        try:
            yield
        finally:
            self._uses.discard(use)

    def begin(self, request: web.Request) -> None:
        """To be called when the answer to a request begins."""
        use = request.get(USE)
        if use in self._uses:  # else it is sent as a whole: its handler is done
            use.has_begun = True
            self._break_off([use])

    async def replace(self, stored: Iterable[Key]) -> None:
        """Takes over what the server keeps now."""
        self.stored = tuple(stored)
        self.is_complete = True
        self._break_off(self._uses)
        async with self._changed:
            self._changed.notify_all()

    def _break_off(self, uses: Iterable[Use]) -> None:
        valid = {key.sha256 for key in self.keys} or {b""}
        for use in uses:
            # What is sent as a whole is sent: it may be the answer to the very call that made or deleted the key.
            if use.has_begun and use.digest not in valid and use.transport is not None:
                use.transport.abort()


@asynccontextmanager
async def open_keyring(configured: list[KeySettings], channel: grpc.aio.Channel) -> AsyncIterator[Keyring]:
    """The keys, kept up to date until the block is left."""
    ring = Keyring(configured)
    if ring.keys and not has_admin(ring.keys):
        log.warning(
            "no key of the configuration has the role admin",
            hint="settings, backends and keys can be changed by imagegen commands on the server's machine only",
        )
    task = asyncio.create_task(_keep_current(ring, key_pb2_grpc.KeyServiceStub(channel)))
    try:
        yield ring
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep_current(ring: Keyring, stub: "KeyServiceAsyncStub") -> None:
    pauses = Pauses()
    while True:
        try:
            await _read(ring, stub, pauses)
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.UNIMPLEMENTED and not ring.is_complete:
                await ring.replace(())  # a server from before there were keys
            log.debug("keys are those that were known", code=exc.code().name)
        except Exception:
            log.exception("keys could not be read")
        await asyncio.sleep(pauses.next_s())


async def _read(ring: Keyring, stub: "KeyServiceAsyncStub", pauses: Pauses) -> None:
    call = stub.WatchKeys(key_pb2.WatchKeysRequest(), timeout=STREAM_LASTS_S)
    try:
        async for told in call:
            pauses.reset()
            ring.server_id = told.server_id
            await ring.replace([checked(each) for each in told.keys])
    finally:
        call.cancel()


def checked(watched: key_pb2.WatchedKey) -> Key:
    """A key of the server as it is checked."""
    key = watched.key
    return Key(
        name=key.name,
        sha256=watched.sha256,
        owner=key.owner,
        role=role_of(key),
        acts_for_users=key.acts_for_users,
    )


def role_of(key: key_pb2.Key) -> Role:
    """What is not said is the role that may do less."""
    return Role.ADMIN if key.role == key_pb2.KEY_ROLE_ADMIN else Role.USER
