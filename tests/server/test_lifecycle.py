"""The table of what may happen to a job: cases, then properties over any sequence of happenings."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Handle, ImageParameters, Planned, RawGraph, Warned
from imagegen_server import lifecycle
from imagegen_server.jobs import AttemptState, Job, JobSpec, JobState
from imagegen_server.lifecycle import (
    MAX_WARNINGS,
    AttemptAccepted,
    AttemptBroke,
    AttemptCancelled,
    AttemptStarted,
    AttemptSucceeded,
    CancelRequested,
    Completed,
    DurableEvent,
    Happening,
    InvalidHappening,
    OutputStored,
    StateChanged,
)
from tests.server.material import FAILURE, a_job, an_asset, began

HAPPENINGS: list[Happening] = [
    began(a_job()),
    AttemptAccepted(handle=Handle(remote_id="r", client_id="c")),
    Planned(images=1),
    OutputStored(asset=an_asset(), image_index=0),
    Warned(code="SIZE_ADJUSTED", message="the size was rounded"),
    AttemptSucceeded(),
    AttemptBroke(failure=FAILURE, will_retry=True),
    AttemptBroke(failure=FAILURE, will_retry=False),
    CancelRequested(),
    AttemptCancelled(),
]


def after(*happenings: Happening) -> tuple[Job, list[DurableEvent]]:
    job, events = lifecycle.create(a_job())
    told = list(events)
    for number, happening in enumerate(happenings):
        job, events = lifecycle.apply(job, happening, 1001.0 + number)
        told.extend(events)
    return job, told


def names(events: list[DurableEvent]) -> list[str]:
    return [type(event.payload).__name__ for event in events]


BEGAN, ACCEPTED, PLANNED, OUTPUT, WARNED, SUCCEEDED, BROKE_RETRY, BROKE, CANCEL, CANCELLED = HAPPENINGS


def test_a_job_that_goes_well() -> None:
    job, events = after(BEGAN, ACCEPTED, PLANNED, OUTPUT, WARNED, SUCCEEDED)
    assert job.state is JobState.SUCCEEDED
    assert job.failure is None
    assert (job.start_time, job.end_time) == (1001.0, 1006.0)
    assert job.attempts[0].state is AttemptState.SUCCEEDED
    assert job.attempts[0].handle.client_id == "c"
    assert [output.index for output in job.outputs] == [0]
    assert names(events) == [
        "StateChanged", "AttemptStarted", "StateChanged", "Planned", "Output", "Warned", "Completed",
    ]  # fmt: skip


def test_the_first_event_says_that_the_job_was_created() -> None:
    _, events = after()
    assert events[0].payload == StateChanged(before=None, after=JobState.QUEUED)
    assert (events[0].sequence, events[0].attempt) == (1, 0)


def test_a_failed_attempt_is_tried_again() -> None:
    job, events = after(BEGAN, BROKE_RETRY)
    assert job.state is JobState.QUEUED
    assert job.attempts[0].failure == FAILURE
    assert job.failure is None
    assert names(events)[-2:] == ["AttemptFailed", "StateChanged"]
    again, _ = lifecycle.apply(job, BEGAN, 2000.0)
    assert [attempt.number for attempt in again.attempts] == [1, 2]
    assert again.start_time == job.start_time


def test_a_failed_attempt_that_is_not_tried_again_fails_the_job() -> None:
    job, events = after(BEGAN, BROKE)
    assert (job.state, job.failure) == (JobState.FAILED, FAILURE)
    assert names(events)[-2:] == ["AttemptFailed", "Completed"]


def test_a_queued_job_is_cancelled_at_once() -> None:
    job, events = after(CANCEL)
    assert job.state is JobState.CANCELLED
    assert job.failure is not None
    assert job.failure.reason == "CANCELLED_BY_CALLER"
    assert names(events) == ["StateChanged", "Completed"]


def test_a_running_job_is_cancelled_when_its_backend_confirms() -> None:
    job, _ = after(BEGAN, CANCEL)
    assert job.state is JobState.CANCELLING
    job, _ = after(BEGAN, CANCEL, CANCELLED)
    assert job.state is JobState.CANCELLED
    assert job.attempts[0].state is AttemptState.CANCELLED


def test_a_job_that_broke_while_it_was_cancelled_is_cancelled() -> None:
    job, events = after(BEGAN, CANCEL, BROKE_RETRY)
    assert job.state is JobState.CANCELLED
    assert names(events)[-2:] == ["AttemptFailed", "Completed"]
    assert getattr(events[-2].payload, "will_retry", None) is False


def test_a_job_that_was_faster_than_its_cancel_succeeds() -> None:
    job, _ = after(BEGAN, CANCEL, OUTPUT, SUCCEEDED)
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("before", [[CANCEL], [BEGAN, CANCEL], [BEGAN, SUCCEEDED]])
def test_a_cancel_that_changes_nothing_is_no_error(before: list[Happening]) -> None:
    job, _ = after(*before)
    assert lifecycle.apply(job, CancelRequested(), 3000.0) == (job, ())


def test_an_unconfirmed_cancel_cannot_happen_to_a_running_job() -> None:
    job, _ = after(BEGAN)
    with pytest.raises(InvalidHappening, match="AttemptCancelled cannot happen to a job that is running"):
        lifecycle.apply(job, AttemptCancelled(), 2000.0)


def test_a_second_attempt_cannot_begin_while_one_runs() -> None:
    job, _ = after(BEGAN)
    with pytest.raises(InvalidHappening):
        lifecycle.apply(job, BEGAN, 2000.0)


def test_only_so_many_warnings_are_kept() -> None:
    job, events = after(BEGAN, *[WARNED] * (MAX_WARNINGS + 1))
    assert len(job.warnings) == MAX_WARNINGS
    assert names(events).count("Warned") == MAX_WARNINGS + 1


def test_completed_holds_the_job_as_it_ended() -> None:
    job, events = after(BEGAN, SUCCEEDED)
    assert events[-1].payload == Completed(job=job)


def test_a_spec_names_the_assets_that_it_needs() -> None:
    assert JobSpec(source=ImageParameters(prompt="", init_image="a", mask="b")).digests == {"a", "b"}
    assert JobSpec(source=ImageParameters(prompt="")).digests == set()
    assert JobSpec(source=RawGraph(json="{}", images={"1.image": "c"})).digests == {"c"}


@given(st.lists(st.sampled_from(HAPPENINGS), max_size=30))
def test_whatever_happens_the_rules_hold(happenings: list[Happening]) -> None:
    job, events = lifecycle.create(a_job())
    told = list(events)
    for number, happening in enumerate(happenings):
        before = replace(job)
        try:
            job, events = lifecycle.apply(job, happening, 1001.0 + number)
        except InvalidHappening:
            assert job == before
            continue
        told.extend(events)
        if before.state.is_final:
            assert job == before, "a final state is never left"
        assert job.sequence == told[-1].sequence
        if job.state in {JobState.RUNNING, JobState.CANCELLING}:
            assert job.attempt is not None
        else:
            assert job.attempt is None
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    completed = [event for event in told if isinstance(event.payload, Completed)]
    assert len(completed) == (1 if job.state.is_final else 0)
    assert not completed or told[-1] is completed[0]
    assert (job.end_time is not None) == job.state.is_final
    starts = [event.payload.number for event in told if isinstance(event.payload, AttemptStarted)]
    assert starts == list(range(1, len(job.attempts) + 1))
    assert [output.index for output in job.outputs] == list(range(len(job.outputs)))
