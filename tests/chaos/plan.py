"""What a run is going to do: jobs, what people wish for them, and disturbances."""

from dataclasses import dataclass
from enum import StrEnum

SERVER, GATEWAY = "server", "gateway"
BACKENDS = ("new-comfyui", "old-comfyui", "a1111")
"""Two ComfyUI of different versions, and an A1111."""

ENDLESS_STEPS = 400
"""Of jobs that only a cancel or a deadline ends in good time."""

DUMPER_WAITS, DUMPER_RUNS = 40, 3
"""How many jobs of this one owner may wait, and run, at a time."""


class Owner(StrEnum):
    DUMPER = "dumper"
    """Hands in nearly half of all jobs, many at a time; how many may wait and run at once is limited."""
    ANNA = "anna"
    BEN = "ben"
    BOSS = "boss"
    """Has priority."""


class JobKind(StrEnum):
    TEXT = "text-to-image"
    BATCH = "batch"
    IMAGE = "image-to-image"
    GRAPH = "graph"


class Way(StrEnum):
    """How something is asked of the service."""

    GRPC = "grpc"
    HTTP = "http"


class WishKind(StrEnum):
    CANCEL = "cancel"
    REPEAT = "hand in again"
    """Under the same request id."""
    PAUSE = "pause"
    """And resume it after `seconds`."""
    MOVE = "move"
    RETRY = "retry"
    """Once it has ended. The first answer is thrown away after `seconds`, so that it is asked for again."""


class Place(StrEnum):
    """Where a job is moved."""

    FIRST = "first"
    LAST = "last"
    BEFORE = "before"
    """Before the job that was handed in last; so AFTER."""
    AFTER = "after"


class TroubleKind(StrEnum):
    KILL = "kill"
    """SIGKILL, and a new start after a while."""
    KILL_AGAIN = "kill again"
    """SIGKILL, and once more while it starts; it gets so many seconds in between."""
    STOP = "stop"
    """SIGTERM, and a new start when it has ended."""
    CUT = "cut"
    """Its sockets are cut, and it goes on."""
    LOSE_ANSWER = "lose answer"
    """It takes the next job, and cuts the connection instead of saying so."""
    PAUSE = "pause"
    """It stays connected and says nothing for a while."""
    SLOW = "slow"
    """It answers late for a while."""
    OUT_OF_MEMORY = "out of memory"
    """The next job there runs out of memory."""
    DRAIN = "drain"
    """Somebody drains it for a while."""
    HOLD = "hold"
    """Somebody pauses the queue for a while; an owner as target: only the jobs of this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks for a job."""

    kind: WishKind
    after_s: float
    """From its acceptance."""
    way: Way
    seconds: float = 0.0
    to: Place = Place.FIRST
    new_seeds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    number: int
    at_s: float
    """When it is handed in, from the beginning of the run; so are all times of the plan."""
    owner: Owner
    turn: int
    """Which of its owner's jobs it is, from 0."""
    kind: JobKind
    steps: int
    count: int
    batch_size: int
    seed: int
    way: Way
    """By which it is handed in."""
    backend: str = ""
    """The only one that may do it; empty: any."""
    start_deadline_s: float | None = None
    execution_deadline_s: float | None = None
    fails_if_uncertain: bool = False
    wishes: tuple[Wish, ...] = ()
    watch: Way | None = None
    hang_up_after: tuple[int, ...] = ()
    """The watcher over HTTP goes away after so many events each, and comes back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    at_s: float
    kind: TroubleKind
    target: str
    seconds: float
    """How long it lasts, where it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    seed: int
    has_task_ids: bool
    """Whether the A1111 has its web page, and so can be asked about a job."""
    jobs: tuple[PlannedJob, ...]
    troubles: tuple[Trouble, ...]
