"""What the demo adapter promises beyond the contract."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from PIL import Image

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Adapter,
    ImageParameters,
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    PreviewFrame,
    PreviewWish,
    Progressed,
)
from imagegen_adapters.errors import Lost, Rejected
from imagegen_adapters.registry import open_adapter
from tests.adapters.conformance.observing import images_of, is_moving, observed, performed, task_of, until_moving

QUICK = ImageParameters(prompt="a red fox", model="demo-landscape", width=64, height=64, steps=3)
ENDLESS = replace(QUICK, steps=10**9)
PATIENCE_S = 10.0


def _config(**options: str) -> BackendConfig:
    return BackendConfig(name="demo", kind="demo", options=options)


@pytest.fixture
async def adapter() -> AsyncIterator[Adapter]:
    async with open_adapter(_config(speed="100")) as opened:
        yield opened


@pytest.mark.parametrize(
    "options", [{"speed": "fast"}, {"speed": "0"}, {"speed": "-1"}, {"speed": "nan"}, {"sped": "1"}]
)
async def test_options_that_make_no_sense_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="demo backend"):
        async with open_adapter(_config(**options)):
            pass


async def test_it_says_plainly_what_it_is(adapter: Adapter) -> None:
    status = await adapter.status()
    assert status.version == "imagegen demo painter, no model"
    assert status.queue_depth == 0
    assert status.instance


async def test_a_style_is_loaded_once(adapter: Adapter) -> None:
    runs = [
        await performed(adapter, replace(QUICK, model=m), PATIENCE_S) for m in ("demo-flow", "demo-flow", "demo-nebula")
    ]
    assert [[loading.model for loading in run.of(ModelLoading)] for run in runs] == [["demo-flow"], [], ["demo-nebula"]]
    assert (await adapter.status()).resident_model == "demo-nebula"


async def test_without_a_model_the_resident_one_paints(adapter: Adapter) -> None:
    await performed(adapter, replace(QUICK, model="demo-flow"), PATIENCE_S)
    image = (await images_of(adapter, replace(QUICK, model=""), PATIENCE_S))[0]
    with Image.open(io.BytesIO(image.data)) as opened:
        assert "Model: demo-flow" in opened.info["parameters"]


async def test_phases_come_in_order(adapter: Adapter) -> None:
    seen = await performed(adapter, QUICK, PATIENCE_S)
    assert [update.phase for update in seen.of(PhaseChanged)] == [Phase.LOADING_MODEL, Phase.SAMPLING, Phase.SAVING]


async def test_every_step_is_told(adapter: Adapter) -> None:
    seen = await performed(adapter, QUICK, PATIENCE_S)
    assert [(u.step, u.steps) for u in seen.of(Progressed) if u.phase is Phase.SAMPLING] == [(1, 3), (2, 3), (3, 3)]


async def test_previews_can_be_left_out(adapter: Adapter) -> None:
    task = replace(task_of(QUICK), preview=PreviewWish(enabled=False))
    async with adapter.run(task) as run:
        seen = await observed(run)
    assert not seen.of(PreviewFrame)
    assert seen.images


async def test_a_second_run_waits_for_its_turn(adapter: Adapter) -> None:
    async with adapter.run(task_of(ENDLESS)) as first, adapter.run(task_of(QUICK)) as second:
        await until_moving(first, PATIENCE_S)
        assert (await adapter.status()).queue_depth == 2
        await first.cancel()
        seen = await asyncio.wait_for(observed(second), PATIENCE_S)
    assert seen.of(PhaseChanged)[0].phase is Phase.WAITING
    assert len(seen.images) == 1


async def test_a_detached_attempt_ends_by_itself(adapter: Adapter) -> None:
    async with adapter.run(task_of(QUICK)) as run:
        run.detach()
    assert (await adapter.status()).queue_depth == 1
    seen = await asyncio.wait_for(observed(run), PATIENCE_S)
    assert isinstance(seen.updates[-2], ImageReady)


async def test_closing_ends_open_runs_by_lost() -> None:
    async with open_adapter(_config(speed="100")) as adapter, adapter.run(task_of(ENDLESS)) as run:
        await until_moving(run, PATIENCE_S)
        run.detach()
    assert isinstance((await asyncio.wait_for(observed(run), PATIENCE_S)).error, Lost)


async def test_an_image_that_cannot_be_read_is_refused_by_its_field(adapter: Adapter) -> None:
    source = replace(QUICK, init_image="0" * 64)
    for files, description in (({"0" * 64: b"no image"}, "no readable"), ({}, "missing")):
        async with adapter.run(replace(task_of(source), files=files)) as run:
            error = (await asyncio.wait_for(observed(run), PATIENCE_S)).error
        assert isinstance(error, Rejected)
        assert error.violations[0].field == "image.init_image"
        assert description in error.violations[0].description


async def test_the_loop_stays_free_while_a_step_is_painted(adapter: Adapter) -> None:
    """Other tasks get their turn between two updates."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with adapter.run(task_of(replace(QUICK, width=512, height=512))) as run:
        counter = asyncio.create_task(count())
        async for update in run:
            if is_moving(update):
                break
        counter.cancel()
    assert turns > 10
