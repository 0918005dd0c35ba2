"""The way from a source to its watchers: ours, and the raw one that shows what sockets alone cost."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.backend import GRAPH, run_backend
from benchmarks.floor import run_relay, run_source
from benchmarks.pacing import Burst, Stamps
from benchmarks.processes import Helper, cpu_s, helper, imagegen, resident_bytes
from benchmarks.readers import Collect, Collected, Watch, run_readers

WRITE_TIMEOUT_S = 300
"""So long a watcher may read nothing. Else those that are stalled would be cut off after ten seconds."""
JOB_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one burst gave."""

    latencies_ms: tuple[float, ...]
    """From the source to the first watcher, of each event that it got."""
    cpu_us: float
    """CPU time of both hops per event that a watcher got."""
    delivered: int
    missing: int
    """Watchers that did not get the last step."""
    record: bytes
    """One event as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A source, two processes between, and watchers."""

    source: Helper
    readers: Helper
    hops: tuple[int, int]
    """Process ids of the two between: server and gateway, or two relays."""
    port: int
    path: str

    def watch(self, kind: str, reading: int, stalled: int = 0) -> None:
        """Opens these watchers, and closes those that were there."""
        self.readers.ask(Watch(self.port, self.path, kind, reading, stalled))

    def play(self, burst: Burst) -> Played:
        """Sends a burst and waits until every watcher has its last step."""
        before = self._cpu_s()
        stamps: Stamps = self.source.ask(burst)
        collected: Collected = self.readers.ask(Collect(max(stamps)))
        cpu = self._cpu_s() - before
        if not collected.delivered:
            raise RuntimeError("no event came through")
        return Played(
            latencies_ms=tuple(
                (arrival - stamps[step]) * 1e3 for step, arrival in collected.arrivals.items() if step in stamps
            ),
            cpu_us=cpu / collected.delivered * 1e6,
            delivered=collected.delivered,
            missing=collected.missing,
            record=collected.record,
        )

    def resident_bytes(self) -> int:
        """Memory of both hops."""
        return sum(resident_bytes(pid) for pid in self.hops)

    def _cpu_s(self) -> float:
        return sum(cpu_s(pid) for pid in self.hops)


@contextmanager
def our_course(data_dir: Path) -> Iterator[Course]:
    """The real server and gateway, with a job at work on a scripted backend."""
    env = {"IMAGEGEN_DATA_DIR": str(data_dir), "IMAGEGEN_WRITE_TIMEOUT_S": str(WRITE_TIMEOUT_S)}
    with ExitStack() as stack:
        source = stack.enter_context(helper(run_backend))
        backend = f"http://127.0.0.1:{source.port}"
        server, address = stack.enter_context(
            imagegen("server", "--grpc", "127.0.0.1:0", "--comfyui", backend, ready=r"gRPC on (\S+)", env=env)
        )
        gateway, url = stack.enter_context(
            imagegen("--server", address, "gateway", "--http", "127.0.0.1:0", ready=r"is at (\S+?),", env=env)
        )
        job_id = _start_job(url)
        yield Course(
            source=source,
            readers=stack.enter_context(helper(run_readers)),
            hops=(server, gateway),
            port=int(url.rpartition(":")[2]),
            path=f"/api/v1/jobs/{job_id}/events",
        )


@contextmanager
def raw_course() -> Iterator[Course]:
    """Two relays in place of server and gateway. A Burst needs a record to send."""
    with ExitStack() as stack:
        source = stack.enter_context(helper(run_source))
        first = stack.enter_context(helper(run_relay, source.port))
        second = stack.enter_context(helper(run_relay, first.port))
        readers = stack.enter_context(helper(run_readers))
        yield Course(source=source, readers=readers, hops=(first.pid, second.pid), port=second.port, path="/")


def interleaved(ours: Course, raw: Course, burst: Burst, repetitions: int) -> tuple[list[Played], list[Played]]:
    """The same burst over both, in turn, so that what else the machine does meets both alike. One more goes ahead."""
    record = ours.play(replace(burst, frames=min(burst.frames, 20))).record
    raw.play(replace(burst, frames=min(burst.frames, 20), payload=record))
    played: tuple[list[Played], list[Played]] = ([], [])
    for _ in range(repetitions):
        played[0].append(ours.play(burst))
        played[1].append(raw.play(replace(burst, payload=record)))
    return played


def _start_job(url: str) -> str:
    spec = {"graph": {"json": json.dumps(GRAPH)}, "preview": {"max_rate_hz": 30}}
    request = urllib.request.Request(
        f"{url}/api/v1/jobs", json.dumps({"spec": spec}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=JOB_S) as response:
        return str(json.load(response)["job"]["job_id"])
