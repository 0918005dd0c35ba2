"""A1111's `parameters` text of a request. Pure."""

from typing import Final

from imagegen_adapters.contract import ImageParameters, Lora
from imagegen_server.metadata import infotext
from imagegen_server.metadata.infotext import Infotext
from imagegen_server.metadata.names import LATENT, SAMPLERS, SCHEDULERS, label_of, stem

_SHORT_HASH: Final = 10


def write(parameters: ImageParameters, *, seed: int, model_hash: str = "", version: str = "") -> str:
    """The text for the image that was made with this seed."""
    settings = {
        "Steps": str(parameters.steps),
        "Sampler": label_of(parameters.sampler, SAMPLERS),
        "Schedule type": label_of(parameters.scheduler, SCHEDULERS),
        "CFG scale": _text_of(parameters.cfg_scale),
        "Distilled CFG Scale": _text_of(parameters.distilled_cfg_scale),
        "Seed": str(seed),
        "Size": f"{parameters.width}x{parameters.height}",
        "Model hash": model_hash[:_SHORT_HASH],
        "Model": stem(parameters.model),
        "VAE": parameters.vae.replace("\\", "/").rpartition("/")[2],
        "Denoising strength": _text_of(_denoise(parameters)),
        "Mask blur": str(parameters.mask_blur) if parameters.mask else "",
    }
    if parameters.hires is not None:
        settings["Hires upscale"] = _text_of(parameters.hires.scale)
        settings["Hires steps"] = str(parameters.hires.steps or "")
        settings["Hires upscaler"] = parameters.hires.upscaler or LATENT
    settings |= {f"Module {number}": stem(name) for number, name in enumerate(parameters.text_encoders, 1)}
    settings["Version"] = version
    return infotext.write(
        Infotext(
            prompt=" ".join([*filter(None, [parameters.prompt]), *map(_tag_of, parameters.loras)]),
            negative_prompt=parameters.negative_prompt,
            settings={name: value for name, value in settings.items() if value},
        )
    )


def _denoise(parameters: ImageParameters) -> float | None:
    if parameters.hires is not None:
        return parameters.hires.denoise
    return parameters.denoise if parameters.init_image else None


def _tag_of(lora: Lora) -> str:
    text_encoder = "" if lora.text_encoder_weight is None else f"{_text_of(lora.text_encoder_weight)}:"
    return f"<lora:{stem(lora.name)}:{text_encoder}{_text_of(lora.weight)}>"


def _text_of(number: float | None) -> str:
    if number is None:
        return ""
    return str(int(number)) if number == int(number) else repr(number)
