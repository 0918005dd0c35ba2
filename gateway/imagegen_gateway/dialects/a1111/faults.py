"""What A1111 answers when it cannot do what was asked, in its three shapes.

{"detail": [{"loc", "msg", "type"}]}            422: fields at fault
{"error", "detail", "body", "errors"}           everything else that its code says
{"detail": "Not Found"}                         404, 405: no such route
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.rendering import failure_of
from imagegen_gateway.errors import FieldError, Problem, title

OUR_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt": ("prompt",),
    "negative_prompt": ("negative_prompt",),
    "model": ("override_settings", "sd_model_checkpoint"),
    "vae": ("override_settings", "sd_vae"),
    "width": ("width",),
    "height": ("height",),
    "steps": ("steps",),
    "cfg_scale": ("cfg_scale",),
    "sampler": ("sampler_name",),
    "scheduler": ("scheduler",),
    "seed": ("seed",),
    "count": ("batch_size",),
    "batch_size": ("batch_size",),
    "init_image": ("init_images",),
    "mask": ("mask",),
    "mask_blur": ("mask_blur",),
    "denoise": ("denoising_strength",),
    "hires": ("enable_hr",),
    "hires.scale": ("hr_scale",),
    "hires.upscaler": ("hr_upscaler",),
    "hires.steps": ("hr_second_pass_steps",),
    "hires.denoise": ("denoising_strength",),
}
"""How A1111 calls the fields of ImageParameters."""
IMAGE_PATH: Final = "image."
OPTIONS_PATH: Final = "backend_options.a1111."
ERROR_NAMES: Final[Mapping[str, str]] = {"BACKEND_OUT_OF_MEMORY": "OutOfMemoryError"}
"""Reasons for which A1111 has a word that programs look for."""


@dataclass(slots=True, eq=False)
class Refused(Problem):
    """A problem with a body of its own."""

    document: Mapping[str, Any] = field(default_factory=dict)
    """The JSON of the answer."""


def invalid(*items: tuple[Sequence[str | int], str, str]) -> Refused:
    """422 for fields at fault: where each is, what is wrong, and the kind of fault."""
    detail = [{"loc": ["body", *where], "msg": what, "type": kind} for where, what, kind in items]
    text = "; ".join(f"{'.'.join(str(part) for part in where)}: {what}" for where, what, _ in items)
    return Refused(422, text, document={"detail": detail})


def unfit(name: str, what: str) -> Refused:
    """422 for one field whose value cannot be."""
    return invalid(((name,), what, "value_error"))


def http_exception(status: int, detail: str) -> Refused:
    """What A1111's own code refuses."""
    return Refused(status, detail, document=_document("HTTPException", detail=detail))


def exception(name: str, errors: str) -> Refused:
    """What goes wrong within A1111: always a 500."""
    return Refused(500, errors, document=_document(name, errors=errors))


def job_failed(job: job_pb2.Job) -> Refused:
    """The answer for a job that has failed: 422 where its backend has refused it, else A1111 knows one status only."""
    problem = failure_of(job)
    assert problem is not None
    if problem.reason == "BACKEND_REJECTED":
        return _translated(problem) if problem.errors else http_exception(422, problem.detail)
    name = ERROR_NAMES.get(problem.reason) or "".join(word.capitalize() for word in problem.reason.split("_"))
    return exception(name or "RuntimeError", problem.detail)


def answer_problem(problem: Problem) -> web.Response:
    """Any problem in A1111's shapes."""
    shown = problem if isinstance(problem, Refused) else _translated(problem)
    shown.headers, shown.retry_after_s = problem.headers, problem.retry_after_s
    return shown.answer(orjson.dumps(shown.document))


def _translated(problem: Problem) -> Refused:
    if problem.status in {404, 405} and not problem.reason:
        # As the web framework says it, for paths and methods that there are not.
        return Refused(problem.status, problem.detail, document={"detail": title(problem.status)})
    if problem.errors:
        return invalid(*(_item(error) for error in problem.errors))
    return http_exception(problem.status, problem.detail)


def _item(error: FieldError) -> tuple[Sequence[str], str, str]:
    path = error.field.removeprefix("spec.")  # which violations that a backend has found do not have
    if path.startswith(IMAGE_PATH):
        where = OUR_FIELDS.get(path.removeprefix(IMAGE_PATH), ())
    elif path.startswith(OPTIONS_PATH):
        where = tuple(path.removeprefix(OPTIONS_PATH).split("."))
    else:
        where = (path,) if path and path == error.field else ()
    return where, error.description, "value_error"


def _document(error: str, *, detail: str = "", errors: str = "") -> dict[str, Any]:
    return {"error": error, "detail": detail, "body": "", "errors": errors}
