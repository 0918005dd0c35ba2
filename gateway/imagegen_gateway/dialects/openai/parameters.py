"""The parameters of OpenAI's image API, ours among them, and the job that they make. Pure.

1. A parameter that is not listed is refused, and so is a value that cannot be had: nothing is silently left out.
2. What is null or empty was not given. Numbers and truth values may be text, because forms have nothing else.
3. `quality` counts in steps: "low" takes half of the model's own, "high" and "hd" twice as many, "xhigh" three times,
   "max" four times; "auto", "medium" and "standard" leave them as they are. `steps` says it more exactly and wins.
4. `moderation` may be "auto" or "low", because nothing is moderated; `background` "auto" or "opaque", `input_fidelity`
   "low", because nothing else can be had.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from imagegen.v1 import job_pb2
from imagegen_client.specs import input_of
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.dialects.orders import size_in
from imagegen_gateway.dialects.wishes import Offer, Wish, spec_for
from imagegen_gateway.errors import FieldError, Problem
from imagegen_gateway.pictures import Format

MAX_STEPS: Final = 500
DEFAULT_STEPS: Final = 20
"""What is taken of a model of which not even the server knows it beforehand."""
STEP_FACTORS: Final = {"low": 0.5, "high": 2.0, "xhigh": 3.0, "max": 4.0}
OLD_QUALITIES: Final = {"standard": "medium", "hd": "high"}
INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")

Reader = Callable[[str, Any], Any]
"""Gives a parameter's value. Raises Problem 400 with its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What a caller asks for, by OpenAI's names; None: it said nothing."""

    prompt: str
    model: str = ""
    n: int | None = None
    size: tuple[int, int] | None = None
    quality: str = "auto"
    """As OpenAI calls it today."""
    background: str = "auto"
    moderation: str = "auto"
    input_fidelity: str = "low"
    response_format: Literal["b64_json", "url"] = "b64_json"
    output_format: Format | None = None
    """None: as the picture was made."""
    output_compression: int | None = None
    """Quality of JPEG and WebP, 0..100."""
    stream: bool = False
    partial_images: int = 0
    user: str = ""
    safety_identifier: str = ""
    negative_prompt: str | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    denoise: float | None = None
    priority: int | None = None
    backend: str = ""


def text(max_chars: int) -> Reader:
    """A text of limited length."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise bad_field(name, "must be a string")
        if len(value) > max_chars:
            raise bad_field(name, f"is longer than {max_chars} characters")
        return value

    return read


def choice(*allowed: str, why: str = "") -> Reader:
    """One of some words."""

    def read(name: str, value: Any) -> str:
        if value not in allowed:
            raise bad_field(name, f"must be {' or '.join(allowed)}{why}")
        return str(value)

    return read


def whole(low: int, high: int) -> Reader:
    """A whole number."""

    def read(name: str, value: Any) -> int:
        number = int(value) if isinstance(value, str) and INTEGER.fullmatch(value) else value
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise bad_field(name, f"must be a whole number from {low} to {high}")
        return number

    return read


def number(low: float, high: float) -> Reader:
    """A number."""

    def read(name: str, value: Any) -> float:
        given = float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise bad_field(name, f"must be a number from {low:g} to {high:g}")
        if not low <= given <= high:
            raise bad_field(name, f"must be from {low:g} to {high:g}")
        return float(given)

    return read


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if value in (True, "true", "True"):
        return True
    if value in (False, "false", "False"):
        return False
    raise bad_field(name, "must be true or false")


def size(name: str, value: Any) -> tuple[int, int] | None:
    """Width and height; None for "auto"."""
    if value == "auto":
        return None
    found = size_in(value) if isinstance(value, str) else None
    if found is None:
        raise bad_field(name, "must be auto or WIDTHxHEIGHT, each from 64 to 4096 and a multiple of 8, as 768x512")
    return found


def quality(name: str, value: Any) -> str:
    """As OpenAI calls it today."""
    word: str = choice("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd")(name, value)
    return OLD_QUALITIES.get(word, word)


GENERATION: Final[Mapping[str, Reader]] = {
    "prompt": text(32768),
    "model": text(512),
    "n": whole(1, 64),
    "size": size,
    "quality": quality,
    "background": choice("auto", "opaque", why=": no model here makes transparent pictures"),
    "moderation": choice("auto", "low"),
    "response_format": choice("b64_json", "url"),
    "output_format": choice("png", "jpeg", "webp"),
    "output_compression": whole(0, 100),
    "stream": flag,
    "partial_images": whole(0, 3),
    "user": text(256),
    "safety_identifier": text(256),
    "negative_prompt": text(32768),
    "steps": whole(1, MAX_STEPS),
    "cfg_scale": number(0, 100),
    "sampler": text(128),
    "scheduler": text(128),
    "seed": whole(0, 2**63 - 1),
    "priority": whole(-10, 10),
    "backend": text(64),
}
"""What /images/generations takes."""
EDIT: Final[Mapping[str, Reader]] = {
    **GENERATION,
    "input_fidelity": choice("low", why=": say with denoise, 0 to 1, how much of the picture may change"),
    "denoise": number(0, 1),
}
"""What /images/edits takes beside the pictures."""


def parse(fields: Mapping[str, Any], readers: Mapping[str, Reader]) -> ImageRequest:
    """The request in the fields of a form or of JSON. Raises Problem 400 with the name of the one at fault."""
    values = {}
    for name, value in fields.items():
        if name not in readers:
            raise _unknown(name, readers)
        if value is not None and value != "":
            values[name] = readers[name](name, value)
    if "prompt" not in values:
        raise bad_field("prompt", "is missing: say what the picture is to show")
    request = ImageRequest(**values)
    _check(request)
    return request


def _unknown(name: str, known: Mapping[str, Reader]) -> Problem:
    shown = name[:64]
    detail = f"{shown}: is no parameter here; there are: {', '.join(known)}"
    return Problem(400, detail, "UNKNOWN_PARAMETER", (FieldError(field=shown, description="is no parameter here"),))


def _check(request: ImageRequest) -> None:
    if request.partial_images and not request.stream:
        raise bad_field("partial_images", "needs stream: true")
    if request.stream and request.response_format == "url":
        raise bad_field("response_format", "must be b64_json in a stream")
    is_lossy = request.output_format in {"jpeg", "webp"}
    if request.output_compression not in {None, 100} and not is_lossy:
        raise bad_field("output_compression", "needs output_format jpeg or webp")


def to_spec(
    request: ImageRequest,
    offer: Offer,
    *,
    init_images: Sequence[str] = (),
    mask: str | None = None,
) -> job_pb2.JobSpec:
    """The job for it, but for `quality`; pictures are digests of assets.

    Raises Problem 400 for what the model cannot take.
    """
    width, height = request.size or (None, None)
    wish = Wish(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=width,
        height=height,
        steps=request.steps,
        cfg_scale=request.cfg_scale,
        sampler=request.sampler,
        scheduler=request.scheduler,
        seed=request.seed,
        count=request.n,
        init_images=tuple(init_images),
        mask=mask,
        denoise=request.denoise,
    )
    spec = spec_for(offer, wish)
    spec.backend = request.backend
    if request.priority is not None:
        spec.priority = request.priority
    spec.labels["dialect"] = "openai"
    if user := request.safety_identifier or request.user:
        spec.labels["user"] = user
    return spec


def step_factor(request: ImageRequest) -> float | None:
    """By how much `quality` changes the model's own steps; None: not at all, or `steps` says it."""
    return STEP_FACTORS.get(request.quality) if request.steps is None else None


def set_steps(spec: job_pb2.JobSpec, planned: job_pb2.JobSpec, factor: float, offer: Offer) -> None:
    """Has a job take that many times the steps that it would take by itself. Raises Problem 400 where it says none."""
    own = input_of(planned, "steps")
    if not isinstance(own, int) and offer.workflow_id:
        raise bad_field("quality", f"cannot be had of the model {offer.id}, which does not say its steps: leave it out")
    steps = min(MAX_STEPS, max(1, round((own or DEFAULT_STEPS) * factor)))
    if spec.HasField("workflow"):
        spec.workflow.inputs["steps"] = steps
    else:
        spec.image.steps = steps
