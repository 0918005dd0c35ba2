"""Exactly once and in order, for any server that repeats what it should not."""

from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import JobState
from imagegen_client.delivery import DURABLE, Delivery

CONTROL = {"snapshot", "caught_up", "reset", "heartbeat"}
KINDS = [each.name for each in JobEvent.DESCRIPTOR.oneofs_by_name["event"].fields]


def event(kind: str, sequence: int) -> JobEvent:
    made = JobEvent(sequence=sequence, resume_token=f"t{sequence}")
    getattr(made, kind).SetInParent()
    return made


def test_durable_events_are_those_that_the_proto_calls_so() -> None:
    durable = {kind for kind in KINDS if kind not in CONTROL}
    ephemeral = {"queue_updated", "model_loading", "phase_changed", "progress", "preview"}

    assert durable - ephemeral == DURABLE


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(1, 30)), max_size=20))
def test_overlapping_replays_give_each_durable_event_once_and_in_order(
    length: int, replays: list[tuple[int, int]]
) -> None:
    """Each replay begins at or before the position that was reached, as after a token."""
    delivery = Delivery("earliest")
    taken: list[int] = []
    for start, count in [*replays, (0, length)]:
        first = min(start, taken[-1] if taken else 0)
        replay = range(first + 1, min(first + count, length) + 1)
        taken += [sequence for sequence in replay if delivery.accepts(event("plan", sequence))]

    assert taken == list(range(1, length + 1))
    assert delivery.resume_token == f"t{length}"


def test_token_of_an_ephemeral_event_is_not_taken() -> None:
    delivery = Delivery()
    delivery.accepts(event("snapshot", 1))

    assert delivery.accepts(event("progress", 3))
    assert delivery.resume_token == "t1"
    assert delivery.accepts(event("plan", 2))


def test_heartbeats_and_further_catching_up_stay_inside() -> None:
    delivery = Delivery()

    assert [delivery.accepts(event(kind, 0)) for kind in ("caught_up", "heartbeat", "caught_up")] == [
        True,
        False,
        False,
    ]


def test_reset_counts_anew_from_its_snapshot() -> None:
    delivery = Delivery("t9")
    delivery.accepts(event("plan", 9))

    assert delivery.accepts(event("reset", 0))
    assert delivery.resume_token == "t9"
    assert delivery.accepts(event("snapshot", 3))
    assert [delivery.accepts(event("plan", sequence)) for sequence in (3, 4)] == [False, True]


def test_event_of_a_later_version_is_left_out() -> None:
    assert not Delivery().accepts(JobEvent(sequence=1))


def test_an_ended_job_gives_its_snapshot_and_its_completed() -> None:
    delivery = Delivery()
    snapshot = event("snapshot", 6)
    snapshot.snapshot.state = JobState.JOB_STATE_SUCCEEDED
    assert delivery.accepts(snapshot)
    assert delivery.accepts(event("completed", 6))
    assert not delivery.accepts(event("completed", 6))
