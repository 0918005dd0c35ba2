"""What a chat shows of a job, in which words, and how often."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.dialects.rendering import Moment
from imagegen_gateway.dialects.showing import MAX_FINISHED, Picture, Show
from imagegen_gateway.dialects.telling import about, lasted, ordinal, tell, tell_end, tell_trouble

QUEUED, RUNNING = job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING


def moment(state: job_pb2.JobState.ValueType = RUNNING, *, count: int = 1, **parts: Any) -> Moment:
    spec = job_pb2.JobSpec(image=job_pb2.ImageParameters(count=count))
    return Moment(job=job_pb2.Job(spec=spec), state=state, **parts)


def sampling(step: int) -> job_pb2.Progress:
    return job_pb2.Progress(phase=job_pb2.PHASE_SAMPLING, step=step, steps=20, fraction=step / 20)


def at_step(step: int) -> Moment:
    return moment(progress=sampling(step), events=(event_pb2.JobEvent(progress=sampling(step)),))


def preview(number: int, image_index: int = 0) -> Moment:
    frame = event_pb2.Preview(data=bytes([number]), media_type="image/jpeg", image_index=image_index)
    return moment(preview=frame)


def failed(reason: str, *, will_retry: bool = True) -> event_pb2.AttemptFailed:
    error = status_pb2.Status(code=14)
    error.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    return event_pb2.AttemptFailed(attempt=job_pb2.Attempt(backend="b1", error=error), will_retry=will_retry)


def queue(ahead: int = 0, seconds: float | None = None, reason: int = job_pb2.WAIT_REASON_TURN) -> job_pb2.QueueInfo:
    info = job_pb2.QueueInfo(ahead=ahead, reason=reason)  # type: ignore[arg-type]  # a number is a value
    if seconds is not None:
        eta = Duration()
        eta.FromTimedelta(timedelta(seconds=seconds))
        info.finish_eta.CopyFrom(eta)
    return info


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (moment(QUEUED), "Queued"),
        (moment(QUEUED, queue=queue()), "Queued, next"),
        (moment(QUEUED, queue=queue(2, 41.0)), "Queued, 3rd, about 40 s"),
        (moment(QUEUED, queue=queue(0, None, job_pb2.WAIT_REASON_QUEUE_PAUSED)), "Queued, the queue is paused"),
        (moment(), "Starting"),
        (moment(is_loading_model=True), "Loading the model"),
        (at_step(7), "Sampling 7/20, 35 %"),
        (moment(progress=sampling(7), count=4), "Sampling 7/20, image 1 of 4, 35 %"),
        (moment(progress=job_pb2.Progress(phase=job_pb2.PHASE_DECODING)), "Decoding"),
        (moment(job_pb2.JOB_STATE_CANCELLING), "Cancelling"),
        (moment(job_pb2.JOB_STATE_EXPIRED), "Expired"),
    ],
)
def test_a_job_in_words(told: Moment, line: str) -> None:
    assert tell(told) == line


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (failed("BACKEND_UNREACHABLE"), "Backend b1 went away, trying again"),
        (failed("BACKEND_OUT_OF_MEMORY"), "Backend b1 ran out of memory, trying again"),
        (failed("NODE_FAILED"), "Backend b1 failed, trying again"),
        (failed("NODE_FAILED", will_retry=False), ""),
    ],
)
def test_a_failed_attempt_in_words(failure: event_pb2.AttemptFailed, line: str) -> None:
    assert tell_trouble(failure) == line


def test_an_end_in_words() -> None:
    job = job_pb2.Job(
        state=job_pb2.JOB_STATE_SUCCEEDED, start_time=Timestamp(seconds=5), end_time=Timestamp(seconds=17)
    )
    assert tell_end(job) == "Done, 12 s"
    job.state = job_pb2.JOB_STATE_FAILED
    assert tell_end(job) == "Failed"


def test_numbers_in_words() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th")
    ]
    assert [about(s) for s in (0.2, 7.4, 43, 300, 7200)] == [
        "about 1 s",
        "about 7 s",
        "about 45 s",
        "about 5 min",
        "about 2 h",
    ]
    assert [lasted(s) for s in (1.26, 12.4, 300)] == ["1.3 s", "12 s", "5 min"]


def test_lines_come_when_they_change_and_twice_a_second_at_most() -> None:
    show = Show()
    lines: list[str | None] = []
    for quarter in range(8):
        show.take(at_step(quarter // 2 + quarter % 2))
        lines.append(show.line(quarter / 4))
    assert lines[1::2] == [None] * 4
    assert lines[::2] == ["Sampling 0/20", *(f"Sampling {step}/20, {step * 5} %" for step in (1, 2, 3))]
    show.take(at_step(9))
    assert show.line(9.0) == "Sampling 9/20, 45 %"
    assert show.line(10.0) is None


def test_a_line_that_was_not_due_is_told_later() -> None:
    show = Show()
    show.take(moment(QUEUED, queue=queue(2)))
    show.line(0.0)
    show.take(moment(QUEUED, queue=queue(1)))
    assert show.line(0.25) is None
    assert show.line(0.5) == "Queued, 2nd"


def test_trouble_is_told_until_it_goes_on() -> None:
    show = Show()
    show.take(moment(QUEUED, events=(event_pb2.JobEvent(attempt_failed=failed("ATTEMPT_LOST")),)))
    assert show.line(0.0) == "Backend b1 was restarted, trying again"
    show.take(moment(RUNNING))
    assert show.line(1.0) is None
    show.take(at_step(1))
    assert show.line(2.0) == "Sampling 1/20, 5 %"
    show.take(moment(QUEUED))
    assert show.line(3.0) == "Queued"


def test_previews_come_four_times_a_second_at_most_and_the_newest_wins() -> None:
    show = Show()
    seen: list[bytes] = []
    for tenth in range(10):
        show.take(preview(tenth))
        seen += [picture.data for picture in show.pictures(tenth / 10) or ()]
    assert seen == [bytes([0]), bytes([3]), bytes([6]), bytes([9])]
    assert show.pictures(9.0) is None


def test_finished_pictures_stay_beside_the_previews_of_others() -> None:
    show = Show()
    show.take(preview(1, image_index=0))
    show.take(preview(2, image_index=1))
    show.finish(0, Picture(b"done", "image/jpeg"))
    assert [picture.data for picture in show.pictures(0.0) or ()] == [b"done", bytes([2])]
    for number in range(MAX_FINISHED):
        show.finish(number + 1, Picture(bytes([number]), "image/jpeg"))
    assert [picture.data for picture in show.finished()] == [bytes([number]) for number in range(MAX_FINISHED)]
