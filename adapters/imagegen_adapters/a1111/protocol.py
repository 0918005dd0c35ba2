"""What an A1111 server answers: bytes in, typed documents out. Measured with 1.10.1 unless a comment says otherwise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import orjson
import pybase64
from PIL import Image, UnidentifiedImageError

from imagegen_adapters.errors import Unintelligible


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Bytes of an image and what they are."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalProgress:
    """`GET /sdapi/v1/progress`: whichever job runs now, with no word about whose it is."""

    job: str
    job_count: int
    """0: idle; -1: begun, a model is being loaded or the initial image encoded; else the passes of the job."""
    job_no: int
    step: int
    steps: int
    """Of the previous job until this one samples."""
    timestamp: str
    """When the job began, to the second; equals `Answer.timestamp`."""
    elapsed_s: float | None
    """How long the job has been running, to the millisecond; None where it cannot be told."""
    is_stopped: bool
    """Interrupted or skipped. Stays set when the job has ended, until the next one begins."""
    preview: Picture | None

    @property
    def is_idle(self) -> bool:
        """Nothing runs, or the first model is being loaded, or the images of the last job are being encoded."""
        return self.job_count == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """`POST /internal/progress`: one task, by the id that its POST brought along."""

    is_active: bool
    is_queued: bool
    is_completed: bool
    fraction: float
    """0 .. (N-1)/N while it is active; otherwise 0."""
    preview: Picture | None
    preview_id: int

    @property
    def is_known(self) -> bool:
        return self.is_active or self.is_queued or self.is_completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The response to a job: the only sign of its end."""

    images: tuple[Picture, ...]
    """Without grids. After an interrupt fewer than asked for, or unfinished ones: nothing in the response says so."""
    seeds: tuple[int, ...]
    """One for each image that was asked for; may be more than there are images."""
    sampler: str
    schedule: str
    """Label of the noise schedule; empty where the server does not tell."""
    model: str
    vae: str
    """Empty: the model's own."""
    timestamp: str
    version: str


def decode_json(body: bytes) -> Any:
    """The value that `body` says. Raises Unintelligible."""
    try:
        return orjson.loads(body)
    except ValueError as exc:
        raise Unintelligible("the server answered something that is not JSON") from exc


def decode_global_progress(body: bytes) -> GlobalProgress:
    document = _mapping(decode_json(body))
    state = _mapping(document.get("state"))
    return GlobalProgress(
        job=_text(state.get("job")),
        job_count=_whole(state.get("job_count")),
        job_no=_whole(state.get("job_no")),
        step=_whole(state.get("sampling_step")),
        steps=_whole(state.get("sampling_steps")),
        timestamp=_text(state.get("job_timestamp")),
        elapsed_s=_elapsed_s(document, state),
        is_stopped=state.get("interrupted") is True or state.get("skipped") is True,
        preview=_preview(document.get("current_image")),
    )


def decode_task_progress(body: bytes) -> TaskProgress:
    document = _mapping(decode_json(body))
    if not isinstance(document.get("active"), bool):
        raise Unintelligible("the server answered something else than a task's progress")
    return TaskProgress(
        is_active=document["active"],
        is_queued=document.get("queued") is True,
        is_completed=document.get("completed") is True,
        fraction=min(1.0, max(0.0, _number(document.get("progress")))),
        preview=_preview(document.get("live_preview")),
        preview_id=_whole(document.get("id_live_preview", -1)),
    )


def decode_answer(body: bytes) -> Answer:
    """Raises Unintelligible."""
    document = _mapping(decode_json(body))
    texts, info_json = document.get("images"), document.get("info")
    if not isinstance(texts, list) or not isinstance(info_json, str):
        raise Unintelligible("the server's answer to a job has no images or no info")
    info = _mapping(decode_json(info_json.encode()))
    # With saved grids, and with some scripts, grids come before the images.
    first = max(0, _whole(info.get("index_of_first_image", 0)))
    return Answer(
        images=tuple(_image(text) for text in texts[first:]),
        seeds=_seeds(info),
        sampler=_text(info.get("sampler_name")),
        schedule=_schedule(info),
        model=_text(info.get("sd_model_name")),
        vae=_text(info.get("sd_vae_name")),
        timestamp=_text(info.get("job_timestamp")),
        version=_text(info.get("version")),
    )


def decode_options(body: bytes) -> dict[str, Any]:
    """The server's settings by key."""
    return dict(_mapping(decode_json(body)))


def decode_app_id(body: bytes) -> str:
    """Changes at each start of the server. May exceed 2^63."""
    return str(_mapping(decode_json(body)).get("app_id", ""))


def decode_pending(body: bytes) -> int:
    """How many tasks wait. Failed ones stay in it for ever."""
    return max(0, _whole(_mapping(decode_json(body)).get("size", 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes; 0: not known."""

    is_cuda: bool
    free_bytes: int
    total_bytes: int


def decode_memory(body: bytes) -> Memory:
    document = _mapping(decode_json(body))
    cuda = document.get("cuda")
    system = cuda.get("system") if isinstance(cuda, dict) else None
    pool = system if isinstance(system, dict) else document.get("ram")
    numbers = pool if isinstance(pool, dict) else {}
    return Memory(
        is_cuda=isinstance(system, dict),
        free_bytes=int(_number(numbers.get("free"))),  # a float for RAM: 23813656576.000004
        total_bytes=int(_number(numbers.get("total"))),
    )


def picture_size(picture: Picture) -> tuple[int, int]:
    """Width and height, by the header alone. Raises Unintelligible."""
    try:
        with Image.open(BytesIO(picture.data), formats=("PNG", "JPEG", "WEBP")) as image:
            return image.size
    except (UnidentifiedImageError, OSError, ValueError) as exc:
        raise Unintelligible("the server answered an image that cannot be read") from exc


def sniff_media_type(data: bytes) -> str:
    """What image the bytes are; empty: none that we know."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return ""


def _elapsed_s(document: Mapping[str, Any], state: Mapping[str, Any]) -> float | None:
    """The server's ETA is elapsed / progress - elapsed: worthless as an ETA, exact the other way round."""
    progress, eta_s = _number(document.get("progress")), _number(document.get("eta_relative"))
    # SD.Next rounds its numbers too coarsely for this; it is the one without this key.
    if "stopping_generation" not in state or not 0 < progress < 1 or eta_s <= 0:
        return None
    return eta_s * progress / (1 - progress)


def _image(text: object) -> Picture:
    picture = _preview(text)
    if picture is None:
        raise Unintelligible("the server answered an image in a format that is neither PNG, JPEG nor WebP")
    return picture


def _preview(text: object) -> Picture | None:
    """An image as base64, bare or as a data URI; None where there is none that can be shown."""
    if not isinstance(text, str) or not text:
        return None
    try:
        data = pybase64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except ValueError:
        return None
    media_type = sniff_media_type(data)
    return Picture(data=data, media_type=media_type) if media_type else None


def _seeds(info: Mapping[str, Any]) -> tuple[int, ...]:
    seeds = info.get("all_seeds")
    return tuple(_whole(seed) for seed in seeds) if isinstance(seeds, list) else ()


def _schedule(info: Mapping[str, Any]) -> str:
    parameters = info.get("extra_generation_params")
    if isinstance(parameters, dict) and isinstance(parameters.get("Schedule type"), str):
        return str(parameters["Schedule type"])
    # "Automatic" stands only in the infotext. Its last line holds the settings; a prompt may hold anything.
    texts = info.get("infotexts")
    line = texts[0].rpartition("\n")[2] if isinstance(texts, list) and texts and isinstance(texts[0], str) else ""
    found = re.search(r"\bSchedule type: ([^,]+)", line)
    return found[1] if found else ""


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unintelligible("the server answered a document of another shape than this API has")
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unintelligible("the server answered a document with text where a number belongs")
    return value


def _whole(value: object) -> int:
    return int(_number(value))
