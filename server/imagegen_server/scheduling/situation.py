"""What placing jobs is about: those that wait, the backends, and what is decided and foreseen. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from imagegen_server.jobs import Move
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.fairness import FairShares
from imagegen_server.scheduling.work import Work


class WaitReason(Enum):
    """The names of `imagegen.v1.WaitReason`."""

    TURN = "turn"
    NO_BACKEND = "no_backend"
    PAUSED = "paused"
    RETRY_DELAY = "retry_delay"
    OWNER_LIMIT = "owner_limit"
    QUEUE_PAUSED = "queue_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job of which something is missing, as far as placing it goes."""

    job_id: str
    owner: str = ""
    priority: int = 0
    """-10..10; higher goes first."""
    queue_time: float
    """Since when it has its place in the queue."""
    work: Work
    """Of one pass."""
    passes: int = 1
    """How many are missing. Each may go to another backend."""
    failed_on: frozenset[str] = frozenset()
    """Backends that are avoided as long as another available one can take it."""
    not_before: float = 0.0
    """Time before which it is not tried again."""
    is_paused: bool = False
    is_running: bool = False
    """Other passes of it are under way: more of it takes no room of its owner's."""
    move: Move | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend as far as placing jobs goes."""

    name: str
    is_available: bool = True
    """Healthy, and not drained."""
    free_slots: int
    slots: int = 1
    """How many runs may be there at once. It makes them one after the other."""
    remaining_s: float | None = 0.0
    """Predicted seconds until it has done what it has; 0: idle; None: cannot be told."""
    resident_model: str = ""
    """The model that it will have loaded when it has done that; empty: not known."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Start so many of the job's missing passes there, now."""

    job_id: str
    backend: str
    passes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job's place in the queue."""

    ahead: int
    """How many jobs are ahead of it."""
    length: int
    """How many are queued in all, this one included."""
    start_s: float | None = None
    """Predicted seconds from now until it starts; None: what it waits for was never measured."""
    finish_s: float | None = None
    """Predicted seconds from now until its last image is made; None: not known."""
    backend: str = ""
    """Where most of it will probably be made; empty: not known."""
    reason: WaitReason = WaitReason.TURN


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision depends on. The functions must not change while it is in use."""

    now: float
    jobs: Sequence[WaitingJob]
    """In any order."""
    backends: Sequence[Candidate]
    """In order of the configuration, which decides between equals."""
    accepts: Callable[[str, str], bool]
    """Whether the job (first) can run on the backend (second), as far as is known."""
    estimator: Estimator
    shares: FairShares
    """Is read, and changed by `book` only."""
    room: Callable[[str], int]
    """How many more jobs of this owner may run."""
    paused: Callable[[str], bool]
    """Whether nothing of this owner may be started: it is paused, or the whole queue."""
