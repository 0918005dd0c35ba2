"""What can go wrong with an attempt.

AdapterError
├── Unreachable          refused, reset, timed out, or silent for too long
├── Unauthenticated      our user name and password were refused
├── Lost                 the backend restarted or forgot the attempt
├── Uncertain            nobody can tell what became of the attempt: it may still be running there
├── Unintelligible       an answer that cannot be understood
├── Rejected             the request cannot run there as it is: `violations` say why
├── OutOfMemory          the device had too little memory
├── GpuFault             the device or its driver is broken
├── NodeFailed           a node of the graph, or the backend's own code, raised
├── Interrupted          somebody else stopped the attempt at the backend
├── NoOutput             the run ended without any image
└── Cancelled            the run's own `cancel` took effect

Each class says by `can_retry` whether the same request may succeed in another attempt, and by `backend_at_fault`
whether the next attempt should rather go elsewhere and the backend be looked at. Each error says by `backend_died`
whether the backend's process or device was found dead: if that happens wherever a request runs, the request may be why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """One field at fault."""

    field: str
    """Path within JobSpec, as "image.model" or 'graph.json["4"].inputs.ckpt_name'."""
    description: str
    """What is wrong and what would be right, as "no such sampler 'eulr'; allowed: euler, heun"."""


class AdapterError(Exception):
    """Base of everything that an adapter raises. `str()` is one sentence for a person: no secrets, no traceback."""

    can_retry: ClassVar[bool] = False
    backend_at_fault: ClassVar[bool] = False
    backend_died = False


class Unreachable(AdapterError):
    """`backend_died`: nothing listens there, so what the process had in memory is gone. Otherwise it may live on."""

    can_retry = True
    backend_at_fault = True

    def __init__(self, message: str, *, backend_died: bool = False) -> None:
        super().__init__(message)
        self.backend_died = backend_died


class Unauthenticated(AdapterError):
    backend_at_fault = True


class Lost(AdapterError):
    """`backend_died`: it restarted in the middle of the attempt."""

    can_retry = True

    def __init__(self, message: str, *, backend_died: bool = False) -> None:
        super().__init__(message)
        self.backend_died = backend_died


class Uncertain(AdapterError):
    can_retry = True


class Unintelligible(AdapterError):
    backend_at_fault = True


class Rejected(AdapterError):
    """The request cannot run at this backend as it is."""

    def __init__(self, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class AtNode(AdapterError):
    """What happened in a node of a graph, if it is known in which; not raised itself."""

    def __init__(self, message: str, *, node_id: str = "", node_type: str = "") -> None:
        super().__init__(message)
        self.node_id = node_id
        self.node_type = node_type


class OutOfMemory(AtNode):
    can_retry = True


class GpuFault(AtNode):
    can_retry = True
    backend_at_fault = True
    backend_died = True


class NodeFailed(AtNode):
    """A node of the graph, or the backend's own code, raised an exception."""


class Interrupted(AdapterError):
    pass


class NoOutput(AdapterError):
    pass


class Cancelled(AdapterError):
    pass
