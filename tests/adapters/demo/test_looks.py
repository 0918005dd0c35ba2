"""Looks, which the demo has in place of LoRAs; loading; and requests rendered as graphs."""

import json
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagegen_adapters.contract import Adapter, HiresParameters, ImageParameters, ImageReady, Lora, RawGraph
from imagegen_adapters.demo.looks import LOOKS, look_layer
from imagegen_adapters.errors import Rejected
from tests.adapters.conformance.observing import digest_of, performed, photograph
from tests.adapters.demo.graphs import node, picture_only, run

PICTURE = np.linspace(0.05, 0.85, 8 * 8 * 3, dtype=np.float32).reshape(8, 8, 3)
REQUEST = ImageParameters(prompt="a red fox", model="demo-landscape", width=128, height=128, steps=3, seed=7)
PHOTO = photograph(128, 128, (240, 120, 60))
LORAS = (Lora(name="demo-warm-light", weight=0.8), Lora(name="demo-poster"))


@pytest.mark.parametrize("name", [look.name for look in LOOKS])
def test_a_look_changes_the_picture_as_much_as_its_weight_says(name: str) -> None:
    whole, half, none = (look_layer(name, weight)(PICTURE) for weight in (1.0, 0.5, 0.0))

    assert np.array_equal(none, PICTURE)
    assert 0 < np.abs(half - PICTURE).mean() < np.abs(whole - PICTURE).mean()
    assert whole.dtype == np.float32
    assert 0.0 <= whole.min() <= whole.max() <= 1.0


async def pixels(adapter: Adapter, source: ImageParameters | RawGraph) -> np.ndarray[Any, Any]:
    seen = await performed(adapter, source, 10.0, [PHOTO])
    assert seen.error is None
    (image,) = seen.of(ImageReady)
    with Image.open(BytesIO(image.data)) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        ({}, 0.0),
        ({"loras": LORAS}, 0.0),
        ({"sampler": "", "model": ""}, 0.0),
        ({"hires": HiresParameters(scale=1.5)}, 1.0),  # the graph scales twice: by the upscaler's factor, and to size
    ],
    ids=["plain", "LoRAs", "open names", "hires"],
)
async def test_a_rendered_request_paints_the_same(demo: Adapter, change: dict[str, Any], tolerance: float) -> None:
    request = replace(REQUEST, **change)

    made, by_graph = await pixels(demo, request), await pixels(demo, demo.render(request))
    assert np.abs(made.astype(int) - by_graph.astype(int)).mean() <= tolerance


async def test_a_rendered_inpainting_is_run_with_its_files(demo: Adapter) -> None:
    digest = digest_of(PHOTO)
    rendered = demo.render(replace(REQUEST, init_image=digest, mask=digest))

    assert set(rendered.images.values()) == {digest}
    assert "ImageCompositeMasked" in {entry["class_type"] for entry in json.loads(rendered.json).values()}
    assert (await pixels(demo, rendered)).shape == (128, 128, 3)


async def test_a_style_is_loaded_and_forgotten(demo: Adapter) -> None:
    await demo.load_model("demo-flow")
    assert (await demo.status()).resident_model == "demo-flow"
    await demo.free_memory()
    assert (await demo.status()).resident_model == ""
    with pytest.raises(Rejected, match="no such model 'nope'"):
        await demo.load_model("nope")


async def test_what_models_say_about_themselves(demo: Adapter) -> None:
    assert "landscape" in (await demo.model_metadata("checkpoints", "demo-landscape"))["modelspec.title"]
    assert await demo.model_metadata("vaes", "nope") == {}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"loras": (Lora(name="nope"),)}, "image.loras[0].name"),
        ({"loras": (Lora(name="demo-poster", text_encoder_weight=0.5),)}, "image.loras[0].text_encoder_weight"),
        ({"text_encoders": ("clip",)}, "image.text_encoders"),
        ({"distilled_cfg_scale": 3.5}, "image.distilled_cfg_scale"),
    ],
)
def test_what_cannot_be_painted_is_refused(demo: Adapter, change: dict[str, Any], field: str) -> None:
    assert [violation.field for violation in demo.validate(replace(REQUEST, **change))] == [field]


@pytest.mark.parametrize(("x", "y", "covered"), [(0, 0, 64 * 64), (96, 120, 32 * 8), (128, 0, 0)])
def test_a_picture_is_laid_over_another(x: int, y: int, covered: int) -> None:
    graph = picture_only(
        small=node("ImageScale", image=["load", 0], upscale_method="area", width=64, height=64, crop="disabled"),
        dark=node("ImageScale", image=["mask", 0], upscale_method="area", width=128, height=128, crop="disabled"),
        mask=node("LoadImage", image="x.png"),
        last=node("ImageCompositeMasked", destination=["dark", 0], source=["small", 0], x=x, y=y, resize_source=False),
    )
    (image,) = run(graph, load=PHOTO, mask=photograph(128, 128, (0, 0, 0))).images

    with Image.open(BytesIO(image.data)) as opened:
        assert int((np.asarray(opened).max(axis=-1) > 0).sum()) == covered
