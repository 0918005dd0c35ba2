"""Small readings of the evidence that several checks share. Pure."""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]  # ships no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

from imagegen.v1.job_pb2 import Attempt, Job, JobState, Output, OutputKind
from tests.chaos.evidence import Accepted, Evidence

FINAL = frozenset(
    {
        JobState.JOB_STATE_SUCCEEDED,
        JobState.JOB_STATE_FAILED,
        JobState.JOB_STATE_CANCELLED,
        JobState.JOB_STATE_EXPIRED,
    }
)


def pairs(evidence: Evidence) -> Iterator[tuple[Accepted, Job]]:
    """What was asked for, and what became of it."""
    for each in evidence.accepted:
        if each.job_id in evidence.jobs:
            yield each, evidence.jobs[each.job_id]


def reason_of(status: Status) -> str:
    for detail in status.details:
        info = ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def images_of(attempt: Attempt) -> range:
    """Empty for graphs."""
    return range(attempt.first_image, attempt.first_image + attempt.image_count)


def results_of(job: Job) -> list[Output]:
    return [output for output in job.outputs if output.kind == OutputKind.OUTPUT_KIND_FINAL]


def unix(time: Timestamp) -> float:
    return time.ToMicroseconds() / 1e6


def was_disturbed(evidence: Evidence, target: str, begin: float, end: float) -> bool:
    return any(each.target == target and each.begin <= end and begin <= each.end for each in evidence.incidents)
