"""A gateway in front of a scripted server, and a client for it: all over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import pytest
import uvloop

from imagegen_gateway.app import Gateway, serve_gateway
from imagegen_gateway.config import GatewaySettings
from tests.gateway.fake_server import FakeServer, serve_fake

WRITES_TO_TRANSPORTS = {"test_events", "test_live", "test_slow_readers"}


def pytest_asyncio_loop_factories(
    config: pytest.Config,
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the gateway runs on; what writes past aiohttp is tested on both, whose transports differ."""
    assert isinstance(item, pytest.Function)
    both = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return both if item.module.__name__.rpartition(".")[2] in WRITES_TO_TRANSPORTS else {"uvloop": both["uvloop"]}


@pytest.fixture(name="fake")
async def fake_fixture() -> AsyncIterator[FakeServer]:
    async with serve_fake(FakeServer()) as fake:
        yield fake


@pytest.fixture(name="settings")
def settings_fixture() -> dict[str, Any]:
    """More settings of the gateway; to be overridden by tests."""
    return {}


@pytest.fixture(name="gateway")
async def gateway_fixture(fake: FakeServer, settings: dict[str, Any]) -> AsyncIterator[Gateway]:
    chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address, **settings)
    async with serve_gateway(chosen) as gateway:
        yield gateway


@pytest.fixture(name="http")
async def http_fixture(gateway: Gateway) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(gateway.url, timeout=timeout) as session:
        yield session
