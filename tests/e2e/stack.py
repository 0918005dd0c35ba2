"""The real processes, as a newcomer starts them, for tests that look from outside."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

DURABLE = frozenset(
    {"state_changed", "attempt_started", "attempt_failed", "plan", "output_ready", "warning", "updated", "completed"}
)
"""The kinds of events that every watcher gets exactly once."""

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20


@dataclass(slots=True)
class Process:
    """One of our processes, with what it has printed so far."""

    process: asyncio.subprocess.Process
    lines: list[str]
    _changed: asyncio.Event
    _reader: asyncio.Task[None] | None = None

    @property
    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found.group(1)) * 1024

    async def expect(self, pattern: str) -> re.Match[str]:
        """Waits until a printed line matches."""
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                for line in self.lines:
                    found = re.search(pattern, line)
                    if found:
                        return found
                if self.process.returncode is not None:
                    raise AssertionError("the process ended:\n" + "\n".join(self.lines))
                self._changed.clear()
                await self._changed.wait()

    def kill(self) -> None:
        self.process.kill()

    async def wait(self) -> int:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            code = await self.process.wait()
            assert self._reader is not None
            await self._reader
            return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            self._changed.set()
        await self.process.wait()
        self._changed.set()


@asynccontextmanager
async def imagegen(*arguments: str, data_dir: Path, env: dict[str, str] | None = None) -> AsyncIterator[Process]:
    """Runs `imagegen ARGUMENTS` until the block is left; then SIGTERM, and it must end by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imagegen_client",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "IMAGEGEN_DATA_DIR": str(data_dir), "NO_COLOR": "1", **(env or {})},
    )
    running = Process(process=process, lines=[], _changed=asyncio.Event())
    running._reader = asyncio.create_task(running._read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await running.wait()
        except TimeoutError:
            process.kill()
            await running.wait()
            raise


async def run_command(*arguments: str, server: str) -> tuple[int, str]:
    """Runs `imagegen --server SERVER ARGUMENTS` to its end: exit status and standard output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imagegen_client",
        "--server",
        server,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@dataclass(frozen=True, slots=True)
class SseEvent:
    event: str
    token: str
    data: dict[str, Any]

    @property
    def sequence(self) -> int:
        return int(self.data.get("sequence", 0))


async def read_events(response: aiohttp.ClientResponse) -> AsyncIterator[SseEvent]:
    """Parses a stream of server-sent events as a browser does; comments are left out."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().rstrip("\r\n")
        if not line:
            if "data" in fields:
                yield SseEvent(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


def durable(events: Sequence[SseEvent]) -> list[int]:
    """The sequence numbers of the durable events among these."""
    return [event.sequence for event in events if event.event in DURABLE]
