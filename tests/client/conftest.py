"""Things to test the client with."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from imagegen_client import Backoff, Client
from tests.client.fake_server import FakeServer, serve_fake

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
    command = [sys.executable, "-m", "tests.client.fake_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()
