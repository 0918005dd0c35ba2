"""Request bodies for an A1111 server, complete in every field whose default differs between servers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pybase64

from imagegen_adapters.a1111.catalog import (
    BUILT_IN_VAES,
    FORGE_VAE_OPTION,
    MODEL_OPTION,
    VAE_OPTION,
    Names,
)
from imagegen_adapters.a1111.faults import FIELD_PATHS
from imagegen_adapters.contract import ImageParameters, Task
from imagegen_adapters.errors import Violation

PREVIEW_OPTION = "show_progress_every_n_steps"
MAX_BATCH_SIZE = 8

_OURS = frozenset(FIELD_PATHS) | {
    "n_iter",
    "force_task_id",
    "send_images",
    "save_images",
    "enable_hr",
    "hr_resize_x",
    "hr_resize_y",
    "include_init_images",
    "override_settings_restore_afterwards",
    "sampler_index",
    "script_name",  # prepends grids and multiplies the images
    "script_args",
    "infotext",  # a pasted text that fills in other fields
}
_OUR_SETTINGS = frozenset({MODEL_OPTION, VAE_OPTION, FORGE_VAE_OPTION, PREVIEW_OPTION})


def task_id(attempt_id: str, number: int) -> str:
    """The id that a POST brings along: the server mixes up tasks of one id, so each POST has its own."""
    return f"task({attempt_id}-{number})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One of the POSTs that make up an attempt."""

    task_id: str
    first_image: int
    images: int
    total_images: int
    passes: tuple[int, ...]
    """Steps of each sampling pass, as the server will count them."""


def plan_posts(attempt_id: str, request: ImageParameters) -> list[Post]:
    """One POST for each pass of `batch_size` images.

    Never `n_iter`: images would come all at the end, and a model change by another client would take hold in the
    middle of the job.
    """
    return [
        Post(
            task_id=task_id(attempt_id, number),
            first_image=first,
            images=min(request.batch_size, request.count - first),
            total_images=request.count,
            passes=count_steps(request),
        )
        for number, first in enumerate(range(0, request.count, request.batch_size))
    ]


def count_steps(request: ImageParameters) -> tuple[int, ...]:
    """Steps of each pass: image-to-image skips those that `denoise` leaves out; the second pass of hires does not."""
    if request.init_image:
        return (int(min(request.denoise, 0.999) * request.steps) + 1,)
    if request.hires is not None:
        return request.steps, request.hires.steps or request.steps
    return (request.steps,)


def path_for(request: ImageParameters) -> str:
    return "sdapi/v1/img2img" if request.init_image else "sdapi/v1/txt2img"


def build_body(task: Task, request: ImageParameters, post: Post, names: Names, settings: Mapping[str, Any]) -> bytes:
    """The JSON of one POST; `settings` become `override_settings`."""
    body: dict[str, Any] = {
        "prompt": _prompt(request),
        "negative_prompt": request.negative_prompt,
        "styles": [],
        "seed": request.seed + post.first_image,
        "subseed_strength": 0,
        "steps": request.steps,
        "cfg_scale": request.cfg_scale,
        "width": request.width,
        "height": request.height,
        "sampler_name": names.sampler,
        "batch_size": post.images,
        "n_iter": 1,
        # Where a request leaves these two out, the settings of whoever uses the page decide.
        "restore_faces": False,
        "tiling": False,
        "send_images": True,
        "save_images": False,
        "force_task_id": post.task_id,
    }
    if names.scheduler:
        body["scheduler"] = names.scheduler
    if request.distilled_cfg_scale is not None:
        body["distilled_cfg_scale"] = request.distilled_cfg_scale
    body |= _image_fields(task, request) | _hires_fields(request, names)
    body |= {name: whole_numbers(value) for name, value in task.options.items() if name != "override_settings"}
    if settings:
        body |= {"override_settings": dict(settings), "override_settings_restore_afterwards": True}
    return orjson.dumps(body)


def override_settings(
    task: Task, names: Names, *, vae_option: str, current: Mapping[str, Any], preview_every_n_steps: int | None
) -> dict[str, Any]:
    """Settings that hold for this attempt's POSTs only. `current` is what the server has now."""
    settings = {name: whole_numbers(value) for name, value in task.options.get("override_settings", {}).items()}
    if names.checkpoint:
        settings[MODEL_OPTION] = names.checkpoint
    if vae_option == FORGE_VAE_OPTION:
        if names.vae or names.text_encoders:
            modules = (names.vae, *names.text_encoders)
            settings[FORGE_VAE_OPTION] = [name for name in modules if name and name not in BUILT_IN_VAES]
    elif names.vae:
        settings[VAE_OPTION] = names.vae
    elif current.get(VAE_OPTION, "Automatic") not in (*BUILT_IN_VAES, "Default"):
        # The page's user has chosen a VAE for all; a request without one means the model's own.
        settings[VAE_OPTION] = "Automatic"
    if preview_every_n_steps is not None and task.preview.enabled:
        settings[PREVIEW_OPTION] = preview_every_n_steps
    return settings


def find_request_violations(request: ImageParameters) -> Iterator[Violation]:
    """What is wrong with a request at any server of this kind."""
    for name, pixels in (("width", request.width), ("height", request.height)):
        if pixels < 8 or pixels % 8:
            # The server would make a smaller image and go on claiming the size that was asked for.
            yield Violation(f"image.{name}", f"must be a multiple of 8, not {pixels}")
    if request.steps < 1:
        yield Violation("image.steps", "must be at least 1")
    if request.count < 1:
        yield Violation("image.count", "must be at least 1")
    if not 1 <= request.batch_size <= MAX_BATCH_SIZE:
        yield Violation("image.batch_size", f"must be from 1 to {MAX_BATCH_SIZE}, not {request.batch_size}")
    if request.mask and not request.init_image:
        yield Violation("image.mask", "needs init_image: the picture that is to be repainted")
    if request.hires is not None and request.init_image:
        yield Violation("image.hires", "applies to text-to-image only: leave out init_image or hires")
    for index, lora in enumerate(request.loras):
        if lora.text_encoder_weight not in (None, lora.weight):
            path = f"image.loras[{index}].text_encoder_weight"
            yield Violation(path, "A1111 servers take one weight for model and text encoder: leave it out")
        if set(lora.name) & set("<>:"):
            yield Violation(
                f"image.loras[{index}].name", "cannot be named in a prompt, which is how these are asked for"
            )


def find_option_violations(options: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[Violation]:
    """What `backend_options` may not say: fields that we set, and settings that the server does not have.

    `current` are the server's settings; empty where they cannot be read.
    """
    path = "backend_options.a1111"
    for name in sorted(_OURS & options.keys()):
        instead = f"; say it by {FIELD_PATHS[name]}" if name in FIELD_PATHS else ""
        yield Violation(f"{path}.{name}", f"is set by the adapter{instead}")
    settings = options.get("override_settings", {})
    if not isinstance(settings, Mapping):
        yield Violation(f"{path}.override_settings", "must be an object")
        return
    for name in sorted(settings):
        if name in _OUR_SETTINGS:
            yield Violation(
                f"{path}.override_settings.{name}", "is set by the adapter; say it by image.model, image.vae"
            )
        elif current and name not in current:
            yield Violation(f"{path}.override_settings.{name}", "the server has no such setting")


def whole_numbers(value: Any) -> Any:
    """The same value, with every 2.0 as 2.

    Options come with all their numbers as floats, and so do the server's own settings. It takes them as they are, and
    fails later where it counts with them: "clip skip" is an index.
    """
    match value:
        case float() if value.is_integer():
            return int(value)
        case Mapping():
            return {name: whole_numbers(item) for name, item in value.items()}
        case list():
            return [whole_numbers(item) for item in value]
    return value


def answer_limit_bytes(request: ImageParameters, post: Post) -> int:
    """Upper bound of an honest answer: raw pixels as base64, twice for what extensions add, and room for the info."""
    scale = request.hires.scale if request.hires else 1.0
    pixels = request.width * request.height * scale * scale
    return int(2 * post.images * pixels * 4 * 4 / 3) + 8 * 2**20


def expected_size(request: ImageParameters) -> tuple[int, int]:
    """Of the images: hires floors to multiples of 8."""
    scale = request.hires.scale if request.hires else 1.0
    return int(request.width * scale) // 8 * 8, int(request.height * scale) // 8 * 8


def _prompt(request: ImageParameters) -> str:
    """LoRAs are asked for by the prompt; the server leaves out what it does not have without a word."""
    return " ".join(filter(None, (request.prompt, *(f"<lora:{lora.name}:{lora.weight:g}>" for lora in request.loras))))


def _image_fields(task: Task, request: ImageParameters) -> dict[str, Any]:
    if not request.init_image:
        return {}
    fields: dict[str, Any] = {
        "init_images": [_encode(task.files[request.init_image])],
        "include_init_images": False,
        "denoising_strength": request.denoise,
        "resize_mode": 0,
    }
    if request.mask:
        fields |= {
            "mask": _encode(task.files[request.mask]),
            "mask_blur": request.mask_blur,
            "inpainting_mask_invert": 0,
            "inpainting_fill": 1,  # start from the picture itself
            "inpaint_full_res": False,  # the server's default is to zoom into the masked area
        }
    return fields


def _hires_fields(request: ImageParameters, names: Names) -> dict[str, Any]:
    if request.hires is None:
        return {}
    return {
        "enable_hr": True,
        "hr_scale": request.hires.scale,
        "hr_resize_x": 0,
        "hr_resize_y": 0,
        "hr_upscaler": names.upscaler,
        "hr_second_pass_steps": request.hires.steps or request.steps,
        "denoising_strength": request.hires.denoise,
    }


def _encode(data: bytes) -> str:
    return pybase64.b64encode_as_string(data)
