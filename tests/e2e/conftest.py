"""One stack for the tests that only need it to be there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with imagegen("up", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", data_dir=tmp_path / "data") as process:
        yield await ready(process)
