"""A gateway in front of a scripted server, and a client for it: all over real sockets."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from imagegen_gateway.app import Gateway, serve_gateway
from imagegen_gateway.config import GatewaySettings
from tests.gateway.fake_server import FakeServer, serve_fake


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
