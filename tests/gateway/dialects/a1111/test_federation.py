"""imagegen as a backend of imagegen: our own adapters, pointed at the dialects. But never as a backend of its own."""

import asyncio
from itertools import product

import pytest

from imagegen_adapters.a1111.adapter import open_a1111
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import ImageParameters, ImageReady, PreviewFrame, Progressed, Run, Task, Warned
from imagegen_adapters.errors import Cancelled
from imagegen_client.errors import InvalidRequest
from tests.gateway.dialects.conftest import House


def config(house: House) -> BackendConfig:
    return BackendConfig(name="inner", kind="a1111", url=f"{house.url}/a1111")


def task(steps: int, count: int = 1) -> Task:
    source = ImageParameters(prompt="a red fox", width=64, height=64, steps=steps, seed=11, count=count)
    return Task(attempt_id="attempt", source=source)


async def test_the_adapter_makes_pictures_here(house: House) -> None:
    async with open_a1111(config(house)) as adapter:
        catalog = await adapter.catalog()
        assert "demo-landscape" in [model.name for model in catalog.checkpoints]
        assert (await adapter.status()).queue_depth == 0
        async with adapter.run(task(4, count=2)) as run:
            updates = [update async for update in run]
    images = [update for update in updates if isinstance(update, ImageReady)]
    assert [(image.image_index, image.seed) for image in images] == [(0, 11), (1, 12)]
    assert [update for update in updates if isinstance(update, Warned)] == []


@pytest.mark.parametrize("speed", ["1"])
async def test_the_adapter_follows_and_stops_its_job_here(house: House) -> None:
    seen: set[type] = set()

    async def stop_in_the_middle(run: Run) -> None:
        async for update in run:
            seen.add(type(update))
            if {Progressed, PreviewFrame} <= seen:
                await run.cancel()

    async with open_a1111(config(house)) as adapter, adapter.run(task(300)) as run:
        with pytest.raises(Cancelled):
            await asyncio.wait_for(stop_in_the_middle(run), 10)


async def test_a_server_is_no_backend_of_its_own(house: House) -> None:
    for kind, prefix in product(("", "a1111", "comfyui"), ("a1111", "comfyui")):
        url = f"{house.url}/{prefix}/"
        if not kind:
            with pytest.raises(InvalidRequest, match="this imagegen server itself"):
                await house.client.add_backend(url=url)
            continue
        tried = await house.client.add_backend(url=url, kind=kind, validate_only=True)
        assert "this imagegen server itself" in tried.reason
