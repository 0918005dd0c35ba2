from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imagegen_server.hub import Hub
from imagegen_server.stores.store import Store, open_store
from imagegen_server.tokens import TokenCodec
from tests.server.material import PickleCodec
from tests.server.workplace import Workplace, open_workplace


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'imagegen.db'}"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    async with open_store(database, PickleCodec()) as store:
        yield store


@pytest.fixture
async def hub() -> Hub:
    return Hub(TokenCodec(b"key", 1), position=0)


@pytest.fixture
async def workplace(database: str) -> AsyncIterator[Workplace]:
    async with open_workplace(database) as workplace:
        yield workplace
