"""One browser's event stream: what is sent when, and what happens when the browser does not read.

1. Lossless records go out in order, each once. Of ephemeral ones the newest goes out, when no lossless one waits.
2. While the socket's buffer is empty and nothing waits, `publish` writes straight into the transport: the cheapest
   way, without a task switch. Otherwise the watcher's own task writes, one record at a time, each waited for.
3. So at most one record is in user space per watcher (the buffer limit is 0) and SEND_BUFFER_BYTES in the kernel.
4. A write that is blocked for `write_timeout_s` ends the stream, as does a position that the log no longer has; the
   browser comes back with the id of the last event that it has read.
5. What changes beside jobs goes out when nothing of the jobs waits.
6. Every `ping_interval_s` in which the task had nothing to do a comment is written, which finds dead peers.
"""

import asyncio
from collections.abc import Callable

from imagegen_gateway.eventlog import EventLog
from imagegen_gateway.records import EPHEMERAL, PING, RATE_LIMITED, RECONNECTING, Previews, Record
from imagegen_gateway.sink import Sink
from imagegen_gateway.system_events import Outbox


class Watcher:
    """Sends what a log holds and gets. A hub's Listener."""

    __slots__ = (
        "_events",
        "_has_timer",
        "_interval_s",
        "_is_idle",
        "_is_over",
        "_not_before",
        "_now",
        "_owes_caught_up",
        "_ping_interval_s",
        "_position",
        "_previews",
        "_sent",
        "_sink",
        "_skip_through",
        "_system",
        "_woken",
    )

    def __init__(
        self,
        events: EventLog,
        sink: Sink,
        *,
        previews: Previews,
        max_rate_hz: float,
        ping_interval_s: float,
        is_over: Callable[[], bool],
        system: Outbox | None = None,
    ) -> None:
        """`is_over` says whether the log gets no more records. `start` comes before anything is sent.

        `system`: what this browser is told beside jobs; whoever puts something there calls `wake`.
        """
        self._events = events
        self._sink = sink
        self._system = system
        self._previews = previews
        self._interval_s = 1.0 / max_rate_hz if max_rate_hz > 0 else 0.0
        self._ping_interval_s = ping_interval_s
        self._is_over = is_over
        self._now = asyncio.get_running_loop().time
        self._position = 0
        self._skip_through = 0
        self._sent: dict[tuple[str, str], int] = {}
        self._not_before: dict[tuple[str, str], float] = {}
        self._owes_caught_up = True
        self._is_idle = False
        self._has_timer = False
        self._woken = asyncio.Event()

    def start(self, position: int, *, skip_through: int = 0) -> None:
        """Goes on after `position`; durable records up to sequence `skip_through` have been sent another way."""
        self._position, self._skip_through = position, skip_through

    def publish(self, record: Record) -> None:
        """Writes at once if possible, else leaves it to the task."""
        if record.kind == "preview" and self._previews is Previews.NONE:
            return
        if not self._is_idle:
            self.wake()
        elif not self._is_due(record):
            if not self._has_timer:
                self.wake()
        elif self._is_skipped(record) or self._sink.offer(self._bytes(record)):
            self._note(record)
        else:
            self.wake()

    def wake(self) -> None:
        """Lets the task look again."""
        self._is_idle = False
        self._woken.set()

    def pause(self) -> None:
        """Tells the browser why nothing comes, if that costs nothing."""
        if self._is_idle:
            self._sink.offer(self._sink.framed(RECONNECTING))

    async def run(self) -> None:
        """Sends until all is sent and nothing more can come. Raises WriteBlocked, Trimmed, ConnectionResetError."""
        while True:
            self._woken.clear()
            held_until = await self._send_waiting()
            if self._woken.is_set():
                continue
            if self._is_over() and self._position >= self._events.newest:
                return
            await self._rest(held_until)

    async def send(self, record: Record) -> None:
        """Sends one record from outside the log, before `run`."""
        await self._sink.write(self._bytes(record))

    async def _send_waiting(self) -> float | None:
        """Sends all that is due; gives the time at which more will be."""
        while behind := self._events.after(self._position):
            for record in behind:
                if not self._is_skipped(record):
                    await self._sink.write(self._bytes(record))
                self._note(record)
        if self._events.sequence < self._skip_through:
            return None  # the replay is ahead of the log, whose tokens would lead this browser back
        held_until: float | None = None
        for record in self._events.latest():
            if record.position <= self._sent.get(record.key, 0) or not self._wants(record):
                continue
            if not self._is_due(record):
                until = self._not_before[record.key]
                held_until = until if held_until is None else min(until, held_until)
                continue
            await self._sink.write(self._bytes(record))
            self._note(record)
            if self._events.newest > self._position:  # lossless ones first
                self._woken.set()
                return None
        await self._send_caught_up()
        await self._send_system()
        return held_until

    async def _send_caught_up(self) -> None:
        if self._owes_caught_up and self._events.is_caught_up and self._events.newest == self._position:
            self._owes_caught_up = False
            await self._sink.write(self._bytes(self._events.caught_up()))

    async def _send_system(self) -> None:
        while self._system is not None and (record := self._system.take()) is not None:
            await self._sink.write(self._sink.framed(record))
            if self._events.newest > self._position:  # lossless ones first
                self._woken.set()
                return

    async def _rest(self, held_until: float | None) -> None:
        wait_s = self._ping_interval_s
        if held_until is not None:
            wait_s = min(wait_s, max(0.0, held_until - self._now()))
        self._is_idle, self._has_timer = not self._owes_caught_up, held_until is not None
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            if held_until is None:
                await self._sink.write(self._sink.framed(PING))
        finally:
            self._is_idle = False

    def _wants(self, record: Record) -> bool:
        return record.kind != "preview" or self._previews is not Previews.NONE

    def _is_skipped(self, record: Record) -> bool:
        return not record.is_ephemeral and 0 < record.sequence <= self._skip_through

    def _is_due(self, record: Record) -> bool:
        if not self._interval_s or record.kind not in RATE_LIMITED:
            return True
        return self._not_before.get(record.key, 0.0) <= self._now()

    def _note(self, record: Record) -> None:
        if not record.is_ephemeral:
            self._position = record.position
            if record.kind == "reset":
                self._skip_through = 0
            if record.kind == "completed":
                self._forget(record.event.job_id)
            return
        self._sent[record.key] = record.position
        if self._interval_s and record.kind in RATE_LIMITED:
            self._not_before[record.key] = self._now() + self._interval_s

    def _forget(self, job_id: str) -> None:
        for kind in EPHEMERAL:
            self._sent.pop((job_id, kind), None)
            self._not_before.pop((job_id, kind), None)

    def _bytes(self, record: Record) -> bytes:
        return record.framed(self._previews) if self._sink.is_chunked else record.encoded(self._previews)
