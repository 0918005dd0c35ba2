"""The log of an upstream: order, tokens, what a durable event makes untrue, and its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.eventlog import EventLog, Trimmed
from imagegen_gateway.records import DURABLE, EPHEMERAL


def snapshot(sequence: int, token: str = "s") -> event_pb2.JobEvent:
    job = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING)
    return event_pb2.JobEvent(job_id="j", sequence=sequence, resume_token=token, snapshot=job)


def warning(sequence: int) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(
        job_id="j", sequence=sequence, resume_token=f"t{sequence}", warning=job_pb2.Warning(code=str(sequence))
    )


def progress(sequence: int, fraction: float) -> event_pb2.JobEvent:
    return event_pb2.JobEvent(
        job_id="j", sequence=sequence, resume_token=f"t{sequence}", progress=job_pb2.Progress(fraction=fraction)
    )


def completed(sequence: int) -> event_pb2.JobEvent:
    job = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_SUCCEEDED)
    return event_pb2.JobEvent(
        job_id="j", sequence=sequence, resume_token=f"t{sequence}", completed=event_pb2.Completed(job=job)
    )


def log_of(*events: event_pb2.JobEvent, max_records: int = 1000) -> EventLog:
    log = EventLog(1000, job_id="j", max_records=max_records)
    for event in events:
        log.add(event)
    return log


def sequences(log: EventLog, position: int) -> list[int]:
    return [record.event.sequence for record in log.after(position)]


def test_a_token_names_what_comes_after_it() -> None:
    log = log_of(snapshot(4), warning(5), progress(5, 0.5), warning(6))
    assert log.start_of("") == 0
    assert [sequences(log, log.start_of(token) or 0) for token in ("s", "t5", "t6")] == [[5, 6], [6], []]
    assert log.start_of("t4") is None


def test_a_repeated_durable_event_is_dropped() -> None:
    log = log_of(snapshot(4), warning(5))
    assert log.add(warning(5)) is None
    assert log.add(warning(3)) is None
    assert sequences(log, 1) == [5]


def test_completed_is_taken_once_also_when_the_snapshot_had_its_sequence() -> None:
    log = log_of(snapshot(4))
    assert log.add(completed(4)) is not None
    assert log.add(completed(4)) is None
    assert log.has_final_job


def test_the_latest_value_carries_the_newest_token() -> None:
    log = log_of(snapshot(4), progress(4, 0.5), warning(5))
    [latest] = log.latest()
    assert (latest.event.progress.fraction, latest.event.sequence, latest.event.resume_token) == (0.5, 5, "t5")
    assert log.latest()[0] is latest, "stamped once for all watchers"


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("attempt_failed", set()),
        ("attempt_started", set()),
        ("output_ready", {"progress"}),
        ("plan", {"progress", "preview"}),
    ],
)
def test_a_durable_event_ends_the_values_that_it_makes_untrue(kind: str, left: set[str]) -> None:
    preview = event_pb2.JobEvent(job_id="j", sequence=4, resume_token="t4", preview=event_pb2.Preview(data=b"x"))
    durable = event_pb2.JobEvent(job_id="j", sequence=5, resume_token="t5")
    getattr(durable, kind).SetInParent()
    log = log_of(snapshot(4), progress(4, 0.5), preview, durable)
    assert {record.kind for record in log.latest()} == left


def test_a_reset_forgets_tokens_and_sequences_but_not_records() -> None:
    reset = event_pb2.JobEvent(reset=event_pb2.Reset(reason="too old"))
    log = log_of(snapshot(4), warning(5), reset, snapshot(1, "n"), warning(2))
    assert log.start_of("t5") is None
    assert [record.kind for record in log.after(1)] == ["warning", "reset", "snapshot", "warning"]
    assert sequences(log, log.start_of("") or 0) == [1, 2]


def test_a_reader_of_what_was_trimmed_is_told() -> None:
    log = log_of(snapshot(0), *(warning(number) for number in range(1, 10)), max_records=3)
    assert sequences(log, 7) == [7, 8, 9]
    with pytest.raises(Trimmed):
        log.after(5)
    assert log.start_of("") is None
    assert log.start_of("t2") is None


def test_bytes_are_bounded_too() -> None:
    log = EventLog(1000, job_id="j", max_bytes=10_000)
    for number in range(1, 100):
        big = warning(number)
        big.warning.message = "x" * 1000
        log.add(big)
    assert sum(record.event.ByteSize() for record in log._records) <= 10_000


@given(st.lists(st.sampled_from(["warning", "progress", "repeat"]), max_size=40), st.data())
def test_whoever_goes_on_from_any_token_gets_the_rest_once(steps: list[str], data: st.DataObject) -> None:
    log, sequence, seen = log_of(snapshot(0, "t0")), 0, [("t0", 0)]
    for step in steps:
        if step == "warning":
            sequence += 1
            log.add(warning(sequence))
        elif step == "repeat" and sequence:
            log.add(warning(sequence))
        else:
            log.add(progress(sequence, 0.1))
        seen.append((f"t{sequence}", sequence))
    token, had = data.draw(st.sampled_from(seen))
    position = log.start_of(token)
    assert position is not None
    assert sequences(log, position) == list(range(had + 1, sequence + 1))


def test_every_event_of_a_job_is_durable_or_ephemeral_or_about_the_stream() -> None:
    kinds = {field.name for field in event_pb2.JobEvent.DESCRIPTOR.oneofs_by_name["event"].fields}
    assert kinds == DURABLE | EPHEMERAL | {"snapshot", "caught_up", "reset", "heartbeat"}
