"""What an error answer of an A1111 server means.

There are three shapes: `{"error", "detail", "body", "errors"}` of A1111, the same with `message` instead of `errors` of
Forge (by its code), and `{"detail": [...]}` of the validation, which all of them have.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from imagegen_adapters.config import LOOPS
from imagegen_adapters.errors import (
    AdapterError,
    GpuFault,
    NodeFailed,
    OutOfMemory,
    Rejected,
    Unauthenticated,
    Unintelligible,
    Unreachable,
    Violation,
)

MAX_MESSAGE = 400

FIELD_PATHS: Mapping[str, str] = {
    "prompt": "image.prompt",
    "negative_prompt": "image.negative_prompt",
    "width": "image.width",
    "height": "image.height",
    "steps": "image.steps",
    "cfg_scale": "image.cfg_scale",
    "sampler_name": "image.sampler",
    "scheduler": "image.scheduler",
    "seed": "image.seed",
    "batch_size": "image.batch_size",
    "init_images": "image.init_image",
    "mask": "image.mask",
    "mask_blur": "image.mask_blur",
    "denoising_strength": "image.denoise",
    "distilled_cfg_scale": "image.distilled_cfg_scale",
    "hr_scale": "image.hires.scale",
    "hr_upscaler": "image.hires.upscaler",
    "hr_second_pass_steps": "image.hires.steps",
}
"""Our path for a field of the request body."""

_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)
_GPU_FAULT = re.compile(
    r"(CUDA|HIP|CUDNN|cuBLAS|device-side) ?(error|assert)|CUDNN_STATUS|CUBLAS_STATUS", re.IGNORECASE
)
_BAD_UPSCALER = re.compile(r"could not find upscaler named")


def error_from(status: int, body: bytes) -> AdapterError:
    """The error that an answer with this status means; `status` is not 2xx."""
    document = _document(body)
    kind, message = str(document.get("error") or ""), _message(document) or f"status {status} without a reason"
    match status:
        case 401 | 403:
            return Unauthenticated("the server refused the user name and password; set them in the backend's url")
        case 404 if document.get("detail") == "Not Found" or not document:
            # In webui mode the socket opens before the routes exist; without --api they never do.
            return Unreachable("the server has no such route: it is still starting, or runs without --api")
        case 404 | 422:
            return _rejected(message, document)
        case _ if status == LOOPS:
            return Unintelligible("what listens there is this imagegen server itself")
        case 502 | 503 | 504:
            return Unreachable(f"a proxy before the server answered {status}")
        case _ if 300 <= status < 400:
            return Unintelligible(
                f"the server redirects (status {status}); give its final address as the backend's url"
            )
        case _ if not document:
            return Unintelligible(f"the server answered status {status} with something that is not JSON")
    return _job_error(kind, message)


def _job_error(kind: str, message: str) -> AdapterError:
    text = message if kind in ("", "HTTPException", message) else f"{kind}: {message}"
    if kind == "OutOfMemoryError" or _OUT_OF_MEMORY.search(message):
        return OutOfMemory(text)
    if _GPU_FAULT.search(message):
        return GpuFault(text)
    if kind == "HTTPException" and "image" in message:
        return Rejected(message, [Violation("image.init_image", message)])
    if _BAD_UPSCALER.search(message):
        return Rejected(message, [Violation("image.hires.upscaler", message)])
    return NodeFailed(text)


def _rejected(message: str, document: Mapping[str, Any]) -> Rejected:
    items = document.get("detail")
    if not isinstance(items, list):
        return Rejected(message, [Violation("image.init_image", message)] if message == "Init image not found" else ())
    violations = [_violation(item) for item in items if isinstance(item, dict)]
    return Rejected(f"the server refused the request: {message}", violations)


def _violation(item: Mapping[str, Any]) -> Violation:
    location = item.get("loc")
    names = [str(name) for name in location[1:]] if isinstance(location, list) else []
    name = names[0] if names else ""
    path = FIELD_PATHS.get(name) or ("backend_options.a1111" + (f".{name}" if name else ""))
    return Violation(path, str(item.get("msg", ""))[:MAX_MESSAGE])


def _message(document: Mapping[str, Any]) -> str:
    for key in ("errors", "detail", "message", "error"):
        value = document.get(key)
        if isinstance(value, list):
            value = "; ".join(_item_text(item) for item in value)
        if isinstance(value, str) and value.strip():
            # One sentence for a person: a server may put a whole traceback here.
            return " ".join(value.split())[:MAX_MESSAGE]
    return ""


def _item_text(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    location = item.get("loc")
    field = ".".join(str(part) for part in location[1:]) if isinstance(location, list) else ""
    return f"{field}: {item.get('msg', '')}" if field else str(item.get("msg", ""))


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
