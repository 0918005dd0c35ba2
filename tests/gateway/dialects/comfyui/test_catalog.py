"""What graphs can be made of, and what the machines are; and our own adapter, pointed at all this."""

import aiohttp

from imagegen_adapters.comfyui.adapter import open_comfyui
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import ImageParameters, ImageReady, PreviewFrame, Progressed, Task
from tests.fakes.comfyui import CHECKPOINTS
from tests.gateway.dialects.comfyui.client import ComfyClient
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.pictures import opened


async def test_object_info_is_the_union_and_sent_once(comfy: ComfyClient) -> None:
    classes = await comfy.get("object_info")
    choices = ["fake_flux.safetensors", *CHECKPOINTS]
    assert sorted(classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]) == sorted(choices)
    assert (await comfy.get("api/object_info/KSampler")).keys() == {"KSampler"}
    assert await comfy.get("object_info/Nope") == {}
    assert sorted(await comfy.get("models/checkpoints")) == sorted(choices)
    async with comfy.http.get(f"{comfy.url}/object_info") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        headers = {"If-None-Match": response.headers["ETag"]}
    async with comfy.http.get(f"{comfy.url}/object_info", headers=headers) as response:
        assert response.status == 304


async def test_small_questions_are_answered(comfy: ComfyClient) -> None:
    assert (await comfy.get("features"))["supports_preview_metadata"] is True
    assert await comfy.get("embeddings") == await comfy.get("models/embeddings") == ["fake_embedding"]
    assert "checkpoints" in await comfy.get("models")
    assert await comfy.get("models/upscale_models") == ["fake_x2.pth"]
    assert await comfy.get("extensions") == []
    stats = await comfy.get("system_stats")
    assert [device["name"] for device in stats["devices"]] == ["cpu (first)", "cpu (second)"]
    assert stats["devices"][1].keys() >= {"type", "index", "vram_total", "vram_free", "torch_vram_total"}
    async with comfy.http.get(f"{comfy.url}/models/nope") as response:
        assert response.status == 404


async def test_another_imagegen_can_have_this_one_as_its_backend(house: House, http: aiohttp.ClientSession) -> None:
    config = BackendConfig(name="downstream", kind="comfyui", url=f"{house.url}/comfyui")
    request = ImageParameters(prompt="a fox", model=CHECKPOINTS[0], width=64, height=64, steps=8, seed=3, count=2)
    task = Task(attempt_id="0e9f3e57-9c58-4f5c-9e5c-0a6c9b5a2f11", source=request)
    async with open_comfyui(config) as adapter:
        await adapter.catalog()
        async with adapter.run(task) as run:
            updates = [update async for update in run]
    pictures = [opened(update.data).size for update in updates if isinstance(update, ImageReady)]
    assert pictures == [(64, 64), (64, 64)]
    assert any(isinstance(update, PreviewFrame) for update in updates)
    progress = [update.fraction for update in updates if isinstance(update, Progressed)]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
