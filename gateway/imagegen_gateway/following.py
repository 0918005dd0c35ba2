"""Reading a stream of the server through its restarts: resumed by token, with growing pauses."""

import asyncio
import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Protocol

import grpc
import structlog

from imagegen.v1 import event_pb2
from imagegen_gateway.errors import from_rpc

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
PATIENCE_S = 5.0
"""How long a stream that has not told yet what it begins with may be without its server before the caller is told."""
SILENCE_S = 120.0
"""A stream without even a heartbeat for so long is taken for dead."""

# CANCELLED: a server that goes down ends so what has just reached it.
RESUMABLE = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
)
RESUMABLE_REASONS = frozenset({"WATCHER_TOO_SLOW", "TOO_MANY_WATCHERS", "SHUTTING_DOWN"})


class Responses(Protocol):
    """A call in progress: WatchJob's or WatchJobs'."""

    def __aiter__(self) -> "AsyncIterator[HasEvent]": ...

    def cancel(self) -> bool: ...


class HasEvent(Protocol):
    """A response of a watching call."""

    @property
    def event(self) -> event_pb2.JobEvent: ...


async def follow(
    open_stream: Callable[[str], Responses],
    token: str,
    *,
    is_over: Callable[[], bool],
    on_pause: Callable[[], None],
    has_begun: Callable[[], bool] = lambda: True,
) -> AsyncGenerator[event_pb2.JobEvent, None]:
    """The events of a stream that is opened with `token`, and again with the newest one after each interruption.

    Ends when the server ends the stream and `is_over` agrees. `on_pause` is called once per interruption.
    Raises AioRpcError for what does not pass by itself, and for a server that stays away before the first event, or
    before `has_begun` says that there were enough of them.
    The server may repeat nothing, but after a reset events begin anew. To be closed by the caller (aclosing).
    """
    pauses = Pauses()
    now = asyncio.get_running_loop().time
    give_up_at = now() + PATIENCE_S
    while True:
        wait_s: float | None = None
        try:
            async with aclosing(_read(open_stream(token))) as events:
                async for event in events:
                    pauses.reset()
                    token = event.resume_token or token
                    yield event
                    give_up_at = math.inf if has_begun() else now() + PATIENCE_S
            if is_over():
                return
        except grpc.aio.AioRpcError as exc:
            wait_s = retry_delay_s(exc)
            if wait_s is None or now() > give_up_at:
                raise
        except TimeoutError:
            log.warning("stream was silent", seconds=SILENCE_S)
        on_pause()
        await asyncio.sleep(max(wait_s or 0.0, pauses.next_s()))


async def _read(call: Responses) -> AsyncGenerator[event_pb2.JobEvent, None]:
    responses = aiter(call)
    try:
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    response = await anext(responses)
            except StopAsyncIteration:
                return
            yield response.event
    finally:
        call.cancel()


def retry_delay_s(error: grpc.aio.AioRpcError) -> float | None:
    """How long to wait at least before the stream is opened again; None: that would not help."""
    problem = from_rpc(error)
    if error.code() in RESUMABLE and problem.reason in {"", "SHUTTING_DOWN", "INTERNAL"}:
        return problem.retry_after_s or 0.0
    return (problem.retry_after_s or 0.0) if problem.reason in RESUMABLE_REASONS else None


class Pauses:
    """Pauses between attempts: doubling, with jitter, so that watchers of a restarted server do not come at once."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """After a success the first pause is short again."""
        self._longest_s = FIRST_PAUSE_S

    def next_s(self) -> float:
        """The next pause."""
        pause_s = self._longest_s * random.uniform(0.5, 1.0)
        self._longest_s = min(self._longest_s * 2, LONGEST_PAUSE_S)
        return pause_s
