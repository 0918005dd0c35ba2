"""Placing jobs: a table of cases, and what holds for all."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen_server.jobs import Move, MoveKind
from imagegen_server.scheduling import (
    Candidate,
    Decision,
    Situation,
    WaitingJob,
    WaitReason,
    book,
    decide,
    foresee,
    next_look,
)
from imagegen_server.scheduling.decisions import HOLD_CHECK_S
from imagegen_server.scheduling.estimates import Estimator, Sample
from imagegen_server.scheduling.fairness import AGING_S, FairShares
from imagegen_server.scheduling.planning import BATCH_PATIENCE_S, SAME_TIME_S
from imagegen_server.scheduling.work import Work

NOW = 10_000.0
MODELS = ("m", "n")
BACKENDS = ("a", "b", "c")


def work(units: float = 10.0, model: str = "m") -> Work:
    return Work(model=model, pixels=1_000_000, steps=round(units), images=1)


def job(job_id: str, age_s: float = 0.0, **fields: object) -> WaitingJob:
    return WaitingJob(**{"job_id": job_id, "queue_time": NOW - age_s, "work": work()} | fields)  # type: ignore[arg-type]


def backend(name: str, free_slots: int = 1, **fields: object) -> Candidate:
    return Candidate(**{"name": name, "free_slots": free_slots, "resident_model": "m"} | fields)  # type: ignore[arg-type]


def busy(name: str, remaining_s: float | None = 60.0, **fields: object) -> Candidate:
    return backend(name, 0, remaining_s=remaining_s, **fields)


def measured(**speeds: float) -> Estimator:
    """Backends by their speed: a run of ten units takes ten seconds at 1. Loading takes five."""
    estimator = Estimator()
    for name, speed in speeds.items():
        for model in MODELS:
            estimator.learn(Sample(backend=name, work=work(10, model), run_s=10 / speed, load_s=5.0))
    return estimator


def situation(jobs: Iterable[WaitingJob], backends: Iterable[Candidate], **fields: object) -> Situation:
    defaults = {
        "now": NOW,
        "jobs": list(jobs),
        "backends": list(backends),
        "accepts": lambda job_id, name: True,
        "estimator": measured(a=1, b=1, c=1),
        "shares": FairShares(lambda _: 1.0),
        "room": lambda _: 1000,
        "paused": lambda _: False,
    }
    return Situation(**defaults | fields)  # type: ignore[arg-type]


def only(**where: str) -> Callable[[str, str], bool]:
    """Accepts these jobs there only, and others anywhere. A job's name begins with its key."""
    return lambda job_id, name: name in where.get(job_id[0], name)


def started(at: Situation) -> list[tuple[str, str]]:
    return [(decision.job_id, decision.backend) for decision in decide(at)]


A1, B1 = backend("a"), backend("b")
OTHER: dict[str, Any] = {"work": work(10, "n")}
CASES = [
    pytest.param([], [A1], {}, [], id="nothing waits"),
    pytest.param([job("1")], [], {}, [], id="no backend"),
    pytest.param([job("2"), job("1", 9)], [A1], {}, [("1", "a")], id="the oldest first"),
    pytest.param([job("1", 9), job("2")], [A1, B1], {}, [("1", "a"), ("2", "b")], id="as many as there are backends"),
    pytest.param([job("1")], [backend("a", is_available=False)], {}, [], id="not where it is sick or drained"),
    pytest.param([job("1")], [busy("a")], {}, [], id="not to a busy one"),
    pytest.param([job("1", 9), job("2", priority=1)], [A1], {}, [("2", "a")], id="by priority"),
    pytest.param([job("1", AGING_S), job("2", priority=1)], [A1], {}, [("1", "a")], id="the old ones rise"),
    pytest.param([job("1", is_paused=True)], [A1], {}, [], id="not while it is paused"),
    pytest.param([job("1")], [A1], {"paused": lambda _: True}, [], id="not while the queue is paused"),
    pytest.param([job("1", not_before=NOW + 1)], [A1], {}, [], id="not before its time"),
    pytest.param([job("1", not_before=NOW)], [A1], {}, [("1", "a")], id="from its time on"),
    pytest.param(
        [job("1"), job("2", owner="b")], [A1, B1], {"room": lambda owner: owner == "b"}, [("2", "a")], id="room"
    ),
    pytest.param(
        [job("1", is_running=True)],
        [A1],
        {"room": lambda _: 0},
        [("1", "a")],
        id="more of a job that runs needs no room",
    ),
    pytest.param([job("1")], [A1, B1], {"accepts": only(**{"1": "b"})}, [("1", "b")], id="only where it is accepted"),
    pytest.param(
        [job("1", 9), job("2")],
        [busy("a"), B1],
        {"accepts": only(**{"1": "a"})},
        [("2", "b")],
        id="one that cannot be placed holds nobody up",
    ),
    pytest.param([job("1", failed_on=frozenset("a"))], [A1, B1], {}, [("1", "b")], id="elsewhere after a failure"),
    pytest.param([job("1", failed_on=frozenset("a"))], [A1, busy("b")], {}, [], id="waits for another busy one"),
    pytest.param([job("1", failed_on=frozenset("a"))], [A1], {}, [("1", "a")], id="again where there is no other"),
    pytest.param(
        [job("1", failed_on=frozenset("a"))],
        [A1, backend("b", is_available=False)],
        {},
        [("1", "a")],
        id="again where the other is away",
    ),
    pytest.param(
        [job("1", **OTHER)], [A1, backend("b", resident_model="n")], {}, [("1", "b")], id="where it is loaded"
    ),
    pytest.param([job("1")], [A1, B1], {"estimator": measured(a=1, b=2)}, [("1", "b")], id="where it is faster"),
    pytest.param(
        [job("1", **OTHER)],
        [A1, backend("b", resident_model="n")],
        {"estimator": measured(a=2, b=0.5)},
        [("1", "a")],
        id="loading may pay",
    ),
    pytest.param(
        [job("1", **OTHER), job("2")],
        [A1, backend("b", resident_model="x")],
        {},
        [("2", "a"), ("1", "b")],
        id="pushes out what nobody needs",
    ),
    pytest.param(
        [job("1")],
        [A1, busy("b", 4.0)],
        {"estimator": measured(a=0.5, b=2)},
        [],
        id="waits for a busy one that is faster",
    ),
    pytest.param(
        [job("1", 21)],
        [A1, busy("b", 4.0)],
        {"estimator": measured(a=0.5, b=2)},
        [("1", "a")],
        id="but not longer than the idle one would have needed",
    ),
    pytest.param(
        [job("1", 9), job("2", 8), job("3", 7)],
        [A1, busy("b", 4.0)],
        {"estimator": measured(a=0.5, b=2)},
        [("3", "a")],
        id="the idle one goes to the next, for whom the wait would be too long",
    ),
    pytest.param(
        [job("1")], [A1, busy("b", None)], {"estimator": measured(a=0.5, b=9)}, [("1", "a")], id="not for the unknown"
    ),
    pytest.param([job("1")], [A1, busy("b", 0.0)], {"estimator": measured(b=1)}, [("1", "a")], id="not on a guess"),
    pytest.param(
        [job("1", 9, **OTHER), job("2")], [A1], {}, [("2", "a")], id="overtaken to save loading, of the same owner"
    ),
    pytest.param(
        [job("1", 1 + SAME_TIME_S, **OTHER), job("2")], [A1], {}, [("1", "a")], id="not by what was submitted later"
    ),
    pytest.param(
        [job("1", 5, owner="a", **OTHER), job("2", owner="b", work=work(1))],
        [A1],
        {},
        [("2", "a")],
        id="overtaken by another owner",
    ),
    pytest.param(
        [job("1", 5, owner="a", **OTHER), job("2", owner="b")],
        [A1],
        {},
        [("1", "a")],
        id="but not for long",
    ),
    pytest.param([job("1", 9, priority=1, **OTHER), job("2")], [A1], {}, [("1", "a")], id="not by a lower class"),
    pytest.param(
        [job("1", move=Move(kind=MoveKind.FIRST, time=1), **OTHER), job("2", 9)],
        [A1],
        {},
        [("1", "a")],
        id="not if moved",
    ),
    pytest.param([job("1"), job("2")], [backend("a", 2, slots=2)], {}, [("1", "a")], id="a second slot stays empty"),
    pytest.param(
        [job("1", work=work(2)), job("2")],
        [backend("a", 2, slots=2)],
        {},
        [("1", "a"), ("2", "a")],
        id="unless for short",
    ),
    pytest.param(
        [job("1")], [backend("a", 1, slots=2, remaining_s=2.0)], {}, [("1", "a")], id="is filled towards the end"
    ),
    pytest.param([job("1")], [backend("a", 1, slots=2, remaining_s=9.0)], {}, [], id="and not before"),
    pytest.param([job("1")], [backend("a", 1, slots=2, remaining_s=None)], {}, [], id="nor while the end is unknown"),
    pytest.param([job("1")], [backend("a", remaining_s=None)], {}, [("1", "a")], id="an idle one takes it anyway"),
]


@pytest.mark.parametrize(("jobs", "backends", "fields", "expected"), CASES)
def test_starts(
    jobs: list[WaitingJob], backends: list[Candidate], fields: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert started(situation(jobs, backends, **fields)) == expected


@pytest.mark.parametrize(("served_s", "expected"), [(BATCH_PATIENCE_S - 10, "2"), (BATCH_PATIENCE_S - 9, "1")])
def test_in_the_midst_of_a_batch_others_may_overtake_for_longer(served_s: float, expected: str) -> None:
    """Its flow was served since it was submitted."""
    shares = FairShares(lambda _: 1.0)
    shares.started("a", 0, NOW - served_s)
    jobs = [job("1", 90, owner="a", **OTHER), job("2", owner="b")]
    assert started(situation(jobs, [A1], shares=shares)) == [(expected, "a")]


def test_whom_a_backend_does_not_take_is_not_overtaken_there() -> None:
    """It does not count that it would have waited too long."""
    jobs = [job("1", 9, **OTHER), job("x", 300, owner="x"), job("2")]
    at = situation(jobs, [A1, busy("b")], accepts=only(x="b"))
    assert started(at) == [("2", "a")]


def test_knows_nothing_and_goes_by_share_and_age() -> None:
    jobs = [job("1", 9, owner="a"), job("2", 8, owner="a"), job("3", 7, owner="b")]
    at = situation(jobs, [A1, B1], estimator=Estimator())
    assert started(at) == [("1", "a"), ("3", "b")]
    assert all(place.finish_s is None for place in foresee(at).values())


# --- splitting -------------------------------------------------------------------------------------------------------


def split(jobs: Sequence[WaitingJob], backends: Sequence[Candidate], **speeds: float) -> list[Decision]:
    return decide(situation(jobs, backends, estimator=measured(**speeds)))


def test_splits_a_job_over_backends_that_would_be_idle() -> None:
    assert split([job("1", passes=8)], [A1, B1], a=1, b=1) == [Decision("1", "a", 4), Decision("1", "b", 4)]


def test_shares_out_by_speed() -> None:
    assert split([job("1", passes=8)], [A1, B1], a=3, b=1) == [Decision("1", "a", 6), Decision("1", "b", 2)]


def test_loading_counts_when_sharing_out() -> None:
    decisions = split([job("1", passes=8)], [A1, backend("b", resident_model="n")], a=0.5, b=0.5)
    assert decisions == [Decision("1", "a", 4), Decision("1", "b", 4)]
    decisions = split([job("1", passes=2, work=work(2))], [A1, backend("b", resident_model="n")], a=1, b=1)
    assert decisions == [Decision("1", "a", 2)]


def test_does_not_split_at_the_cost_of_others() -> None:
    decisions = split([job("1", 9, passes=8), job("2")], [A1, B1], a=1, b=1)
    assert decisions == [Decision("1", "a", 8), Decision("2", "b", 1)]


def test_does_not_split_by_guesses() -> None:
    assert split([job("1", passes=8)], [A1, B1], a=1) == [Decision("1", "a", 8)]


def test_foresees_a_split() -> None:
    place = foresee(situation([job("1", passes=8)], [A1, B1]))["1"]
    assert place.start_s == 0
    assert place.finish_s == pytest.approx(40)


# --- foreseeing ------------------------------------------------------------------------------------------------------


def test_foresees_when_each_begins_and_ends() -> None:
    places = foresee(situation([job("1", 9), job("2", 8), job("3", 7, **OTHER)], [busy("a", 4.0)]))
    assert [places[each].ahead for each in "123"] == [0, 1, 2]
    assert [places[each].start_s for each in "123"] == pytest.approx([4, 14, 24])
    assert [places[each].finish_s for each in "123"] == pytest.approx([14, 24, 39])
    assert {place.backend for place in places.values()} == {"a"}
    assert {place.length for place in places.values()} == {3}


def test_foresees_nothing_behind_the_unmeasured() -> None:
    unmeasured = job("2", 8, work=Work(model="m", recipe="never run"))
    places = foresee(situation([job("1", 9), unmeasured, job("3", 7)], [A1]))
    assert places["1"].finish_s == pytest.approx(10)
    assert places["2"].start_s == pytest.approx(10)
    assert [places["2"].finish_s, places["3"].start_s, places["3"].finish_s] == [None] * 3


def test_foresees_nothing_at_a_backend_that_cannot_tell_when_it_will_be_done() -> None:
    place = foresee(situation([job("1")], [busy("a", None)]))["1"]
    assert (place.start_s, place.finish_s, place.backend) == (None, None, "a")


def test_tells_what_a_job_waits_for() -> None:
    jobs = [
        job("1", 9),
        job("2", is_paused=True),
        job("3", not_before=NOW + 100),
        job("4", owner="full"),
        job("5", owner="paused"),
        job("x"),
    ]
    places = foresee(
        situation(
            jobs,
            [A1],
            accepts=only(x=""),
            room=lambda owner: 0 if owner == "full" else 9,
            paused=lambda owner: owner == "paused",
        )
    )
    assert {job_id: place.reason for job_id, place in places.items()} == {
        "1": WaitReason.TURN,
        "2": WaitReason.PAUSED,
        "3": WaitReason.RETRY_DELAY,
        "4": WaitReason.OWNER_LIMIT,
        "5": WaitReason.QUEUE_PAUSED,
        "x": WaitReason.NO_BACKEND,
    }
    assert places["3"].start_s == pytest.approx(100)
    assert [places[each].start_s for each in "245x"] == [None] * 4


def test_foresees_that_an_owner_runs_one_after_the_other() -> None:
    places = foresee(situation([job("1", 9), job("2", 8)], [A1, B1], room=lambda _: 1))
    assert places["1"].finish_s == pytest.approx(10)
    assert places["2"].start_s == pytest.approx(10)
    assert places["2"].reason is WaitReason.OWNER_LIMIT


def test_does_not_know_when_an_unmeasured_job_makes_room() -> None:
    jobs = [job("1", 9, work=work(10, "x")), job("2", 8)]
    places = foresee(situation(jobs, [A1, B1], room=lambda _: 1))
    assert (places["2"].start_s, places["2"].finish_s) == (None, None)


# --- when to look again ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "backends", "fields", "expected"),
    [
        pytest.param([], [A1], {}, None, id="nothing waits"),
        pytest.param([job("1")], [busy("a")], {}, None, id="a backend will report"),
        pytest.param(
            [job("1", not_before=NOW + 7), job("2", not_before=NOW + 5)], [busy("a")], {}, 5, id="the end of a pause"
        ),
        pytest.param([job("1", not_before=NOW + 7, is_paused=True)], [A1], {}, None, id="paused all the same"),
        pytest.param([job("1")], [backend("a", 1, slots=2, remaining_s=9.0)], {}, 6, id="a second slot opens"),
        pytest.param(
            [job("1")], [A1, busy("b", 4.0)], {"estimator": measured(a=0.5, b=2)}, HOLD_CHECK_S, id="it was held back"
        ),
        pytest.param([job("1")], [A1], {"accepts": only(**{"1": ""})}, None, id="nobody takes it"),
        pytest.param([job("1")], [A1], {"room": lambda _: 0}, None, id="its owner has no room"),
    ],
)
def test_looks_again(
    jobs: list[WaitingJob], backends: list[Candidate], fields: dict[str, object], expected: float | None
) -> None:
    assert next_look(situation(jobs, backends, **fields)) == (None if expected is None else NOW + expected)


# --- what holds for all ----------------------------------------------------------------------------------------------


unhurried = settings(deadline=None)
names = st.sampled_from(BACKENDS)
queues = st.lists(
    st.builds(
        WaitingJob,
        job_id=st.integers(0, 99).map(str),
        owner=st.sampled_from("xyz"),
        priority=st.integers(-1, 1),
        queue_time=st.floats(NOW - 900, NOW),
        work=st.builds(work, st.sampled_from([1.0, 10.0, 40.0]), st.sampled_from(["", *MODELS])),
        passes=st.integers(1, 9),
        failed_on=st.frozensets(names, max_size=2),
        not_before=st.just(0.0) | st.floats(NOW - 5, NOW + 50),
        is_paused=st.booleans(),
        is_running=st.booleans(),
        move=st.none()
        | st.builds(Move, kind=st.sampled_from(MoveKind), anchor=st.integers(0, 99).map(str), time=st.floats(0, 5)),
    ),
    unique_by=lambda each: each.job_id,
    max_size=12,
)
fleets = st.lists(
    st.builds(
        Candidate,
        name=names,
        is_available=st.booleans(),
        free_slots=st.integers(-1, 2),
        slots=st.integers(1, 2),
        remaining_s=st.none() | st.floats(0, 100),
        resident_model=st.sampled_from(["", *MODELS]),
    ),
    unique_by=lambda each: each.name,
)
estimators = st.sampled_from([Estimator(), measured(a=1, b=0.5, c=0.25), measured(a=1)])
situations = st.builds(
    lambda jobs, backends, estimator, room, paused, refused: situation(
        jobs,
        backends,
        estimator=estimator,
        room=lambda owner: room if owner == "x" else 1000,
        paused=lambda owner: owner == paused,
        accepts=lambda job_id, name: (int(job_id) % 10, name) not in refused,
    ),
    queues,
    fleets,
    estimators,
    st.integers(0, 2),
    st.sampled_from(["y", "nobody"]),
    st.frozensets(st.tuples(st.integers(0, 9), names)),
)


@given(situations)
@unhurried
def test_promises_only_what_there_is(at: Situation) -> None:
    decisions = decide(at)
    jobs = {each.job_id: each for each in at.jobs}
    for candidate in at.backends:
        taken = [decision for decision in decisions if decision.backend == candidate.name]
        assert len(taken) <= max(candidate.free_slots, 0)
        assert candidate.is_available or not taken
    for decision in decisions:
        each = jobs[decision.job_id]
        assert at.accepts(decision.job_id, decision.backend)
        assert not each.is_paused
        assert not at.paused(each.owner)
        assert each.not_before <= at.now
    passes = Counter[str]()
    for decision in decisions:
        assert decision.passes > 0
        passes[decision.job_id] += decision.passes
    assert len({(decision.job_id, decision.backend) for decision in decisions}) == len(decisions)
    assert all(passes[job_id] == jobs[job_id].passes for job_id in passes)
    new = Counter(jobs[job_id].owner for job_id in passes if not jobs[job_id].is_running)
    assert all(count <= at.room(owner) for owner, count in new.items())


@given(situations)
@unhurried
def test_every_job_has_one_place(at: Situation) -> None:
    places = foresee(at)
    assert places.keys() == {each.job_id for each in at.jobs}
    assert sorted(place.ahead for place in places.values()) == list(range(len(at.jobs)))
    for place in places.values():
        assert place.start_s is None or place.start_s >= 0
        assert place.finish_s is None or (place.start_s is not None and place.finish_s >= place.start_s)


@given(situations)
@unhurried
def test_leaves_no_backend_idle_that_somebody_could_use(at: Situation) -> None:
    """Where nothing is measured nobody is held back."""
    at = replace(at, estimator=Estimator(), backends=[replace(each, remaining_s=0.0) for each in at.backends])
    decisions = decide(at)
    placed = {decision.job_id for decision in decisions}
    used = {decision.backend for decision in decisions}
    running = Counter(each.owner for each in at.jobs if each.job_id in placed and not each.is_running)
    idle = [c.name for c in at.backends if c.is_available and c.free_slots >= c.slots and c.name not in used]
    up = [candidate.name for candidate in at.backends if candidate.is_available]
    for each in at.jobs:
        if each.job_id in placed or each.is_paused or at.paused(each.owner) or each.not_before > at.now:
            continue
        if not each.is_running and running[each.owner] >= at.room(each.owner):
            continue
        if any(other.move is not None for other in at.jobs) and at.room(each.owner) < 1000:
            continue  # it may stand behind one of an owner without room
        able = {name for name in up if at.accepts(each.job_id, name)}
        assert not (able - each.failed_on or able) & set(idle)


line = st.lists(
    st.builds(
        WaitingJob,
        job_id=st.integers(0, 99).map(str),
        owner=st.sampled_from("xyz"),
        priority=st.integers(0, 1),
        queue_time=st.floats(NOW - 20, NOW),
        work=st.builds(work, st.sampled_from([1.0, 3.0, 5.0])),
        is_paused=st.booleans(),
    ),
    unique_by=lambda each: each.job_id,
    max_size=8,
)


def next_started(at: Situation) -> tuple[str, Situation]:
    """The job that one backend starts, and how things are when it has run."""
    [decision] = decide(at)
    book(at, decision)
    chosen = next(each for each in at.jobs if each.job_id == decision.job_id)
    run_s = at.estimator.guess_s("a", chosen.work)
    return chosen.job_id, replace(at, now=at.now + run_s, jobs=[each for each in at.jobs if each is not chosen])


@given(line)
@unhurried
def test_with_one_backend_everything_comes_as_foreseen(jobs: list[WaitingJob]) -> None:
    at = situation(jobs, [A1])
    foreseen = foresee(at)
    due = sorted((each for each in jobs if not each.is_paused), key=lambda each: foreseen[each.job_id].ahead)
    for expected in due:
        time_s = at.now - NOW
        job_id, at = next_started(at)
        assert job_id == expected.job_id
        assert time_s == pytest.approx(foreseen[job_id].start_s)


@pytest.mark.parametrize(("priority", "units"), [(0, 10), (-2, 300), (-10, 600)])
def test_nobody_starves_beside_those_who_always_have_more(priority: int, units: float) -> None:
    """One job that needs another model, against an owner of a higher class and new owners all the time."""
    at = situation([job("victim", priority=priority, owner="v", **OTHER)], [A1])
    started_job, count = "", 0
    while started_job != "victim":
        assert at.now < NOW + (2 - priority + 1) * AGING_S + 3 * units
        waiting = Counter(each.owner for each in at.jobs)
        fresh = [job(f"h{count}", NOW - at.now, owner="h", priority=2, work=work(units))] * (waiting["h"] < 3)
        fresh += [job(f"l{count}", NOW - at.now, owner=f"l{count}", work=work(units))] * (len(waiting) < 5)
        count += 1
        started_job, at = next_started(replace(at, jobs=[*at.jobs, *fresh]))


@given(st.lists(st.sampled_from([1.0, 10.0, 40.0]), min_size=4, max_size=4))
@settings(max_examples=10, deadline=None)
def test_equal_owners_get_equal_shares_within_one_job(units: list[float]) -> None:
    """Each of them with jobs of one size, and always more of them."""
    owners = dict(zip("wxyz", units, strict=True))
    at = situation([job(owner, owner=owner, work=work(owners[owner])) for owner in owners], [A1])
    got = Counter[str]()
    while at.now < NOW + 8 * max(units):
        owner, at = next_started(at)
        got[owner] += round(owners[owner])
        at = replace(at, jobs=[*at.jobs, job(owner, NOW - at.now, owner=owner, work=work(owners[owner]))])
    assert max(got.values()) - min(got[each] for each in owners) <= max(units)
