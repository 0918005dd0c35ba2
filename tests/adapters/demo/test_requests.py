"""What is refused, and what is written into files."""

from dataclasses import replace

import pytest

from imagegen_adapters.contract import HiresParameters, ImageParameters
from imagegen_adapters.demo.requests import CATALOG, hires_frame, infotext, violations

GOOD = ImageParameters(prompt="a red fox")


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ("image.model", replace(GOOD, model="sdxl")),
        ("image.vae", replace(GOOD, vae="any")),
        ("image.sampler", replace(GOOD, sampler="dpmpp_9m")),
        ("image.scheduler", replace(GOOD, scheduler="beta")),
        ("image.hires.upscaler", replace(GOOD, hires=HiresParameters(scale=2, upscaler="ESRGAN"))),
        ("image.width", replace(GOOD, width=100)),
        ("image.height", replace(GOOD, height=56)),
        ("image.width", replace(GOOD, width=4096, height=4096)),
        ("image.hires.scale", replace(GOOD, width=1024, height=1024, hires=HiresParameters(scale=4))),
        ("image.batch_size", replace(GOOD, batch_size=2)),
        ("image.mask", replace(GOOD, mask="0" * 64)),
        ("image.hires", replace(GOOD, init_image="0" * 64, hires=HiresParameters(scale=2))),
        ("image.steps", replace(GOOD, steps=0)),
        ("image.count", replace(GOOD, count=0)),
    ],
)
def test_refused(field: str, source: ImageParameters) -> None:
    assert field in [violation.field for violation in violations(source)]


def test_an_unknown_name_comes_with_the_known_ones() -> None:
    assert violations(replace(GOOD, sampler="dpmpp_9m"))[0].description == (
        "no such sampler 'dpmpp_9m'; allowed: " + ", ".join(model.name for model in CATALOG.samplers)
    )


@pytest.mark.parametrize(
    "source",
    [
        GOOD,
        replace(GOOD, width=64, height=4096),
        replace(GOOD, width=1024, height=1024, hires=HiresParameters(scale=2, upscaler="demo-nearest")),
        replace(GOOD, init_image="0" * 64, mask="1" * 64),
    ],
)
def test_taken(source: ImageParameters) -> None:
    assert not violations(source)


def test_every_model_says_what_it_is() -> None:
    assert len(CATALOG.checkpoints) >= 5
    assert all("no neural network" in model.description for model in CATALOG.checkpoints)


def test_infotext_is_in_the_form_of_a1111() -> None:
    source = replace(GOOD, negative_prompt="clouds", steps=12, cfg_scale=6.5)
    assert infotext(source, model="demo-flow", seed=9) == (
        "a red fox\n"
        "Negative prompt: clouds\n"
        "Steps: 12, Sampler: demo, Schedule type: linear, CFG scale: 6.5, Seed: 9, Size: 512x512, Model: demo-flow, "
        "Version: imagegen demo"
    )


def test_infotext_of_hires_tells_of_the_second_pass() -> None:
    text = infotext(replace(GOOD, hires=HiresParameters(scale=1.5)), model="demo-flow", seed=9)
    assert "Size: 512x512" in text
    assert "Hires resize: 768x768, Hires upscaler: demo-smooth, Hires steps: 20" in text


@pytest.mark.parametrize(
    ("scale", "size"), [(1.01, (512, 512)), (1.5, (768, 768)), (1.99, (1016, 1016)), (4, (2048, 2048))]
)
def test_scaled_sizes_are_multiples_of_8(scale: float, size: tuple[int, int]) -> None:
    frame = hires_frame(replace(GOOD, hires=HiresParameters(scale=scale)))
    assert (frame.width, frame.height) == size
