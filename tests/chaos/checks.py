"""What must be true after a run. Each check gives a sentence for each violation. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]  # ships no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

from imagegen.v1.job_pb2 import Attempt, AttemptState, Job, JobState, OutputKind
from tests.chaos.evidence import Accepted, Evidence, marks_of
from tests.chaos.plan import ENDLESS_STEPS, SERVER, TroubleKind

_FINAL = {
    JobState.JOB_STATE_SUCCEEDED,
    JobState.JOB_STATE_FAILED,
    JobState.JOB_STATE_CANCELLED,
    JobState.JOB_STATE_EXPIRED,
}
_PATIENCE_S = 100.0
"""A backend that was away is given up as late as this."""
_MARGIN_S = 2.0


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
    for each, job in _pairs(evidence):
        allowed = {JobState.JOB_STATE_SUCCEEDED}
        if each.is_cancel_accepted:
            allowed.add(JobState.JOB_STATE_CANCELLED)
        if job.state not in allowed:
            was_cancelled = "cancelled" if each.is_cancel_accepted else "not cancelled"
            yield f"job {job.job_id} ({each.planned.kind}, {was_cancelled}) is {_describe(job)}"


def histories_are_whole(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        marks = marks_of(evidence.histories.get(job_id, []))
        if [sequence for sequence, _ in marks] != list(range(1, job.sequence + 1)):
            yield f"job {job_id}: its stored events are not 1..{job.sequence}: {marks}"
        completed = [sequence for sequence, kind in marks if kind == "completed"]
        if job.state in _FINAL and completed != [job.sequence]:
            yield f"job {job_id}: `completed` is stored at {completed}, and should be at {job.sequence} alone"


def every_job_is_completed_once(evidence: Evidence) -> Iterator[str]:
    for job_id in evidence.jobs:
        times = evidence.completed.count(job_id)
        if times != 1:
            yield f"job {job_id}: {times} `completed` are in the database"


def one_attempt_runs_at_a_time(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        running = [each.number for each in job.attempts if each.state == AttemptState.ATTEMPT_STATE_RUNNING]
        if running and job.state in _FINAL:
            yield f"job {job_id} has ended, and its attempts {running} run"
        open_attempt = 0
        for event in evidence.histories.get(job_id, []):
            match event.WhichOneof("event"):
                case "attempt_started" if open_attempt:
                    yield f"job {job_id}: attempt {event.attempt} began while {open_attempt} was running"
                case "attempt_started":
                    open_attempt = event.attempt
                case "attempt_failed":
                    open_attempt = 0


def watchers_saw_everything_once(evidence: Evidence) -> Iterator[str]:
    for watched in evidence.watched:
        who = f"watcher of job {watched.job_id} over {watched.way}"
        if watched.problem:
            yield f"{who}: {watched.problem}"
        if watched.resets:
            yield f"{who} was reset {watched.resets} times"
        stored = marks_of(evidence.histories.get(watched.job_id, []))
        if watched.marks != stored:
            yield f"{who} saw {watched.marks}, and stored is {stored}"
        for earlier, later in pairwise(watched.frames):
            if later < earlier:
                yield f"{who} saw preview {later} (attempt, frame) after {earlier}"


def outputs_are_complete(evidence: Evidence) -> Iterator[str]:
    yield from evidence.unreadable
    for each, job in _pairs(evidence):
        final = [output.image_index for output in job.outputs if output.kind == OutputKind.OUTPUT_KIND_FINAL]
        twice = [index for index, times in Counter(final).items() if times > 1]
        if twice:
            yield f"job {job.job_id} ({each.planned.kind}) has images {twice} more than once"
        if job.state == JobState.JOB_STATE_SUCCEEDED and len(final) != each.planned.count:
            yield f"job {job.job_id} ({each.planned.kind}) has images {final}, asked for were {each.planned.count}"


def repetitions_gave_the_same_job(evidence: Evidence) -> Iterator[str]:
    for each in evidence.accepted:
        for job_id in each.repeated_as:
            if job_id != each.job_id:
                yield f"job {each.job_id} was handed in again under its request id, which gave job {job_id}"


def attempts_failed_for_a_cause(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        for attempt in job.attempts:
            if attempt.state == AttemptState.ATTEMPT_STATE_FAILED and not _has_cause(attempt, evidence):
                what = f"{reason_of(attempt.error)} ({attempt.error.message})"
                yield f"job {job_id}: attempt {attempt.number} on {attempt.backend} failed without a cause: {what}"


def nothing_was_handed_over_twice(evidence: Evidence) -> Iterator[str]:
    for backend, lives in evidence.handed_over.items():
        for number, attempts in enumerate(lives, start=1):
            for attempt, times in Counter(attempts).items():
                if times > 1:
                    yield f"attempt {attempt} was handed over {times} times to {backend} in its life {number}"


def cancelled_work_was_stopped(evidence: Evidence) -> Iterator[str]:
    for each, job in _pairs(evidence):
        if job.state != JobState.JOB_STATE_CANCELLED or each.planned.steps < ENDLESS_STEPS:
            continue
        for attempt in job.attempts:
            if attempt.remote_id in evidence.succeeded.get(attempt.backend, set()):
                yield f"job {job.job_id} is cancelled, and {attempt.backend} did attempt {attempt.number} to its end"


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
    histories_are_whole,
    every_job_is_completed_once,
    one_attempt_runs_at_a_time,
    watchers_saw_everything_once,
    outputs_are_complete,
    repetitions_gave_the_same_job,
    attempts_failed_for_a_cause,
    nothing_was_handed_over_twice,
    cancelled_work_was_stopped,
    backends_are_empty,
    logs_are_quiet,
)


def reason_of(status: Status) -> str:
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _pairs(evidence: Evidence) -> Iterator[tuple[Accepted, Job]]:
    for each in evidence.accepted:
        if each.job_id in evidence.jobs:
            yield each, evidence.jobs[each.job_id]


def _describe(job: Job) -> str:
    attempts = [f"{attempt.backend}: {reason_of(attempt.error) or 'no error'}" for attempt in job.attempts]
    return f"{JobState.Name(job.state)} {job.error.message!r}, attempts: {attempts}"


def _has_cause(attempt: Attempt, evidence: Evidence) -> bool:
    """Whether something happened that explains the failure. A job that a ComfyUI still has must not be lost."""
    begin = attempt.start_time.ToMicroseconds() / 1e6 - _MARGIN_S
    end = attempt.end_time.ToMicroseconds() / 1e6 + _MARGIN_S
    at_backend = [each for each in evidence.incidents if each.target == attempt.backend and each.begin <= end]
    kinds_there = {each.kind for each in at_backend if each.end >= begin}
    match reason_of(attempt.error):
        case "ATTEMPT_LOST" if attempt.backend == "a1111":
            # It gives a job's images to nobody but the one who posted it.
            return bool(kinds_there) or _server_went_down(evidence, begin, end)
        case "ATTEMPT_LOST":
            was_there = any(attempt.remote_id in life for life in evidence.handed_over.get(attempt.backend, []))
            return TroubleKind.KILL in kinds_there or (not was_there and _server_went_down(evidence, begin, end))
        case "BACKEND_UNREACHABLE":
            return any(each.end >= begin - _PATIENCE_S for each in at_backend)
        case "BACKEND_OUT_OF_MEMORY":
            return any(each.kind is TroubleKind.OUT_OF_MEMORY for each in at_backend)
        case _:
            return False


def _server_went_down(evidence: Evidence, begin: float, end: float) -> bool:
    at_server = [each for each in evidence.incidents if each.target == SERVER]
    return any(each.begin <= end and begin <= each.end for each in at_server)
