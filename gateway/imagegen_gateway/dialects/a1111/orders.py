"""What a request of A1111 means as a job. Pure.

Every field is either mapped, or has the value that changes nothing, or can be had from a backend of A1111's kind only:
then the job goes to one, with the field as it is, or is refused where there is none. Nothing is left out silently.

Images are made one by one, image i with seed + i, whatever `batch_size` and `n_iter` say: only their product counts.
Sizes are rounded down to multiples of 8, as A1111 does it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111 import infotext
from imagegen_gateway.dialects.a1111.canvas import Fitting
from imagegen_gateway.dialects.a1111.faults import http_exception, invalid, unfit
from imagegen_gateway.dialects.a1111.fields import Wanted
from imagegen_gateway.dialects.a1111.names import (
    Sampling,
    Stock,
    has_sampler,
    sampling,
)
from imagegen_gateway.dialects.a1111.options import (
    CHECKPOINT_OPTION,
    FIXED,
    VAE_OPTION,
    Choice,
    chosen_model,
    chosen_vae,
    is_same,
)
from imagegen_gateway.dialects.a1111.peculiar import pass_through

MAX_SEED: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that can be made, but for its pictures."""

    wanted: Wanted
    """The request, with what its `infotext` says."""
    spec: job_pb2.JobSpec
    """The job; pictures are missing."""
    count: int
    seed: int
    sampling: Sampling
    choice: Choice
    """What the client's choice is from now on."""
    task_id: str
    init_image: str = ""
    """As text: base64, a data: address, or an address to be fetched."""
    mask: str = ""
    """The same."""
    fitting: Fitting | None = None
    """What is to be done to these two beforehand."""


def order_of(wanted: Wanted, stock: Stock, choice: Choice, *, random_seed: int) -> Order:
    """The order in a request for text-to-image or image-to-image. Raises Refused."""
    wanted = _with_infotext(wanted)
    chosen, settings = _settings(wanted, stock, choice)
    how = _sampling(wanted, stock, chosen.model)
    count = _count(wanted)
    seed = _seed(wanted, count, random_seed)
    image = job_pb2.ImageParameters(
        prompt=wanted["prompt"],
        negative_prompt=wanted["negative_prompt"],
        model=chosen.model,
        vae=chosen.vae,
        width=_size(wanted, "width"),
        height=_size(wanted, "height"),
        steps=_within(wanted, "steps", 1, 500),
        cfg_scale=_within(wanted, "cfg_scale", 0, 100),
        sampler=how.sampler,
        scheduler=how.scheduler,
        seed=seed,
        count=count,
    )
    spec = job_pb2.JobSpec(image=image)
    if wanted.values.get("enable_hr"):
        spec.image.hires.CopyFrom(_hires(wanted))
    if settings.get("live_previews_enable") is False:
        spec.preview.mode = job_pb2.PREVIEW_MODE_OFF
    order = Order(
        wanted=wanted,
        spec=spec,
        count=count,
        seed=seed,
        sampling=how,
        choice=choice if wanted["override_settings_restore_afterwards"] else chosen,
        task_id=wanted["force_task_id"] or "",
    )
    if "init_images" in wanted.values:
        order = _with_pictures(order, wanted)
    pass_through(spec, wanted, settings, how, stock)
    return order


# --- settings and names ---


def _with_infotext(wanted: Wanted) -> Wanted:
    """A pasted text fills in what the request does not say itself."""
    if not wanted["infotext"]:
        return wanted
    values, settings = dict(wanted.values), dict(wanted["override_settings"] or {})
    for name, text in infotext.read(wanted["infotext"]).items():
        if name == "Model":
            settings.setdefault(CHECKPOINT_OPTION, text)
        elif name in INFOTEXT_FIELDS:
            field, read = INFOTEXT_FIELDS[name]
            if field in values and field not in wanted.given:
                values[field] = _read(read, name, text)
        elif name not in INFOTEXT_NOTES:
            raise unfit("infotext", f"{name!r} is not understood here; say it by the request's own fields")
    return Wanted(values | {"override_settings": settings}, wanted.given)


def _read(read: Callable[[str], Any], name: str, text: str) -> Any:
    try:
        return read(text)
    except ValueError as exc:
        raise unfit("infotext", f"{name!r} cannot be {text[:64]!r}") from exc


INFOTEXT_FIELDS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "Prompt": ("prompt", str),
    "Negative prompt": ("negative_prompt", str),
    "Steps": ("steps", int),
    "Sampler": ("sampler_name", str),
    "Schedule type": ("scheduler", str),
    "CFG scale": ("cfg_scale", float),
    "Seed": ("seed", int),
    "Size-1": ("width", int),
    "Size-2": ("height", int),
    "Denoising strength": ("denoising_strength", float),
}
INFOTEXT_NOTES: Final = frozenset({"Version", "Model hash", "VAE hash"})
"""What such a text tells beside how the picture was made."""


def _settings(wanted: Wanted, stock: Stock, choice: Choice) -> tuple[Choice, dict[str, Any]]:
    """The checkpoint and VAE of this request, and its other settings that are not as they are anyway."""
    settings = dict(wanted["override_settings"] or {})
    if CHECKPOINT_OPTION in settings:
        choice = replace(choice, model=chosen_model(settings.pop(CHECKPOINT_OPTION), stock))
    if VAE_OPTION in settings:
        choice = replace(choice, vae=chosen_vae(settings.pop(VAE_OPTION), stock))
    others = {name: value for name, value in settings.items() if name not in FIXED or not is_same(value, FIXED[name])}
    return choice, others


def _sampling(wanted: Wanted, stock: Stock, model: str) -> Sampling:
    name = wanted["sampler_name"] or wanted["sampler_index"]
    # "Euler" is what A1111 takes where a request says nothing: no reason to refuse what has another default.
    is_said = wanted["sampler_name"] or "sampler_index" in wanted.given
    how = sampling(stock, model=model, sampler=name, scheduler=wanted["scheduler"] or "")
    return how if is_said or has_sampler(stock, name) else replace(how, sampler="")


# --- numbers ---


def _count(wanted: Wanted) -> int:
    count = int(_within(wanted, "batch_size", 1, 64) * _within(wanted, "n_iter", 1, 64))
    if count > 64:
        raise unfit("n_iter", f"at most 64 images are made at once, not {count}")
    return count


def _seed(wanted: Wanted, count: int, random_seed: int) -> int:
    seed = wanted["seed"]
    if seed == -1:
        return random_seed
    if not 0 <= seed <= MAX_SEED - count + 1:
        raise unfit("seed", f"must be -1 (chosen by the server) or from 0 to {MAX_SEED}")
    return int(seed)


def _size(wanted: Wanted, name: str) -> int:
    size = int(wanted[name]) // 8 * 8
    if not 64 <= size <= 4096:
        raise unfit(name, f"must be from 64 to 4096, not {wanted[name]}")
    return size


def _within(wanted: Wanted, name: str, low: float, high: float) -> Any:
    value = wanted[name]
    if value < low:
        what = f"ensure this value is greater than or equal to {low}"
        raise invalid(((name,), what, "value_error.number.not_ge"))
    if value > high:
        raise invalid(((name,), f"ensure this value is less than or equal to {high}", "value_error.number.not_le"))
    return value


def _hires(wanted: Wanted) -> job_pb2.HiresParameters:
    for name in ("firstphase_width", "firstphase_height"):
        if wanted[name]:
            raise unfit(name, "is of old versions: say the first size by width and height, the last one by hr_scale")
    hires = job_pb2.HiresParameters(scale=_hires_scale(wanted))
    # "Latent" is what every backend has, whatever it calls it.
    if wanted["hr_upscaler"] not in (None, "", "Latent"):
        hires.upscaler = wanted["hr_upscaler"]
    if wanted["hr_second_pass_steps"]:
        hires.steps = _within(wanted, "hr_second_pass_steps", 1, 500)
    if wanted["denoising_strength"] is not None:
        hires.denoise = _within(wanted, "denoising_strength", 0, 1)
    return hires


def _hires_scale(wanted: Wanted) -> float:
    width, height = _size(wanted, "width"), _size(wanted, "height")
    to_width, to_height = wanted["hr_resize_x"], wanted["hr_resize_y"]
    scale = max(to_width / width, to_height / height) or float(wanted["hr_scale"])
    is_exact = all(not to or abs(side * scale - to) < 8 for side, to in ((width, to_width), (height, to_height)))
    if not is_exact:
        raise unfit("hr_resize_x", "the two sides must grow by the same factor: pictures are not cropped here")
    if not 1 < scale <= 4:
        raise unfit("hr_scale", f"must be above 1 and at most 4, not {scale:g}")
    return float(scale)


# --- pictures ---


def _with_pictures(order: Order, wanted: Wanted) -> Order:
    image = order.spec.image
    image.denoise = _within(wanted, "denoising_strength", 0, 1)
    fitting = Fitting(width=image.width, height=image.height, resize_mode=int(_within(wanted, "resize_mode", 0, 3)))
    mask = wanted["mask"] or ""
    if mask:
        image.mask_blur = _mask_blur(wanted)
        fitting = replace(
            fitting,
            mask_blur=image.mask_blur,
            is_mask_inverted=bool(_within(wanted, "inpainting_mask_invert", 0, 1)),
            has_hard_mask=wanted["mask_round"],
            only_masked_padding=_padding(wanted) if wanted["inpaint_full_res"] else None,
            fills=_within(wanted, "inpainting_fill", 0, 3) == 0,
        )
    return replace(order, init_image=_init_image(wanted), mask=mask, fitting=fitting)


def _init_image(wanted: Wanted) -> str:
    images = wanted["init_images"]
    if images is None:
        raise http_exception(404, "Init image not found")
    if len(images) != 1 or not isinstance(images[0], str):
        raise unfit("init_images", f"must hold one picture as text; {len(images)} were given")
    return images[0]


def _padding(wanted: Wanted) -> int:
    return int(_within(wanted, "inpaint_full_res_padding", 0, 4096))


def _mask_blur(wanted: Wanted) -> int:
    name = "mask_blur" if wanted["mask_blur"] is not None else "mask_blur_x"
    if name == "mask_blur_x" and wanted["mask_blur_x"] != wanted["mask_blur_y"]:
        raise unfit("mask_blur_y", "must be the same as mask_blur_x")
    return int(_within(wanted, name, 0, 64))
