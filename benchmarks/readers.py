"""The watchers: one process and one epoll for all, which reads, counts, and looks for step numbers."""

import contextlib
import re
import select
import socket
import time
from dataclasses import dataclass, field

from benchmarks.processes import Control

READY_S = 30.0
SETTLE_S = 3.0
"""How long the last step of a burst may take to arrive everywhere."""
_MAX_READ = 256 * 1024


@dataclass(frozen=True, slots=True)
class Watch:
    """Closes all connections and opens others. Answered with True when each has been told that it is caught up."""

    port: int
    path: str
    kind: str
    """Which events are counted: "progress" or "preview"."""
    reading: int
    stalled: int = 0
    """So many more read no byte after that."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Answered with Collected once every watcher has seen this step, or time is up. Counting begins anew."""

    last_step: int


@dataclass(frozen=True, slots=True)
class Collected:
    delivered: int
    """Events, of all watchers together."""
    missing: int
    """Watchers that have not seen the last step."""
    arrivals: dict[int, float]
    """When the first watcher had read each step."""
    record: bytes
    """One of the events as it came."""


@dataclass(slots=True, eq=False)
class _Watcher:
    sock: socket.socket
    is_first: bool
    is_ready: bool = False
    last_step: int = 0
    rest: bytes = b""
    arrivals: dict[int, float] = field(default_factory=dict)


def run_readers(control: Control) -> None:
    """A helper's target: answers Watch and Collect."""
    control.send(0)
    with contextlib.suppress(EOFError):
        Readers(control).run()


class Readers:
    """See the module's docstring."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._poll = select.epoll()
        self._poll.register(control.fileno(), select.EPOLLIN)
        self._watchers: dict[int, _Watcher] = {}
        self._stalled: list[socket.socket] = []
        self._pattern = re.compile(b"")
        self._delivered = 0
        self._record = b""

    def run(self) -> None:
        """Reads until the control connection is closed."""
        while True:
            if self._turn(None):
                self._obey(self._control.recv())

    def _obey(self, message: Watch | Collect) -> None:
        match message:
            case Watch():
                self._watch(message)
                self._control.send(True)
            case Collect():
                deadline = time.monotonic() + SETTLE_S
                while self._missing(message.last_step) and time.monotonic() < deadline:
                    self._turn(0.1)
                self._control.send(self._collect(message.last_step))

    def _watch(self, wanted: Watch) -> None:
        for sock in (*(watcher.sock for watcher in self._watchers.values()), *self._stalled):
            sock.close()
        self._watchers, self._stalled = {}, []
        self._pattern = re.compile(
            rb'(?:id: [^\n]*\n)?event: %b\ndata: [^\n]*?"step":(\d+)[^\n]*\n\n' % wanted.kind.encode()
        )
        request = f"GET {wanted.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n".encode()
        for number in range(wanted.reading + wanted.stalled):
            sock = socket.create_connection(("127.0.0.1", wanted.port))
            sock.sendall(request)
            sock.setblocking(False)
            self._watchers[sock.fileno()] = _Watcher(sock, is_first=number == 0)
            self._poll.register(sock.fileno(), select.EPOLLIN)
        self._wait_until_ready()
        for watcher in list(self._watchers.values())[wanted.reading :]:
            self._poll.unregister(watcher.sock)
            self._stalled.append(self._watchers.pop(watcher.sock.fileno()).sock)
        self._collect(0)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S
        while not all(watcher.is_ready for watcher in self._watchers.values()):
            self._turn(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError("not all watchers were served")

    def _turn(self, timeout_s: float | None) -> bool:
        """Reads what is there; gives whether the benchmark wants something."""
        is_asked = False
        for descriptor, _ in self._poll.poll(timeout_s):
            if descriptor in self._watchers:
                self._read(self._watchers[descriptor])
            else:
                is_asked = True
        return is_asked

    def _read(self, watcher: _Watcher) -> None:
        data = watcher.sock.recv(_MAX_READ)
        arrival = time.monotonic()
        if not data:
            raise ConnectionResetError("a watcher was cut off")
        data = watcher.rest + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            watcher.rest = data
            return
        whole, watcher.rest = data[:end], data[end:]
        watcher.is_ready = watcher.is_ready or b"event: caught_up" in whole
        for found in self._pattern.finditer(whole):
            self._delivered += 1
            watcher.last_step = int(found[1])
            if watcher.is_first:
                self._record = found[0]
                watcher.arrivals[watcher.last_step] = arrival

    def _missing(self, step: int) -> int:
        return sum(watcher.last_step < step for watcher in self._watchers.values())

    def _collect(self, last_step: int) -> Collected:
        first = next(iter(self._watchers.values()))
        collected = Collected(self._delivered, self._missing(last_step), dict(first.arrivals), self._record)
        first.arrivals.clear()
        self._delivered = 0
        return collected
