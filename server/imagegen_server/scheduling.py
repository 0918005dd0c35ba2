"""Which queued job goes to which backend: a first, simple order. Pure.

First come, first served: the oldest job that some backend with a free slot can take goes first, and a job that cannot
be placed holds nobody up. Among the backends that can take a job, one where its model is loaded is preferred, then the
one with more free slots, then the order of the configuration. A backend where the job just failed is left out as long
as another healthy one could take it, even if that one is busy now.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A queued job as far as placing it goes."""

    job_id: str
    pinned_backend: str = ""
    """The only backend that may run it; empty: any."""
    model: str = ""
    """Empty: any."""
    failed_on: str = ""
    """The backend of its newest attempt, if that was at fault; empty: none."""
    not_before: float = 0.0
    """Time before which it is not tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A backend as far as placing jobs goes."""

    name: str
    is_healthy: bool
    free_slots: int
    resident_model: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Start this job there, now."""

    job_id: str
    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A job's place in the queue."""

    ahead: int
    """How many jobs are ahead of it."""
    length: int
    """How many are queued in all, this one included."""


Accepts = Callable[[str, str], bool]
"""Whether the job (first) can run on the backend (second) as far as is known. Must not change during `assign`."""


def assign(queue: Iterable[WaitingJob], backends: Sequence[Candidate], accepts: Accepts, now: float) -> list[Decision]:
    """The jobs to start now. `queue` is in order of age, `backends` in order of the configuration."""
    candidates = {backend.name: backend for backend in backends if backend.is_healthy}
    decisions = []
    for job in queue:
        if all(candidate.free_slots <= 0 for candidate in candidates.values()):
            break
        if job.not_before > now:
            continue
        chosen = _choose(job, list(candidates.values()), accepts)
        if chosen is not None:
            candidates[chosen.name] = replace(chosen, free_slots=chosen.free_slots - 1)
            decisions.append(Decision(job.job_id, chosen.name))
    return decisions


def next_retry(queue: Iterable[WaitingJob], now: float) -> float | None:
    """When `assign` is to be asked again although nothing else has changed; None: never."""
    return min((job.not_before for job in queue if job.not_before > now), default=None)


def _choose(job: WaitingJob, candidates: Sequence[Candidate], accepts: Accepts) -> Candidate | None:
    able = [
        candidate
        for candidate in candidates
        if job.pinned_backend in {"", candidate.name} and accepts(job.job_id, candidate.name)
    ]
    others = [candidate for candidate in able if candidate.name != job.failed_on]
    free = [candidate for candidate in others or able if candidate.free_slots > 0]
    # min keeps the first of equals, which is the order of the configuration.
    return min(free, key=lambda candidate: _cost(job, candidate), default=None)


def _cost(job: WaitingJob, candidate: Candidate) -> tuple[bool, int]:
    needs_load = job.model not in {"", candidate.resident_model}
    return needs_load, -candidate.free_slots
