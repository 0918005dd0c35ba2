"""Whether what an attempt leaves missing is tried again. Pure.

1. An error that a retry cannot help ends the job.
2. An attempt that was gone when a new process of ours asked for it is nobody's fault: it counts only toward
   `max_restarts`, because the job may be what ends the process.
3. Every other attempt that broke counts for the images that it leaves missing: none is tried more often than
   `max_attempts`.
4. A job during which backends died, or broke their GPUs, `max_takedowns` times is not tried again. An attempt that was
   taken up again, under the same id, has not taken its backend down: that was only silent.
5. After an attempt of which nobody can tell what became, the job's own policy decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from imagegen_server.happenings import AttemptBroke
from imagegen_server.jobs import Attempt, AttemptState, Failure, Incident, Job, UncertainPolicy

MAX_RESTARTS: Final = 10

_BROKEN: Final = {AttemptState.FAILED, AttemptState.UNCERTAIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often a job is tried."""

    max_attempts: int = 3
    max_takedowns: int = 2
    max_restarts: int = MAX_RESTARTS


def broken(
    job: Job,
    number: int,
    failure: Failure,
    *,
    limits: Limits,
    can_retry: bool,
    is_uncertain: bool = False,
    incident: Incident = Incident.NONE,
) -> AttemptBroke:
    """What happens to the job whose running attempt `number` broke."""
    attempts = _after(job, number, is_uncertain=is_uncertain, incident=incident)
    broke = AttemptBroke(
        number=number,
        failure=failure,
        will_retry=can_retry and _has_tries_left(job, attempts, attempts[number - 1], limits),
        is_uncertain=is_uncertain,
        incident=incident,
    )
    if is_uncertain and job.spec.on_uncertain is UncertainPolicy.FAIL:
        return replace(broke, will_retry=False)
    takedowns = _takedowns(attempts)
    if broke.will_retry and len(takedowns) >= limits.max_takedowns:
        return replace(broke, will_retry=False, failure=_takes_backends_down(takedowns, failure))
    return broke


def failed_on(job: Job) -> frozenset[str]:
    """The backends where attempts at what is missing broke; one that has merely restarted is as good as new."""
    return frozenset(attempt.backend for attempt in _failures(job))


def pause_s(job: Job, max_pause_s: float) -> float:
    """How long to wait before what is missing is tried where it failed before: 1 s, 2 s, 4 s and so on."""
    failures = _failures(job)
    return min(2.0 ** (len(failures) - 1), max_pause_s) if failures else 0.0


def last_failure_time(job: Job) -> float:
    """When the newest of those attempts ended; 0: there is none."""
    return max((attempt.end_time or 0.0 for attempt in _failures(job)), default=0.0)


def _after(job: Job, number: int, *, is_uncertain: bool, incident: Incident) -> tuple[Attempt, ...]:
    state = AttemptState.UNCERTAIN if is_uncertain else AttemptState.FAILED
    ended = replace(job.attempts[number - 1], state=state, incident=incident)
    return (*job.attempts[: number - 1], ended, *job.attempts[number:])


def _has_tries_left(job: Job, attempts: Iterable[Attempt], ended: Attempt, limits: Limits) -> bool:
    broken_ones = [attempt for attempt in attempts if attempt.state in _BROKEN]
    restarts = [attempt for attempt in broken_ones if attempt.incident is Incident.RESTART]
    if ended.incident is Incident.RESTART:
        return len(restarts) < limits.max_restarts
    # A graph has no images that could be told apart: each attempt is at all of it.
    wanted = set(ended.slice.images) - job.made or {-1}
    counted = [attempt for attempt in broken_ones if attempt.incident is not Incident.RESTART]
    return all(
        sum(image in attempt.slice.images or image < 0 for attempt in counted) < limits.max_attempts for image in wanted
    )


def _takedowns(attempts: Iterable[Attempt]) -> list[Attempt]:
    newest = {attempt.attempt_id: attempt for attempt in attempts}
    return [attempt for attempt in newest.values() if attempt.incident is Incident.TAKEDOWN]


def _takes_backends_down(takedowns: Iterable[Attempt], last: Failure) -> Failure:
    names = sorted({attempt.backend for attempt in takedowns})
    message = f"backends died or broke down while they were at work on it ({', '.join(names)}): {last.message}"
    return Failure(reason="TAKES_BACKENDS_DOWN", message=message)


def _failures(job: Job) -> list[Attempt]:
    missing = {image for each in job.missing for image in each.images}
    return [
        attempt
        for attempt in job.attempts
        if attempt.state in _BROKEN
        and attempt.incident is not Incident.RESTART
        and (attempt.failure is None or attempt.failure.reason != "ATTEMPT_LOST")
        and (not attempt.slice.count or not missing.isdisjoint(attempt.slice.images))
    ]
