"""What can go wrong with a call.

ImagegenError
├── InvalidRequest       the request cannot be run as it is: `violations` name the fields
├── NotFound             no such job, asset, backend, model, workflow or key
├── NotPossible          not in the present state of things: used id, changed meanwhile, job not finished or finished
├── NotAllowed           the caller may not do that
├── Unavailable          the server cannot be reached, does not answer, or is going down
├── Overloaded           the queue is full, the owner has as many jobs waiting as it may (`quotas` say which limit was
│                        met), or too many streams are open: `retry_after_s` says when to try again
├── ServerFault          a fault of the server, or an answer that makes no sense
└── Damaged              the bytes that arrived are not those that were asked for

Errors of calls carry what the server put into google.rpc.Status. Job.error and Attempt.error have the same form:
`error_from_status` turns them into one of these classes too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]  # ships no stubs
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    RetryInfo,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class Violation:
    """One field at fault."""

    field: str
    """Path within the request, as "spec.image.width"."""
    description: str
    """What is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit that was met."""

    subject: str
    """Whose it is, as "owner:anna" or "queue"."""
    description: str
    """The limit, and what is taken of it."""


class ImagegenError(Exception):
    """Base of everything that a call raises on purpose. `str()` is one sentence for a person."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        violations: tuple[Violation, ...] = (),
        quotas: tuple[Quota, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """The gRPC status code."""
        self.reason = reason
        """A value of imagegen.v1.ErrorReason without its prefix; empty where the error is not from our server."""
        self.violations = violations
        """The fields at fault; empty where the request is not to blame."""
        self.quotas = quotas
        """The limits that were met; empty where none was."""
        self.retry_after_s = retry_after_s
        """Seconds after which a retry makes sense; None where the server did not say."""


class InvalidRequest(ImagegenError):
    pass


class NotFound(ImagegenError):
    pass


class NotPossible(ImagegenError):
    pass


class NotAllowed(ImagegenError):
    pass


class Unavailable(ImagegenError):
    pass


class Overloaded(ImagegenError):
    pass


class ServerFault(ImagegenError):
    pass


class Damaged(ImagegenError):
    pass


ERROR_CLASSES: Mapping[grpc.StatusCode, type[ImagegenError]] = {
    grpc.StatusCode.CANCELLED: ServerFault,
    grpc.StatusCode.UNKNOWN: ServerFault,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: NotPossible,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
    grpc.StatusCode.FAILED_PRECONDITION: NotPossible,
    grpc.StatusCode.ABORTED: NotPossible,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.UNIMPLEMENTED: ServerFault,
    grpc.StatusCode.INTERNAL: ServerFault,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: Damaged,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
}
"""Total over every status code but OK, which is no error."""

_CODES = {code.value[0]: code for code in ERROR_CLASSES}


def error_from_status(status: Status) -> ImagegenError:
    """The error that a google.rpc.Status tells about, as in Job.error; never raises."""
    info, bad_request, quota, retry = ErrorInfo(), BadRequest(), QuotaFailure(), RetryInfo()
    has_retry = False
    for detail in status.details:
        try:
            detail.Unpack(info) or detail.Unpack(bad_request) or detail.Unpack(quota)
            has_retry = detail.Unpack(retry) or has_retry
        except DecodeError:
            continue  # a detail that cannot be read must not hide the code and the message
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return ERROR_CLASSES[code](
        status.message or code.name.lower().replace("_", " "),
        code=code,
        reason=info.reason,
        violations=tuple(Violation(each.field, each.description) for each in bad_request.field_violations),
        quotas=tuple(Quota(each.subject, each.description) for each in quota.violations),
        retry_after_s=max(0.0, retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9) if has_retry else None,
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns the errors of gRPC that leave the block into ours."""
    try:
        yield
    except grpc.aio.AioRpcError as exc:
        raise error_from_status(_status_of(exc)) from exc


def _status_of(error: grpc.aio.AioRpcError) -> Status:
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # has what a Call has, as far as it is used
    except (ValueError, DecodeError):  # a proxy changed code or message: the plain ones are what counts
        status = None
    return status or Status(code=error.code().value[0], message=error.details() or "")
