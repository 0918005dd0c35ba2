"""Models at A1111 servers: listed, looked for, loaded and unloaded; LoRAs, and what only Forge takes."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from imagegen_adapters.a1111.adapter import A1111Adapter, open_a1111
from imagegen_adapters.a1111.catalog import FORGE_VAE_OPTION, ServerCatalog, resolve_names
from imagegen_adapters.contract import Lora
from imagegen_adapters.errors import OutOfMemory, Rejected
from tests.adapters.a1111.conftest import REQUEST, SHORT, config_for, run_to_end, task_for
from tests.fakes.a1111 import FakeA1111, Flavor, open_fake

FLUX = {"title": "flux1-dev.safetensors", "model_name": "flux1-dev", "hash": None, "sha256": None, "filename": "/x/f"}


async def resident(adapter: A1111Adapter) -> str:
    return (await adapter.status()).resident_model


def loaded(fake: FakeA1111) -> str:
    return "" if fake.engine.loaded_model is None else str(fake.engine.loaded_model["model_name"])


async def test_the_catalogue_tells_hashes_titles_and_controlnets(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.controlnets = ["control_v11p_sd15_canny [d14c016b]"]
    catalog = await adapter.catalog()

    first, second = catalog.checkpoints
    assert (first.description, first.sha256[:10]) == ("dreamlike_tiny.safetensors [bf31090b88]", "bf31090b88")
    assert second.sha256 == ""
    assert [model.name for model in catalog.controlnets] == fake.controlnets
    assert catalog.text_encoders == catalog.diffusion_models == ()


async def test_new_files_are_found_when_the_server_is_told_to_look(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.engine.new_models = [dict(FLUX)]
    assert "flux1-dev" not in [model.name for model in (await adapter.catalog()).checkpoints]

    fake.engine.gate.clear()
    job = asyncio.create_task(run_to_end(adapter, task_for()))
    await fake.engine.wait_until(lambda: fake.engine.state.job_count > 0)
    await adapter.rescan()  # at work: it would answer only afterwards
    assert "POST /sdapi/v1/refresh-checkpoints" not in fake.requests
    fake.engine.gate.set()
    await job

    await adapter.rescan()
    assert "flux1-dev" in [model.name for model in (await adapter.catalog()).checkpoints]


async def test_what_a_lora_says_about_itself(adapter: A1111Adapter) -> None:
    metadata = await adapter.model_metadata("loras", "tiny_lora")

    assert metadata["ss_base_model_version"] == "sd_v1"
    assert metadata["ss_tag_frequency"] == '{"10_cat": {"cat": 10, "sitting": 3}}'
    assert await adapter.model_metadata("loras", "nope") == {}
    assert await adapter.model_metadata("checkpoints", "dreamlike_tiny") == {}


async def test_a_model_is_loaded_and_unloaded(fake: FakeA1111, adapter: A1111Adapter) -> None:
    await adapter.load_model("other_tiny")
    assert loaded(fake) == await resident(adapter) == "other_tiny"
    assert fake.engine.options["sd_model_checkpoint"] == "other_tiny"

    await adapter.free_memory()
    assert loaded(fake) == ""
    assert await resident(adapter) == ""
    await adapter.load_model("other_tiny")  # the setting says so already
    assert loaded(fake) == await resident(adapter) == "other_tiny"


async def test_a_model_that_cannot_be_loaded(fake: FakeA1111, adapter: A1111Adapter) -> None:
    with pytest.raises(Rejected, match="no such model 'nope'"):
        await adapter.load_model("nope")
    fake.faults.is_memory_full = True
    with pytest.raises(OutOfMemory):
        await adapter.load_model("other_tiny")


async def test_loras_are_asked_for_by_the_prompt(fake: FakeA1111, adapter: A1111Adapter) -> None:
    loras = (Lora(name="tiny_lora", weight=0.75), Lora(name="tiny_lora", text_encoder_weight=1.0))
    await run_to_end(adapter, task_for(replace(REQUEST, loras=loras)))

    assert fake.engine.received[0]["prompt"] == "a red fox <lora:tiny_lora:0.75> <lora:tiny_lora:1>"


@pytest.mark.parametrize(
    ("change", "field", "description"),
    [
        ({"loras": (Lora(name="tiny"),)}, "image.loras[0].name", "no such LoRA 'tiny'; allowed: tiny_lora"),
        ({"loras": (Lora(name="tiny_lora", text_encoder_weight=0.5),)}, "image.loras[0].text_encoder_weight", "one"),
        ({"text_encoders": ("clip_l.safetensors",)}, "image.text_encoders", "Forge has"),
        ({"distilled_cfg_scale": 3.5}, "image.distilled_cfg_scale", "Forge has"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    adapter: A1111Adapter, change: Mapping[str, Any], field: str, description: str
) -> None:
    await adapter.catalog()
    (violation,) = adapter.validate(replace(REQUEST, **change))

    assert violation.field == field
    assert description in violation.description


def test_a_lora_that_no_prompt_can_name(adapter: A1111Adapter) -> None:
    (violation,) = adapter.validate(replace(REQUEST, loras=(Lora(name="a:b>"),)))

    assert violation.field == "image.loras[0].name"


def test_naming_text_encoders_does_not_take_the_vae_away() -> None:
    catalog = ServerCatalog(vae_option=FORGE_VAE_OPTION, vaes=("other.safetensors", "ae.safetensors"))
    request = replace(REQUEST, model="flux1-dev", text_encoders=("clip_l.safetensors", "t5xxl_fp16.safetensors"))

    assert resolve_names(request, catalog).vae == "ae.safetensors"
    assert resolve_names(replace(request, vae="other.safetensors"), catalog).vae == "other.safetensors"


async def test_forge_takes_text_encoders_and_distilled_guidance() -> None:
    async with open_fake(flavor=Flavor.FORGE) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        fake.engine.options["forge_additional_modules"] = []
        fake.engine.models.append(dict(FLUX))
        catalog = await adapter.catalog()
        assert [model.name for model in catalog.text_encoders] == ["clip_l.safetensors", "t5xxl_fp16.safetensors"]
        assert [model.name for model in catalog.vaes] == ["tiny_vae.safetensors"]

        encoders = ("clip_l.safetensors", "t5xxl_fp16.safetensors")
        request = replace(REQUEST, model="flux1-dev", vae="tiny_vae.safetensors", text_encoders=encoders)
        request = replace(request, distilled_cfg_scale=2.5)
        assert adapter.validate(request) == []
        wrong = adapter.validate(replace(request, model="dreamlike_tiny", text_encoders=("t6",)))
        assert [violation.field for violation in wrong] == ["image.text_encoders[0]", "image.distilled_cfg_scale"]

        await run_to_end(adapter, task_for(request))
        sent = fake.engine.received[0]
        assert sent["override_settings"]["forge_additional_modules"] == ["tiny_vae.safetensors", *encoders]
        assert sent["distilled_cfg_scale"] == 2.5
        assert sent["scheduler"] == "simple"
