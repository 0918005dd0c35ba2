"""The `webuiapi` package, as people use it, in a thread."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import webuiapi  # type: ignore[import-untyped]  # ships no annotations
from PIL import Image

from tests.gateway.dialects.conftest import House


@contextmanager
def open_api(house: House) -> Iterator[Any]:
    api = webuiapi.WebUIApi(baseurl=f"{house.url}/a1111/sdapi/v1", steps=4)
    try:
        yield api
    finally:
        api.session.close()


def make_pictures(house: House) -> None:
    with open_api(house) as api:
        made = api.txt2img(prompt="a red fox", width=64, height=64, seed=3, n_iter=2)
        assert [picture.size for picture in made.images] == [(64, 64)] * 2
        assert made.info["all_seeds"] == [3, 4]
        assert made.info["sampler_name"] == "Euler a"
        repainted = api.img2img(
            [made.image], prompt="a boat", width=64, height=64, mask_image=Image.new("L", (64, 64), 255)
        )
        assert repainted.image.size == (64, 64)
        larger = api.txt2img(prompt="a red fox", width=64, height=64, enable_hr=True, hr_scale=2)
        assert larger.image.size == (128, 128)
        assert "a red fox" in api.png_info(made.image).info
        assert api.extra_single_image(made.image, upscaler_1="Nearest").image.size == (128, 128)
        with pytest.raises(RuntimeError, match="tiling"):
            api.txt2img(prompt="x", tiling=True)


def look_around(house: House) -> None:
    with open_api(house) as api:
        title = api.util_get_model_names()[-1]
        api.util_set_model(title)
        assert api.util_get_current_model() == title
        assert "Euler a" in [sampler["name"] for sampler in api.get_samplers()]
        assert "Karras" in [scheduler["label"] for scheduler in api.get_schedulers()]
        for ask in (
            api.get_upscalers,
            api.get_latent_upscale_modes,
            api.get_sd_vae,
            api.get_loras,
            api.get_hypernetworks,
            api.get_face_restorers,
            api.get_realesrgan_models,
            api.get_prompt_styles,
        ):
            assert isinstance(ask(), list)
        assert api.get_scripts() == {"txt2img": [], "img2img": []}
        assert api.get_embeddings()["loaded"] == {}
        assert api.get_cmd_flags()["api"]
        assert "cuda" in api.get_memory()
        assert api.refresh_checkpoints() is None
        assert api.interrupt() == {}
        assert api.get_progress()["progress"] == 0.0


@pytest.mark.parametrize("use", [make_pictures, look_around])
async def test_webuiapi(house: House, use: Any) -> None:
    await asyncio.to_thread(use, house)
