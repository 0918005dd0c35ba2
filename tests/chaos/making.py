"""Makes the plan of a run from one number. Pure."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.chaos.plan import (
    BACKENDS,
    ENDLESS_STEPS,
    GATEWAY,
    SERVER,
    JobKind,
    Owner,
    Place,
    Plan,
    PlannedJob,
    Trouble,
    TroubleKind,
    Way,
    Wish,
    WishKind,
)

OPENING_S = 2.5
"""So long the first jobs have the backends for themselves."""

_FIRST = (
    (TroubleKind.KILL, SERVER),
    (TroubleKind.STOP, SERVER),
    (TroubleKind.KILL, GATEWAY),
    (TroubleKind.KILL, ""),
    (TroubleKind.CUT, ""),
    (TroubleKind.PAUSE, ""),
    (TroubleKind.DRAIN, ""),
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
    (TroubleKind.KILL, ""),
    (TroubleKind.PAUSE, ""),
    (TroubleKind.PAUSE, ""),
    (TroubleKind.DRAIN, ""),
    (TroubleKind.HOLD, Owner.ANNA),
    (TroubleKind.HOLD, SERVER),
)
# Mostly longer than a backend has before its jobs are given up and move elsewhere.
_LONGEST_S = {
    TroubleKind.KILL: 6.0,
    TroubleKind.KILL_AGAIN: 2.0,
    TroubleKind.PAUSE: 12.0,
    TroubleKind.SLOW: 6.0,
    TroubleKind.DRAIN: 6.0,
    TroubleKind.HOLD: 3.0,
}


def make_plan(seed: int, *, jobs: int, troubles: int, seconds: float) -> Plan:
    """The same arguments give the same plan. Jobs are handed in early enough to end within `seconds` or soon after."""
    chance = random.Random(seed)
    busy_s = 0.7 * seconds
    dumps = [chance.uniform(OPENING_S, 0.6 * busy_s) for _ in range(3)]
    owners = chance.choices(list(Owner), weights=(8, 4, 4, 3), k=jobs)
    arrivals = sorted(
        (chance.choice(dumps) if owner is Owner.DUMPER else chance.uniform(OPENING_S, busy_s), owner)
        for owner in owners
    )
    return Plan(
        seed=seed,
        has_task_ids=chance.random() < 0.5,
        jobs=tuple(_opened(_jobs(chance, arrivals))),
        troubles=tuple(_troubles(chance, troubles, seconds)),
    )


def _jobs(chance: random.Random, arrivals: Sequence[tuple[float, Owner]]) -> Iterator[PlannedJob]:
    turns = Counter[Owner]()
    for number, (at_s, owner) in enumerate(arrivals):
        yield _job(chance, number, at_s, owner, turns[owner])
        turns[owner] += 1


def _opened(jobs: Iterator[PlannedJob]) -> Iterator[PlannedJob]:
    """The first jobs are such that the third is spread over two backends: they have been measured, and are idle."""
    for number, job in enumerate(jobs):
        if number >= 3:
            yield job
            continue
        opening = replace(
            job, kind=JobKind.TEXT, steps=4, count=1, batch_size=1, backend=BACKENDS[number % 2], wishes=()
        )
        if number == 2:
            opening = replace(opening, kind=JobKind.BATCH, steps=40, count=4, backend="")
        yield replace(
            opening, at_s=number * OPENING_S / 4, start_deadline_s=None, execution_deadline_s=None, watch=Way.HTTP
        )


def _job(chance: random.Random, number: int, at_s: float, owner: Owner, turn: int) -> PlannedJob:
    kind = chance.choices(list(JobKind), weights=(5, 3, 2, 3))[0]
    count, batch_size = _images(chance, kind)
    wishes = tuple(_wishes(chance))
    has_deadline = chance.random() < 0.15
    start_deadline_s = chance.uniform(0.2, 6.0) if has_deadline else None
    execution_deadline_s = chance.uniform(0.5, 4.0) if has_deadline and chance.random() < 0.5 else None
    can_end = execution_deadline_s is not None or any(wish.kind is WishKind.CANCEL for wish in wishes)
    is_retried = any(wish.kind is WishKind.RETRY for wish in wishes)
    is_endless = can_end and not is_retried and chance.random() < 0.5
    return PlannedJob(
        number=number,
        at_s=at_s,
        owner=owner,
        turn=turn,
        kind=kind,
        steps=ENDLESS_STEPS if is_endless else _steps(chance, count),
        count=count,
        batch_size=batch_size,
        seed=chance.randrange(2**31),
        way=chance.choice(list(Way)),
        backend=_backend(chance, kind),
        start_deadline_s=start_deadline_s,
        execution_deadline_s=execution_deadline_s,
        fails_if_uncertain=chance.random() < 0.3,
        wishes=wishes,
        watch=chance.choice((Way.GRPC, Way.HTTP, None)),
        hang_up_after=tuple(chance.randint(1, 12) for _ in range(chance.randint(0, 3))),
    )


def _images(chance: random.Random, kind: JobKind) -> tuple[int, int]:
    match kind:
        case JobKind.BATCH:
            return chance.randint(2, 4), chance.randint(1, 2)
        case JobKind.GRAPH:
            count = chance.randint(1, 2)
            return count, count
        case _:
            return 1, 1


def _steps(chance: random.Random, count: int) -> int:
    # A job is only spread over backends that are idle, if that saves seconds: some are large, and most are short.
    return 30 if count > 2 and chance.random() < 0.2 else chance.randint(3, 12)


def _backend(chance: random.Random, kind: JobKind) -> str:
    able = BACKENDS[:2] if kind is JobKind.GRAPH else BACKENDS
    return chance.choice(able) if chance.random() < 0.1 else ""


def _wishes(chance: random.Random) -> Iterator[Wish]:
    def wish(kind: WishKind, *, latest_s: float, longest_s: float = 0.0) -> Wish:
        return Wish(
            kind=kind,
            after_s=chance.uniform(0.0, latest_s),
            way=chance.choice(list(Way)),
            seconds=chance.uniform(0.0, longest_s),
            to=chance.choice(list(Place)),
            new_seeds=chance.random() < 0.5,
        )

    if chance.random() < 0.18:
        yield wish(WishKind.CANCEL, latest_s=4.0)
    if chance.random() < 0.2:
        yield wish(WishKind.REPEAT, latest_s=8.0)
    if chance.random() < 0.1:
        yield wish(WishKind.PAUSE, latest_s=1.0, longest_s=4.0)
    if chance.random() < 0.15:
        yield wish(WishKind.MOVE, latest_s=2.0)
    if chance.random() < 0.08:
        yield wish(WishKind.RETRY, latest_s=1.0, longest_s=0.03)


def _troubles(chance: random.Random, count: int, seconds: float) -> Iterator[Trouble]:
    # Not at a steady pace: what comes together is worse than what comes alone.
    times = sorted(chance.uniform(0.03, 0.85) * seconds for _ in range(count))
    for at_s, (kind, target) in zip(times, _deck(chance, count), strict=True):
        # The server is back sooner: while it is away nothing else can be seen.
        most = _LONGEST_S.get(kind, 0.0) * (0.4 if target in {SERVER, GATEWAY} else 1.0)
        yield Trouble(
            at_s=at_s, kind=kind, target=target or chance.choice(BACKENDS), seconds=chance.uniform(0.2, 1.0) * most
        )


def _deck(chance: random.Random, count: int) -> Sequence[tuple[TroubleKind, str]]:
    deck: list[tuple[TroubleKind, str]] = []
    while len(deck) < count:
        part = _THEN if len(deck) % (len(_FIRST) + len(_THEN)) else _FIRST
        deck += chance.sample(part, len(part))
    return deck[:count]
