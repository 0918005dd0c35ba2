"""Why the server says no.

ServerError
├── Refused        a call that cannot be done as it was made; becomes the status of its answer
└── CannotStart    the process cannot run with this configuration, in this folder or at this address
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imagegen_adapters.errors import Violation


class ServerError(Exception):
    """Base of what this package raises by itself. `str()` is one sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """A limit that a call would have exceeded."""

    reason: str
    """QUEUE_FULL or QUOTA_EXCEEDED."""
    subject: str
    """Whose limit: "queue", or "owner:" and the owner."""
    description: str
    """The limit and what is taken of it, as a sentence."""


class Refused(ServerError):
    """A call that cannot be done as it was made."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        excess: Excess | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        """`reason` is a value of `imagegen.v1.ErrorReason` without its prefix."""
        super().__init__(message)
        self.reason = reason
        self.violations = tuple(violations)
        self.excess = excess
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


class CannotStart(ServerError):
    """The process cannot run with this configuration, in this folder or at this address."""


def invalid(violations: Sequence[Violation], *, reason: str = "INVALID_REQUEST") -> Refused:
    """A refusal for fields at fault; there is at least one."""
    first = violations[0]
    more = f", and {len(violations) - 1} more" if len(violations) > 1 else ""
    return Refused(reason, f"{first.field}: {first.description}{more}", violations=violations)


def bad_field(reason: str, field: str, message: str) -> Refused:
    """A refusal for one field at fault, whose message says enough without the field's path."""
    return Refused(reason, message, violations=[Violation(field, message)])


def job_not_found(job_id: str) -> Refused:
    return Refused("JOB_NOT_FOUND", f"there is no job {job_id!r}, or no longer", metadata={"job_id": job_id})


def asset_not_found(digest: str, field: str = "digest") -> Refused:
    """`field` is the path of the field that names the asset."""
    message = f"there is no asset {digest}, or no longer"
    return Refused("ASSET_NOT_FOUND", message, violations=[Violation(field, message)], metadata={"digest": digest})


def backend_not_found(name: str, allowed: Sequence[str], field: str = "name") -> Refused:
    """`field` is the path of the field that names the backend."""
    message = f"no backend is called {name!r}; there are: {', '.join(allowed) or 'none'}"
    return Refused("BACKEND_NOT_FOUND", message, violations=[Violation(field, message)], metadata={"backend": name})


def backend_exists(name: str, message: str) -> Refused:
    return Refused("BACKEND_EXISTS", message, metadata={"backend": name})


def backend_busy(name: str) -> Refused:
    message = f"jobs run at backend {name!r}: drain it first, and wait until they have ended"
    return Refused("BACKEND_BUSY", message, metadata={"backend": name})


def node_class_not_found(class_type: str, backend: str) -> Refused:
    """`backend` is the only one that was asked for; empty: all were."""
    who = f"backend {backend!r} has no" if backend else "no backend has a"
    message = f"{who} node class called {class_type!r}"
    return Refused("NODE_CLASS_NOT_FOUND", message, metadata={"class_type": class_type})


def workflow_not_found(workflow_id: str, field: str, message: str) -> Refused:
    """`field` is the path of the field that names the workflow."""
    metadata = {"workflow_id": workflow_id}
    return Refused("WORKFLOW_NOT_FOUND", message, violations=[Violation(field, message)], metadata=metadata)


def workflow_exists(workflow_id: str) -> Refused:
    message = f"there is a workflow {workflow_id!r} already; choose another workflow_id, or update that one"
    return Refused("WORKFLOW_EXISTS", message, metadata={"workflow_id": workflow_id})


def workflow_built_in(workflow_id: str) -> Refused:
    message = f"workflow {workflow_id!r} is built in and stays as it is; create a variant with it as the base"
    return Refused("WORKFLOW_BUILT_IN", message, metadata={"workflow_id": workflow_id})


def workflow_changed(workflow_id: str, seen: int, newest: int) -> Refused:
    message = f"workflow {workflow_id!r} was changed meanwhile: revision {newest} is the newest, not {seen}"
    return Refused("CHANGED_MEANWHILE", message, metadata={"workflow_id": workflow_id, "revision": str(newest)})


def request_id_reused(request_id: str) -> Refused:
    message = "this request_id was used before for another request; choose a new one"
    return Refused("REQUEST_ID_REUSED", message, metadata={"request_id": request_id})


def key_not_found(name: str) -> Refused:
    return Refused("KEY_NOT_FOUND", f"no key that was made here is called {name!r}", metadata={"key": name})


def key_exists(name: str) -> Refused:
    return Refused("KEY_EXISTS", f"there is a key {name!r} already; choose another name", metadata={"key": name})


def job_not_finished(job_id: str) -> Refused:
    return Refused("JOB_NOT_FINISHED", f"job {job_id!r} has not ended; cancel it first", metadata={"job_id": job_id})


def job_finished(job_id: str) -> Refused:
    return Refused("JOB_FINISHED", f"job {job_id!r} has ended", metadata={"job_id": job_id})


def job_not_queued(job_id: str) -> Refused:
    message = f"job {job_id!r} does not wait in the queue, or no longer"
    return Refused("JOB_NOT_QUEUED", message, metadata={"job_id": job_id})


def changed_meanwhile(what: str, version: int) -> Refused:
    """`what` in the plural, as "the settings"; `version` is the one that there is now."""
    message = f"{what} were changed meanwhile and are at version {version} now; read them again"
    return Refused("CHANGED_MEANWHILE", message, metadata={"version": str(version)})


def store_unavailable() -> Refused:
    message = "the server cannot store anything at the moment; try again later"
    return Refused("STORE_UNAVAILABLE", message, retry_after_s=5.0)
