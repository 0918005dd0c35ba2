"""When a job has taken too long."""

from dataclasses import replace

import pytest

from imagegen_adapters.contract import ImageParameters
from imagegen_server.jobs import Job, JobSpec, JobState
from imagegen_server.running.deadlines import next_deadline
from tests.server.material import a_job

SPEC = JobSpec(source=ImageParameters(prompt=""), start_deadline_s=10.0, execution_deadline_s=100.0)
QUEUED = a_job(spec=SPEC, create_time=1000.0)
RUNNING = replace(QUEUED, state=JobState.RUNNING, start_time=1005.0)


@pytest.mark.parametrize(
    ("job", "time", "reason"),
    [
        (QUEUED, 1010.0, "START_DEADLINE_PASSED"),
        (RUNNING, 1105.0, "EXECUTION_DEADLINE_PASSED"),
        (replace(RUNNING, state=JobState.QUEUED), 1105.0, "EXECUTION_DEADLINE_PASSED"),
    ],
)
def test_a_job_has_to_begin_and_then_to_end_in_time(job: Job, time: float, reason: str) -> None:
    deadline = next_deadline(job)
    assert deadline is not None
    assert (deadline[0], deadline[1].reason) == (time, reason)


@pytest.mark.parametrize(
    "job",
    [
        a_job(),
        replace(RUNNING, spec=replace(SPEC, execution_deadline_s=None)),
        *(replace(RUNNING, state=state) for state in JobState if state.is_final or state is JobState.CANCELLING),
    ],
)
def test_others_have_no_deadline(job: Job) -> None:
    assert next_deadline(job) is None
