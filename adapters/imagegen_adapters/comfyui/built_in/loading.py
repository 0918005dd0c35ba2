"""The nodes that load a model with all that belongs to it. Pure."""

from dataclasses import dataclass
from typing import Any

from imagegen_adapters.comfyui.built_in.drawing import Drawing, Output, other
from imagegen_adapters.contract import ImageParameters
from imagegen_adapters.families import Family

_CLIP_LOADERS = ("CLIPLoader", "DualCLIPLoader", "TripleCLIPLoader", "QuadrupleCLIPLoader")
"""By how many text encoders they load."""
_TYPED_LOADERS = 2
"""Loaders of so many text encoders are told what for; those of more guess it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a sampler works with."""

    model: Output
    clip: Output
    vae: Output


def add_loaders(drawing: Drawing, parameters: ImageParameters, family: Family) -> Loaded:
    """For a request whose names are complete: only one for a diffusion model has text encoders."""
    loaded = (
        _add_parts(drawing, parameters, family) if parameters.text_encoders else _add_checkpoint(drawing, parameters)
    )
    model, clip = _add_loras(drawing, parameters, loaded.model, loaded.clip)
    if family.shift is not None:
        class_type, shift = family.shift
        model = drawing.add("shift", class_type, "Shift the noise schedule", model=model, shift=shift)
    if family.has_unpadded_prompt:
        clip = drawing.add("tokens", "T5TokenizerOptions", "No padding", clip=clip, min_padding=0, min_length=0)
    return Loaded(model=model, clip=clip, vae=loaded.vae)


def _add_checkpoint(drawing: Drawing, parameters: ImageParameters) -> Loaded:
    model = drawing.add(
        "model",
        "CheckpointLoaderSimple",
        "Load model",
        ckpt_name=parameters.model,
        fields={"ckpt_name": "image.model"},
    )
    vae = _add_vae(drawing, parameters) if parameters.vae else other(model, 2)
    return Loaded(model=model, clip=other(model, 1), vae=vae)


def _add_parts(drawing: Drawing, parameters: ImageParameters, family: Family) -> Loaded:
    fields = {"unet_name": "image.model"}
    if _is_gguf(parameters.model):
        model = drawing.add("model", "UnetLoaderGGUF", "Load model", unet_name=parameters.model, fields=fields)
    else:
        model = drawing.add(
            "model",
            "UNETLoader",
            "Load model",
            unet_name=parameters.model,
            weight_dtype="default",
            fields=fields,
        )
    clip = _add_text_encoders(drawing, parameters.text_encoders, family)
    return Loaded(model=model, clip=clip, vae=_add_vae(drawing, parameters))


def _add_text_encoders(drawing: Drawing, names: tuple[str, ...], family: Family) -> Output:
    class_type = _CLIP_LOADERS[len(names) - 1] + ("GGUF" if any(map(_is_gguf, names)) else "")
    slots = ["clip_name"] if len(names) == 1 else [f"clip_name{number}" for number in range(1, len(names) + 1)]
    inputs: dict[str, Any] = dict(zip(slots, names, strict=True))
    fields = {slot: f"image.text_encoders[{index}]" for index, slot in enumerate(slots)}
    if len(names) <= _TYPED_LOADERS:
        inputs["type"] = family.parts.clip_type if family.parts else ""
        fields["type"] = "image.model"
    return drawing.add("clip", class_type, "Load text encoders", fields=fields, **inputs)


def _add_vae(drawing: Drawing, parameters: ImageParameters) -> Output:
    return drawing.add("vae", "VAELoader", "Load VAE", vae_name=parameters.vae, fields={"vae_name": "image.vae"})


def _add_loras(drawing: Drawing, parameters: ImageParameters, model: Output, clip: Output) -> tuple[Output, Output]:
    for index, lora in enumerate(parameters.loras):
        own = lora.text_encoder_weight
        model = drawing.add(
            f"lora-{index + 1}",
            "LoraLoader",
            "Load LoRA",
            model=model,
            clip=clip,
            lora_name=lora.name,
            strength_model=lora.weight,
            strength_clip=lora.weight if own is None else own,
            fields={"lora_name": f"image.loras[{index}].name"},
        )
        clip = other(model, 1)
    return model, clip


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")
