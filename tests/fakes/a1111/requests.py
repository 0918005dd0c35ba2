"""Request bodies as the server takes them: defaults, coercion, and the errors of what it cannot coerce."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

DEFAULTS: dict[str, Any] = {
    "prompt": "", "negative_prompt": "", "styles": None, "seed": -1, "subseed": -1, "subseed_strength": 0,
    "seed_resize_from_h": -1, "seed_resize_from_w": -1, "sampler_name": None, "scheduler": None, "batch_size": 1,
    "n_iter": 1, "steps": 50, "cfg_scale": 7.0, "width": 512, "height": 512, "restore_faces": None, "tiling": None,
    "do_not_save_samples": False, "do_not_save_grid": False, "eta": None, "denoising_strength": None,
    "s_min_uncond": None, "s_churn": None, "s_tmax": None, "s_tmin": None, "s_noise": None,
    "override_settings": None, "override_settings_restore_afterwards": True, "refiner_checkpoint": None,
    "refiner_switch_at": None, "disable_extra_networks": False, "firstpass_image": None, "comments": None,
    "force_task_id": None, "sampler_index": "Euler", "script_name": None, "script_args": [], "send_images": True,
    "save_images": False, "alwayson_scripts": {}, "infotext": None,
}  # fmt: skip
TXT2IMG_DEFAULTS: dict[str, Any] = DEFAULTS | {
    "enable_hr": False, "firstphase_width": 0, "firstphase_height": 0, "hr_scale": 2.0, "hr_upscaler": None,
    "hr_second_pass_steps": 0, "hr_resize_x": 0, "hr_resize_y": 0, "hr_checkpoint_name": None,
    "hr_sampler_name": None, "hr_scheduler": None, "hr_prompt": "", "hr_negative_prompt": "",
}  # fmt: skip
IMG2IMG_DEFAULTS: dict[str, Any] = DEFAULTS | {
    "denoising_strength": 0.75, "init_images": None, "resize_mode": 0, "image_cfg_scale": None, "mask": None,
    "mask_blur_x": 4, "mask_blur_y": 4, "mask_blur": None, "mask_round": True, "inpainting_fill": 0,
    "inpaint_full_res": True, "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0,
    "initial_noise_multiplier": None, "latent_mask": None, "include_init_images": False,
}  # fmt: skip
INTEGERS = {"seed", "batch_size", "n_iter", "steps", "width", "height", "hr_second_pass_steps", "mask_blur"}
NUMBERS = {"cfg_scale", "denoising_strength", "hr_scale"}
TEXTS = {"prompt", "negative_prompt", "sampler_name", "scheduler", "force_task_id", "hr_upscaler"}


@dataclass
class ServerError(Exception):
    """An answer that is no success. `error` is the class of the server's exception; empty: a bare `detail`."""

    status: int
    error: str = ""
    detail: Any = ""
    errors: str = ""


def not_an_exception(status: int, detail: str) -> ServerError:
    return ServerError(status, "HTTPException", detail)


def complete(body: object, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """With all defaults; unknown fields are left out without a word."""
    if not isinstance(body, dict):
        raise ServerError(422, detail=[_item([], "value is not a valid dict", "type_error.dict")])
    request = dict(defaults)
    faults = []
    for name, value in body.items():
        if name not in defaults:
            continue
        try:
            request[name] = _coerce(name, value)
        except (TypeError, ValueError):
            kind = "integer" if name in INTEGERS else "float" if name in NUMBERS else "str"
            text = "str type expected" if kind == "str" else f"value is not a valid {kind}"
            faults.append(_item([name], text, f"type_error.{kind}"))
    if faults:
        raise ServerError(422, detail=faults)
    return request


def check(request: Mapping[str, Any]) -> None:
    """What makes the real code raise in the middle of the job."""
    if request["prompt"] is None:
        raise ServerError(500, "AssertionError")
    if request["batch_size"] < 1 or request["n_iter"] < 1:
        raise ServerError(500, "IndexError", errors="list index out of range")
    if request["steps"] == 0:
        raise ServerError(500, "ZeroDivisionError", errors="division by zero")
    if request["steps"] < 0:
        raise ServerError(500, "RuntimeError", errors="number of steps must be non-negative")
    if request["seed"] > 2**64:
        raise ServerError(500, "ValueError", errors="Overflow when unpacking long long")
    size = request["width"] * request["height"]
    if size > 2**26:
        raise ServerError(
            500,
            "RuntimeError",
            errors="[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
            f"you tried to allocate {size // 4} bytes. Error code 12 (Cannot allocate memory)",
        )


def decode_image(text: object) -> Image.Image:
    if not isinstance(text, str):
        raise not_an_exception(500, "Invalid encoded image")
    if text.startswith(("http://", "https://")):
        raise not_an_exception(500, "Request to local resource not allowed")
    try:
        data = base64.b64decode(text.partition(";base64,")[2] or text, validate=True)
        image = Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        image.load()
    except (binascii.Error, UnidentifiedImageError, OSError) as exc:
        raise not_an_exception(500, "Invalid encoded image") from exc
    return image


def _coerce(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in INTEGERS:
        return int(value)
    if name in NUMBERS:
        return float(value)
    if name in TEXTS:
        if not isinstance(value, str | int | float):
            raise TypeError
        return str(value)
    return value


def _item(location: list[str], message: str, kind: str) -> dict[str, Any]:
    return {"loc": ["body", *location], "msg": message, "type": kind}
