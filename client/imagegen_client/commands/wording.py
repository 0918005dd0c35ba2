"""What things are called when a person reads about them. Pure."""

import difflib
from collections.abc import Collection, Mapping, Sequence

from imagegen.v1.job_pb2 import Attempt, AttemptState, Job, JobState, Phase, QueueInfo, WaitReason
from imagegen.v1.job_pb2 import Warning as JobWarning

WAIT_REASONS: Mapping[WaitReason.ValueType, str] = {
    WaitReason.WAIT_REASON_UNSPECIFIED: "",
    WaitReason.WAIT_REASON_TURN: "every backend that can run it is busy",
    WaitReason.WAIT_REASON_NO_BACKEND: "no backend that can run it is healthy and takes jobs",
    WaitReason.WAIT_REASON_PAUSED: "it is paused",
    WaitReason.WAIT_REASON_RETRY_DELAY: "an attempt failed, and the next one is not tried at once",
    WaitReason.WAIT_REASON_OWNER_LIMIT: "its owner runs as many jobs as it may",
    WaitReason.WAIT_REASON_QUEUE_PAUSED: "the queue is paused",
}

_NOT_TOLD = frozenset({WaitReason.WAIT_REASON_UNSPECIFIED, WaitReason.WAIT_REASON_TURN})
"""Reasons that a place in the queue says by itself."""


def state_text(state: JobState.ValueType) -> str:
    """ "queued", "running", ..."""
    if state == JobState.JOB_STATE_UNSPECIFIED:
        return "accepted"
    return _words(JobState.Name(state), "JOB_STATE_") if state in JobState.values() else f"state {state}"


def phase_text(phase: Phase.ValueType) -> str:
    """ "sampling", "loading model", ..."""
    if phase == Phase.PHASE_UNSPECIFIED:
        return "running"
    return _words(Phase.Name(phase), "PHASE_") if phase in Phase.values() else f"phase {phase}"


def _words(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def queue_text(queue: QueueInfo, *, has_eta: bool = True) -> str:
    """A place in the queue, when the wait is expected to be over, and what stands in the way besides other jobs."""
    text = f"{queue.ahead} ahead" if queue.ahead else "next"
    if has_eta and queue.HasField("start_eta"):
        text += f", starts in {about(queue.start_eta.seconds)}"
    reason = "" if queue.reason in _NOT_TOLD else WAIT_REASONS.get(queue.reason, "")
    return f"{text}: {reason}" if reason else text


def about(seconds: int) -> str:
    """ "about 40 s", "about 3 min", "about 2 h": no more exact than a prediction is."""
    if seconds < 10:
        return f"about {max(1, seconds)} s"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 90 * 60 else f"about {round(seconds / 3600)} h"


def broken_text(attempt: Attempt) -> str:
    """How an attempt went wrong."""
    is_uncertain = attempt.state == AttemptState.ATTEMPT_STATE_UNCERTAIN
    what = "was lost and may still be running there" if is_uncertain else "failed"
    return f"attempt {attempt.number} on {attempt.backend} {what}: {attempt.error.message}"


def warning_text(warning: JobWarning) -> str:
    """A warning and its code."""
    return f"warning: {warning.message} ({warning.code})"


def backends_text(job: Job) -> str:
    """Where a job runs; or ran last, or has to run."""
    running = [each.backend for each in job.attempts if each.state == AttemptState.ATTEMPT_STATE_RUNNING]
    return listed(running or [each.backend for each in job.attempts[-1:]] or [job.spec.backend])


def instead(name: str, names: Collection[str]) -> str:
    """What may have been meant by a name that there is not, or else what there is."""
    near = difflib.get_close_matches(name, names, n=3)
    return either(near) if near else f"there is {', '.join(names) or 'none'}"


def either(near: Sequence[str]) -> str:
    """Asks which of these was meant."""
    return f"did you mean {' or '.join(near)}?"


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c": each name once."""
    *others, last = dict.fromkeys(names)
    return f"{', '.join(others)} and {last}" if others else last
