"""The requests of A1111: which fields they have, of which type, and what holds where one is left out. Pure.

As measured with 1.10.1, with two differences: a field that A1111 does not know is refused, where the server would
ignore a misspelt one without a word, and so is a number with a fraction where whole ones belong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from imagegen_gateway.dialects.a1111.faults import Refused, invalid
from imagegen_gateway.dialects.bodies import is_deeper

MAX_DEPTH: Final = 24
"""Levels of a request: of what is passed on, each takes three of the hundred that a message may have."""
Fields = Mapping[str, tuple[str, Any]]
"""Type and default by name."""

_BEFORE: Final[Fields] = {
    "prompt": ("string", ""),
    "negative_prompt": ("string", ""),
    "styles": ("list", None),
    "seed": ("integer", -1),
    "subseed": ("integer", -1),
    "subseed_strength": ("number", 0),
    "seed_resize_from_h": ("integer", -1),
    "seed_resize_from_w": ("integer", -1),
    "sampler_name": ("string", None),
    "scheduler": ("string", None),
    "batch_size": ("integer", 1),
    "n_iter": ("integer", 1),
    "steps": ("integer", 50),
    "cfg_scale": ("number", 7.0),
    "width": ("integer", 512),
    "height": ("integer", 512),
    "restore_faces": ("boolean", None),
    "tiling": ("boolean", None),
    "do_not_save_samples": ("boolean", False),
    "do_not_save_grid": ("boolean", False),
    "eta": ("number", None),
    "denoising_strength": ("number", None),
    "s_min_uncond": ("number", None),
    "s_churn": ("number", None),
    "s_tmax": ("number", None),
    "s_tmin": ("number", None),
    "s_noise": ("number", None),
    "override_settings": ("object", None),
    "override_settings_restore_afterwards": ("boolean", True),
    "refiner_checkpoint": ("string", None),
    "refiner_switch_at": ("number", None),
    "disable_extra_networks": ("boolean", False),
    "firstpass_image": ("string", None),
    "comments": ("object", None),
}
_AFTER: Final[Fields] = {
    "script_name": ("string", None),
    "script_args": ("list", []),
    "send_images": ("boolean", True),
    "save_images": ("boolean", False),
    "alwayson_scripts": ("object", {}),
    "infotext": ("string", None),
}
TXT2IMG: Final[Fields] = {
    **_BEFORE,
    "enable_hr": ("boolean", False),
    "firstphase_width": ("integer", 0),
    "firstphase_height": ("integer", 0),
    "hr_scale": ("number", 2.0),
    "hr_upscaler": ("string", None),
    "hr_second_pass_steps": ("integer", 0),
    "hr_resize_x": ("integer", 0),
    "hr_resize_y": ("integer", 0),
    "hr_checkpoint_name": ("string", None),
    "hr_sampler_name": ("string", None),
    "hr_scheduler": ("string", None),
    "hr_prompt": ("string", ""),
    "hr_negative_prompt": ("string", ""),
    "force_task_id": ("string", None),
    "sampler_index": ("string", "Euler"),
    **_AFTER,
}
IMG2IMG: Final[Fields] = {
    **_BEFORE,
    "denoising_strength": ("number", 0.75),
    "init_images": ("list", None),
    "resize_mode": ("integer", 0),
    "image_cfg_scale": ("number", None),
    "mask": ("string", None),
    "mask_blur_x": ("integer", 4),
    "mask_blur_y": ("integer", 4),
    "mask_blur": ("integer", None),
    "mask_round": ("boolean", True),
    "inpainting_fill": ("integer", 0),
    "inpaint_full_res": ("boolean", True),
    "inpaint_full_res_padding": ("integer", 0),
    "inpainting_mask_invert": ("integer", 0),
    "initial_noise_multiplier": ("number", None),
    "latent_mask": ("string", None),
    "force_task_id": ("string", None),
    "sampler_index": ("string", "Euler"),
    "include_init_images": ("boolean", False),
    **_AFTER,
}
_EXTRAS: Final[Fields] = {
    "resize_mode": ("integer", 0),
    "show_extras_results": ("boolean", True),
    "gfpgan_visibility": ("number", 0),
    "codeformer_visibility": ("number", 0),
    "codeformer_weight": ("number", 0),
    "upscaling_resize": ("number", 2),
    "upscaling_resize_w": ("integer", 512),
    "upscaling_resize_h": ("integer", 512),
    "upscaling_crop": ("boolean", True),
    "upscaler_1": ("string", "None"),
    "upscaler_2": ("string", "None"),
    "extras_upscaler_2_visibility": ("number", 0),
    "upscale_first": ("boolean", False),
}
EXTRA_SINGLE: Final[Fields] = {**_EXTRAS, "image": ("string", "")}
EXTRA_BATCH: Final[Fields] = {**_EXTRAS, "imageList": ("list", [])}
PNG_INFO: Final[Fields] = {"image": ("string", "")}
TASK_PROGRESS: Final[Fields] = {
    "id_task": ("string", ""),
    "id_live_preview": ("integer", -1),
    "live_preview": ("boolean", True),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request with every default filled in."""

    values: Mapping[str, Any]
    """In the order in which A1111 repeats them."""
    given: frozenset[str]
    """What the caller has said itself."""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(body: bytes, fields: Fields) -> Wanted:
    """The request in a body. Raises Refused with every field at fault."""
    document = parse(body)
    values = {name: default for name, (_, default) in fields.items()}
    faults = []
    for name, value in document.items():
        if value is None:
            continue
        if name not in fields:
            faults.append(((name,), "extra fields not permitted", "value_error.extra"))
            continue
        coerce, message, kind = TYPES[fields[name][0]]
        try:
            values[name] = coerce(value)
        except (TypeError, ValueError, OverflowError):
            faults.append(((name,), message, kind))
    if faults:
        raise invalid(*faults)
    given = frozenset(name for name, value in document.items() if value is not None)
    return Wanted(values, given)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Refused for what is none."""
    if not body.strip():
        raise invalid(((), "field required", "value_error.missing"))
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise not_json(exc) from exc
    if not isinstance(document, dict):
        raise invalid(((), "value is not a valid dict", "type_error.dict"))
    if is_deeper(document, MAX_DEPTH):
        raise invalid(((), f"there may be {MAX_DEPTH} levels at most", "value_error"))
    return document


def not_json(error: orjson.JSONDecodeError) -> Refused:
    """As FastAPI says it."""
    return invalid(((error.pos,), str(error), "value_error.jsondecode"))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    whole = int(value)
    if abs(whole) > MAX_WHOLE or (isinstance(value, float) and value != whole):
        raise ValueError
    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    number = float(value)
    if not abs(number) <= MAX_NUMBER:  # "nan" and "inf" are floats too
        raise ValueError
    return number


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    text = str(value)
    text.encode()  # half of a surrogate pair is no text
    return text


def _truth(value: Any) -> bool:
    words = {True: True, False: False, "true": True, "false": False, "1": True, "0": False, "on": True, "off": False}
    return words[value.lower() if isinstance(value, str) else value]


def _boolean(value: Any) -> bool:
    try:
        return _truth(value)
    except KeyError as exc:
        raise ValueError from exc


def _is_a(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return check


MAX_NUMBER: Final = 1e15
MAX_WHOLE: Final = 2**64
TYPES: Final[Mapping[str, tuple[Callable[[Any], Any], str, str]]] = {
    "integer": (_whole, "value is not a valid integer", "type_error.integer"),
    "number": (_number, "value is not a valid float", "type_error.float"),
    "string": (_text, "str type expected", "type_error.str"),
    "boolean": (_boolean, "value could not be parsed to a boolean", "type_error.bool"),
    "list": (_is_a(list), "value is not a valid list", "type_error.list"),
    "object": (_is_a(dict), "value is not a valid dict", "type_error.dict"),
}
"""How each type is read, and what is said of what it is not."""
