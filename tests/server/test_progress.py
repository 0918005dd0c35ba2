"""Progress never falls, and its speed is measured."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Phase, Progressed
from imagegen_server.progress import ProgressTracker
from tests.server.scripted import progressed


@given(st.lists(st.floats(-1, 2, allow_nan=False)))
def test_fraction_stays_in_range_and_never_falls(fractions: list[float]) -> None:
    tracker = ProgressTracker()
    told = [tracker.track(progressed(1, fraction=each), now=0.0)[0].fraction for each in fractions]
    assert told == sorted(told)
    assert all(0.0 <= each <= 1.0 for each in told)


def test_speed_is_absent_before_two_steps() -> None:
    tracker = ProgressTracker()
    assert tracker.track(progressed(1), now=10.0)[1] is None
    assert tracker.track(progressed(1), now=11.0)[1] is None
    assert tracker.track(progressed(3), now=12.0)[1] == pytest.approx(1.0)


def test_speed_begins_anew_with_each_pass() -> None:
    tracker = ProgressTracker()
    tracker.track(progressed(1), now=0.0)
    assert tracker.track(progressed(2), now=1.0)[1] == pytest.approx(1.0)
    assert tracker.track(progressed(1), now=5.0)[1] is None
    assert tracker.track(progressed(2), now=5.5)[1] == pytest.approx(2.0)
    other_image = Progressed(fraction=0.5, phase=Phase.SAMPLING, step=3, steps=4, image_index=1)
    assert tracker.track(other_image, now=6.0)[1] is None


def test_speed_is_absent_without_steps() -> None:
    tracker = ProgressTracker()
    for now in (0.0, 1.0):
        assert tracker.track(progressed(0, 0, fraction=now / 2), now=now)[1] is None
