"""Placing jobs: a table of cases, and what holds for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.scheduling import Candidate, Decision, WaitingJob, assign, next_retry


def job(job_id: str, **fields: object) -> WaitingJob:
    return WaitingJob(job_id=job_id, **fields)  # type: ignore[arg-type]  # a shorthand


def backend(name: str, free_slots: int = 1, **fields: object) -> Candidate:
    return Candidate(name=name, free_slots=free_slots, **{"is_healthy": True, **fields})  # type: ignore[arg-type]


def anywhere(_job_id: str, _backend: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("queue", "backends", "expected"),
    [
        pytest.param([], [backend("a")], [], id="nothing waits"),
        pytest.param([job("1")], [], [], id="no backend"),
        pytest.param([job("1"), job("2")], [backend("a")], [("1", "a")], id="the oldest first"),
        pytest.param(
            [job("1"), job("2")], [backend("a", 2)], [("1", "a"), ("2", "a")], id="as many as there are slots"
        ),
        pytest.param([job("1")], [backend("a", is_healthy=False)], [], id="not to a sick one"),
        pytest.param([job("1")], [backend("a", 0)], [], id="not to a busy one"),
        pytest.param([job("1"), job("2")], [backend("a"), backend("b")], [("1", "a"), ("2", "b")], id="spread"),
        pytest.param([job("1", pinned_backend="b")], [backend("a"), backend("b")], [("1", "b")], id="pinned"),
        pytest.param(
            [job("1", pinned_backend="a"), job("2")],
            [backend("a", 0), backend("b")],
            [("2", "b")],
            id="one that cannot be placed holds nobody up",
        ),
        pytest.param(
            [job("1", model="m")],
            [backend("a", 5), backend("b", resident_model="m")],
            [("1", "b")],
            id="where the model is loaded",
        ),
        pytest.param([job("1")], [backend("a"), backend("b", 2)], [("1", "b")], id="where more is free"),
        pytest.param(
            [job("1", failed_on="a")], [backend("a"), backend("b")], [("1", "b")], id="elsewhere after a failure"
        ),
        pytest.param([job("1", failed_on="a")], [backend("a"), backend("b", 0)], [], id="waits for another busy one"),
        pytest.param([job("1", failed_on="a")], [backend("a")], [("1", "a")], id="again where there is no other"),
        pytest.param(
            [job("1", failed_on="a")],
            [backend("a"), backend("b", is_healthy=False)],
            [("1", "a")],
            id="again where the other is sick",
        ),
        pytest.param([job("1", not_before=11.0)], [backend("a")], [], id="not before its time"),
        pytest.param([job("1", not_before=10.0)], [backend("a")], [("1", "a")], id="from its time on"),
    ],
)
def test_assigns(queue: list[WaitingJob], backends: list[Candidate], expected: list[tuple[str, str]]) -> None:
    assert assign(queue, backends, anywhere, now=10.0) == [Decision(*each) for each in expected]


def test_asks_whether_a_backend_accepts_the_job() -> None:
    decisions = assign(
        [job("1"), job("2")], [backend("a"), backend("b")], lambda job_id, name: (job_id, name) == ("1", "b"), now=0
    )
    assert decisions == [Decision("1", "b")]


def test_next_retry_is_the_earliest_that_lies_ahead() -> None:
    queue = [job("1", not_before=5.0), job("2", not_before=20.0), job("3", not_before=15.0)]
    assert next_retry(queue, now=10.0) == 15.0
    assert next_retry(queue, now=20.0) is None


names = st.sampled_from(["a", "b", "c"])
queues = st.lists(
    st.builds(
        WaitingJob,
        job_id=st.uuids().map(str),
        pinned_backend=st.just("") | names,
        model=st.sampled_from(["", "m"]),
        failed_on=st.just("") | names,
        not_before=st.floats(0, 2),
    ),
    unique_by=lambda each: each.job_id,
)
backend_lists = st.lists(
    st.builds(Candidate, name=names, is_healthy=st.booleans(), free_slots=st.integers(-1, 3)),
    unique_by=lambda each: each.name,
)


@given(queues, backend_lists)
def test_never_promises_more_than_there_is(queue: list[WaitingJob], backends: list[Candidate]) -> None:
    decisions = assign(queue, backends, anywhere, now=1.0)
    by_id = {each.job_id: each for each in queue}
    assert len({each.job_id for each in decisions}) == len(decisions)
    for candidate in backends:
        placed = [by_id[each.job_id] for each in decisions if each.backend == candidate.name]
        assert len(placed) <= max(candidate.free_slots, 0)
        assert candidate.is_healthy or not placed
        assert all(each.pinned_backend in {"", candidate.name} and each.not_before <= 1.0 for each in placed)


@given(queues, backend_lists)
def test_leaves_nobody_waiting_who_could_run(queue: list[WaitingJob], backends: list[Candidate]) -> None:
    decisions = assign(queue, backends, anywhere, now=1.0)
    taken = [each.backend for each in decisions]
    free = {each.name for each in backends if each.is_healthy and each.free_slots > taken.count(each.name)}
    placed = {each.job_id for each in decisions}
    for each in queue:
        if each.job_id not in placed and each.not_before <= 1.0:
            eligible = free & ({each.pinned_backend} if each.pinned_backend else free)
            assert eligible <= {each.failed_on}
