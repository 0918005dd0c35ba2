"""Programs that are killed, stopped and started again, each at the same address every time."""

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
_MAX_LINE_BYTES = 4 * 1024 * 1024


class Program:
    """One of them, over all its lives."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str] = (),
        *,
        address: str = "",
        ready: str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`address` is where others find it; `ready` is in the line that it prints when it can be used."""
        self.name = name
        self.address = address
        self.lines: list[str] = []
        """What it printed, in all its lives."""
        self.lives = 0
        self._command = (sys.executable, "-m", module, *arguments)
        self._ready = ready
        self._env = env or {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

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

    @contextmanager
    def silenced(self) -> Iterator[None]:
        """While the block is open it is connected, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
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
async def running(*programs: Program) -> AsyncIterator[None]:
    """Starts them one after the other; whatever still runs at the end of the block is killed."""
    try:
        for program in programs:
            await program.start()
        yield
    finally:
        await asyncio.gather(*(program.kill() for program in programs))


def fake_program(name: str, kind: str, *arguments: str, step_s: float = 0.05) -> Program:
    """A backend called `name`, of `kind` "comfyui" or "a1111"."""
    port = free_port()
    return Program(
        name,
        f"tests.fakes.{kind}",
        ("--port", str(port), "--step-seconds", str(step_s), *arguments),
        address=f"http://127.0.0.1:{port}",
        ready="127.0.0.1",
    )


def server_program(data_dir: Path, backends: Sequence[Mapping[str, object]], **settings: str) -> Program:
    """The server; backends and settings as its environment has them."""
    address = f"127.0.0.1:{free_port()}"
    return Program(
        "server",
        "imagegen_client",
        ("server", "--grpc", address, "--data-dir", str(data_dir)),
        address=address,
        ready="listens for gRPC",
        env={"IMAGEGEN_BACKENDS": json.dumps(backends), **settings},
    )


def gateway_program(server: Program) -> Program:
    address = f"127.0.0.1:{free_port()}"
    return Program(
        "gateway",
        "imagegen_client",
        ("--server", server.address, "gateway", "--http", address),
        address=f"http://{address}",
        ready="imagegen is at",
    )


def free_port() -> int:
    """One that nothing listens on and nobody else is given while this process lives.

    It is below those that the system gives to outgoing connections: while a program is down, one of those many that
    try to reach it could otherwise be given its port.
    """
    while True:
        address = ("127.0.0.1", random.randint(20_000, 32_000))
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as claim:
            try:
                probe.bind(address)
                claim.bind(address)
            except OSError:
                continue
            claim.detach()  # stays bound, over UDP, where it is in nobody's way but another free_port's
        return address[1]
