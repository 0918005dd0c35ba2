"""What one watcher is sent: cases, then properties for watchers of any speed."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_server.history import (
    ENDS,
    Backlog,
    Ephemeral,
    HeldUntil,
    Record,
    Replay,
    Scope,
    Snapshots,
    Start,
    Value,
    WatcherTooSlow,
    plan_replay,
)
from tests.server.material import Said, a_record


def a_value(what: object, kind: Ephemeral = Ephemeral.PROGRESS, job_id: str = "job-1") -> Value:
    return Value(job_id=job_id, owner="", kind=kind, payload=Said(what))


def drain(backlog: Backlog, now: float = 0.0) -> list[Any]:
    """Everything that may be sent: positions of records, words of values."""
    taken: list[Any] = []
    while isinstance(item := backlog.take(now), Record | Value):
        taken.append(item.position if isinstance(item, Record) else said(item))
    return taken


def said(value: Value) -> object:
    assert isinstance(value.payload, Said)
    return value.payload.what


def number_of(value: Value) -> int:
    number = said(value)
    assert isinstance(number, int)
    return number


def test_records_come_in_order_and_before_values() -> None:
    backlog = Backlog(cursor=0)
    backlog.offer_ephemeral(a_value("half"))
    backlog.offer_durable(a_record(1))
    backlog.offer_durable(a_record(2))
    assert backlog.next_record_position == 1
    assert drain(backlog) == [1, 2, "half"]
    assert backlog.next_record_position is None


def test_records_that_the_watcher_has_are_left_out() -> None:
    backlog = Backlog(cursor=5)
    for position in (4, 5, 6, 6, 7):
        backlog.offer_durable(a_record(position))
    assert drain(backlog) == [6, 7]


def test_the_newest_value_replaces_the_one_that_waits() -> None:
    backlog = Backlog(cursor=0)
    for step in range(10):
        backlog.offer_ephemeral(a_value(step))
    assert backlog.values_waiting == 1
    assert drain(backlog) == [9]


def test_a_phase_does_not_overtake_the_progress_before_it() -> None:
    backlog = Backlog(cursor=0)
    backlog.offer_ephemeral(a_value("sampling", Ephemeral.PHASE))
    backlog.offer_ephemeral(a_value("step 20 of 20"))
    backlog.offer_ephemeral(a_value("saving", Ephemeral.PHASE))
    assert drain(backlog) == ["step 20 of 20", "saving"]


def test_values_take_turns() -> None:
    backlog = Backlog(cursor=0)
    backlog.offer_ephemeral(a_value("a1", job_id="a"))
    backlog.offer_ephemeral(a_value("b1", job_id="b"))
    backlog.offer_ephemeral(a_value("a2", job_id="a"))
    first = backlog.take(0.0)
    backlog.offer_ephemeral(a_value("a3", job_id="a"))
    assert isinstance(first, Value)
    assert [said(first), *drain(backlog)] == ["a2", "b1", "a3"]


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("plan", set(Ephemeral)),
        ("warning", set(Ephemeral)),
        ("state_changed", set(Ephemeral)),
        ("output_ready", set(Ephemeral) - {Ephemeral.PREVIEW}),
        ("attempt_started", set()),
        ("attempt_failed", set()),
        ("completed", set()),
    ],
)
def test_a_record_ends_the_values_that_it_makes_untrue(kind: str, left: set[Ephemeral]) -> None:
    backlog = Backlog(cursor=0)
    for ephemeral in Ephemeral:
        backlog.offer_ephemeral(a_value(ephemeral, ephemeral))
        backlog.offer_ephemeral(a_value("other", ephemeral, job_id="other"))
    backlog.offer_durable(a_record(1, kind=kind))
    assert set(drain(backlog)) == {1, "other"} | left


def test_progress_and_previews_are_held_back_to_their_rate() -> None:
    backlog = Backlog(cursor=0, max_rate_hz=2.0)
    for kind in (Ephemeral.PROGRESS, Ephemeral.PREVIEW, Ephemeral.PHASE):
        backlog.offer_ephemeral(a_value((kind, 1), kind))
    assert drain(backlog, now=10.0) == [
        (Ephemeral.PROGRESS, 1), (Ephemeral.PREVIEW, 1), (Ephemeral.PHASE, 1),
    ]  # fmt: skip
    for number in (2, 3):
        for kind in (Ephemeral.PROGRESS, Ephemeral.PHASE):
            backlog.offer_ephemeral(a_value((kind, number), kind))
    assert drain(backlog, now=10.4) == [(Ephemeral.PHASE, 3)]
    assert backlog.take(10.4) == HeldUntil(10.5)
    assert drain(backlog, now=10.5) == [(Ephemeral.PROGRESS, 3)]


def test_held_back_values_wait_for_the_first_of_them() -> None:
    backlog = Backlog(cursor=0, max_rate_hz=1.0)
    for now, job_id in ((1.0, "a"), (1.5, "b")):
        backlog.offer_ephemeral(a_value(1, job_id=job_id))
        assert drain(backlog, now) == [1]
    for job_id in ("b", "a"):
        backlog.offer_ephemeral(a_value(2, job_id=job_id))
    assert backlog.take(1.6) == HeldUntil(2.0)


def test_records_are_not_held_back() -> None:
    backlog = Backlog(cursor=0, max_rate_hz=1.0)
    backlog.offer_ephemeral(a_value(1))
    drain(backlog, now=1.0)
    backlog.offer_ephemeral(a_value(2))
    backlog.offer_durable(a_record(1))
    assert drain(backlog, now=1.0) == [1]


def test_a_watcher_that_is_too_slow_has_lost_for_good() -> None:
    backlog = Backlog(cursor=0, max_records=2)
    for position in (1, 2, 3, 4):
        backlog.offer_durable(a_record(position))
    backlog.offer_ephemeral(a_value("late"))
    assert backlog.values_waiting == 0
    for _ in range(2):
        with pytest.raises(WatcherTooSlow):
            backlog.take(0.0)


def test_the_bound_counts_bytes_too_but_lets_any_single_record_through() -> None:
    backlog = Backlog(cursor=0, max_bytes=10)
    backlog.offer_durable(a_record(1, data=b"x" * 100))
    assert drain(backlog) == [1]
    backlog.offer_durable(a_record(2, data=b"x" * 10))
    backlog.offer_durable(a_record(3))
    with pytest.raises(WatcherTooSlow):
        backlog.take(0.0)


KINDS = ["state_changed", "plan", "attempt_started", "output_ready"]
OFFERS = st.one_of(
    st.tuples(st.just("durable"), st.sampled_from(["a", "b"]), st.sampled_from(KINDS)),
    st.tuples(st.just("ephemeral"), st.sampled_from(["a", "b"]), st.sampled_from(list(Ephemeral))),
    st.tuples(st.just("take"), st.integers(1, 5), st.floats(0, 0.4)),
)


@given(st.lists(OFFERS, max_size=60), st.sampled_from([0.0, 1.0, 5.0]))
def test_a_watcher_of_any_speed_is_sent_what_it_is_owed(offers: list[tuple[Any, Any, Any]], rate: float) -> None:
    backlog = Backlog(cursor=0, max_rate_hz=rate, max_records=1000)
    now, offered = 0.0, 0
    taken: list[tuple[float, Record | Value]] = []
    newest: dict[tuple[str, Ephemeral], int] = {}
    ended: set[tuple[str, Ephemeral]] = set()

    def take(times: int) -> None:
        for _ in range(times):
            item = backlog.take(now)
            if isinstance(item, Record | Value):
                taken.append((now, item))

    for count, (what, first, second) in enumerate(offers):
        if what == "durable":
            offered += 1
            backlog.offer_durable(a_record(offered, first, kind=second))
            ended |= {(first, kind) for kind in ENDS.get(second, ())}
        elif what == "ephemeral":
            backlog.offer_ephemeral(a_value(count, second, first))
            newest[first, second] = count
            ended.discard((first, second))
        else:
            now += second
            take(first)
        assert backlog.values_waiting <= 2 * len(Ephemeral)
    now += 10.0
    take(1000)

    records = [item for _, item in taken if isinstance(item, Record)]
    assert [record.position for record in records] == list(range(1, offered + 1))
    for key, last in newest.items():
        values = [(at, item) for at, item in taken if isinstance(item, Value)]
        sent = [(at, number_of(value)) for at, value in values if (value.job_id, value.kind) == key]
        numbers = [number for _, number in sent]
        assert all(earlier < later for earlier, later in pairwise(numbers)), "never back, and none twice"
        assert key in ended or numbers[-1] == last, "the newest gets there in the end"
        if rate and key[1] in {Ephemeral.PROGRESS, Ephemeral.PREVIEW}:
            assert all(later - earlier >= 1 / rate - 1e-9 for (earlier, _), (later, _) in pairwise(sent))
    assert backlog.take(now) is None


@given(st.integers(1, 20), st.integers(1, 30))
def test_the_backlog_never_holds_more_than_its_bound(bound: int, offered: int) -> None:
    backlog = Backlog(cursor=0, max_records=bound)
    for position in range(1, offered + 1):
        backlog.offer_durable(a_record(position))
    if offered <= bound:
        assert drain(backlog) == list(range(1, offered + 1))
    else:
        with pytest.raises(WatcherTooSlow):
            backlog.take(0.0)


def test_a_value_is_encoded_once_per_position_and_variant() -> None:
    calls: list[tuple[int, object]] = []

    class Counting:
        def encode(self, *, sequence: int, token: str, variant: object) -> bytes:
            calls.append((sequence, variant))
            return f"{sequence} {token} {variant}".encode()

    value = Value(job_id="a", owner="", kind=Ephemeral.PREVIEW, payload=Counting())
    for position, variant in ((1, None), (1, None), (1, "small"), (2, None), (2, None), (1, "small")):
        data = value.encoded(position=position, sequence=position, token=f"t{position}", variant=variant)
        assert data == f"{position} t{position} {variant}".encode()
    assert calls == [(1, None), (1, "small"), (2, None)]


@pytest.mark.parametrize(
    ("scope", "job_id", "owner", "included"),
    [
        (Scope(), "a", "x", True),
        (Scope(owner="x"), "a", "x", True),
        (Scope(owner="x"), "a", "y", False),
        (Scope(job_ids=frozenset({"a"})), "a", "y", True),
        (Scope(job_ids=frozenset({"a"})), "b", "y", False),
        (Scope(job_ids=frozenset({"a"}), owner="x"), "a", "y", False),
        (Scope(job_ids=frozenset()), "a", "", False),
    ],
)
def test_scopes(scope: Scope, job_id: str, owner: str, included: bool) -> None:
    assert scope.includes(job_id, owner) is included


TOO_OLD = Snapshots("events after the token are no longer kept")


@pytest.mark.parametrize(
    ("start", "first", "horizon", "newest", "plan"),
    [
        (Start.NOW, 1, 0, 9, Snapshots()),
        (Start.ELSEWHERE, 1, 0, 9, Snapshots("the token is from another data folder")),
        (10, 1, 0, 9, Snapshots("the token is newer than the newest event")),
        (9, 1, 0, 9, Replay(9)),
        (3, 0, 0, 9, Replay(3)),
        (0, 0, 0, 0, Replay(0)),
        (Start.EARLIEST, 0, 0, 9, Replay(0)),
        (Start.EARLIEST, 5, 0, 9, Replay(4)),
        (Start.EARLIEST, 0, 4, 9, TOO_OLD),
        (Start.EARLIEST, 5, 4, 9, Replay(4)),
        (Start.EARLIEST, 4, 4, 9, TOO_OLD),
        (3, 0, 4, 9, TOO_OLD),
        (4, 0, 4, 9, Replay(4)),
        (3, 7, 4, 9, Replay(6)),
    ],
)
def test_where_a_watcher_begins(start: Start | int, first: int, horizon: int, newest: int, plan: object) -> None:
    assert plan_replay(start, first=first, horizon=horizon, newest=newest) == plan


def test_the_refusal_says_how_to_go_on() -> None:
    refusal = WatcherTooSlow()
    assert (refusal.reason, refusal.retry_after_s) == ("WATCHER_TOO_SLOW", 1.0)
