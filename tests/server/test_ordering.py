"""The order in which jobs are to go."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.jobs import Move, MoveKind
from imagegen_server.scheduling.fairness import AGING_S, FairShares
from imagegen_server.scheduling.ordering import FairOrder
from imagegen_server.scheduling.situation import WaitingJob
from imagegen_server.scheduling.work import Work

NOW = 10_000.0


def job(job_id: str, age_s: float = 0.0, **fields: object) -> WaitingJob:
    return WaitingJob(**{"job_id": job_id, "queue_time": NOW - age_s, "work": Work()} | fields)  # type: ignore[arg-type]


def moved(job_id: str, kind: MoveKind, anchor: str = "", time: float = 0.0) -> WaitingJob:
    return job(job_id, move=Move(kind=kind, anchor=anchor, time=NOW + time))


def fair_order(jobs: Sequence[WaitingJob], *, shares: FairShares | None = None, room: int = 1000) -> FairOrder:
    order = FairOrder(
        jobs,
        shares=shares or FairShares(lambda _: 1.0),
        cost_s=lambda _: 10.0,
        can_go=lambda each: not each.job_id.startswith("!"),
        room=lambda _: room,
        now=NOW,
    )
    order.add(each for each in jobs if not each.is_paused)
    return order


def ids(jobs: Sequence[WaitingJob]) -> str:
    """All of them, as one after the other is started."""
    order, taken = fair_order(jobs), []
    while turns := order.first(3):
        taken.append(turns[0].job.job_id)
        order.take(0)
    return " ".join(taken)


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        pytest.param([job("2", 10), job("1", 20)], "1 2", id="the older first"),
        pytest.param([job("1", 20), job("2", 10, priority=1)], "2 1", id="the higher class first"),
        pytest.param([job("1", AGING_S), job("2", priority=1), job("3", 0)], "1 2 3", id="a class rises by waiting"),
        pytest.param(
            [job("a1", 40, owner="a"), job("a2", 30, owner="a"), job("a3", 20, owner="a"), job("b1", 10, owner="b")],
            "a1 b1 a2 a3",
            id="owners take turns",
        ),
        pytest.param([job("1", 20), job("2", 10, is_running=True)], "2 1", id="what has begun first"),
        pytest.param([job("!1", 20), job("2", 10)], "2", id="what cannot go is passed over"),
        pytest.param([job("1"), moved("2", MoveKind.FIRST)], "2 1", id="moved to the front"),
        pytest.param(
            [job("1", priority=10), moved("2", MoveKind.FIRST, time=1), moved("3", MoveKind.FIRST, time=2)],
            "3 2 1",
            id="the newest move first",
        ),
        pytest.param([job("1", 9), job("2", 8), moved("3", MoveKind.BEFORE, "2")], "1 3 2", id="right before"),
        pytest.param(
            [job("1", 9), moved("2", MoveKind.BEFORE, "1", 1), moved("3", MoveKind.BEFORE, "1", 2)],
            "2 3 1",
            id="the one moved last is the one right before",
        ),
        pytest.param([job("1", 9), job("2", 8), moved("3", MoveKind.AFTER, "1")], "1 3 2", id="right after"),
        pytest.param(
            [job("1", 9), job("2", 8), moved("3", MoveKind.AFTER, "1", 1), moved("4", MoveKind.AFTER, "1", 2)],
            "1 4 3 2",
            id="of two at one place the newest move first",
        ),
        pytest.param(
            [job("1", 9), moved("3", MoveKind.AFTER, "1"), moved("4", MoveKind.BEFORE, "3"), job("2", 8)],
            "1 4 3 2",
            id="after one that was moved itself",
        ),
        pytest.param(
            [job("a1", 9, owner="a"), job("b1", 8, owner="b"), moved("a2", MoveKind.BEFORE, "a1")],
            "a2 a1 b1",
            id="before one of another owner",
        ),
        pytest.param(
            [job("a1", 9), job("b1", 8, owner="b"), moved("a2", MoveKind.BEFORE, "a1")],
            "a2 b1 a1",
            id="before one of the same owner, for its share",
        ),
        pytest.param(
            [job("a1", 9), job("b1", 8, owner="b"), moved("a2", MoveKind.AFTER, "a1")], "a1 a2 b1", id="after at once"
        ),
        pytest.param([job("1", 9), moved("2", MoveKind.AFTER, "gone")], "2 1", id="the anchor waits no longer"),
        pytest.param(
            [job("1", 9, is_paused=True), job("2", 8), moved("3", MoveKind.BEFORE, "1")],
            "3 2",
            id="the anchor is paused",
        ),
        pytest.param(
            [job("1", 9), moved("2", MoveKind.AFTER, "3", 1), moved("3", MoveKind.AFTER, "2", 2)],
            "2 3 1",
            id="a circle breaks where it was moved first",
        ),
        pytest.param(
            [job("4", 9), moved("3", MoveKind.AFTER, "1", 1), moved("2", MoveKind.BEFORE, "1", 2), job("1", -3)],
            "2 3 4 1",
            id="whoever lines up anew takes nobody along",
        ),
        pytest.param(
            [moved("2", MoveKind.AFTER, "1", 1), moved("1", MoveKind.AFTER, "3", 2), job("3", 9), job("4", 8)],
            "2 3 1 4",
            id="whoever is moved away takes nobody along",
        ),
        pytest.param([job("1", 9), moved("2", MoveKind.AFTER, "2")], "2 1", id="after itself"),
    ],
)
def test_orders(jobs: list[WaitingJob], expected: str) -> None:
    assert ids(jobs) == expected


def test_a_served_flow_does_not_rise() -> None:
    shares = FairShares(lambda _: 1.0)
    shares.started("", 0, NOW - 5)
    order = fair_order([job("1", 10 * AGING_S), job("2", priority=1)], shares=shares)
    assert order.first(1)[0].job.job_id == "2"


def test_whoever_is_taken_out_of_turn_has_had_its_share() -> None:
    jobs = [job("a1", 40, owner="a"), job("b1", 30, owner="b"), job("a2", 20, owner="a"), job("b2", 10, owner="b")]
    order = fair_order(jobs)
    assert [turn.job.job_id for turn in order.first(4)] == ["a1", "b1", "a2", "b2"]
    order.take(2)
    assert [turn.job.job_id for turn in order.first(4)] == ["b1", "a1", "b2"]


def test_an_owner_without_room_waits_until_there_is_some() -> None:
    jobs = [job("a1", 40, owner="a"), job("a2", 30, owner="a"), job("a3", 10, owner="a", is_running=True)]
    order = fair_order(jobs, room=1)
    assert [turn.job.job_id for turn in order.first(5)] == ["a3", "a1"]
    order.give_room("a")
    assert [turn.job.job_id for turn in order.first(5)] == ["a3", "a1", "a2"]


def test_classes_rise_while_looking_ahead() -> None:
    order = fair_order([job("1"), job("2", priority=1, owner="b")])
    assert order.first(1)[0].rank == 1
    order.advance(NOW + AGING_S)
    assert [turn.rank for turn in order.first(2)] == [2, 1]


names = st.sampled_from([f"j{number}" for number in range(8)])
moves = st.builds(
    Move, kind=st.sampled_from(MoveKind), anchor=names | st.just("gone"), time=st.sampled_from([NOW, NOW + 1, NOW + 2])
)
queues = st.lists(
    st.builds(
        WaitingJob,
        job_id=names,
        owner=st.sampled_from("abc"),
        priority=st.integers(-1, 1),
        queue_time=st.floats(0, NOW),
        work=st.just(Work()),
        is_running=st.booleans(),
        move=st.none() | moves,
    ),
    unique_by=lambda each: each.job_id,
)


@given(queues)
def test_moves_lose_nobody(jobs: list[WaitingJob]) -> None:
    assert sorted(ids(jobs).split()) == sorted(each.job_id for each in jobs)


@given(queues, st.lists(st.integers(0, 7)))
def test_taking_out_of_turn_loses_nobody(jobs: list[WaitingJob], indexes: list[int]) -> None:
    order, taken = fair_order(jobs), []
    for index in [*indexes, *([0] * len(jobs))]:
        turns = order.first(8)
        if index < len(turns):
            taken.append(turns[index].job.job_id)
            order.take(index)
    assert sorted(taken) == sorted(each.job_id for each in jobs)


@given(queues)
def test_what_was_moved_stands_where_it_was_moved_to(jobs: list[WaitingJob]) -> None:
    """But for circles: with one move only there are none."""
    single = [each for each in jobs if each.move is not None][:1]
    queue = {each.job_id: each for each in (*single, *(each for each in jobs if each.move is None))}
    line = ids(list(queue.values())).split()
    for each in single:
        assert each.move is not None
        place, anchor = line.index(each.job_id), each.move.anchor
        if each.move.kind is MoveKind.FIRST or anchor not in line or anchor == each.job_id:
            assert place == 0
        elif each.move.kind is MoveKind.AFTER:
            assert place == line.index(anchor) + 1
        else:
            flow = queue[anchor].owner, queue[anchor].priority
            between = [queue[job_id] for job_id in line[place + 1 : line.index(anchor)]]
            assert place < line.index(anchor)
            assert all((other.owner, other.priority) != flow for other in between)
