"""What a replay is judged by."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import percentile
from benchmarks.scheduling.day import Request
from benchmarks.scheduling.replay import Outcome
from imagegen_server.scheduling.fairness import AGING_S

HORIZONS = ((0.0, 60.0, "within 1 min"), (60.0, 600.0, "1..10 min"), (600.0, float("inf"), "later"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long somebody's jobs waited, in seconds."""

    mean: float
    p95: float
    longest: float
    mean_until_done: float
    p95_until_done: float

    @classmethod
    def of(cls, requests: Iterable[Request], outcome: Outcome) -> "Waits":
        asked = list(requests)
        waits = [outcome.starts[each.job_id] - each.time for each in asked]
        done = [outcome.ends[each.job_id] - each.time for each in asked]
        return cls(
            mean=statistics.fmean(waits),
            p95=percentile(waits, 0.95),
            longest=max(waits),
            mean_until_done=statistics.fmean(done),
            p95_until_done=percentile(done, 0.95),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one policy on one day."""

    policy: str
    makespan: float
    """Until the last image is made."""
    swaps: int
    all: Waits
    owners: Mapping[str, Waits]

    @property
    def screen(self) -> Waits:
        """Of the one who sits there and waits."""
        return self.owners["screen"]

    @classmethod
    def of(cls, policy: str, requests: Sequence[Request], outcome: Outcome) -> "Figures":
        owners = sorted({request.owner for request in requests})
        return cls(
            policy=policy,
            makespan=max(outcome.ends.values()),
            swaps=outcome.swaps,
            all=Waits.of(requests, outcome),
            owners={owner: Waits.of((each for each in requests if each.owner == owner), outcome) for owner in owners},
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was foreseen of a job."""

    job_id: str
    time: float
    finish_s: float | None


BARELY_S = 5.0
"""A wait that is longer by less is none: where machines stand idle, all policies are about equally good."""


def misses(ours: Figures, others: Sequence[Figures]) -> list[str]:
    """What ours did not do better; nobody may wait much longer than in order of age, which starves nobody."""
    found = []
    for other in others:
        pairs = (
            ("mean wait", ours.all.mean, other.all.mean, 0.0),
            ("mean time until done", ours.all.mean_until_done, other.all.mean_until_done, 0.0),
            ("p95 until done at the screen", ours.screen.p95_until_done, other.screen.p95_until_done, BARELY_S),
            ("swaps", ours.swaps, other.swaps, 0),
        )
        lost = (pair for pair in pairs if pair[1] > pair[2] + pair[3])
        found += [f"{what}: {mine:.1f}, {other.policy} has {theirs:.1f}" for what, mine, theirs, _ in lost]
    by_age = next(other for other in others if other.policy == "FIFO")
    for owner, waits in ours.owners.items():
        bound = longest_allowed(by_age.owners[owner])
        if waits.longest > bound:
            found.append(f"starvation: {owner} waited {waits.longest:.0f} s, allowed are {bound:.0f}")
    return found


def longest_allowed(by_age: Waits) -> float:
    """How long a job may wait of an owner who would wait so long in order of age."""
    return 1.25 * by_age.longest + AGING_S


def forecast_rows(forecasts: Sequence[Forecast], outcome: Outcome) -> list[tuple[str, ...]]:
    """By how much the foreseen end was wrong, by how far away it was: a row each."""
    rows = []
    for low, high, name in HORIZONS:
        within = [
            (each, outcome.ends[each.job_id] - each.time)
            for each in forecasts
            if low <= outcome.ends[each.job_id] - each.time < high
        ]
        errors = [abs(each.finish_s - actual) / actual for each, actual in within if each.finish_s is not None]
        if errors:
            absent = 1 - len(errors) / len(within)
            shares = statistics.median(errors), percentile(errors, 0.9), absent
            rows.append((name, str(len(within)), *(f"{100 * share:.0f} %" for share in shares)))
    return rows


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in (headings, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in padded]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def policy_rows(figures: Sequence[Figures]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows that compare policies. Means, where nothing else is said, in seconds."""
    owners = list(figures[0].owners)
    each_owner = (f"{owner}: wait (p95, longest), p95 done" for owner in owners)
    headings = ["policy", "makespan h", "swaps", "all: wait, done", *each_owner]
    rows = [
        [
            each.policy,
            f"{each.makespan / 3600:.2f}",
            str(each.swaps),
            f"{each.all.mean:.0f}, {each.all.mean_until_done:.0f}",
            *(
                f"{waits.mean:.0f} ({waits.p95:.0f}, {waits.longest:.0f}), {waits.p95_until_done:.0f}"
                for waits in (each.owners[owner] for owner in owners)
            ),
        ]
        for each in figures
    ]
    return headings, rows
