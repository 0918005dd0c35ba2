"""The demo adapter, in no hurry to be watched."""

from collections.abc import AsyncIterator

import pytest

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter
from imagegen_adapters.demo.adapter import open_demo


@pytest.fixture
async def demo() -> AsyncIterator[Adapter]:
    async with open_demo(BackendConfig(name="demo", kind="demo", options={"speed": "100"})) as opened:
        yield opened
