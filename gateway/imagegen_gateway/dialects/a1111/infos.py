"""What the answer to a request says about its pictures: the `info` of A1111, and the text in each file. Pure.

Lists have one entry for each picture of the answer, also after an interrupt, where A1111 goes on to name those that
were never made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111 import infotext
from imagegen_gateway.dialects.a1111.fields import Wanted
from imagegen_gateway.dialects.a1111.names import Stock, find_model, hash_of
from imagegen_gateway.dialects.a1111.orders import Order

VERSION: Final = "imagegen"
LARGE_TEXTS: Final = ("init_images", "mask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a request's pictures were made."""

    order: Order
    spec: job_pb2.JobSpec
    """Of its last job, with what the server has chosen."""
    seeds: Sequence[int]
    """One for each picture."""
    timestamp: str


def parameters_of(wanted: Wanted) -> dict[str, Any]:
    """The request, repeated with all defaults; without its pictures unless it wants them back."""
    parameters = dict(wanted.values)
    if not parameters.get("include_init_images", True):
        parameters |= dict.fromkeys(LARGE_TEXTS)
    return parameters


def info_of(made: Made, stock: Stock) -> dict[str, Any]:
    """The document that is the answer's `info`."""
    image, sampling, count = made.spec.image, made.order.sampling, len(made.seeds)
    wanted, model = made.order.wanted, find_model(stock, image.model)
    return {
        "prompt": wanted["prompt"],  # with the words that ask for LoRAs
        "all_prompts": [wanted["prompt"]] * count,
        "negative_prompt": image.negative_prompt,
        "all_negative_prompts": [image.negative_prompt] * count,
        "seed": made.seeds[0] if count else made.order.seed,
        "all_seeds": list(made.seeds),
        "subseed": wanted["subseed"],
        "all_subseeds": [wanted["subseed"]] * count,
        "subseed_strength": wanted["subseed_strength"],
        "width": image.width,
        "height": image.height,
        "sampler_name": sampling.sampler_label,
        "cfg_scale": image.cfg_scale,
        "steps": image.steps,
        "batch_size": wanted["batch_size"],
        "restore_faces": bool(wanted["restore_faces"]),
        "face_restoration_model": None,
        "sd_model_name": image.model,
        "sd_model_hash": hash_of(model) if model is not None else None,
        "sd_vae_name": image.vae or None,
        "sd_vae_hash": None,
        "seed_resize_from_w": wanted["seed_resize_from_w"],
        "seed_resize_from_h": wanted["seed_resize_from_h"],
        "denoising_strength": wanted["denoising_strength"],
        "extra_generation_params": _extra(made),
        "index_of_first_image": 0,
        "infotexts": [text_of(made, seed, stock) for seed in made.seeds],
        "styles": wanted["styles"] or [],
        "job_timestamp": made.timestamp,
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
        "version": VERSION,
    }


def text_of(made: Made, seed: int, stock: Stock) -> str:
    """The text in the picture with this seed."""
    image, sampling = made.spec.image, made.order.sampling
    model = find_model(stock, image.model)
    settings: dict[str, Any] = {
        "Steps": image.steps,
        "Sampler": sampling.sampler_label,
        "Schedule type": sampling.scheduler_label,
        "CFG scale": f"{image.cfg_scale:g}",
        "Seed": seed,
        "Size": f"{image.width}x{image.height}",
    }
    if model is not None and hash_of(model):
        settings["Model hash"] = hash_of(model)
    if image.model:
        settings["Model"] = image.model
    settings |= {name: value for name, value in _extra(made).items() if name not in settings}
    return infotext.write(made.order.wanted["prompt"], image.negative_prompt, settings | {"Version": VERSION})


def _denoising(image: job_pb2.ImageParameters) -> float | None:
    if image.HasField("hires"):
        return image.hires.denoise
    return image.denoise if image.init_image else None


def _extra(made: Made) -> Mapping[str, Any]:
    image, label = made.spec.image, made.order.sampling.scheduler_label
    extra: dict[str, Any] = {} if label == "Automatic" else {"Schedule type": label}
    denoising = _denoising(image)
    if denoising is not None:
        extra["Denoising strength"] = denoising
    if image.mask:
        extra["Mask blur"] = image.mask_blur
    if image.HasField("hires"):
        extra["Hires upscale"] = image.hires.scale
        extra["Hires upscaler"] = image.hires.upscaler or "Latent"
        if image.hires.HasField("steps"):
            extra["Hires steps"] = image.hires.steps
    return extra
