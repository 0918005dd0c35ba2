"""What must be true of attempts: when they begin, why they fail. Each check gives a sentence for a violation. Pure."""

from collections import Counter
from collections.abc import Iterator

from imagegen.v1.job_pb2 import Attempt, AttemptState, Job, JobState
from tests.chaos.evidence import Accepted, Evidence, Hold, HoldKind
from tests.chaos.plan import BACKENDS, DUMPER_RUNS, ENDLESS_STEPS, SERVER, Owner, TroubleKind
from tests.chaos.reading import FINAL, pairs, reason_of, unix, was_disturbed

_PATIENCE_S = 20.0
"""A backend that was away is given up as late as this."""
_MARGIN_S = 2.0
_BEGINNING_S = 0.5
"""Between the decision to begin an attempt and the time that is stored."""
_CONFIRMED_S = 0.5
_STOPPING_S = 8.0
"""How long it takes to stop an attempt whose time is up, on a busy machine."""


def attempts_end_with_their_job(evidence: Evidence) -> Iterator[str]:
    for job_id, job in evidence.jobs.items():
        running = [each.number for each in job.attempts if each.state == AttemptState.ATTEMPT_STATE_RUNNING]
        if running and job.state in FINAL:
            yield f"job {job_id} has ended, and its attempts {running} run"


def attempts_are_where_they_may_be(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        for attempt in job.attempts:
            if each.planned.backend not in {"", attempt.backend}:
                yield f"job {job.job_id} is for {each.planned.backend}, and was tried on {attempt.backend}"


def attempts_failed_for_a_cause(evidence: Evidence) -> Iterator[str]:
    broken = {AttemptState.ATTEMPT_STATE_FAILED, AttemptState.ATTEMPT_STATE_UNCERTAIN}
    for job_id, job in evidence.jobs.items():
        for attempt in job.attempts:
            if attempt.state in broken and not _has_cause(attempt, evidence):
                what = f"{reason_of(attempt.error)} ({attempt.error.message})"
                yield f"job {job_id}: attempt {attempt.number} on {attempt.backend} failed without a cause: {what}"


def nothing_follows_what_is_uncertain(evidence: Evidence) -> Iterator[str]:
    """Where the job does not want anything to be made twice."""
    for each, job in pairs(evidence):
        lost = [a for a in job.attempts if a.state == AttemptState.ATTEMPT_STATE_UNCERTAIN]
        for attempt in job.attempts if each.planned.fails_if_uncertain else ():
            if any(unix(attempt.start_time) > unix(each.end_time) for each in lost):
                yield f"job {job.job_id}: attempt {attempt.number} began after another had become uncertain"


def nothing_was_handed_over_twice(evidence: Evidence) -> Iterator[str]:
    for backend, lives in evidence.handed_over.items():
        for number, attempts in enumerate(lives, start=1):
            for attempt, times in Counter(attempts).items():
                if times > 1:
                    yield f"attempt {attempt} was handed over {times} times to {backend} in its life {number}"


def endless_work_was_stopped(evidence: Evidence) -> Iterator[str]:
    """Whatever happened on the way; but for an attempt that says of itself that it may still be at work."""
    for each, job in pairs(evidence):
        if each.planned.steps < ENDLESS_STEPS or job.state == JobState.JOB_STATE_SUCCEEDED:
            continue
        for attempt in job.attempts:
            is_uncertain = attempt.state == AttemptState.ATTEMPT_STATE_UNCERTAIN
            if not is_uncertain and attempt.remote_id in evidence.succeeded.get(attempt.backend, set()):
                yield f"job {job.job_id} was stopped, and {attempt.backend} did attempt {attempt.number} to its end"


def what_is_stopped_is_stopped_at_its_backend(evidence: Evidence) -> Iterator[str]:
    """An attempt is CANCELLED when its backend has confirmed it, and not before."""
    for job_id, job in evidence.jobs.items():
        for attempt in job.attempts:
            if attempt.state != AttemptState.ATTEMPT_STATE_CANCELLED or _may_have_been_out_of_reach(attempt, evidence):
                continue
            late_s = evidence.ended.get(attempt.backend, {}).get(attempt.remote_id, 0.0) - unix(attempt.end_time)
            if late_s > _CONFIRMED_S:
                what = (
                    f"{attempt.backend} went on with attempt {attempt.number} for {late_s:.1f} s after it was stopped"
                )
                yield f"job {job_id}: {what}"
            # An A1111 makes each pass by itself, and the id is that of the first.
            has_delivered = any(output.attempt == attempt.number for output in job.outputs)
            if not has_delivered and attempt.remote_id in evidence.succeeded.get(attempt.backend, set()):
                yield f"job {job_id}: {attempt.backend} did attempt {attempt.number} to its end, and it was stopped"


def nothing_begins_that_is_held(evidence: Evidence) -> Iterator[str]:
    for hold in evidence.holds:
        for job in evidence.jobs.values():
            for attempt in job.attempts:
                begin = unix(attempt.start_time)
                if _is_held(hold, job, attempt) and hold.begin + _BEGINNING_S < begin < hold.end:
                    late_s = begin - hold.begin
                    what = f"{late_s:.1f} s after the {hold.kind} {hold.name!r} was held"
                    yield f"job {job.job_id}: attempt {attempt.number} on {attempt.backend} began {what}"


def owners_run_no_more_than_they_may(evidence: Evidence) -> Iterator[str]:
    owned = [job_id for job_id, job in evidence.jobs.items() if job.owner == Owner.DUMPER]
    events = sorted(
        (event for job_id in owned for event in evidence.histories.get(job_id, [])),
        # Of one moment, ends come first.
        key=lambda event: (unix(event.time), not event.HasField("completed")),
    )
    running: set[str] = set()
    for event in events:
        if event.HasField("completed") or event.state_changed.to == JobState.JOB_STATE_QUEUED:
            running.discard(event.job_id)
        elif event.HasField("state_changed"):
            running.add(event.job_id)
        if len(running) > DUMPER_RUNS:
            yield f"{len(running)} jobs of {Owner.DUMPER} ran at a time, and {DUMPER_RUNS} may: {sorted(running)}"
            return


def deadlines_are_kept(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if job.state == JobState.JOB_STATE_EXPIRED:
            yield from _expired_in_time(each, job)
        began, created, ended = unix(job.start_time), unix(job.create_time), unix(job.end_time)
        wait_s, run_s = each.planned.start_deadline_s, each.planned.execution_deadline_s
        if wait_s is not None and job.attempts and began > created + wait_s + _MARGIN_S:
            yield f"job {job.job_id} began {began - created:.1f} s after it was accepted, and had {wait_s:.1f} s"
        if run_s is None or not job.attempts or ended <= began + run_s + _STOPPING_S:
            continue
        around = (SERVER, *BACKENDS)
        if not any(was_disturbed(evidence, target, began, ended) for target in around):
            yield f"job {job.job_id} ended {ended - began:.1f} s after its begin, and had {run_s:.1f} s"


def _expired_in_time(each: Accepted, job: Job) -> Iterator[str]:
    reason, planned = reason_of(job.error), each.planned
    match reason:
        case "START_DEADLINE_PASSED" if planned.start_deadline_s is not None:
            if job.attempts:
                yield f"job {job.job_id} expired for want of a begin, and has begun"
            age_s, deadline_s = unix(job.end_time) - unix(job.create_time), planned.start_deadline_s
        case "EXECUTION_DEADLINE_PASSED" if planned.execution_deadline_s is not None:
            age_s, deadline_s = unix(job.end_time) - unix(job.start_time), planned.execution_deadline_s
        case _:
            yield f"job {job.job_id} expired by {reason}, which nobody had asked for"
            return
    if age_s < deadline_s - 0.001:
        yield f"job {job.job_id} expired after {age_s:.2f} s, and had {deadline_s:.2f} s"


def _may_have_been_out_of_reach(attempt: Attempt, evidence: Evidence) -> bool:
    begin, end = unix(attempt.start_time) - _MARGIN_S, unix(attempt.end_time) + _MARGIN_S
    return any(was_disturbed(evidence, target, begin, end) for target in (attempt.backend, SERVER))


def _is_held(hold: Hold, job: Job, attempt: Attempt) -> bool:
    match hold.kind:
        case HoldKind.JOB:
            return job.job_id == hold.name
        case HoldKind.OWNER:
            return not hold.name or job.owner == hold.name
        case HoldKind.BACKEND:
            return attempt.backend == hold.name


def _has_cause(attempt: Attempt, evidence: Evidence) -> bool:
    """Whether something happened that explains the failure. A job that a backend can tell about must not be lost."""
    begin, end = unix(attempt.start_time) - _MARGIN_S, unix(attempt.end_time) + _MARGIN_S
    at_backend = [each for each in evidence.incidents if each.target == attempt.backend and each.begin <= end]
    kinds_there = {each.kind for each in at_backend if each.end >= begin} - {TroubleKind.DRAIN}
    match reason_of(attempt.error):
        case "ATTEMPT_LOST" | "ATTEMPT_UNCERTAIN" if attempt.backend == "a1111":
            # It gives a job's images to nobody but the one who posted it.
            return bool(kinds_there) or was_disturbed(evidence, SERVER, begin, end)
        case "ATTEMPT_LOST":
            was_there = any(attempt.remote_id in life for life in evidence.handed_over.get(attempt.backend, []))
            server_went_down = was_disturbed(evidence, SERVER, begin, end)
            return TroubleKind.KILL in kinds_there or (not was_there and server_went_down)
        case "BACKEND_UNREACHABLE":
            return any(each.end >= begin - _PATIENCE_S for each in at_backend)
        case "BACKEND_OUT_OF_MEMORY":
            return any(each.kind is TroubleKind.OUT_OF_MEMORY for each in at_backend)
        case _:
            return False
