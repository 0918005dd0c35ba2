"""The table of what may happen to a job: cases, then properties over any sequence of happenings."""

from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Handle, ImageParameters, Planned, RawGraph, Warned
from imagegen_server import lifecycle
from imagegen_server.happenings import (
    AttemptAccepted,
    AttemptBroke,
    AttemptCancelled,
    AttemptStarted,
    AttemptSucceeded,
    AttemptTold,
    CancelRequested,
    Completed,
    DeadlinePassed,
    DurableEvent,
    Happening,
    JobUpdated,
    Moved,
    OutputStored,
    StateChanged,
    Updated,
)
from imagegen_server.jobs import AttemptState, Failure, Invocation, Job, JobSpec, JobState, Move, MoveKind, Slice
from imagegen_server.lifecycle import MAX_WARNINGS, InvalidHappening
from tests.server.material import FAILURE, a_job, an_asset, began

EXPIRY = Failure(reason="EXECUTION_DEADLINE_PASSED", message="it took too long")

BEGAN = began(a_job())
ACCEPTED = AttemptAccepted(number=1, handle=Handle(remote_id="r", client_id="c"))
PLANNED = AttemptTold(number=1, update=Planned(images=1))
WARNED = AttemptTold(number=1, update=Warned(code="SIZE_ADJUSTED", message="the size was rounded"))
OUTPUT = OutputStored(number=1, asset=an_asset(), image_index=0)
SUCCEEDED = AttemptSucceeded(number=1)
BROKE_RETRY = AttemptBroke(number=1, failure=FAILURE, will_retry=True)
BROKE = AttemptBroke(number=1, failure=FAILURE, will_retry=False)
CANCEL = CancelRequested()
CANCELLED = AttemptCancelled(number=1)
EXPIRED = DeadlinePassed(failure=EXPIRY)


def after(*happenings: Happening, job: Job | None = None) -> tuple[Job, list[DurableEvent]]:
    job, events = lifecycle.create(job or a_job())
    told = list(events)
    for number, happening in enumerate(happenings):
        job, events = lifecycle.apply(job, happening, 1001.0 + number)
        told.extend(events)
    return job, told


def names(events: list[DurableEvent]) -> list[str]:
    return [type(event.payload).__name__ for event in events]


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


def test_a_job_that_is_answered_ends_at_once_with_its_outputs() -> None:
    made, _ = after(BEGAN, OUTPUT, SUCCEEDED)
    job, events = after(job=replace(a_job("job-2"), outputs=made.outputs, reused_from="job-1"))
    assert (job.state, job.outputs, job.attempts) == (JobState.SUCCEEDED, made.outputs, ())
    assert (job.start_time, job.end_time) == (None, job.create_time)
    assert names(events) == ["StateChanged", "Output", "Completed"]
    assert [event.sequence for event in events] == [1, 2, 3]
    assert events[-1].payload == Completed(job=job)


def test_a_model_that_was_chosen_is_written_into_the_inputs_too() -> None:
    invocation = Invocation(workflow_id="text-to-image", revision=1, inputs={"prompt": "a fox"})
    job = a_job(spec=JobSpec(source=ImageParameters(prompt="a fox"), invocation=invocation))
    begun, _ = after(replace(BEGAN, model="first"), job=job)
    assert begun.spec.model == "first"
    assert begun.spec.invocation == replace(invocation, inputs={"prompt": "a fox", "model": "first"})


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
        lifecycle.apply(job, CANCELLED, 2000.0)


def test_an_image_is_not_made_by_two_attempts_at_a_time() -> None:
    job, _ = after(BEGAN)
    with pytest.raises(InvalidHappening):
        lifecycle.apply(job, BEGAN, 2000.0)


# --- deadlines, and wishes that meet ---------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [[], [BEGAN, BROKE_RETRY]])
def test_a_queued_job_expires_at_once(before: list[Happening]) -> None:
    job, events = after(*before, EXPIRED)
    assert (job.state, job.failure) == (JobState.EXPIRED, EXPIRY)
    assert names(events)[-1] == "Completed"


def test_a_running_job_expires_when_its_backend_has_stopped() -> None:
    job, _ = after(BEGAN, EXPIRED)
    assert job.state is JobState.CANCELLING
    job, _ = after(BEGAN, EXPIRED, CANCELLED)
    assert (job.state, job.failure, job.ending) == (JobState.EXPIRED, EXPIRY, None)


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [(EXPIRED, CANCEL, JobState.EXPIRED), (CANCEL, EXPIRED, JobState.CANCELLED), (EXPIRED, EXPIRED, JobState.EXPIRED)],
)
def test_the_first_wish_counts(first: Happening, second: Happening, state: JobState) -> None:
    job, events = after(BEGAN, first, second, CANCELLED)
    assert job.state is state
    assert names(events)[3:] == ["StateChanged", "Completed"]


@pytest.mark.parametrize("broke", [BROKE, BROKE_RETRY])
def test_a_job_that_delivered_everything_succeeds_although_its_attempt_broke(broke: AttemptBroke) -> None:
    job, events = after(BEGAN, OUTPUT, broke)
    assert (job.state, job.failure) == (JobState.SUCCEEDED, None)
    assert names(events)[-2:] == ["AttemptFailed", "Completed"]
    assert getattr(events[-2].payload, "will_retry", None) is False


def test_an_attempt_that_nobody_knows_about_is_uncertain() -> None:
    job, _ = after(BEGAN, replace(BROKE_RETRY, is_uncertain=True))
    assert (job.state, job.attempts[0].state) == (JobState.QUEUED, AttemptState.UNCERTAIN)
    assert job.attempts[0].failure == FAILURE
    job, _ = after(BEGAN, replace(BROKE, is_uncertain=True))
    assert (job.state, job.failure) == (JobState.FAILED, FAILURE)


# --- several attempts at once ----------------------------------------------------------------------------------------


def four(batch_size: int = 1) -> Job:
    return a_job(spec=JobSpec(source=ImageParameters(prompt="", count=4, batch_size=batch_size)))


def slice_began(first: int, count: int) -> Happening:
    return replace(BEGAN, slice=Slice(first=first, count=count), attempt_id=f"{first}+{count}")


def output(number: int, image_index: int) -> OutputStored:
    return OutputStored(number=number, asset=an_asset(), image_index=image_index)


HALVES = (slice_began(0, 2), slice_began(2, 2))


def test_a_job_is_done_when_all_its_slices_are() -> None:
    job, events = after(*HALVES, output(2, 2), output(2, 3), AttemptSucceeded(number=2), job=four())
    assert (job.state, job.missing) == (JobState.RUNNING, ())
    assert [event.attempt for event in events] == [0, 1, 1, 2, 2, 2]
    job, _ = after(*HALVES, AttemptSucceeded(number=2), AttemptSucceeded(number=1), job=four())
    assert job.state is JobState.SUCCEEDED


def test_what_a_broken_slice_did_not_deliver_is_missing_while_the_others_go_on() -> None:
    job, events = after(*HALVES, output(2, 2), replace(BROKE_RETRY, number=2), job=four())
    assert (job.state, job.missing) == (JobState.RUNNING, (Slice(first=3, count=1),))
    assert names(events)[-1] == "AttemptFailed"
    job, _ = after(*HALVES, output(2, 2), replace(BROKE_RETRY, number=2), AttemptSucceeded(number=1), job=four())
    assert job.state is JobState.QUEUED


def test_a_slice_that_fails_for_good_stops_the_others_and_fails_the_job() -> None:
    job, _ = after(*HALVES, replace(BROKE, number=1), job=four())
    assert job.state is JobState.CANCELLING
    with pytest.raises(InvalidHappening):
        lifecycle.apply(job, slice_began(0, 2), 2000.0)
    job, _ = after(*HALVES, replace(BROKE, number=1), CANCEL, AttemptCancelled(number=2), job=four())
    assert (job.state, job.failure) == (JobState.FAILED, FAILURE)


def test_a_cancel_waits_for_all_attempts() -> None:
    job, _ = after(*HALVES, CANCEL, AttemptCancelled(number=2), job=four())
    assert job.state is JobState.CANCELLING
    job, _ = after(*HALVES, CANCEL, AttemptCancelled(number=2), SUCCEEDED, job=four())
    assert job.state is JobState.CANCELLED
    job, _ = after(*HALVES, CANCEL, AttemptSucceeded(number=2), SUCCEEDED, job=four())
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("piece", [Slice(first=1, count=2), Slice(first=3, count=2), Slice()])
def test_only_what_is_missing_can_begin(piece: Slice) -> None:
    job, _ = after(slice_began(0, 2), job=four())
    with pytest.raises(InvalidHappening):
        lifecycle.apply(job, replace(BEGAN, slice=piece), 2000.0)


def test_a_pass_is_missing_as_a_whole() -> None:
    job, _ = after(slice_began(0, 4), output(1, 0), output(1, 1), output(1, 2), BROKE_RETRY, job=four(batch_size=2))
    assert job.missing == (Slice(first=2, count=2),)
    job, _ = after(slice_began(0, 4), output(1, 1), BROKE_RETRY, job=four())
    assert job.missing == (Slice(first=0, count=1), Slice(first=2, count=2))


def test_a_graph_is_made_as_a_whole() -> None:
    graph = a_job(spec=JobSpec(source=RawGraph(json="{}")))
    assert graph.missing == (Slice(),)
    whole = replace(BEGAN, slice=Slice())
    job, _ = after(whole, job=graph)
    assert job.missing == ()
    job, _ = after(whole, OUTPUT, BROKE_RETRY, job=graph)
    assert (job.state, job.missing) == (JobState.QUEUED, (Slice(),))
    job, _ = after(whole, SUCCEEDED, job=graph)
    assert job.state is JobState.SUCCEEDED


def test_the_model_that_a_backend_takes_is_written_back() -> None:
    job, _ = after(replace(BEGAN, model="sdxl"))
    assert isinstance(job.spec.source, ImageParameters)
    assert job.spec.source.model == "sdxl"
    graph = a_job(spec=JobSpec(source=RawGraph(json="{}")))
    job, _ = after(replace(BEGAN, model="sdxl", slice=Slice()), job=graph)
    assert job.spec == graph.spec


# --- what people decide ----------------------------------------------------------------------------------------------


def test_an_update_changes_what_is_given_and_is_told() -> None:
    job, events = after(Updated(priority=3, is_paused=True), Updated(labels={"a": "b"}))
    assert (job.spec.priority, job.is_paused, job.spec.labels) == (3, True, {"a": "b"})
    assert events[-1].payload == JobUpdated(job=job)
    assert lifecycle.apply(job, Updated(priority=3, is_paused=True), 2000.0) == (job, ())


def test_a_move_is_used_up_when_the_job_begins() -> None:
    move = Move(kind=MoveKind.FIRST, time=5.0)
    job, _ = after(Moved(move=move))
    assert (job.move, job.queue_time) == (move, job.create_time)
    job, _ = after(Moved(move=move), Moved(move=None))
    assert (job.move, job.queue_time) == (None, 1002.0)
    job, _ = after(Moved(move=move), BEGAN, BROKE_RETRY)
    assert job.move is None


def test_what_has_ended_is_not_changed_and_what_runs_is_not_moved() -> None:
    with pytest.raises(InvalidHappening):
        lifecycle.apply(after(CANCEL)[0], Updated(priority=1), 2000.0)
    with pytest.raises(InvalidHappening):
        lifecycle.apply(after(BEGAN)[0], Moved(move=None), 2000.0)


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


def of_attempt(number: int) -> list[Happening]:
    return [
        AttemptAccepted(number=number, handle=Handle(remote_id="r", client_id="c")),
        AttemptTold(number=number, update=Planned(images=1)),
        AttemptTold(number=number, update=Warned(code="SIZE_ADJUSTED", message="the size was rounded")),
        *[output(number, image) for image in range(4)],
        AttemptSucceeded(number=number),
        AttemptBroke(number=number, failure=FAILURE, will_retry=True),
        AttemptBroke(number=number, failure=FAILURE, will_retry=False),
        AttemptBroke(number=number, failure=FAILURE, will_retry=True, is_uncertain=True),
        AttemptCancelled(number=number),
    ]


HAPPENINGS: list[Happening] = [
    *[slice_began(first, count) for first in range(4) for count in range(1, 5 - first)],
    *chain.from_iterable(of_attempt(number) for number in (1, 2, 3)),
    CANCEL,
    EXPIRED,
    Updated(priority=1),
    Moved(move=None),
]


@given(st.lists(st.sampled_from(HAPPENINGS), max_size=40))
def test_whatever_happens_the_rules_hold(happenings: list[Happening]) -> None:
    job, events = lifecycle.create(four())
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
        assert bool(job.running) == (job.state in {JobState.RUNNING, JobState.CANCELLING})
        assert (job.ending is not None) == (job.state is JobState.CANCELLING)
        making = list(chain.from_iterable(attempt.slice.images for attempt in job.running))
        assert len(making) == len(set(making)), "no image is made by two attempts at a time"
        if isinstance(happening, type(BEGAN)):
            made = {each.image_index for each in before.outputs}
            assert made.isdisjoint(job.attempts[-1].slice.images), "nothing that was delivered is made again"
        if job.state is JobState.SUCCEEDED:
            assert not job.missing
    assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    completed = [event for event in told if isinstance(event.payload, Completed)]
    assert len(completed) == (1 if job.state.is_final else 0)
    assert not completed or told[-1] is completed[0]
    assert (job.end_time is not None) == job.state.is_final
    assert (job.failure is not None) == (job.state.is_final and job.state is not JobState.SUCCEEDED)
    starts = [event.payload.attempt.number for event in told if isinstance(event.payload, AttemptStarted)]
    assert starts == list(range(1, len(job.attempts) + 1))
    assert [output.index for output in job.outputs] == list(range(len(job.outputs)))
