"""The processes of a run: started, talked to, ended, and what the kernel says about them."""

import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

START_S = 30.0
ANSWER_S = 60.0
STOP_S = 10.0

Control: TypeAlias = "Connection[Any, Any]"
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Helper:
    """A process of the benchmark itself: its `target` answers each message with one."""

    pid: int
    control: Control
    port: int
    """What it said first: where it listens; 0 where it does not."""

    def ask(self, message: object) -> Any:
        """Its answer. Raises TimeoutError, and EOFError when it has died."""
        self.control.send(message)
        return _receive(self.control, ANSWER_S)


@contextmanager
def helper(target: Callable[..., None], *args: object) -> Iterator[Helper]:
    """Runs `target(control, *args)` in a fresh interpreter until the block is left."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    theirs.close()
    try:
        assert process.pid is not None
        yield Helper(process.pid, ours, _receive(ours, START_S))
    finally:
        ours.close()
        process.terminate()
        process.join(STOP_S)


def _receive(control: Control, timeout_s: float) -> Any:
    if not control.poll(timeout_s):
        raise TimeoutError("a helper process does not answer")
    return control.recv()


@contextmanager
def imagegen(*arguments: str, ready: str, env: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """Runs `imagegen ARGUMENTS`: its process id, and the first group of the printed line that `ready` finds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "imagegen_client", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", **env},
    )
    try:
        yield process.pid, _printed(process, ready)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _printed(process: "subprocess.Popen[bytes]", pattern: str) -> str:
    assert process.stdout is not None
    deadline, output = time.monotonic() + START_S, b""
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], 0.1)[0]:
            continue
        read = os.read(process.stdout.fileno(), 4096)
        output += read
        found = re.search(pattern, output.decode())
        if found is not None:
            return found[1]
        if not read:
            break
    raise RuntimeError(f"imagegen did not start:\n{output.decode()}")


def cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process so far, to the nanosecond."""
    # What clock_getcpuclockid(3) makes of a pid: /proc/PID/stat counts in ticks of 10 ms, schedstat one thread only.
    return time.clock_gettime((~pid << 3) | 2)


def resident_bytes(pid: int) -> int:
    """Memory of a process that is not swapped out."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
