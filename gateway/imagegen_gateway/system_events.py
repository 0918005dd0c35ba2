"""What changes beside jobs, told to all browsers from one upstream.

The upstream is opened for the first browser and again whenever it ends, with growing pauses. What it told last is kept,
and told to each browser that comes. These events have no ids: none of them is ever owed to anybody. Of each the latest
counts, so a browser that reads slowly gets fewer of them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import grpc
import structlog
from google.protobuf.message import Message

from imagegen.v1 import system_pb2
from imagegen_gateway.encoding import dumps, to_dict
from imagegen_gateway.following import SILENCE_S, Pauses

if TYPE_CHECKING:  # this name is in the stubs only
    from imagegen.v1.system_pb2_grpc import SystemServiceAsyncStub

log = structlog.get_logger(__name__)

MAX_WAITING: Final = 250
"""Of more events that wait for a browser, changes of one topic become one that concerns all."""

Key: TypeAlias = tuple[str, int, str]
"""Kind, topic and name: what a newer event takes the place of."""
QUEUE: Final[Key] = ("queue", 0, "")
CONTACT: Final[Key] = ("contact", 0, "")
AWAY: Final = b"event: away\ndata: {}\n\n"
"""The server cannot be reached: what was told may be old. A `ready` follows."""


class Outbox:
    """What waits for one browser."""

    def __init__(self) -> None:
        self._waiting: dict[Key, bytes] = {}

    def put(self, key: Key, record: bytes) -> None:
        """Adds a record as the last, in place of an older one of its kind."""
        self._waiting.pop(key, None)
        self._waiting[key] = record
        if len(self._waiting) > MAX_WAITING:
            self._merge_changes()

    def take(self) -> bytes | None:
        """The record that has waited longest."""
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None

    def _merge_changes(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for (kind, topic, name), record in waiting.items():
            if kind == "changed":
                change = system_pb2.Changed(topic=system_pb2.Topic.ValueType(topic))
                self._waiting[kind, topic, ""] = encode(kind, change)
            else:
                self._waiting[kind, topic, name] = record


class SystemFeed:
    """Made by `open_system_feed`."""

    def __init__(self, stub: "SystemServiceAsyncStub") -> None:
        self._stub = stub
        self._task: asyncio.Task[None] | None = None
        self._present: dict[Key, bytes] = {}
        """What is so now: the backends, the queue, and whether all of it is known."""
        self._untold: set[Key] = set()
        """Backends that were known before the upstream was opened, and were not told of since."""
        self._listeners: dict[Outbox, Callable[[], None]] = {}

    @contextmanager
    def listen(self, outbox: Outbox, on_news: Callable[[], None]) -> Iterator[None]:
        """Fills the outbox with what is known, and within the block with what changes. `on_news` returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_current())
        for key in sorted(self._present, key=lambda key: key == CONTACT):  # that one last
            outbox.put(key, self._present[key])
        self._listeners[outbox] = on_news
        try:
            yield
        finally:
            del self._listeners[outbox]

    async def close(self) -> None:
        """Ends the upstream."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep_current(self) -> None:
        pauses = Pauses()
        while True:
            try:
                await self._read(pauses)
            except grpc.aio.AioRpcError as exc:
                log.debug("system events are interrupted", code=exc.code().name)
            except TimeoutError:
                log.warning("system events were silent", seconds=SILENCE_S)
            except Exception:
                log.exception("system events could not be told")
            self._replace(CONTACT, AWAY)
            await asyncio.sleep(pauses.next_s())

    async def _read(self, pauses: Pauses) -> None:
        """Takes in one upstream to its end. Raises AioRpcError, TimeoutError."""
        self._untold = {key for key in self._present if key[0] == "backend"}
        call = self._stub.WatchSystem(system_pb2.WatchSystemRequest())
        responses = aiter(call)
        try:
            while True:
                async with asyncio.timeout(SILENCE_S):
                    response = await anext(responses, None)
                if response is None:
                    return
                pauses.reset()
                self._take(response.event)
        finally:
            call.cancel()

    def _take(self, event: system_pb2.SystemEvent) -> None:
        match event.WhichOneof("event"):
            case "backend":
                key = ("backend", 0, event.backend.name)
                self._untold.discard(key)
                self._replace(key, encode("backend", event.backend))
            case "backend_removed":
                self._remove(event.backend_removed.name)
            case "queue":
                self._replace(QUEUE, encode("queue", event.queue))
            case "changed":
                change = event.changed
                self._tell(("changed", change.topic, change.id), encode("changed", change))
            case "ready":
                for _, _, name in self._untold:
                    self._remove(name)
                self._untold = set()
                self._replace(CONTACT, encode("ready", event.ready))
            case _:  # alive, or an event of a newer server
                pass

    def _replace(self, key: Key, record: bytes) -> None:
        """Told again after an interruption, it may be the same."""
        if self._present.get(key) != record:
            self._present[key] = record
            self._tell(key, record)

    def _remove(self, name: str) -> None:
        key = ("backend", 0, name)
        self._present.pop(key, None)
        self._tell(key, encode("backend_removed", system_pb2.BackendRemoved(name=name)))

    def _tell(self, key: Key, record: bytes) -> None:
        for outbox, on_news in self._listeners.items():
            outbox.put(key, record)
            on_news()


@asynccontextmanager
async def open_system_feed(stub: "SystemServiceAsyncStub") -> AsyncIterator[SystemFeed]:
    """The feed; leaving the block ends its upstream."""
    feed = SystemFeed(stub)
    try:
        yield feed
    finally:
        await feed.close()


def encode(kind: str, message: Message) -> bytes:
    """The bytes of one server-sent event. Without an id, so that a browser keeps that of the newest job event."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumps(to_dict(message)))
