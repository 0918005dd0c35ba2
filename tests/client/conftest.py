"""Things to test the client with."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from imagegen_client import Backoff, Client
from imagegen_client.cli import app
from tests.client.fake import FakeServer, serve_fake

Run = Callable[..., Result]
FAST = Backoff(first_s=0.002, longest_s=0.02)


@pytest.fixture
def server() -> FakeServer:
    """The state of the server behind `address`."""
    return FakeServer()


@pytest.fixture
async def address(server: FakeServer) -> AsyncIterator[str]:
    async with serve_fake(server) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def client(address: str) -> AsyncIterator[Client]:
    async with Client(address, backoff=FAST) as client:
        yield client


@pytest.fixture(scope="session")
def server_process() -> Iterator[str]:
    """Address of a server in a process of its own, for commands, which have an event loop of their own."""
    command = [sys.executable, "-m", "tests.client.fake"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture
def run(server_process: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against the server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments, **more: CliRunner().invoke(app, ["--server", server_process, *arguments], **more)


@pytest.fixture
def job_id(run: Run) -> str:
    """A job that has not ended."""
    result: str = run("generate", "wait for me", "--detach").stdout.strip()
    return result


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]
