"""Reasons to statuses, by tables that leave nothing out."""

from collections.abc import Iterable, Mapping

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations

from imagegen_adapters import errors as adapter_errors
from imagegen_adapters.errors import AdapterError, Violation
from imagegen_server.errors import Refused
from imagegen_server.jobs import Failure

DOMAIN = "imagegen"

# Of a refusal; together they stay below 8 KiB once they are encoded as metadata.
_MAX_MESSAGE = 300
_MAX_VIOLATIONS = 2500
# Of what a job keeps.
_MAX_FAILURE_MESSAGE = 2000

CODES: Mapping[str, grpc.StatusCode] = {
    "INVALID_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_GRAPH": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_IMAGE": grpc.StatusCode.INVALID_ARGUMENT,
    "DIGEST_MISMATCH": grpc.StatusCode.INVALID_ARGUMENT,
    "ASSET_TOO_LARGE": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_RESUME_TOKEN": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_PAGE_TOKEN": grpc.StatusCode.INVALID_ARGUMENT,
    "INVALID_RANGE": grpc.StatusCode.OUT_OF_RANGE,
    "JOB_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "ASSET_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "BACKEND_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "MODEL_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "NODE_CLASS_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "WORKFLOW_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "WORKFLOW_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "WORKFLOW_BUILT_IN": grpc.StatusCode.FAILED_PRECONDITION,
    "CHANGED_MEANWHILE": grpc.StatusCode.ABORTED,
    "NOT_A_WORKFLOW": grpc.StatusCode.INVALID_ARGUMENT,
    "REQUEST_ID_REUSED": grpc.StatusCode.ALREADY_EXISTS,
    "JOB_NOT_FINISHED": grpc.StatusCode.FAILED_PRECONDITION,
    "ASSET_IN_USE": grpc.StatusCode.FAILED_PRECONDITION,
    "BACKEND_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "BACKEND_BUSY": grpc.StatusCode.FAILED_PRECONDITION,
    "BACKENDS_ARE_FIXED": grpc.StatusCode.PERMISSION_DENIED,
    "KEY_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "KEY_EXISTS": grpc.StatusCode.ALREADY_EXISTS,
    "QUEUE_FULL": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "WATCHER_TOO_SLOW": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "TOO_MANY_WATCHERS": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "SHUTTING_DOWN": grpc.StatusCode.UNAVAILABLE,
    "INTERNAL": grpc.StatusCode.INTERNAL,
    "STORE_UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    "QUOTA_EXCEEDED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "JOB_NOT_QUEUED": grpc.StatusCode.FAILED_PRECONDITION,
    "JOB_FINISHED": grpc.StatusCode.FAILED_PRECONDITION,
    "CANCELLED_BY_CALLER": grpc.StatusCode.CANCELLED,
    "BACKEND_UNREACHABLE": grpc.StatusCode.UNAVAILABLE,
    "ATTEMPT_LOST": grpc.StatusCode.UNAVAILABLE,
    "BACKEND_OUT_OF_MEMORY": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "BACKEND_GPU_FAULT": grpc.StatusCode.INTERNAL,
    "NODE_FAILED": grpc.StatusCode.FAILED_PRECONDITION,
    "BACKEND_REJECTED": grpc.StatusCode.INVALID_ARGUMENT,
    "INTERRUPTED_AT_BACKEND": grpc.StatusCode.ABORTED,
    "BACKEND_UNINTELLIGIBLE": grpc.StatusCode.INTERNAL,
    "NO_OUTPUT": grpc.StatusCode.FAILED_PRECONDITION,
    "BACKEND_UNAUTHENTICATED": grpc.StatusCode.UNAUTHENTICATED,
    "START_DEADLINE_PASSED": grpc.StatusCode.DEADLINE_EXCEEDED,
    "EXECUTION_DEADLINE_PASSED": grpc.StatusCode.DEADLINE_EXCEEDED,
    "ATTEMPT_UNCERTAIN": grpc.StatusCode.UNKNOWN,
    "TAKES_BACKENDS_DOWN": grpc.StatusCode.ABORTED,
}

REASONS: Mapping[type[AdapterError], str] = {
    adapter_errors.Unreachable: "BACKEND_UNREACHABLE",
    adapter_errors.Unauthenticated: "BACKEND_UNAUTHENTICATED",
    adapter_errors.Lost: "ATTEMPT_LOST",
    adapter_errors.Uncertain: "ATTEMPT_UNCERTAIN",
    adapter_errors.Unintelligible: "BACKEND_UNINTELLIGIBLE",
    adapter_errors.Rejected: "BACKEND_REJECTED",
    adapter_errors.OutOfMemory: "BACKEND_OUT_OF_MEMORY",
    adapter_errors.GpuFault: "BACKEND_GPU_FAULT",
    adapter_errors.NodeFailed: "NODE_FAILED",
    adapter_errors.Interrupted: "INTERRUPTED_AT_BACKEND",
    adapter_errors.NoOutput: "NO_OUTPUT",
    adapter_errors.Cancelled: "CANCELLED_BY_CALLER",
}


def code_of(reason: str) -> grpc.StatusCode:
    return CODES[reason]


def failure_of(error: AdapterError) -> Failure:
    """What a job keeps of an adapter's error."""
    violations = error.violations if isinstance(error, adapter_errors.Rejected) else ()
    message = _shortened(str(error), _MAX_FAILURE_MESSAGE)
    # An adapter may have kinds of its own below these.
    reason = next((REASONS[kind] for kind in type(error).__mro__ if kind in REASONS), "INTERNAL")
    at = {"node_id": error.node_id, "node_type": error.node_type} if isinstance(error, adapter_errors.AtNode) else {}
    return Failure(reason=reason, message=message, violations=violations, **at)


def encode_failure(failure: Failure) -> status_pb2.Status:
    at = {"node_id": failure.node_id, "node_type": failure.node_type} if failure.node_id else None
    return _status(failure.reason, failure.message, failure.violations, at)


def decode_failure(status: status_pb2.Status) -> Failure:
    """Reads back what `encode_failure` made."""
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
    violations = tuple(Violation(each.field, each.description) for each in bad_request.field_violations)
    return Failure(
        reason=info.reason,
        message=status.message,
        violations=violations,
        node_id=info.metadata.get("node_id", ""),
        node_type=info.metadata.get("node_type", ""),
    )


def encode_refusal(refused: Refused) -> status_pb2.Status:
    """The status of an answer, small enough for what every gRPC client takes as trailing metadata (8 KiB)."""
    message = _shortened(str(refused), _MAX_MESSAGE)
    status = _status(refused.reason, message, _fitting(refused.violations), refused.metadata)
    if refused.excess is not None:
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=refused.excess.subject, description=refused.excess.description
        )
        _attach(status, error_details_pb2.QuotaFailure(violations=[violation]))
    if refused.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(refused.retry_after_s * 1000))
        _attach(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def _status(
    reason: str, text: str, violations: Iterable[Violation] = (), metadata: Mapping[str, str] | None = None
) -> status_pb2.Status:
    code: int = CODES[reason].value[0]
    status = status_pb2.Status(code=code, message=text)
    _attach(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    fields = [
        error_details_pb2.BadRequest.FieldViolation(field=each.field, description=each.description)
        for each in violations
    ]
    if fields:
        _attach(status, error_details_pb2.BadRequest(field_violations=fields))
    return status


def _fitting(violations: Iterable[Violation]) -> list[Violation]:
    """As many of them as fit."""
    fitting: list[Violation] = []
    room = _MAX_VIOLATIONS
    for each in violations:
        shortened = Violation(_shortened(each.field, _MAX_MESSAGE), _shortened(each.description, 2 * _MAX_MESSAGE))
        room -= len(shortened.field.encode()) + len(shortened.description.encode())
        if fitting and room < 0:
            break
        fitting.append(shortened)
    return fitting


def _shortened(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def _attach(status: status_pb2.Status, detail: message.Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)
