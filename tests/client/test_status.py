"""What a person reads about a job, from its events."""

from functools import reduce

import pytest

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import Attempt, Job, JobState, Phase, Progress, QueueInfo
from imagegen_client.commands.status import Status, next_status, phase_text, queue_text, remark, state_text


def event(kind: str, **fields: object) -> JobEvent:
    made = JobEvent()
    message = getattr(made, kind)
    message.SetInParent()
    for name, value in fields.items():
        setattr(message, name, value)
    return made


QUEUED = event("state_changed", to=JobState.JOB_STATE_QUEUED)
STARTED = event("attempt_started", number=1, backend="demo")
SAMPLING = JobEvent(progress=Progress(phase=Phase.PHASE_SAMPLING, step=3, steps=20, image_index=1, fraction=0.3))


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "accepted"),
        ([QUEUED], "queued"),
        ([QUEUED, event("queue_updated", ahead=2)], "queued, 2 ahead"),
        ([STARTED], "running on demo"),
        ([STARTED, event("model_loading", model="big")], "loading model (big) on demo"),
        ([STARTED, event("phase_changed", phase=Phase.PHASE_SAMPLING, title="K")], "sampling (K) on demo"),
        ([STARTED, event("plan", images=4), SAMPLING], "sampling, image 2 of 4 on demo, step 3/20"),
        ([STARTED, SAMPLING, event("phase_changed", phase=Phase.PHASE_SAVING)], "saving on demo"),
        ([STARTED, SAMPLING, QUEUED], "queued"),
        ([STARTED, event("state_changed", to=JobState.JOB_STATE_CANCELLING)], "cancelling"),
        ([JobEvent(snapshot=Job(state=JobState.JOB_STATE_QUEUED, queue=QueueInfo(ahead=1)))], "queued, 1 ahead"),
        (
            [
                JobEvent(
                    snapshot=Job(
                        state=JobState.JOB_STATE_RUNNING,
                        attempts=[Attempt(backend="a"), Attempt(backend="b")],
                        progress=Progress(phase=Phase.PHASE_DECODING),
                    )
                )
            ],
            "decoding on b",
        ),
        ([event("heartbeat")], "accepted"),
    ],
)
def test_line(events: list[JobEvent], line: str) -> None:
    assert reduce(next_status, events, Status()).line == line


@pytest.mark.parametrize(("state", "fraction"), [(JobState.JOB_STATE_SUCCEEDED, 1.0), (JobState.JOB_STATE_FAILED, 0.3)])
def test_only_a_job_that_succeeded_is_whole(state: JobState.ValueType, fraction: float) -> None:
    completed = JobEvent()
    completed.completed.job.state = state

    assert reduce(next_status, [STARTED, SAMPLING, completed], Status()).fraction == fraction


@pytest.mark.parametrize(("will_retry", "after"), [(True, "trying again"), (False, "not trying again")])
def test_failed_attempt_is_worth_a_remark(will_retry: bool, after: str) -> None:
    failed = JobEvent()
    failed.attempt_failed.attempt.number, failed.attempt_failed.attempt.backend = 1, "demo"
    failed.attempt_failed.attempt.error.message = "no memory"
    failed.attempt_failed.will_retry = will_retry

    assert remark(failed) == f"attempt 1 on demo failed: no memory; {after}"


def test_most_events_are_not_worth_a_remark() -> None:
    assert remark(event("reset", reason="too old")) == "some events were missed: too old"
    assert remark(SAMPLING) is None


def test_every_state_and_phase_has_words() -> None:
    texts = [state_text(value) for value in JobState.values()] + [phase_text(value) for value in Phase.values()]

    assert all(text and text == text.lower() and "_" not in text for text in texts)
    assert len(set(texts)) == len(texts) - 1  # "running" is a state, and what a phase that is not known is called


def test_place_in_the_queue() -> None:
    assert [queue_text(QueueInfo(ahead=ahead)) for ahead in (0, 3)] == ["next", "3 ahead"]
