"""The same seed gives the same jobs and disturbances."""

from tests.chaos.making import make_plan
from tests.chaos.plan import BACKENDS, GATEWAY, SERVER, Owner, TroubleKind, WishKind


def test_a_seed_is_a_plan() -> None:
    assert make_plan(5, jobs=50, troubles=20, seconds=60.0) == make_plan(5, jobs=50, troubles=20, seconds=60.0)
    assert make_plan(5, jobs=50, troubles=20, seconds=60.0) != make_plan(6, jobs=50, troubles=20, seconds=60.0)


def test_even_a_short_plan_has_every_kind_of_death() -> None:
    troubles = {(trouble.kind, trouble.target) for trouble in make_plan(5, jobs=1, troubles=7, seconds=20.0).troubles}
    assert {(TroubleKind.KILL, SERVER), (TroubleKind.STOP, SERVER), (TroubleKind.KILL, GATEWAY)} <= troubles
    assert {kind for kind, target in troubles if target in BACKENDS} == {
        TroubleKind.KILL,
        TroubleKind.CUT,
        TroubleKind.PAUSE,
        TroubleKind.DRAIN,
    }


def test_everything_happens_within_the_time() -> None:
    plan = make_plan(5, jobs=50, troubles=20, seconds=60.0)
    times = [job.at_s for job in plan.jobs] + [trouble.at_s for trouble in plan.troubles]
    assert all(0.0 <= at_s < 60.0 for at_s in times)


def test_a_long_plan_has_every_wish_and_every_owner() -> None:
    jobs = make_plan(5, jobs=300, troubles=1, seconds=120.0).jobs
    assert {wish.kind for job in jobs for wish in job.wishes} == set(WishKind)
    assert {job.owner for job in jobs} == set(Owner)
    assert [job.turn for job in jobs if job.owner is Owner.BOSS][:3] == [0, 1, 2]
