"""What is known about a run when it is over: all that `checks` judges by."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import Job
from tests.chaos.plan import PlannedJob, TroubleKind, Way, WishKind
from tests.e2e.stack import DURABLE

Mark = tuple[int, str]
"""Sequence number and kind of a durable event."""


@dataclass(slots=True, kw_only=True)
class Watched:
    """What one watcher was told, over all its connections."""

    job_id: str
    way: Way
    marks: list[Mark] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)
    """Attempt and number of each preview."""
    fractions: list[float] = field(default_factory=list)
    """Of each progress."""
    resets: int = 0
    resumed: int = 0
    """How often it came back with its position."""
    problem: str = ""
    """Why it was not told all; empty: it was."""


@dataclass(slots=True, kw_only=True)
class Accepted:
    """A job that the service has taken."""

    planned: PlannedJob
    job_id: str
    repeated_as: list[str] = field(default_factory=list)
    """The ids of the jobs that its repetitions were answered with."""
    is_cancel_accepted: bool = False
    retry_of: str = ""
    has_new_seeds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A disturbance that took place. Times are seconds since the Unix epoch."""

    kind: TroubleKind
    target: str
    begin: float
    end: float


class HoldKind(StrEnum):
    JOB = "job"
    OWNER = "owner"
    """An empty name: all of them."""
    BACKEND = "backend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """From the answer to the one call until the other was made, no attempt of this may begin."""

    kind: HoldKind
    name: str
    begin: float
    end: float


@dataclass(slots=True, kw_only=True)
class Evidence:
    accepted: list[Accepted] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    """Every job that the service lists, by id."""
    jobs_of: dict[str, set[str]] = field(default_factory=dict)
    """The ids of those that it lists for each owner."""
    histories: dict[str, list[JobEvent]] = field(default_factory=dict)
    """The durable events of each, replayed from the first."""
    completed: list[str] = field(default_factory=list)
    """The job of each `completed` in the database: a replay ends at the first."""
    watched: list[Watched] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """A sentence for each output whose bytes cannot be had."""
    seeds: dict[tuple[str, int], int | None] = field(default_factory=dict)
    """By job and number of the output: the seed that the picture itself tells; None: it tells none."""
    handed_over: dict[str, list[list[str]]] = field(default_factory=dict)
    """By backend, for each of its lives: the attempts that it was given, by the id that we gave them."""
    succeeded: dict[str, set[str]] = field(default_factory=dict)
    """By backend: what it did to the end, by its own ids."""
    ended: dict[str, dict[str, float]] = field(default_factory=dict)
    """By backend: when what it did came to an end there, by its own ids."""
    left_over: dict[str, list[str]] = field(default_factory=dict)
    """By backend: what was still queued or running there when all jobs had ended."""
    lines: dict[str, list[str]] = field(default_factory=dict)
    """By program: what it printed."""
    incidents: list[Incident] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    granted: Counter[WishKind] = field(default_factory=Counter)
    too_late: Counter[WishKind] = field(default_factory=Counter)
    """Wishes that were refused because the job had gone on meanwhile."""
    problems: list[str] = field(default_factory=list)
    """A sentence for each thing that went wrong on the way."""


def marks_of(events: Iterable[JobEvent]) -> list[Mark]:
    kinds = [(event.sequence, event.WhichOneof("event")) for event in events]
    return [(sequence, kind) for sequence, kind in kinds if kind in DURABLE]
