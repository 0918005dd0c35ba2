"""What a run is going to do: jobs and disturbances, both from one seed. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

SERVER, GATEWAY = "server", "gateway"
BACKENDS = ("new-comfyui", "old-comfyui", "a1111")
"""Two ComfyUI of different versions, and an A1111 with its web page."""


ENDLESS_STEPS = 400
"""Of jobs that only a cancel ends in good time."""


class JobKind(StrEnum):
    TEXT = "text-to-image"
    BATCH = "batch"
    IMAGE = "image-to-image"
    GRAPH = "graph"


class Way(StrEnum):
    """How something is asked of the service."""

    GRPC = "grpc"
    HTTP = "http"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    number: int
    at_s: float
    """When it is handed in, from the beginning of the run; so are all times of the plan."""
    kind: JobKind
    steps: int
    count: int
    batch_size: int
    seed: int
    way: Way
    """By which it is handed in."""
    cancel_after_s: float | None
    """From its acceptance."""
    repeat_after_s: float | None
    """From its acceptance: when it is handed in once more under the same request id."""
    watch: Way | None
    hang_up_after: tuple[int, ...]
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
    jobs: tuple[PlannedJob, ...]
    troubles: tuple[Trouble, ...]


_FIRST = (
    (TroubleKind.KILL, SERVER),
    (TroubleKind.STOP, SERVER),
    (TroubleKind.KILL, GATEWAY),
    (TroubleKind.KILL, ""),
    (TroubleKind.CUT, ""),
    (TroubleKind.PAUSE, ""),
)
"""What every run has; an empty target is a backend by chance."""
_THEN = (
    (TroubleKind.KILL, SERVER),
    (TroubleKind.KILL, ""),
    (TroubleKind.KILL_AGAIN, SERVER),
    (TroubleKind.SLOW, ""),
    (TroubleKind.OUT_OF_MEMORY, ""),
    (TroubleKind.STOP, GATEWAY),
    (TroubleKind.CUT, ""),
    (TroubleKind.LOSE_ANSWER, ""),
    (TroubleKind.PAUSE, SERVER),
    (TroubleKind.PAUSE, ""),
)
_LONGEST_S = {TroubleKind.KILL: 2.5, TroubleKind.KILL_AGAIN: 2.0, TroubleKind.PAUSE: 12.0, TroubleKind.SLOW: 6.0}

_OUTAGE_S = 50.0
"""A long run has a ComfyUI that is silent for so long that its jobs are given up and move elsewhere."""


def make_plan(seed: int, *, jobs: int, troubles: int, seconds: float) -> Plan:
    """The same arguments give the same plan. Jobs are handed in early enough to end within `seconds` or soon after."""
    chance = random.Random(seed)
    times = sorted(chance.uniform(0.0, 0.7 * seconds) for _ in range(jobs))
    return Plan(
        seed=seed,
        jobs=tuple(_job(chance, number, at_s) for number, at_s in enumerate(times)),
        troubles=tuple(_troubles(chance, troubles, seconds)),
    )


def _job(chance: random.Random, number: int, at_s: float) -> PlannedJob:
    kind = chance.choices(list(JobKind), weights=(4, 2, 2, 3))[0]
    count, batch_size = _images(chance, kind)
    is_cancelled = chance.random() < 0.2
    is_endless = is_cancelled and chance.random() < 0.5
    return PlannedJob(
        number=number,
        at_s=at_s,
        kind=kind,
        steps=ENDLESS_STEPS if is_endless else chance.randint(4, 25),
        count=count,
        batch_size=batch_size,
        seed=chance.randrange(2**31),
        way=chance.choice(list(Way)),
        cancel_after_s=chance.uniform(0.0, 4.0) if is_cancelled else None,
        repeat_after_s=chance.uniform(0.0, 8.0) if chance.random() < 0.25 else None,
        watch=chance.choice((Way.GRPC, Way.HTTP, None)),
        hang_up_after=tuple(chance.randint(1, 12) for _ in range(chance.randint(0, 3))),
    )


def _images(chance: random.Random, kind: JobKind) -> tuple[int, int]:
    match kind:
        case JobKind.BATCH:
            batch_size = chance.randint(1, 2)
            return batch_size * chance.randint(1, 2) + 1, batch_size
        case JobKind.GRAPH:
            count = chance.randint(1, 2)
            return count, count
        case _:
            return 1, 1


def _troubles(chance: random.Random, count: int, seconds: float) -> Iterator[Trouble]:
    # Not at a steady pace: what comes together is worse than what comes alone.
    times = sorted(chance.uniform(0.03, 0.85) * seconds for _ in range(count))
    for at_s, (kind, target) in zip(times, _deck(chance, count), strict=True):
        yield Trouble(
            at_s=at_s,
            kind=kind,
            target=target or chance.choice(BACKENDS),
            seconds=chance.uniform(0.0, _LONGEST_S.get(kind, 0.0)),
        )
    if seconds >= 2 * _OUTAGE_S:
        target = chance.choice(BACKENDS[:2])
        yield Trouble(at_s=chance.uniform(0.1, 0.3) * seconds, kind=TroubleKind.PAUSE, target=target, seconds=_OUTAGE_S)


def _deck(chance: random.Random, count: int) -> Sequence[tuple[TroubleKind, str]]:
    deck: list[tuple[TroubleKind, str]] = []
    while len(deck) < count:
        part = _THEN if len(deck) % (len(_FIRST) + len(_THEN)) else _FIRST
        deck += chance.sample(part, len(part))
    return deck[:count]
