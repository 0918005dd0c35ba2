"""Which interruptions of a stream pass by themselves, and how long a stream tries."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
import pytest

from imagegen.v1 import event_pb2
from imagegen_gateway.following import follow, retry_delay_s

CODES = grpc.StatusCode


def error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    """As gRPC itself raises it, without a word of the server."""
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=code.name)


@pytest.mark.parametrize("code", [CODES.UNAVAILABLE, CODES.CANCELLED, CODES.INTERNAL, CODES.UNKNOWN])
def test_what_a_dying_server_leaves_behind_is_tried_again(code: grpc.StatusCode) -> None:
    assert retry_delay_s(error(code)) == 0.0


@pytest.mark.parametrize("code", [CODES.NOT_FOUND, CODES.INVALID_ARGUMENT, CODES.UNIMPLEMENTED])
def test_an_answer_is_an_answer(code: grpc.StatusCode) -> None:
    assert retry_delay_s(error(code)) is None


class Says:
    """A stream that tells one event, as a response of WatchJob does, and breaks; without a job it breaks at once."""

    def __init__(self, job_id: str = "") -> None:
        self.event = event_pb2.JobEvent(job_id=job_id)

    async def __aiter__(self) -> "AsyncIterator[Says]":
        if self.event.job_id:
            yield self
        raise error(CODES.UNAVAILABLE)

    def cancel(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegen_gateway.following.PATIENCE_S", 0.0)
    monkeypatch.setattr("imagegen_gateway.following.FIRST_PAUSE_S", 0.01)


async def told(*, has_begun: bool) -> list[str]:
    """What comes of a server that says something, is away for a while, and goes on."""
    streams = iter([Says("first"), Says(), Says(), Says("last")])
    jobs = []
    events = follow(
        lambda _: next(streams), "", is_over=lambda: True, on_pause=lambda: None, has_begun=lambda: has_begun
    )
    async with aclosing(events):
        async for event in events:
            jobs.append(event.job_id)
            if event.job_id == "last":
                break
    return jobs


async def test_a_server_that_goes_after_the_beginning_is_waited_for() -> None:
    assert await told(has_begun=True) == ["first", "last"]


async def test_a_server_that_goes_in_the_middle_of_the_beginning_is_given_up() -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await told(has_begun=False)
