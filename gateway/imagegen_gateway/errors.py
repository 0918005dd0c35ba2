"""What the gateway answers when it cannot do what was asked: RFC 9457 problem documents.

Problem                  one answer; raised by handlers, written by the middleware
  from_rpc(error)        what the server said, by a total table from gRPC status and ErrorInfo.reason
  from_status(status)    the same for a google.rpc.Status
"""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import grpc
import orjson
import structlog
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations
from grpc_status import rpc_status

from imagegen.v1 import error_pb2

log = structlog.get_logger(__name__)

HTTP_BY_STATUS: dict[grpc.StatusCode, int] = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNKNOWN: 500,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DATA_LOSS: 500,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
"""The HTTP status of each gRPC status. Total: a test compares it with grpc.StatusCode."""

HTTP_BY_REASON: dict[int, int] = {
    error_pb2.ERROR_REASON_ASSET_TOO_LARGE: 413,
    error_pb2.ERROR_REASON_INVALID_RANGE: 416,
    # Says what a proxy's reader should think: the request was fine, a machine behind is not.
    error_pb2.ERROR_REASON_BACKEND_UNAUTHENTICATED: 502,
    error_pb2.ERROR_REASON_BACKEND_UNREACHABLE: 502,
    error_pb2.ERROR_REASON_BACKEND_UNINTELLIGIBLE: 502,
}
"""Reasons whose HTTP status is another than that of their gRPC status."""

PLACES: Final = {
    "/sdapi/": "A1111's API is at /a1111",
    "/v1/chat/": "OpenAI's API is at /openai/v1",
    "/v1/images/": "OpenAI's API is at /openai/v1",
    "/v1/models": "OpenAI's API is at /openai/v1",
    "/prompt": "ComfyUI's API is at /comfyui",
    "/object_info": "ComfyUI's API is at /comfyui",
    "/ws": "ComfyUI's API is at /comfyui",
}
"""Paths of foreign APIs, by which a request that came to the wrong place is known."""

STATUS_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
MAX_PHRASE_CHARS = 200
UNPRINTABLE = re.compile(r"[^ -~]")
NO_RETRY_INFO_S = {429: 5.0, 503: 2.0}
"""Seconds to wait where the server did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One field at fault."""

    field: str
    """Its path, as "spec.image.width"."""
    description: str
    """What is wrong and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaError:
    """One limit that the request would have exceeded."""

    subject: str
    """Whose limit: "queue", or "owner:" and the owner."""
    description: str
    """The limit, and what is taken of it."""


@dataclass(slots=True, eq=False)
class Problem(Exception):
    """An answer other than success."""

    status: int
    """HTTP status."""
    detail: str
    """What happened, to what, and what to do."""
    reason: str = ""
    """A name of ErrorReason without its prefix, or empty."""
    errors: tuple[FieldError, ...] = ()
    """The fields at fault."""
    quota: tuple[QuotaError, ...] = ()
    """The limits that were reached."""
    retry_after_s: float | None = None
    """When to try again, as the server said; None: it did not say."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What the server said beside the reason, as the node of a graph that failed."""
    headers: dict[str, str] = field(default_factory=dict)
    """More headers of the answer."""

    def __str__(self) -> str:
        return self.detail

    @property
    def wait_s(self) -> float | None:
        """Seconds that the caller is told to wait; None: nothing is said."""
        return NO_RETRY_INFO_S.get(self.status) if self.retry_after_s is None else self.retry_after_s

    def body(self) -> bytes:
        """The problem document."""
        document: dict[str, object] = {
            "type": f"/docs#error-{self.reason}" if self.reason else "about:blank",
            "title": title(self.status),
            "status": self.status,
            "detail": self.detail,
        }
        if self.reason:
            document["reason"] = self.reason
        if self.errors:
            document["errors"] = [{"field": item.field, "description": item.description} for item in self.errors]
        if self.quota:
            document["quota"] = [{"subject": item.subject, "description": item.description} for item in self.quota]
        if self.wait_s is not None:
            document["retry_after"] = self.wait_s
        return orjson.dumps(document)

    def response(self) -> web.Response:
        """The answer as a problem document."""
        return self.answer(self.body(), "application/problem+json")

    def answer(self, body: bytes, content_type: str = "application/json", *, sentence: str = "") -> web.Response:
        """The answer with a body in a dialect's own shape.

        `sentence` stands where HTTP has the reason phrase, because Open WebUI shows or logs nothing else.
        """
        headers = {**self.headers, "Cache-Control": "no-store"}
        if self.wait_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.wait_s)))
        return web.Response(
            status=self.status,
            reason=phrase(sentence) or title(self.status),
            body=body,
            content_type=content_type,
            headers=headers,
        )


def phrase(text: str) -> str:
    """One line for the status line of HTTP/1.1, which takes no other characters."""
    line = UNPRINTABLE.sub("?", " ".join(text.split()))
    return line if len(line) <= MAX_PHRASE_CHARS else line[: MAX_PHRASE_CHARS - 3] + "..."


def title(status: int) -> str:
    """The name of an HTTP status."""
    if status == 499:
        return "Client Closed Request"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def from_rpc(error: grpc.aio.AioRpcError) -> Problem:
    """The problem that an error of the server is."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has the methods that it calls
    if status is None:
        return _problem(error.code(), error.details() or "")
    return from_status(status)


def from_status(status: status_pb2.Status) -> Problem:
    """The problem that a status of the server, a job or an attempt is."""
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    quota = error_details_pb2.QuotaFailure()
    retry_after_s: float | None = None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
        detail.Unpack(quota)
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
    problem = _problem(
        STATUS_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN),
        status.message,
        reason=info.reason,
        errors=tuple(FieldError(field=v.field, description=v.description) for v in bad.field_violations),
        quota=tuple(QuotaError(subject=v.subject, description=v.description) for v in quota.violations),
        retry_after_s=retry_after_s,
    )
    problem.metadata.update(info.metadata)
    return problem


def _problem(
    code: grpc.StatusCode,
    message: str,
    *,
    reason: str = "",
    errors: tuple[FieldError, ...] = (),
    quota: tuple[QuotaError, ...] = (),
    retry_after_s: float | None = None,
) -> Problem:
    number = error_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(f"ERROR_REASON_{reason}")
    status = HTTP_BY_STATUS[code]
    if number is not None:
        status = HTTP_BY_REASON.get(number.number, status)
    if code is grpc.StatusCode.CANCELLED and not reason:
        # Not by the gateway, which does not wait for what it has cancelled: by a server that goes down.
        code, status = grpc.StatusCode.UNAVAILABLE, HTTP_BY_STATUS[grpc.StatusCode.UNAVAILABLE]
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        message = "the imagegen server cannot be reached"  # gRPC's own text names addresses and sockets
    return Problem(status, message or code.name.lower().replace("_", " "), reason, errors, quota, retry_after_s)


def unavailable(detail: str) -> Problem:
    """The answer while the gateway cannot do it but soon may."""
    return Problem(503, detail)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Shape = Callable[[Problem], web.Response]
"""How a dialect answers a problem."""


def problem_middleware(shapes: Mapping[str, Shape], owner_of: Callable[[web.Request], str]) -> Middleware:
    """Answers every error, whoever raised it: as the shape of the path's beginning, or else as a problem document.

    `owner_of` says who asked, for the log.
    """

    @web.middleware
    async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as exc:
            if exc.status < 400:
                raise
            problem = _from_http(exc, request)
        except (asyncio.CancelledError, ConnectionResetError):
            raise
        except Exception as exc:  # noqa: BLE001  # logged in problem_of
            problem = problem_of(exc, request)
        shape = next((shapes[prefix] for prefix in shapes if request.path.startswith(prefix)), None)
        if shape is None:
            return problem.response()
        # Programs of others often hide from people what they are told.
        about = {"method": request.method, "path": request.path[:200], "owner": owner_of(request)}
        log.info("refused", **about, status=problem.status, why=problem.detail)
        return shape(problem)

    return answer_problems


def problem_of(error: Exception, request: web.Request) -> Problem:
    """The problem that an error is; what nobody foresaw is logged."""
    match error:
        case Problem():
            return error
        case grpc.aio.AioRpcError():
            if error.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED}:
                log.warning("server answered with a fault", route=_route(request), code=error.code().name)
            return from_rpc(error)
        case web.RequestPayloadError() | HttpProcessingError():
            return Problem(400, f"the body cannot be read: {unreadable(error)}", reason="INVALID_REQUEST")
        case _:
            log.error("request failed", method=request.method, route=_route(request), exc_info=error)
            return Problem(500, "a fault of the gateway; its log has more", reason="INTERNAL")


def unreadable(error: Exception) -> str:
    """What aiohttp says of a body that breaks its own format, in one line."""
    return " ".join(str(error).removeprefix("400, message:").split())[:200]


def _from_http(exc: web.HTTPException, request: web.Request) -> Problem:
    allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else {}
    match exc.status:
        case 404:
            detail = f"there is nothing at {request.path}; {whereabouts(request.path)}"
        case 405:
            detail = f"{request.method} is not allowed at {request.path}; allowed: {exc.headers.get('Allow', '')}"
        case 413:
            detail = "the body is larger than the gateway takes"
        case _:
            detail = exc.reason
    return Problem(exc.status, detail, headers=allow)


def whereabouts(path: str) -> str:
    """Where what was looked for may be: the beginning of a path is what people forget."""
    for part, place in PLACES.items():
        if part in path:
            return f"{place}; see docs/dialects.md"
    return "see /docs"


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
