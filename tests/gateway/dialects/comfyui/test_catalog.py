"""What graphs can be made of, and what the machines are; and our own adapter, pointed at all this."""

import aiohttp

from imagegen_adapters.comfyui.adapter import open_comfyui
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import ImageParameters, ImageReady, PreviewFrame, Progressed, Task
from tests.fakes.comfyui import CHECKPOINTS, FakeComfyUI
from tests.gateway.dialects.comfyui.client import ComfyClient, graph
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


async def test_a_graph_goes_where_its_nodes_are(
    comfy: ComfyClient, house: House, fakes: tuple[FakeComfyUI, FakeComfyUI]
) -> None:
    first, second = fakes
    second.checkpoints = CHECKPOINTS
    first.lacks, second.lacks = frozenset({"ImageScaleBy"}), frozenset({"LatentUpscaleBy"})
    await house.client.refresh_models()
    assert (await comfy.get("object_info")).keys() >= {"ImageScaleBy", "LatentUpscaleBy"}

    scaled = {
        "class_type": "ImageScaleBy",
        "inputs": {"image": ["8", 0], "upscale_method": "bilinear", "scale_by": 2.0},
    }
    upscaled = {
        "class_type": "LatentUpscaleBy",
        "inputs": {"samples": ["3", 0], "upscale_method": "bilinear", "scale_by": 2.0},
    }
    wanted = {
        "second": graph({"10": scaled, "11": {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}}),
        "first": graph(
            {"10": upscaled, "8": {"class_type": "VAEDecode", "inputs": {"samples": ["10", 0], "vae": ["4", 2]}}}
        ),
    }
    for name, nodes in wanted.items():
        for seed in (1, 2):  # twice, as once could be luck
            nodes["3"]["inputs"]["seed"] = seed
            prompt_id = await comfy.queue(nodes, "c")
            assert (await comfy.ended(prompt_id))["status"]["completed"] is True
            job = await house.client.get_job(prompt_id)
            assert [attempt.backend for attempt in job.attempts] == [name]

    both = graph({"10": scaled, "12": upscaled, "11": {"class_type": "PreviewImage", "inputs": {"images": ["10", 0]}}})
    both["8"]["inputs"]["samples"] = ["12", 0]
    status, answer = await comfy.post("prompt", {"prompt": both, "client_id": "c"})
    assert status == 400
    assert "does not exist" in answer["error"]["message"]
    assert "no backend has all of it" in answer["error"]["extra_info"]["reason"]


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
