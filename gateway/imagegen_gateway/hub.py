"""One upstream watch per job, whatever the number of browsers.

A stream of many jobs has an upstream of its own for each browser: the sets of jobs that pages ask for differ.
A hub of one job lives from its first watcher until LINGER_S after its last.
It always drains its gRPC stream, because what is not read waits in this process's memory anyway (megabytes a stream),
and conflates in its log. Each event is handed to all watchers in one go, without waiting for any of them.
Hubs are kept apart by the size of their previews (`size_class`), which the server makes: at most nine per job, one as
a rule.

Bounds: watchers in all and per job (settings), records per hub (eventlog), streams for replays (REPLAYS).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from functools import partial
from typing import Protocol

import grpc
import structlog

from imagegen.v1 import event_pb2, image_gen_pb2, image_gen_pb2_grpc
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.errors import Problem, from_rpc, unavailable
from imagegen_gateway.eventlog import EventLog
from imagegen_gateway.following import Responses, follow
from imagegen_gateway.records import EPHEMERAL, Record, kind_of

log = structlog.get_logger(__name__)

LINGER_S = 5.0
"""How long an upstream outlives its last watcher: a page that reloads finds it still there."""
REPLAYS = 64
"""Streams at a time for watchers that come back with tokens older than a hub's log."""
SIZE_CLASSES = (16, 32, 64, 128, 256, 512, 1024, 2048)


class Listener(Protocol):
    """Who is told of events. Both methods return at once and raise nothing."""

    def publish(self, record: Record) -> None:
        """Something happened."""

    def wake(self) -> None:
        """The hub's state changed: caught up, ended or failed."""

    def pause(self) -> None:
        """The server is away; the hub is trying again."""


def size_class(max_pixels: int) -> int:
    """The largest size that hubs are kept for and that is within `max_pixels`; 0 stays "as it comes"."""
    return max((size for size in SIZE_CLASSES if size <= max_pixels), default=0)


class Hub:
    """One upstream: of one job for all its watchers, or of many jobs for one watcher."""

    def __init__(self, open_stream: Callable[[str], Responses], log: EventLog, token: str = "") -> None:
        """`open_stream` is called with a resume token, at first with `token`."""
        self.log = log
        """What the upstream has said."""
        self.problem: Problem | None = None
        """Why the upstream is gone, when it is."""
        self.has_ended = False
        """Whether the server ended the stream because nothing more will come."""
        self._open_stream = open_stream
        self._token = token
        self._listeners: set[Listener] = set()
        self._ready = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the log gets no more records."""
        return self._over.is_set()

    async def over(self) -> None:
        """Returns once the log gets no more records."""
        await self._over.wait()

    async def ready(self) -> None:
        """Returns once all is known that lay before the upstream was opened. Raises Problem when it cannot be."""
        await self._ready.wait()
        if self.problem is not None and not self.log.newest:
            raise self.problem

    @contextmanager
    def listen(self, listener: Listener) -> Iterator[None]:
        """Tells `listener` of all that happens within the block."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def run(self) -> None:
        """Drains the upstream until nothing more will come, or the server says that it is no use."""
        try:
            await self._drain()
            self.has_ended = True
        except grpc.aio.AioRpcError as exc:
            self.problem = from_rpc(exc)
        except asyncio.CancelledError:
            self.problem = unavailable("the gateway is going down; the job goes on without it")
            raise
        except Exception:
            log.exception("watch failed")
            self.problem = Problem(500, "a fault of the gateway; its log has more", reason="INTERNAL")
        finally:
            self._over.set()
            self._announce()

    async def _drain(self) -> None:
        # Who waits for a hub to be ready is told that there is no server, also when it went in the middle of that.
        stream = follow(
            self._open_stream, self._token, is_over=self._may_end, on_pause=self._pause, has_begun=self._ready.is_set
        )
        async with aclosing(stream) as events:
            async for event in events:
                self._publish(event)
                if self.log.is_of_one_job and self.log.is_completed:
                    return

    def _publish(self, event: event_pb2.JobEvent) -> None:
        was_caught_up = self.log.is_caught_up
        record = self.log.add(event)
        if record is not None:
            for listener in self._listeners:
                listener.publish(record)
        # A job that has ended is announced when its stream ends, so that nobody waits for more.
        if self.log.is_caught_up and not was_caught_up and not self.log.has_final_job:
            self._announce()

    def _may_end(self) -> bool:
        return not self.log.is_of_one_job or self.log.has_final_job

    def _announce(self) -> None:
        self._ready.set()
        for listener in self._listeners:
            listener.wake()

    def _pause(self) -> None:
        for listener in self._listeners:
            listener.pause()


class Hubs:
    """All hubs of the gateway. Made by `open_hubs`."""

    def __init__(
        self,
        stub: "image_gen_pb2_grpc.ImageGenServiceAsyncStub",
        settings: GatewaySettings,
    ) -> None:
        self._stub = stub
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self._hubs: dict[tuple[str, int], _Entry] = {}
        self._watchers: Counter[str] = Counter()
        self._replays = asyncio.Semaphore(REPLAYS)
        self.closing = asyncio.Event()
        """Set when the gateway goes down."""

    @property
    def is_closing(self) -> bool:
        """Whether the gateway goes down."""
        return self.closing.is_set()

    @contextmanager
    def admit(self, job_id: str) -> Iterator[None]:
        """A place for one more watcher of a job (empty: of many jobs). Raises Problem 429 when there is none."""
        of_job = self._watchers[job_id] if job_id else 0
        if self._watchers.total() >= self._settings.max_watchers or of_job >= self._settings.max_watchers_per_job:
            raise Problem(429, "too many streams are open", reason="TOO_MANY_WATCHERS")
        self._watchers[job_id] += 1
        try:
            yield
        finally:
            self._watchers[job_id] -= 1
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    @asynccontextmanager
    async def watch(self, job_id: str, *, max_pixels: int = 0) -> AsyncIterator[Hub]:
        """The hub of a job, ready. Raises Problem when there is no such job, or no place, or no server."""
        with self.admit(job_id):
            entry = self._enter((job_id, size_class(max_pixels)))
            try:
                await entry.hub.ready()
                yield entry.hub
            finally:
                self._leave(entry)

    async def missed(self, job_id: str, token: str) -> AsyncGenerator[event_pb2.JobEvent, None]:
        """The lossless events after `token` up to now, as the server has them, then its caught_up if it sends one.

        Without a token a snapshot. Raises AioRpcError. To be closed by the caller (aclosing).
        """
        watch = image_gen_pb2.WatchOptions(previews=image_gen_pb2.PREVIEW_DELIVERY_NONE)
        open_stream = partial(self._watch_job, job_id, watch)
        async with self._replays:
            stream = follow(open_stream, token, is_over=lambda: True, on_pause=lambda: None)
            async with aclosing(stream) as events:
                async for event in events:
                    kind = kind_of(event)
                    if kind not in EPHEMERAL and kind != "heartbeat":
                        yield event
                    if kind in {"caught_up", "completed"}:
                        return

    @asynccontextmanager
    async def watch_many(self, request: image_gen_pb2.WatchJobsRequest) -> AsyncIterator[Hub]:
        """A hub for one watcher of many jobs, ready. Raises Problem as `watch` does."""

        def open_stream(token: str) -> Responses:
            again = image_gen_pb2.WatchJobsRequest()
            again.CopyFrom(request)
            again.resume_token = token
            return self._stub.WatchJobs(again)

        with self.admit(""):
            self._refuse_when_closing()
            hub = Hub(open_stream, EventLog(self._settings.preview_inline_max_bytes), request.resume_token)
            task = self._run(hub)
            try:
                await hub.ready()
                yield hub
            finally:
                task.cancel()

    def _watch_job(self, job_id: str, watch: image_gen_pb2.WatchOptions, token: str) -> Responses:
        return self._stub.WatchJob(image_gen_pb2.WatchJobRequest(job_id=job_id, resume_token=token, watch=watch))

    def _run(self, hub: Hub) -> "asyncio.Task[None]":
        task = asyncio.create_task(hub.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _refuse_when_closing(self) -> None:
        if self.is_closing:
            raise unavailable("the gateway is going down")

    def _enter(self, key: tuple[str, int]) -> "_Entry":
        entry = self._hubs.get(key)
        if entry is None or entry.hub.problem is not None:
            self._refuse_when_closing()
            job_id, max_pixels = key
            inline = image_gen_pb2.PREVIEW_DELIVERY_INLINE
            watch = image_gen_pb2.WatchOptions(previews=inline, max_pixels=max_pixels)
            log = EventLog(self._settings.preview_inline_max_bytes, job_id=job_id, max_pixels=max_pixels)
            hub = Hub(partial(self._watch_job, job_id, watch), log)
            entry = _Entry(key, hub, self._run(hub))
            self._hubs[key] = entry
        entry.enter()
        return entry

    def _leave(self, entry: "_Entry") -> None:
        entry.users -= 1
        if entry.users == 0:
            delay_s = 0.0 if entry.hub.problem is not None else LINGER_S
            entry.farewell = asyncio.get_running_loop().call_later(delay_s, self._remove, entry)

    def _remove(self, entry: "_Entry") -> None:
        entry.task.cancel()
        if self._hubs.get(entry.key) is entry:
            del self._hubs[entry.key]

    def close(self) -> None:
        """Ends all hubs, and with them all watchers; they come back by their tokens."""
        self.closing.set()
        for task in self._tasks:
            task.cancel()

    async def closed(self) -> None:
        """Returns when all upstreams are closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)


class _Entry:
    """A hub with its task and the number of its users."""

    def __init__(self, key: tuple[str, int], hub: Hub, task: "asyncio.Task[None]") -> None:
        self.key, self.hub, self.task = key, hub, task
        self.users = 0
        self.farewell: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        self.users += 1
        self.stay()

    def stay(self) -> None:
        if self.farewell is not None:
            self.farewell.cancel()
            self.farewell = None


@asynccontextmanager
async def open_hubs(
    stub: "image_gen_pb2_grpc.ImageGenServiceAsyncStub",
    settings: GatewaySettings,
) -> AsyncIterator[Hubs]:
    """The hubs; leaving the block ends their upstreams."""
    # No TaskGroup: it would wrap whatever is raised in the caller's block, as a port that is taken.
    hubs = Hubs(stub, settings)
    try:
        yield hubs
    finally:
        hubs.close()
        await hubs.closed()
