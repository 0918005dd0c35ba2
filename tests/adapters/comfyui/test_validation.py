"""What is refused of image parameters before a server sees them. Graphs: tests/adapters/graphs."""

from dataclasses import replace
from typing import Any

import pytest

from imagegen_adapters.comfyui.backend import CAPABILITIES
from imagegen_adapters.comfyui.validation import check_parameters
from imagegen_adapters.contract import Catalog, HiresParameters, ImageParameters, NamedModel
from imagegen_adapters.errors import Violation

CATALOG = Catalog(
    checkpoints=(NamedModel(name="sd15.safetensors"), NamedModel(name="sdxl.safetensors")),
    samplers=(NamedModel(name="euler"), NamedModel(name="heun")),
    schedulers=(NamedModel(name="normal"),),
    upscalers=(NamedModel(name="Latent"), NamedModel(name="x2.pth")),
)


@pytest.mark.parametrize(
    ("change", "field", "description"),
    [
        ({"model": "sd51.safetensors"}, "image.model", "no such model 'sd51.safetensors'; allowed: sd15"),
        ({"sampler": "eulr"}, "image.sampler", "no such sampler 'eulr'; allowed: euler, heun"),
        ({"scheduler": "karras"}, "image.scheduler", "allowed: normal"),
        ({"vae": "x"}, "image.vae", "the backend has none"),
        ({"hires": HiresParameters(scale=2, upscaler="x4.pth")}, "image.hires.upscaler", "allowed: x2.pth"),
        ({"batch_size": 17, "count": 17}, "image.batch_size", "at most 16"),
        ({"mask": "a"}, "image.mask", "needs init_image"),
        ({"init_image": "a", "hires": HiresParameters(scale=2)}, "image.hires", "text-to-image only"),
    ],
)
def test_names_are_checked_against_the_catalogue(change: dict[str, Any], field: str, description: str) -> None:
    (violation,) = check_parameters(replace(ImageParameters(prompt="x"), **change), CAPABILITIES, CATALOG, None)

    assert violation.field == field
    assert description in violation.description


@pytest.mark.parametrize("upscaler", ["", "Latent", "x2.pth"])
def test_good_parameters_pass(upscaler: str) -> None:
    parameters = ImageParameters(
        prompt="x", model="sdxl.safetensors", sampler="heun", hires=HiresParameters(scale=2, upscaler=upscaler)
    )

    assert check_parameters(parameters, CAPABILITIES, CATALOG, None) == ()


def test_without_a_catalogue_names_pass() -> None:
    assert check_parameters(ImageParameters(prompt="x", model="any"), CAPABILITIES, None, None) == ()


def test_a_backend_without_checkpoints_makes_no_images() -> None:
    found = check_parameters(ImageParameters(prompt="x"), CAPABILITIES, Catalog(), None)

    assert found == (Violation("image.model", "the backend has no checkpoint"),)
