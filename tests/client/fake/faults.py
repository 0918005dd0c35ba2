"""How calls fail on command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]  # no stubs
    BadRequest,
    ErrorInfo,
    QuotaFailure,
    RetryInfo,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # no stubs


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a call fails."""

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    message: str = "going down"
    reason: str = ""
    """Empty: a plain status, as the transport gives it."""
    violations: Mapping[str, str] = field(default_factory=dict)
    quotas: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def status(self) -> Status:
        status = Status(code=self.code.value[0], message=self.message)
        if self.reason:
            status.details.add().Pack(ErrorInfo(domain="imagegen", reason=self.reason))
        if self.violations:
            bad_request = BadRequest()
            for path, description in self.violations.items():
                bad_request.field_violations.add(field=path, description=description)
            status.details.add().Pack(bad_request)
        if self.quotas:
            quota = QuotaFailure()
            for subject, description in self.quotas.items():
                quota.violations.add(subject=subject, description=description)
            status.details.add().Pack(quota)
        if self.retry_after_s is not None:
            delay = Duration()
            delay.FromMicroseconds(round(self.retry_after_s * 1e6))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
        return status

    async def raise_in(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        status = self.status()
        metadata = (("grpc-status-details-bin", status.SerializeToString()),) if status.details else ()
        await context.abort(self.code, self.message, trailing_metadata=metadata)


SHUTTING_DOWN = Fault(reason="SHUTTING_DOWN", retry_after_s=0.0)
TOO_SLOW = Fault(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="too slow", reason="WATCHER_TOO_SLOW", retry_after_s=0.0
)
RESET = Fault(code=grpc.StatusCode.INTERNAL, message="Received RST_STREAM with error code 2")
UNIMPLEMENTED = Fault(code=grpc.StatusCode.UNIMPLEMENTED, message="the client does not use it")
NO_JOB = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such job", reason="JOB_NOT_FOUND")
NOT_FINISHED = Fault(
    code=grpc.StatusCode.FAILED_PRECONDITION,
    message="the job has not ended: cancel it first",
    reason="JOB_NOT_FINISHED",
)
FINISHED = Fault(code=grpc.StatusCode.FAILED_PRECONDITION, message="the job has ended", reason="JOB_FINISHED")
NOT_QUEUED = Fault(
    code=grpc.StatusCode.FAILED_PRECONDITION, message="the job does not wait in the queue", reason="JOB_NOT_QUEUED"
)
NO_BACKEND = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such backend", reason="BACKEND_NOT_FOUND")
NO_ASSET = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such asset", reason="ASSET_NOT_FOUND")
NO_KEY = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such key", reason="KEY_NOT_FOUND")
SILENT = Fault(message="the backend is silent", reason="BACKEND_UNREACHABLE")
OUT_OF_MEMORY = Fault(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="the device had too little memory", reason="BACKEND_OUT_OF_MEMORY"
)
