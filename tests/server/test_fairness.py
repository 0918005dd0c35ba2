"""Shares of owners."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.scheduling.fairness import AGING_S, MAX_OWNERS, FairShares, risen


def serve(shares: FairShares, costs: dict[str, float], seconds: float) -> Counter[str]:
    """What each owner gets of a backend when all of them always have something to do."""
    got = Counter[str]()
    while sum(got.values()) < seconds:
        owner = min(costs, key=lambda each: (shares.time(each), each))
        shares.settle(costs, costs)
        shares.charge(owner, costs[owner])
        got[owner] += costs[owner]  # type: ignore[assignment]  # seconds
    return got


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(1, 50), min_size=2))
def test_equal_owners_get_equal_shares_within_one_job(costs: dict[str, float]) -> None:
    got = serve(FairShares(lambda _: 1.0), costs, 2000)
    assert max(got.values()) - min(got.values()) <= max(costs.values()) * 1.001


def test_shares_go_by_weight() -> None:
    got = serve(FairShares(lambda owner: {"a": 3.0, "b": 1.0}[owner]), {"a": 5.0, "b": 5.0}, 400)
    assert got == {"a": 300, "b": 100}


def test_who_was_away_has_no_claim() -> None:
    shares = FairShares(lambda _: 1.0)
    serve(shares, {"a": 10.0}, 1000)
    got = serve(shares, {"a": 10.0, "b": 10.0}, 100)
    assert got["b"] <= 60


def test_when_all_work_is_done_all_are_alike() -> None:
    shares = FairShares(lambda _: 1.0)
    shares.charge("guest", 100.0)  # alone, at a time when nobody waited
    shares.rest()
    got = serve(shares, {"guest": 10.0, "host": 10.0}, 40)
    assert got == {"guest": 20, "host": 20}


def test_who_cannot_be_served_does_not_hold_the_floor_down() -> None:
    shares = FairShares(lambda _: 1.0)
    for _ in range(10):
        shares.settle({"a"}, {"a", "stuck"})
        shares.charge("a", 10.0)
    assert shares.time("newcomer") == pytest.approx(90)


def test_what_was_not_taken_can_be_given_back() -> None:
    shares = FairShares(lambda _: 1.0)
    shares.charge("a", 10.0)
    shares.charge("a", -4.0)
    assert shares.time("a") == pytest.approx(6)


def test_forgets_who_is_away() -> None:
    shares = FairShares(lambda _: 1.0)
    for number in range(MAX_OWNERS + 10):
        owner = f"owner {number}"
        shares.charge(owner, 10.0)
        shares.started(owner, 0, float(number))
    shares.settle({"a"}, {"a"})
    assert len(shares._times) == MAX_OWNERS
    assert not shares._starts
    shares.charge("a", 20.0)
    shares.settle({"a"}, {"a"})
    assert not shares._times


def test_remembers_the_last_start_of_a_flow() -> None:
    shares = FairShares(lambda _: 1.0)
    shares.started("a", 3, 10.0)
    shares.settle({"b"}, {"a", "b"})
    assert shares.last_start("a", 3) == 10.0
    assert shares.last_start("a", 0) == float("-inf")


@pytest.mark.parametrize(("waited_s", "classes"), [(-5, 0), (0, 0), (AGING_S - 1, 0), (AGING_S, 1), (2.5 * AGING_S, 2)])
def test_rises_with_time(waited_s: float, classes: int) -> None:
    assert risen(1000.0, 1000.0 + waited_s) == classes
