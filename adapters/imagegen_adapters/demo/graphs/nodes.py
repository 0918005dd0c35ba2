"""What the nodes do, all but those that sample and those that save. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np

from imagegen_adapters.demo import files
from imagegen_adapters.demo.fields import Frame, resized
from imagegen_adapters.demo.graphs.batch import (
    MAX_HELD_PIXELS,
    Batch,
    Impossible,
    Model,
    batch_of,
    composed,
    decoded,
    encoded,
    grown,
    latent_sized,
    multiplied,
    scaled,
    sized,
)
from imagegen_adapters.demo.requests import CATALOG

Inputs: TypeAlias = Mapping[str, Any]
"""By name: values of the input's type, what came along links, and the bytes of uploaded files."""
Outputs: TypeAlias = tuple[Any, ...]
"""By slot. CLIP, conditions and upscalers are texts, IMAGE and LATENT are batches, MASK is a field."""

_SMOOTH_UPSCALER: Final = CATALOG.upscalers[0].name
_UPSCALER_FACTOR: Final = 2
_WHOLE: Final = np.ones((1, 1), np.float32)


def _checkpoint(inputs: Inputs) -> Outputs:
    name = inputs["ckpt_name"]
    return Model(style=name), name, name


def _lora(inputs: Inputs) -> Outputs:
    model: Model = inputs["model"]
    looks = (*model.looks, (inputs["lora_name"], inputs["strength_model"]))
    return replace(model, looks=looks), inputs["clip"]


def _text(inputs: Inputs) -> Outputs:
    return (inputs["text"],)


def _empty(inputs: Inputs) -> Outputs:
    frame = latent_sized(Frame(inputs["width"], inputs["height"]))
    return (Batch(frame=frame, count=inputs["batch_size"]),)


def _decode(inputs: Inputs) -> Outputs:
    return (decoded(inputs["samples"]),)


def _encode(inputs: Inputs) -> Outputs:
    return (encoded(inputs["pixels"]),)


def _encode_for_inpaint(inputs: Inputs) -> Outputs:
    return (replace(encoded(inputs["pixels"]), mask=grown(inputs["mask"], inputs["grow_mask_by"])),)


def _set_mask(inputs: Inputs) -> Outputs:
    return (replace(inputs["samples"], mask=inputs["mask"]),)


def _load(inputs: Inputs) -> Outputs:
    channels = _channels(inputs["image"])
    return batch_of([channels[..., :3]]), 1 - channels[..., 3]


def _load_mask(inputs: Inputs) -> Outputs:
    index = ("red", "green", "blue", "alpha").index(inputs["channel"])
    channel = _channels(inputs["image"])[..., index]
    return (1 - channel if inputs["channel"] == "alpha" else channel,)


def _channels(data: bytes) -> Any:
    try:
        return files.channels_of(data, MAX_HELD_PIXELS)
    except files.UnreadableImage as error:
        raise Impossible("image", str(error)) from error


def _scale_latent(inputs: Inputs) -> Outputs:
    latent: Batch = inputs["samples"]
    frame = latent_sized(sized(latent.frame, inputs["width"], inputs["height"]))
    return (_scaled(latent, frame, inputs),)


def _scale_latent_by(inputs: Inputs) -> Outputs:
    latent: Batch = inputs["samples"]
    return (_scaled(latent, latent_sized(multiplied(latent.frame, inputs["scale_by"])), inputs),)


def _scale(inputs: Inputs) -> Outputs:
    image: Batch = inputs["image"]
    return (_scaled(image, sized(image.frame, inputs["width"], inputs["height"]), inputs),)


def _scale_by(inputs: Inputs) -> Outputs:
    image: Batch = inputs["image"]
    return (_scaled(image, multiplied(image.frame, inputs["scale_by"]), inputs),)


def _scaled(batch: Batch, frame: Frame, inputs: Inputs) -> Batch:
    is_smooth = inputs["upscale_method"] != "nearest-exact"
    return scaled(batch, frame, is_smooth=is_smooth, keeps_shape=inputs.get("crop") == "center")


def _compose(inputs: Inputs) -> Outputs:
    """The mask is scaled to what is laid on top, and so is that to the picture below if it is wanted."""
    below: Batch = inputs["destination"]
    above: Batch = inputs["source"]
    if inputs["resize_source"]:
        above = scaled(above, below.frame, is_smooth=True)
    mask = resized(inputs.get("mask", _WHOLE), above.frame.width, above.frame.height)
    pictures = [
        composed(picture, above.pictures[index % len(above.pictures)], mask, inputs["x"], inputs["y"])
        for index, picture in enumerate(below.pictures)
    ]
    return (batch_of(pictures),)


def _upscaler(inputs: Inputs) -> Outputs:
    return (inputs["model_name"],)


def _upscale(inputs: Inputs) -> Outputs:
    image: Batch = inputs["image"]
    frame = multiplied(image.frame, _UPSCALER_FACTOR)
    return (scaled(image, frame, is_smooth=inputs["upscale_model"] == _SMOOTH_UPSCALER),)


NODES: Final[Mapping[str, Callable[[Inputs], Outputs]]] = {
    "CheckpointLoaderSimple": _checkpoint,
    "LoraLoader": _lora,
    "CLIPTextEncode": _text,
    "EmptyLatentImage": _empty,
    "VAEDecode": _decode,
    "VAEEncode": _encode,
    "VAEEncodeForInpaint": _encode_for_inpaint,
    "SetLatentNoiseMask": _set_mask,
    "LoadImage": _load,
    "LoadImageMask": _load_mask,
    "LatentUpscale": _scale_latent,
    "LatentUpscaleBy": _scale_latent_by,
    "ImageScale": _scale,
    "ImageScaleBy": _scale_by,
    "ImageCompositeMasked": _compose,
    "UpscaleModelLoader": _upscaler,
    "ImageUpscaleWithModel": _upscale,
}
"""What a node of a class gives for its inputs. They raise Impossible."""
