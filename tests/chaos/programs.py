"""The programs under test, each started, killed and started again on the same ports and the same folder."""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.plan import BACKENDS, DUMPER_RUNS, DUMPER_WAITS, GATEWAY, SERVER, Owner

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
_MAX_LINE_BYTES = 4 * 1024 * 1024
_LIMITS = {Owner.DUMPER: {"max_queued_jobs": DUMPER_WAITS, "max_running_jobs": DUMPER_RUNS}}


class Program:
    """One of them, over all its lives."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], *, address: str, ready: str) -> None:
        """`address` is where others find it; `ready` is in the line that it prints when it can be used."""
        self.name = name
        self.address = address
        self.lines: list[str] = []
        """What it printed, in all its lives."""
        self.lives = 0
        self._command = (sys.executable, "-m", module, *arguments)
        self._ready = ready
        self._env: Mapping[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    def set_env(self, env: Mapping[str, str]) -> None:
        self._env = env

    async def start(self) -> None:
        """Returns when it can be used."""
        is_ready = await self.begin()
        assert self._reader is not None
        waiting = asyncio.create_task(is_ready.wait())
        try:
            either = {waiting, self._reader}
            await asyncio.wait(either, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not is_ready.is_set():
            raise RuntimeError(f"{self.name} did not start; its last lines:\n" + "\n".join(self.lines[-20:]))

    async def begin(self) -> asyncio.Event:
        """Starts it without waiting; the event is set when it can be used."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self._env, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            limit=_MAX_LINE_BYTES,
        )
        self.lives += 1
        is_ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read(self._process, is_ready))
        return is_ready

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self._ended()

    async def stop(self) -> int:
        """Asks it to end, and gives its exit status. Raises TimeoutError if it does not end; then it was killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                return await self._ended()
        except TimeoutError:
            await self.kill()
            raise

    async def pause(self, seconds: float) -> None:
        """It is connected all the time, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._process.send_signal(signal.SIGCONT)

    async def _ended(self) -> int:
        if self._process is None or self._reader is None:
            return 0
        await asyncio.shield(self._reader)
        return await self._process.wait()

    async def _read(self, process: asyncio.subprocess.Process, is_ready: asyncio.Event) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            if self._ready in self.lines[-1]:
                is_ready.set()


@asynccontextmanager
async def running_programs(folder: Path, *, has_task_ids: bool) -> AsyncIterator[dict[str, Program]]:
    """All of them, by name; whatever still runs at the end of the block is killed."""
    programs = {program.name: program for program in _programs(folder, has_task_ids=has_task_ids)}
    try:
        await asyncio.gather(*(programs[name].start() for name in BACKENDS))
        await programs[SERVER].start()
        await programs[GATEWAY].start()
        yield programs
    finally:
        await asyncio.gather(*(program.kill() for program in programs.values()))


def _programs(folder: Path, *, has_task_ids: bool) -> list[Program]:
    new, old, a1111, grpc, http = _free_ports(5)
    fakes = [
        _fake(BACKENDS[0], "comfyui", new, "--version", "0.3.64"),
        _fake(BACKENDS[1], "comfyui", old, "--version", "0.3.12"),
        _fake(BACKENDS[2], "a1111", a1111, "--load-seconds", "0.3", *([] if has_task_ids else ["--nowebui"])),
    ]
    server = Program(
        SERVER,
        "imagegen_client",
        ("server", "--grpc", f"127.0.0.1:{grpc}", "--data-dir", str(folder)),
        address=f"127.0.0.1:{grpc}",
        ready="listens for gRPC",
    )
    backends = [
        f'{{"name": "{fake.name}", "kind": "{kind}", "url": "{fake.address}"}}'
        for fake, kind in zip(fakes, ("comfyui", "comfyui", "a1111"), strict=True)
    ]
    server.set_env(
        {
            "IMAGEGEN_BACKENDS": f"[{', '.join(backends)}]",
            "IMAGEGEN_OWNERS": json.dumps(_LIMITS),
            # So often is nothing tried in real life: here every job must get through, whatever befalls it.
            "IMAGEGEN_MAX_ATTEMPTS": "100",
            "IMAGEGEN_MAX_TAKEDOWNS": "100",
        }
    )
    gateway = Program(
        GATEWAY,
        "imagegen_client",
        ("--server", server.address, "gateway", "--http", f"127.0.0.1:{http}"),
        address=f"http://127.0.0.1:{http}",
        ready="imagegen is at",
    )
    return [*fakes, server, gateway]


def _fake(name: str, kind: str, port: int, *arguments: str) -> Program:
    return Program(
        name,
        f"tests.fakes.{kind}",
        ("--port", str(port), "--step-seconds", "0.05", *arguments),
        address=f"http://127.0.0.1:{port}",
        ready="127.0.0.1",
    )


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, below those that the system gives to outgoing connections.

    While a program is down, one of those many that try to reach it could otherwise be given its port.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports
