"""What goes, against a model that is too simple to be wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.retention import (
    GRACE_S,
    Policy,
    assets_to_delete,
    is_surplus,
    jobs_to_compact,
    jobs_to_delete,
)
from imagegen_server.stores.model import EndedJob, KeptAsset

NOW = 1_000_000.0
AGES = st.integers(0, 5000).map(float)
LIMITS = st.sampled_from([0.0, 100.0, 1000.0, 3000.0])

jobs = st.lists(AGES, max_size=20).map(
    lambda ages: [
        EndedJob(job_id=f"job-{number}", end_time=NOW - age, end_position=number)
        for number, age in enumerate(sorted(ages, reverse=True), start=1)
    ]
)
assets = st.lists(st.tuples(AGES, st.integers(0, 50)), max_size=20).map(
    lambda kept: [
        KeptAsset(number=number, digest=f"{number:064}", size_bytes=size, kept_since=NOW - age)
        for number, (age, size) in enumerate(sorted(kept, reverse=True), start=1)
    ]
)


def an_ended_job(number: int, age_s: float) -> EndedJob:
    return EndedJob(job_id=f"job-{number}", end_time=NOW - age_s, end_position=number)


def a_kept_asset(number: int, age_s: float, size_bytes: int = 10) -> KeptAsset:
    return KeptAsset(number=number, digest=f"{number:064}", size_bytes=size_bytes, kept_since=NOW - age_s)


@given(oldest=jobs, keep=st.integers(0, 10), keep_s=LIMITS, seen=st.integers(0, 20))
def test_jobs_go_when_newer_ones_are_enough_or_they_are_too_old(
    oldest: list[EndedJob], keep: int, keep_s: float, seen: int
) -> None:
    policy = Policy(keep_jobs=keep, keep_jobs_s=keep_s)
    model = [
        job
        for place, job in enumerate(oldest)
        if (keep and len(oldest) - place > keep) or (keep_s and NOW - job.end_time > keep_s)
    ]
    assert list(jobs_to_delete(policy, NOW, oldest, count=len(oldest))) == model
    # Of a part of them that is looked at, the same ones.
    assert list(jobs_to_delete(policy, NOW, oldest[:seen], count=len(oldest))) == model[:seen]
    left = oldest[len(model) :]
    assert not jobs_to_delete(policy, NOW, left, count=len(left))


@given(oldest=jobs, keep_s=LIMITS)
def test_events_go_when_their_jobs_ended_too_long_ago(oldest: list[EndedJob], keep_s: float) -> None:
    going = jobs_to_compact(Policy(keep_events_s=keep_s), NOW, oldest)
    assert list(going) == [job for job in oldest if keep_s and NOW - job.end_time > keep_s]


def test_a_clock_that_was_ahead_keeps_things_longer() -> None:
    behind = [an_ended_job(1, 500.0), an_ended_job(2, -90_000.0), an_ended_job(3, 400.0)]
    assert jobs_to_delete(Policy(keep_jobs_s=100.0), NOW, behind, count=3) == behind[:1]
    assert jobs_to_compact(Policy(keep_events_s=100.0), NOW, behind) == behind[:1]
    assert jobs_to_delete(Policy(keep_jobs=1), NOW, behind, count=3) == behind[:2], "numbers count all the same"


@given(
    oldest=assets,
    needed=st.sets(st.integers(1, 20).map(lambda number: f"{number:064}")),
    keep_s=LIMITS,
    keep_bytes=st.integers(0, 300),
    others=st.integers(0, 100),
)
def test_assets_go_oldest_first_until_the_rest_fits(
    oldest: list[KeptAsset], needed: set[str], keep_s: float, keep_bytes: int, others: int
) -> None:
    """`others` are bytes of what is not up for removal, as inputs."""
    policy = Policy(keep_assets_s=keep_s, keep_assets_bytes=keep_bytes)
    total = others + sum(asset.size_bytes for asset in oldest)
    going = assets_to_delete(policy, NOW, oldest, total_bytes=total, needed=needed)

    left = total
    model = []
    for asset in oldest:
        age = NOW - asset.kept_since
        is_too_much = (keep_s and age > keep_s) or (keep_bytes and left > keep_bytes)
        if is_too_much and age > GRACE_S and asset.digest not in needed:
            model.append(asset)
            left -= asset.size_bytes
    assert going == model

    rest = [asset for asset in oldest if asset not in going]
    assert assets_to_delete(policy, NOW, rest, total_bytes=left, needed=needed) == []
    if rest and not is_surplus(policy, NOW, rest[0], total_bytes=left):
        assert not any(is_surplus(policy, NOW, asset, total_bytes=left) for asset in rest), "whoever stops here is done"


@pytest.mark.parametrize("policy", [Policy(), Policy(keep_assets_s=1.0), Policy(keep_assets_bytes=1)])
def test_what_was_stored_just_now_stays(policy: Policy) -> None:
    young = [a_kept_asset(1, GRACE_S), a_kept_asset(2, 0.0)]
    assert assets_to_delete(policy, NOW, young, total_bytes=20, needed=()) == []
    old = [replace(asset, kept_since=asset.kept_since - 1.0) for asset in young[:1]]
    assert assets_to_delete(policy, NOW, old, total_bytes=20, needed=()) == (old if policy != Policy() else [])


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        (Policy(keep_deleted_s=100.0), 2),
        (Policy(keep_deleted_s=30.0), 3),
        (Policy(keep_deleted_s=0.0), 4),
        (Policy(keep_deleted_s=1000.0), 0),
        (Policy(keep_deleted_s=1000.0, keep_assets_bytes=25), 2),
        (Policy(keep_deleted_s=1000.0, keep_assets_bytes=40), 0),
    ],
)
def test_what_was_deleted_goes_when_its_time_is_over_or_room_is_short(policy: Policy, gone: int) -> None:
    deleted = [
        replace(a_kept_asset(number, 0.0), deletion=number, delete_time=NOW - age)
        for number, age in enumerate([200.0, 100.0, 50.0, 0.0], 1)
    ]
    assert assets_to_delete(policy, NOW, deleted, total_bytes=40, needed=()) == deleted[:gone]
    is_due = is_surplus(policy, NOW, deleted[0], total_bytes=40)
    assert is_due is (gone > 0)


def test_by_default_nothing_goes() -> None:
    ancient, huge = [an_ended_job(1, NOW)], [a_kept_asset(1, NOW, 10**15)]
    assert not jobs_to_delete(Policy(), NOW, ancient, count=10**9)
    assert not jobs_to_compact(Policy(), NOW, ancient)
    assert not assets_to_delete(Policy(), NOW, huge, total_bytes=10**15, needed=())
