"""The gateway in front of a server with two fakes of ComfyUI, which have different checkpoints."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from imagegen_server.config import BackendSettings
from tests.fakes.comfyui import FakeComfyUI, open_fake
from tests.gateway.dialects.comfyui.client import ComfyClient
from tests.gateway.dialects.conftest import House


@pytest.fixture(name="fakes")
async def fakes_fixture() -> AsyncIterator[tuple[FakeComfyUI, FakeComfyUI]]:
    async with open_fake() as first, open_fake() as second:
        second.checkpoints = ("fake_flux.safetensors",)
        yield first, second


@pytest.fixture(name="backends")
def backends_fixture(fakes: tuple[FakeComfyUI, FakeComfyUI]) -> tuple[BackendSettings, ...]:
    names = ("first", "second")
    return tuple(
        BackendSettings(name=name, kind="comfyui", url=fake.url) for name, fake in zip(names, fakes, strict=True)
    )


@pytest.fixture(name="comfy")
async def comfy_fixture(house: House, http: aiohttp.ClientSession) -> ComfyClient:
    return ComfyClient(http, f"{house.url}/comfyui")
