"""What may happen to a job, and the durable events that tell about it. Times are seconds since the Unix epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from imagegen_adapters.contract import Handle, Planned, Warned
from imagegen_server.jobs import Asset, Attempt, Failure, Incident, Job, JobState, Move, Output, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBegan:
    """Images that are missing are about to be handed to a backend."""

    attempt_id: str
    backend: str
    handle: Handle
    slice: Slice
    model: str = ""
    """What this backend takes for the job's model; empty: as the spec says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAccepted:
    """The backend has it, under this handle."""

    number: int
    handle: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTold:
    """Something that watchers should know."""

    number: int
    update: Planned | Warned


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStored:
    """A result is in the asset store."""

    number: int
    asset: Asset
    image_index: int = 0
    """Within the job."""
    seed: int | None = None
    node_id: str = ""
    intermediate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded:
    """Every output is stored."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBroke:
    """The attempt ended by a failure."""

    number: int
    failure: Failure
    will_retry: bool
    is_uncertain: bool = False
    """It may still be running there."""
    incident: Incident = Incident.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCancelled:
    """The backend confirmed that it stopped."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Somebody wants the job to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """The job took too long."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """Somebody changed the job; None: as it is."""

    priority: int | None = None
    labels: Mapping[str, str] | None = None
    is_paused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Somebody gave the job another place in the queue; None: it lines up anew, at the end."""

    move: Move | None


Happening: TypeAlias = (
    AttemptBegan
    | AttemptAccepted
    | AttemptTold
    | OutputStored
    | AttemptSucceeded
    | AttemptBroke
    | AttemptCancelled
    | CancelRequested
    | DeadlinePassed
    | Updated
    | Moved
)


# --- the durable events that tell about it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    before: JobState | None
    """None: the job was created."""
    after: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    attempt: Attempt
    will_retry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUpdated:
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    job: Job


Durable: TypeAlias = StateChanged | AttemptStarted | AttemptFailed | Planned | Output | Warned | JobUpdated | Completed

Events: TypeAlias = "tuple[DurableEvent, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableEvent:
    """A durable event in its envelope."""

    job_id: str
    sequence: int
    time: float
    attempt: int
    """Number of the attempt that it belongs to; 0: none."""
    payload: Durable
