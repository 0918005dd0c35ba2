"""What a person reads about a job, from its events."""

from collections.abc import Sequence
from functools import reduce

import pytest
from google.protobuf.duration_pb2 import Duration

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import (
    Attempt,
    AttemptState,
    ImageParameters,
    Job,
    JobSpec,
    JobState,
    Output,
    OutputKind,
    Phase,
    Progress,
    QueueInfo,
    WaitReason,
)
from imagegen_client.commands.status import Status, next_status, remarks
from imagegen_client.commands.wording import (
    WAIT_REASONS,
    about,
    backends_text,
    listed,
    phase_text,
    queue_text,
    state_text,
)


def event(kind: str, **fields: object) -> JobEvent:
    made = JobEvent()
    message = getattr(made, kind)
    message.SetInParent()
    for name, value in fields.items():
        setattr(message, name, value)
    return made


def status_of(events: Sequence[JobEvent], *, images: int = 0) -> Status:
    return reduce(next_status, events, Status(images=images))


def attempt(number: int, backend: str, state: str, **fields: object) -> Attempt:
    return Attempt(number=number, backend=backend, state=AttemptState.Value(f"ATTEMPT_STATE_{state}"), **fields)  # type: ignore[arg-type]  # fields of the test


def place(ahead: int = 0, *, eta_s: int | None = None, reason: str = "TURN") -> QueueInfo:
    eta = Duration(seconds=eta_s) if eta_s is not None else None
    return QueueInfo(ahead=ahead, start_eta=eta, reason=WaitReason.Value(f"WAIT_REASON_{reason}"))


def output(image: int, attempt: int = 1) -> JobEvent:
    return JobEvent(output_ready=Output(image_index=image, attempt=attempt))


QUEUED = event("state_changed", to=JobState.JOB_STATE_QUEUED)
STARTED = event("attempt_started", number=1, backend="demo")
SAMPLING = JobEvent(progress=Progress(phase=Phase.PHASE_SAMPLING, step=3, steps=20, image_index=1, fraction=0.3))


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "accepted"),
        ([QUEUED], "queued"),
        ([QUEUED, JobEvent(queue_updated=place(2))], "queued, 2 ahead"),
        ([QUEUED, JobEvent(queue_updated=place(2, eta_s=41))], "queued, 2 ahead, starts in about 40 s"),
        (
            [QUEUED, JobEvent(queue_updated=place(reason="NO_BACKEND"))],
            "queued, next: no backend that can run it is healthy and takes jobs",
        ),
        ([QUEUED, JobEvent(queue_updated=place(1)), STARTED, QUEUED], "queued"),
        ([STARTED], "running on demo"),
        ([STARTED, event("model_loading", model="big")], "loading model (big) on demo"),
        ([STARTED, event("phase_changed", phase=Phase.PHASE_SAMPLING, title="K")], "sampling (K) on demo"),
        ([STARTED, event("plan", images=4), SAMPLING], "sampling, image 2 of 4 on demo, step 3/20"),
        ([STARTED, SAMPLING, event("phase_changed", phase=Phase.PHASE_SAVING)], "saving on demo"),
        ([STARTED, SAMPLING, QUEUED], "queued"),
        ([STARTED, event("state_changed", to=JobState.JOB_STATE_CANCELLING)], "cancelling"),
        ([JobEvent(snapshot=Job(state=JobState.JOB_STATE_QUEUED, queue=place(1)))], "queued, 1 ahead"),
        (
            [
                JobEvent(
                    snapshot=Job(
                        state=JobState.JOB_STATE_RUNNING,
                        attempts=[attempt(1, "a", "FAILED"), attempt(2, "b", "RUNNING")],
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
    assert status_of(events).line == line


@pytest.mark.parametrize(("state", "fraction"), [(JobState.JOB_STATE_SUCCEEDED, 1.0), (JobState.JOB_STATE_FAILED, 0.3)])
def test_only_a_job_that_succeeded_is_whole(state: JobState.ValueType, fraction: float) -> None:
    completed = JobEvent()
    completed.completed.job.state = state

    assert status_of([STARTED, SAMPLING, completed]).fraction == fraction


BIG = event("attempt_started", number=1, backend="big", first_image=0, image_count=2)
SMALL = event("attempt_started", number=2, backend="small", first_image=2, image_count=2)
FAILED = JobEvent()
FAILED.attempt_failed.attempt.CopyFrom(attempt(2, "small", "FAILED"))


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([BIG, event("plan", images=2), SAMPLING], "sampling, image 2 of 4 on big, step 3/20"),
        ([BIG, SMALL, SAMPLING], "running on big and small, 0 of 4 made"),
        ([BIG, SMALL, output(2, 2)], "running on big and small, 1 of 4 made"),
        ([BIG, SMALL, output(2, 2), output(3, 2), SAMPLING], "sampling, image 2 of 4 on big, step 3/20"),
        ([BIG, SMALL, SAMPLING, FAILED], "sampling, image 2 of 4 on big, step 3/20"),
        ([BIG, output(0), output(1), event("phase_changed", phase=Phase.PHASE_SAVING)], "saving, image 1 of 4 on big"),
    ],
)
def test_line_of_a_job_that_is_spread(events: list[JobEvent], line: str) -> None:
    assert status_of(events, images=4).line == line


def test_snapshot_of_a_job_that_is_spread() -> None:
    job = Job(
        state=JobState.JOB_STATE_RUNNING,
        spec=JobSpec(image=ImageParameters(count=6)),
        attempts=[
            attempt(1, "big", "RUNNING", first_image=0, image_count=2),
            attempt(2, "small", "RUNNING", first_image=2, image_count=2),
            attempt(3, "tiny", "RUNNING", first_image=4, image_count=2),
        ],
        outputs=[Output(attempt=2), Output(attempt=2), Output(kind=OutputKind.OUTPUT_KIND_INTERMEDIATE, attempt=1)],
    )

    assert status_of([JobEvent(snapshot=job)]).line == "running on big and tiny, 2 of 6 made"


def test_next_attempt_begins_with_what_was_delivered() -> None:
    half = status_of([BIG, SAMPLING, output(0), output(1), SMALL], images=4)

    assert (half.fraction, half.line) == (0.5, "running, image 1 of 4 on small")


def test_headline_leaves_out_what_changes_all_the_time() -> None:
    first = status_of([QUEUED, JobEvent(queue_updated=place(2, eta_s=40))])
    second = next_status(first, JobEvent(queue_updated=place(2, eta_s=30)))

    assert first.headline == second.headline == "queued, 2 ahead"
    assert first.news == "queued, 2 ahead, starts in about 40 s"


@pytest.mark.parametrize(("will_retry", "after"), [(True, "trying again"), (False, "not trying again")])
@pytest.mark.parametrize(
    ("state", "what"), [("FAILED", "failed"), ("UNCERTAIN", "was lost and may still be running there")]
)
def test_broken_attempt_is_worth_a_remark(will_retry: bool, after: str, state: str, what: str) -> None:
    broken = attempt(1, "demo", state)
    broken.error.message = "no memory"
    failed = JobEvent()
    failed.attempt_failed.attempt.CopyFrom(broken)
    failed.attempt_failed.will_retry = will_retry

    assert remarks(failed) == [f"attempt 1 on demo {what}: no memory; {after}"]
    assert remarks(JobEvent(snapshot=Job(attempts=[broken]))) == [f"attempt 1 on demo {what}: no memory"]


def test_most_events_are_not_worth_a_remark() -> None:
    updated = JobEvent()
    updated.updated.job.paused = True

    assert remarks(event("reset", reason="too old")) == ["some events were missed: too old"]
    assert remarks(updated) == ["somebody changed or moved the job; it is paused"]
    assert remarks(SAMPLING) == []


def test_every_state_and_phase_has_words() -> None:
    texts = [state_text(value) for value in JobState.values()] + [phase_text(value) for value in Phase.values()]

    assert all(text and text == text.lower() and "_" not in text for text in texts)
    assert len(set(texts)) == len(texts) - 1  # "running" is a state, and what a phase that is not known is called
    assert set(WAIT_REASONS) == set(WaitReason.values())


@pytest.mark.parametrize(
    ("queue", "text"),
    [
        (place(), "next"),
        (place(3), "3 ahead"),
        (place(3, eta_s=7), "3 ahead, starts in about 7 s"),
        (place(3, reason="QUEUE_PAUSED"), "3 ahead: the queue is paused"),
    ],
)
def test_place_in_the_queue(queue: QueueInfo, text: str) -> None:
    assert queue_text(queue) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (9, "9 s"),
        (43, "45 s"),
        (89, "90 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (5400, "2 h"),
        (90000, "25 h"),
    ],
)
def test_no_wait_is_told_more_exactly_than_it_is_known(seconds: int, text: str) -> None:
    assert about(seconds) == f"about {text}"


def test_a_job_is_where_it_runs_or_ran_or_has_to() -> None:
    spec, failed, running = JobSpec(backend="x"), attempt(1, "a", "FAILED"), attempt(2, "b", "RUNNING")

    assert backends_text(Job(spec=spec)) == "x"
    assert backends_text(Job(spec=spec, attempts=[failed])) == "a"
    assert backends_text(Job(attempts=[failed, running, attempt(3, "c", "RUNNING")])) == "b and c"
    assert listed(["a", "b", "a", "c"]) == "a, b and c"
