"""The gateway in front of a real server with the demo backend, in this process: what every dialect is tested on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from imagegen_client import Client
from imagegen_gateway.app import Gateway, serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings


@dataclass(frozen=True, kw_only=True)
class House:
    """A server, a gateway, and a client of the server that sees what dialects have done there."""

    gateway: Gateway
    client: Client

    @property
    def url(self) -> str:
        return self.gateway.url


@pytest.fixture(name="speed")
def speed_fixture() -> str:
    """How fast the demo paints; to be overridden by tests that need time to look or to cancel."""
    return "50"


@pytest.fixture(name="backends")
def backends_fixture(speed: str) -> tuple[BackendSettings, ...]:
    """The backends; to be overridden by tests."""
    return (BackendSettings(kind="demo", options={"speed": speed}),)


@pytest.fixture(name="settings")
def settings_fixture() -> dict[str, Any]:
    """More settings of the gateway; to be overridden by tests."""
    return {}


@pytest.fixture(name="server_settings")
def server_settings_fixture() -> dict[str, Any]:
    """More settings of the server; to be overridden by tests."""
    return {}


@pytest.fixture(name="house")
async def house_fixture(
    tmp_path: Path,
    backends: tuple[BackendSettings, ...],
    settings: dict[str, Any],
    server_settings: dict[str, Any],
) -> AsyncIterator[House]:
    async with serve(
        ServerSettings(grpc="127.0.0.1:0", data_dir=tmp_path, backends=backends, **server_settings)
    ) as server:
        chosen = GatewaySettings(http="127.0.0.1:0", server=server.address, **settings)
        async with serve_gateway(chosen) as gateway, Client(server.address) as client:
            for backend in await client.list_backends():  # the server is ready with the first of them
                await client.refresh_backend(backend.name)
            yield House(gateway=gateway, client=client)


@pytest.fixture(name="http")
async def http_fixture(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(house.url, timeout=aiohttp.ClientTimeout(total=15)) as session:
        yield session
