"""What must be true after a run. Each check gives a sentence for each violation. Pure."""

from collections.abc import Callable, Iterator
from itertools import pairwise

from imagegen.v1.job_pb2 import AttemptState, Job, JobState
from tests.chaos.attempt_checks import (
    attempts_are_where_they_may_be,
    attempts_end_with_their_job,
    attempts_failed_for_a_cause,
    deadlines_are_kept,
    endless_work_was_stopped,
    nothing_begins_that_is_held,
    nothing_follows_what_is_uncertain,
    nothing_was_handed_over_twice,
    owners_run_no_more_than_they_may,
    what_is_stopped_is_stopped_at_its_backend,
)
from tests.chaos.evidence import Accepted, Evidence, Watched, marks_of
from tests.chaos.image_checks import (
    attempts_make_what_they_are_for,
    nothing_is_made_again,
    outputs_are_complete,
    pictures_have_their_seeds,
)
from tests.chaos.plan import SERVER
from tests.chaos.reading import FINAL, pairs, reason_of, unix, was_disturbed


def violations(evidence: Evidence) -> list[str]:
    """All of them; none is what is wanted."""
    return [*evidence.problems, *(each for check in CHECKS for each in check(evidence))]


def every_accepted_job_is_there(evidence: Evidence) -> Iterator[str]:
    accepted = {each.job_id for each in evidence.accepted}
    for job_id in accepted - evidence.jobs.keys():
        yield f"job {job_id} was accepted and is not there"
    for job_id in evidence.jobs.keys() - accepted:
        yield f"job {job_id} is there, and nobody was told that it was accepted"


def every_job_ended_as_it_should(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if job.state not in _allowed_ends(each, job):
            was_cancelled = "cancelled" if each.is_cancel_accepted else "not cancelled"
            yield f"job {job.job_id} ({each.planned.kind}, {was_cancelled}) is {_describe(job)}"


def every_job_is_its_owners(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if job.owner != each.planned.owner:
            yield f"job {job.job_id} was handed in by {each.planned.owner}, and belongs to {job.owner!r}"
        of = [owner for owner, job_ids in evidence.jobs_of.items() if job.job_id in job_ids]
        if of != [each.planned.owner]:
            yield f"job {job.job_id} of {each.planned.owner} is listed for {of}"


def repetitions_gave_the_same_job(evidence: Evidence) -> Iterator[str]:
    for each in evidence.accepted:
        for job_id in each.repeated_as:
            if job_id != each.job_id:
                yield f"job {each.job_id} was handed in again under its request id, which gave job {job_id}"


def retries_are_of_their_jobs(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if job.retry_of != each.retry_of:
            yield f"job {job.job_id} is a retry of {job.retry_of!r}, and should be of {each.retry_of!r}"


def histories_are_whole(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        marks = marks_of(evidence.histories.get(job_id, []))
        if [sequence for sequence, _ in marks] != list(range(1, job.sequence + 1)):
            yield f"job {job_id}: its stored events are not 1..{job.sequence}: {marks}"
        completed = [sequence for sequence, kind in marks if kind == "completed"]
        if job.state in FINAL and completed != [job.sequence]:
            yield f"job {job_id}: `completed` is stored at {completed}, and should be at {job.sequence} alone"


def every_job_is_completed_once(evidence: Evidence) -> Iterator[str]:
    for job_id in evidence.jobs:
        times = evidence.completed.count(job_id)
        if times != 1:
            yield f"job {job_id}: {times} `completed` are in the database"


def watchers_saw_everything_once(evidence: Evidence) -> Iterator[str]:
    for watched in evidence.watched:
        who = _name(watched)
        if watched.problem:
            yield f"{who}: {watched.problem}"
        if watched.resets:
            yield f"{who} was reset {watched.resets} times"
        stored = marks_of(evidence.histories.get(watched.job_id, []))
        if watched.marks != stored:
            yield f"{who} saw {watched.marks}, and stored is {stored}"


def watchers_never_saw_the_past(evidence: Evidence) -> Iterator[str]:
    for watched in evidence.watched:
        newest: dict[int, int] = {}
        for attempt, frame in watched.frames:
            if frame < newest.get(attempt, 0):
                yield f"{_name(watched)} saw preview {frame} of attempt {attempt} after {newest[attempt]}"
            newest[attempt] = frame
        job = evidence.jobs.get(watched.job_id)
        if job is None or not _went_well(job, evidence):
            continue
        for earlier, later in pairwise(watched.fractions):
            if later < earlier:
                yield f"{_name(watched)} saw progress fall from {earlier} to {later}"


def backends_are_empty(evidence: Evidence) -> Iterator[str]:
    for backend, left in evidence.left_over.items():
        if left:
            yield f"{backend} still has {left}, and all jobs have ended"


def logs_are_quiet(evidence: Evidence) -> Iterator[str]:
    for program, lines in evidence.lines.items():
        for line in lines:
            if "Traceback" in line or '"exception":' in line or '"level": "error"' in line:
                yield f"{program} logged a fault: {line[:2000]}"


CHECKS: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    every_accepted_job_is_there,
    every_job_ended_as_it_should,
    every_job_is_its_owners,
    repetitions_gave_the_same_job,
    retries_are_of_their_jobs,
    histories_are_whole,
    every_job_is_completed_once,
    watchers_saw_everything_once,
    watchers_never_saw_the_past,
    outputs_are_complete,
    pictures_have_their_seeds,
    attempts_make_what_they_are_for,
    nothing_is_made_again,
    attempts_are_where_they_may_be,
    attempts_end_with_their_job,
    attempts_failed_for_a_cause,
    nothing_follows_what_is_uncertain,
    nothing_was_handed_over_twice,
    nothing_begins_that_is_held,
    owners_run_no_more_than_they_may,
    deadlines_are_kept,
    endless_work_was_stopped,
    what_is_stopped_is_stopped_at_its_backend,
    backends_are_empty,
    logs_are_quiet,
)


def _allowed_ends(each: Accepted, job: Job) -> set[JobState.ValueType]:
    allowed = {JobState.JOB_STATE_SUCCEEDED}
    if each.is_cancel_accepted:
        allowed.add(JobState.JOB_STATE_CANCELLED)
    if each.planned.start_deadline_s is not None or each.planned.execution_deadline_s is not None:
        allowed.add(JobState.JOB_STATE_EXPIRED)
    is_uncertain = any(attempt.state == AttemptState.ATTEMPT_STATE_UNCERTAIN for attempt in job.attempts)
    if each.planned.fails_if_uncertain and is_uncertain:
        allowed.add(JobState.JOB_STATE_FAILED)
    return allowed


def _went_well(job: Job, evidence: Evidence) -> bool:
    """Nothing failed, and no newest progress was forgotten."""
    is_whole = all(attempt.state == AttemptState.ATTEMPT_STATE_SUCCEEDED for attempt in job.attempts)
    return is_whole and not was_disturbed(evidence, SERVER, unix(job.create_time), unix(job.end_time))


def _name(watched: Watched) -> str:
    return f"watcher of job {watched.job_id} over {watched.way}"


def _describe(job: Job) -> str:
    attempts = [f"{attempt.backend}: {reason_of(attempt.error) or 'no error'}" for attempt in job.attempts]
    return f"{JobState.Name(job.state)} {job.error.message!r}, attempts: {attempts}"
