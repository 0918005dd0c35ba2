"""One stack for the tests that only need it to be there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.stack import Process, imagegen


@dataclass(frozen=True, slots=True)
class Stack:
    """Server and gateway with the demo backend."""

    grpc: str
    """HOST:PORT"""
    url: str
    process: Process


async def ready(process: Process) -> Stack:
    """Waits until `imagegen up` says where it is."""
    url = (await process.expect(r"ready: (http://127\.0\.0\.1:\d+)")).group(1)
    grpc = (await process.expect(r"--server (127\.0\.0\.1:\d+)")).group(1)
    return Stack(grpc=grpc, url=url, process=process)


@asynccontextmanager
async def running_stack(data_dir: Path) -> AsyncIterator[Stack]:
    async with imagegen("up", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", data_dir=data_dir) as process:
        yield await ready(process)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Shared by the tests of a module: it is not to be ended."""
    async with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="module")
async def own_stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """For a test that ends it."""
    async with running_stack(tmp_path) as stack:
        yield stack
