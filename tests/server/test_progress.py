"""Progress never falls, and its speed is measured."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Handle, ImageParameters, Phase, Progressed, RawGraph
from imagegen_server.jobs import Attempt, AttemptState, Job, JobSpec, Output, Slice
from imagegen_server.running.progress import STAGE_S, ProgressBoard, ProgressTracker, job_fraction
from tests.server.material import a_job, an_asset
from tests.server.scripted import progressed

WHOLE = Slice(count=1)


@given(st.lists(st.floats(-1, 2, allow_nan=False)))
def test_fraction_stays_in_range_and_never_falls(fractions: list[float]) -> None:
    tracker, told = ProgressTracker(WHOLE, WHOLE), []
    for fraction in fractions:
        tracker.track(progressed(1, fraction=fraction), now=0.0)
        told.append(tracker.fraction)
    assert told == sorted(told)
    assert all(0.0 <= each <= 1.0 for each in told)


def test_images_are_numbered_as_the_job_numbers_them() -> None:
    slice_ = Slice(first=4, count=2)
    tracker = ProgressTracker(slice_, slice_)
    progress, _ = tracker.track(Progressed(fraction=0.5, phase=Phase.SAMPLING, image_index=1), now=0.0)
    assert (progress.image_index, tracker.fraction) == (5, 0.5)


def test_what_was_delivered_before_is_no_progress_of_an_attempt_that_is_taken_up() -> None:
    """The backend makes all four; two of them are there already."""
    tracker = ProgressTracker(Slice(count=4), Slice(first=2, count=2))
    tracker.track(Progressed(fraction=0.25, phase=Phase.SAMPLING), now=0.0)
    assert tracker.fraction == 0.0
    tracker.track(Progressed(fraction=0.75, phase=Phase.SAMPLING), now=0.0)
    assert tracker.fraction == 0.5


def attempt(number: int, piece: Slice, state: AttemptState = AttemptState.RUNNING) -> Attempt:
    return Attempt(
        number=number,
        attempt_id=str(number),
        backend="one",
        handle=Handle(remote_id=""),
        state=state,
        start_time=1.0,
        slice=piece,
    )


def job(*attempts: Attempt, made: Sequence[int] = (), count: int = 8) -> Job:
    spec = JobSpec(source=ImageParameters(prompt="", count=count))
    outputs = tuple(
        Output(index=i, asset=an_asset(), image_index=i, seed=i, node_id="", intermediate=False, attempt=1)
        for i in made
    )
    return a_job(spec=spec, attempts=attempts, outputs=outputs)


def test_a_job_is_as_far_as_its_attempts_together() -> None:
    first, second = attempt(1, Slice(count=6)), attempt(2, Slice(first=6, count=2))
    assert job_fraction(job(first, second), {}) == 0.0
    assert job_fraction(job(first, second), {1: 0.5, 2: 0.5}) == 0.5
    # What an attempt has delivered is part of its own share.
    assert job_fraction(job(first, second, made=[0, 1, 2]), {1: 0.5}) == 3 / 8


def test_what_ended_attempts_have_made_counts() -> None:
    ended = attempt(1, Slice(count=6), AttemptState.SUCCEEDED)
    assert job_fraction(job(ended, attempt(2, Slice(first=6, count=2))), {2: 0.5}) == 7 / 8
    broken = attempt(1, Slice(count=6), AttemptState.FAILED)
    assert job_fraction(job(broken, attempt(2, Slice(first=6, count=2)), made=[0]), {2: 1.0}) == 3 / 8


def test_a_graph_is_as_far_as_its_attempt() -> None:
    graph = a_job(spec=JobSpec(source=RawGraph(json="{}")), attempts=(attempt(1, Slice()),))
    assert (job_fraction(graph, {}), job_fraction(graph, {1: 0.25})) == (0.0, 0.25)


def test_the_board_knows_running_attempts_only() -> None:
    board, running = ProgressBoard(), job(attempt(1, Slice(count=8)))
    board.note("job-1", 1, 0.5)
    assert board.fraction(running) == 0.5
    board.forget("job-1", 1)
    assert board.fraction(running) == 0.0


def test_one_attempt_at_a_time_is_shown() -> None:
    board = ProgressBoard()
    assert [board.shows("job", number, now) for number, now in ((1, 0.0), (2, 0.1), (1, 1.0), (2, 2.9))] == [
        True,
        False,
        True,
        False,
    ]
    assert board.shows("other", 2, 0.1)
    assert board.shows("job", 2, 1.0 + STAGE_S), "the first one has shown nothing for a while"
    board.forget("job", 2)
    assert board.shows("job", 1, 3.1)


def test_speed_is_absent_before_two_steps() -> None:
    tracker = ProgressTracker(WHOLE, WHOLE)
    assert tracker.track(progressed(1), now=10.0)[1] is None
    assert tracker.track(progressed(1), now=11.0)[1] is None
    assert tracker.track(progressed(3), now=12.0)[1] == pytest.approx(1.0)


def test_speed_begins_anew_with_each_pass() -> None:
    tracker = ProgressTracker(WHOLE, WHOLE)
    tracker.track(progressed(1), now=0.0)
    assert tracker.track(progressed(2), now=1.0)[1] == pytest.approx(1.0)
    assert tracker.track(progressed(1), now=5.0)[1] is None
    assert tracker.track(progressed(2), now=5.5)[1] == pytest.approx(2.0)
    other_image = Progressed(fraction=0.5, phase=Phase.SAMPLING, step=3, steps=4, image_index=1)
    assert tracker.track(other_image, now=6.0)[1] is None


def test_speed_is_absent_without_steps() -> None:
    tracker = ProgressTracker(WHOLE, WHOLE)
    for now in (0.0, 1.0):
        assert tracker.track(progressed(0, 0, fraction=now / 2), now=now)[1] is None
