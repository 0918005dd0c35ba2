"""What the server has: looked at cheaply, told in full, and loaded on request."""

import asyncio
from dataclasses import replace

import pytest

from imagegen_adapters.contract import Lora
from imagegen_adapters.errors import NodeFailed, Rejected
from tests.adapters.comfyui.bench import eventually, images, open_adapter, open_bench, request
from tests.fakes.comfyui import open_fake

FLUX = "flux1-fake-dev.safetensors"


async def test_every_list_is_told_with_sizes() -> None:
    async with open_bench() as bench:
        catalog = await bench.adapter.catalog()

    assert [model.name for model in catalog.diffusion_models] == [FLUX]
    assert [model.name for model in catalog.text_encoders] == ["clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors"]
    assert [model.name for model in catalog.controlnets] == ["fake_depth.safetensors"]
    assert catalog.clip_visions == ()
    assert catalog.checkpoints[0].size_bytes == 486821910
    assert [(model.name, model.size_bytes) for model in catalog.vaes][-1] == ("pixel_space", 0)


async def test_the_node_classes_are_asked_for_only_when_something_points_to_a_change() -> None:
    async with open_bench() as bench:
        asked = bench.fake.requests
        first = await bench.adapter.catalog()
        assert await bench.adapter.catalog() is first
        assert asked["GET /object_info"] == 1

        bench.fake.models["loras"] = (*bench.fake.models["loras"], "new.safetensors")
        assert "new.safetensors" in [model.name for model in (await bench.adapter.catalog()).loras]
        bench.fake.models["custom_nodes"] = ()  # nobody's model
        await bench.adapter.catalog()
        assert asked["GET /object_info"] == 2

        await bench.adapter.rescan()
        await bench.adapter.catalog()
        assert asked["GET /object_info"] == 3


async def test_after_a_restart_everything_is_read_again() -> None:
    async with open_bench() as bench:
        await bench.adapter.catalog()
        await bench.fake.stop_listening()
        with pytest.raises(Exception, match="refused"):
            await bench.adapter.status()
        bench.fake.lacks = frozenset({"ImageScaleBy"})
        await bench.fake.start_listening()
        await bench.adapter.catalog()

        assert b"ImageScaleBy" not in await bench.adapter.node_definitions()


async def test_servers_without_lists_of_files_tell_what_they_have() -> None:
    async with open_bench("2024-07-20") as bench:
        catalog = await bench.adapter.catalog()

    assert [model.name for model in catalog.diffusion_models] == [FLUX]
    assert catalog.checkpoints[0].size_bytes == 0


@pytest.mark.parametrize(
    ("kind", "name", "is_told"),
    [
        ("checkpoints", "fake_sd15.safetensors", True),
        ("embeddings", "fake_embedding", True),
        ("checkpoints", "nope.safetensors", False),
        ("upscalers", "fake_x2.pth", False),
        ("samplers", "euler", False),
    ],
)
async def test_what_a_file_says_about_itself(kind: str, name: str, *, is_told: bool) -> None:
    async with open_bench() as bench:
        metadata = await bench.adapter.model_metadata(kind, name)

    assert (metadata.get("modelspec.architecture") == "stable-diffusion-v1") is is_told
    assert bool(metadata) is is_told


@pytest.mark.parametrize("model", [FLUX, "fake_sdxl.safetensors"])
async def test_a_model_is_loaded_and_leaves_nothing_behind(model: str) -> None:
    async with open_bench() as bench:
        for _ in range(2):  # nothing of it comes from the cache
            await bench.adapter.load_model(model)
            assert (await bench.adapter.status()).resident_model == model
            await bench.adapter.free_memory()
            assert (await bench.adapter.status()).resident_model == ""

        assert not bench.fake.files.stored


async def test_where_nothing_can_be_sent_a_model_is_loaded_by_a_preview() -> None:
    async with open_bench() as bench:
        bench.fake.lacks = frozenset({"SaveImageWebsocket"})
        await bench.adapter.load_model(FLUX)

        assert {folder for folder, _, _ in bench.fake.files.stored} == {"temp"}


async def test_a_model_that_cannot_be_loaded() -> None:
    async with open_bench() as bench:
        with pytest.raises(Rejected, match="no such model 'fake_sd16"):
            await bench.adapter.load_model("fake_sd16.safetensors")
        bench.fake.faults.fail_next = "node"
        with pytest.raises(NodeFailed):
            await bench.adapter.load_model(FLUX)


async def test_a_load_that_is_given_up_is_stopped_at_the_server() -> None:
    async with open_fake(step_s=5.0) as fake, open_adapter(fake.url) as adapter:
        load = asyncio.create_task(adapter.load_model(FLUX))
        await eventually(lambda: bool(fake.prompts_of(foreign=False)))
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            await load

        assert fake.requests["POST /interrupt"] + fake.requests["POST /queue"]


async def test_a_diffusion_model_is_run_with_what_belongs_to_it() -> None:
    async with open_bench() as bench:
        plain = request(model=FLUX, cfg_scale=1.0)
        updates = await bench.run(plain)
        with_lora = replace(plain, loras=(Lora(name="fake_detail.safetensors", weight=0.5),))

        assert len(images(updates)) == 1
        assert images(await bench.run(with_lora))[0].data != images(updates)[0].data
        assert (await bench.adapter.status()).resident_model == FLUX
