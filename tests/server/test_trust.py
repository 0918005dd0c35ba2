"""When a backend that failed is trusted again."""

import pytest

from imagegen_server.trust import LONGEST_HOLD_S, STABLE_S, Trust


def relapsed(times: int, *, well_for_s: float = 1.0) -> tuple[Trust, float]:
    """A backend that failed, and did so again so often, each time so long after it was taken back."""
    trust, now = Trust().after_failure(0.0, first_hold_s=5.0), 0.0
    for _ in range(times):
        now += trust.hold_left_s(now)
        trust = trust.after_return(now)
        now += well_for_s
        trust = trust.after_failure(now, first_hold_s=5.0)
    return trust, now


@pytest.mark.parametrize(("relapses", "hold_s"), [(0, 0.0), (1, 5.0), (2, 10.0), (3, 20.0), (4, 40.0), (5, 60.0)])
def test_each_relapse_holds_longer_than_the_one_before(relapses: int, hold_s: float) -> None:
    trust, now = relapsed(relapses)
    assert trust.hold_left_s(now) == pytest.approx(hold_s)


def test_no_relapse_holds_for_ever() -> None:
    trust, now = relapsed(1000)
    assert trust.hold_left_s(now) == LONGEST_HOLD_S


def test_one_that_was_well_for_long_begins_anew() -> None:
    trust, now = relapsed(3, well_for_s=STABLE_S)
    assert trust.hold_left_s(now) == 0
    trust = trust.after_return(now)
    assert trust.after_failure(now + 1, first_hold_s=5.0).hold_left_s(now + 1) == 5


def test_a_restart_mends_a_device_but_no_relapses() -> None:
    trust, now = relapsed(1)
    held = trust.after_device_failure(now, 60.0)
    assert held.hold_left_s(now) == 60
    assert held.after_device_failure(now, 1.0).hold_left_s(now) == 60
    assert held.after_restart().hold_left_s(now) == trust.hold_left_s(now) > 0
    assert held.hold_left_s(now + 60) == 0
