"""When a failed call is tried again."""

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_client.errors import ERROR_CLASSES, ImagegenError
from imagegen_client.retrying import MAX_RESETS, Backoff, Retry

BACKOFF = Backoff(first_s=1.0, longest_s=8.0)


def error(code: grpc.StatusCode, reason: str = "", retry_after_s: float | None = None) -> ImagegenError:
    return ERROR_CLASSES[code]("no", code=code, reason=reason, retry_after_s=retry_after_s)


def delays(retry: Retry, failure: ImagegenError, times: int) -> list[float | None]:
    return [retry.delay_s(failure, now=0.0, jitter=0.0) for _ in range(times)]


def test_pauses_double_up_to_the_longest() -> None:
    retry = Retry(BACKOFF, give_up_after_s=None)

    assert delays(retry, error(grpc.StatusCode.UNAVAILABLE), 6) == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_success_begins_anew() -> None:
    retry = Retry(BACKOFF, give_up_after_s=None)
    delays(retry, error(grpc.StatusCode.UNAVAILABLE), 3)
    retry.succeeded()

    assert delays(retry, error(grpc.StatusCode.UNAVAILABLE), 1) == [1.0]


@given(failures=st.integers(1, 10_000), jitter=st.floats(0, 1), retry_after_s=st.none() | st.floats(0, 100))
def test_pause_has_bounds(failures: int, jitter: float, retry_after_s: float | None) -> None:
    delay_s = BACKOFF.delay_s(failures, jitter=jitter, retry_after_s=retry_after_s) - (retry_after_s or 0)

    assert 0.49 <= delay_s <= 8.001


@pytest.mark.parametrize(
    ("failure", "call", "stream"),
    [
        (error(grpc.StatusCode.UNAVAILABLE), True, True),
        (error(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", 1.0), True, True),
        (error(grpc.StatusCode.UNAVAILABLE, "BACKEND_UNREACHABLE"), False, False),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCHER_TOO_SLOW", 1.0), False, True),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", 1.0), False, True),
        (error(grpc.StatusCode.RESOURCE_EXHAUSTED), False, False),
        (error(grpc.StatusCode.INTERNAL), True, True),
        (error(grpc.StatusCode.CANCELLED), True, True),
        (error(grpc.StatusCode.UNKNOWN), True, True),
        (error(grpc.StatusCode.INTERNAL, "INTERNAL"), False, False),
        (error(grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND"), False, False),
        (error(grpc.StatusCode.INVALID_ARGUMENT), False, False),
        (error(grpc.StatusCode.DEADLINE_EXCEEDED), False, False),
        (error(grpc.StatusCode.DATA_LOSS), False, False),
    ],
)
def test_only_what_may_pass_is_tried_again(failure: ImagegenError, call: bool, stream: bool) -> None:
    def is_retried(*, is_stream: bool) -> bool:
        retry = Retry(BACKOFF, give_up_after_s=None, is_stream=is_stream)
        return retry.delay_s(failure, now=0.0, jitter=0.0) is not None

    assert (is_retried(is_stream=False), is_retried(is_stream=True)) == (call, stream)


def test_resets_without_a_reason_are_counted() -> None:
    retry = Retry(BACKOFF, give_up_after_s=None)

    assert delays(retry, error(grpc.StatusCode.INTERNAL), MAX_RESETS + 1)[-2:] == [8.0, None]


def test_patience_ends() -> None:
    retry, gone = Retry(BACKOFF, give_up_after_s=10.0), error(grpc.StatusCode.UNAVAILABLE)

    assert [retry.delay_s(gone, now=now, jitter=0.0) for now in (100.0, 101.0, 105.0, 109.0)] == [1.0, 2.0, 4.0, None]


def test_patience_begins_anew_after_success() -> None:
    retry, gone = Retry(BACKOFF, give_up_after_s=10.0), error(grpc.StatusCode.UNAVAILABLE)
    retry.delay_s(gone, now=0.0, jitter=0.0)
    retry.succeeded()

    assert retry.delay_s(gone, now=1000.0, jitter=0.0) == 1.0
