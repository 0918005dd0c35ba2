"""One job's events, over as many connections as it takes."""

import asyncio
import random
from typing import Protocol, Self

import grpc

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest, WatchJobResponse, WatchOptions
from imagegen_client.delivery import Delivery
from imagegen_client.errors import ImagegenError, translated_errors
from imagegen_client.retrying import Retry


class OpenStream(Protocol):
    """Opens WatchJob."""

    def __call__(self, request: WatchJobRequest, /) -> grpc.aio.UnaryStreamCall[WatchJobRequest, WatchJobResponse]: ...


async def pause(retry: Retry, error: ImagegenError) -> None:
    """Waits until the next try; raises the error when there is to be none."""
    delay_s = retry.delay_s(error, now=asyncio.get_running_loop().time(), jitter=random.random())
    if delay_s is None:
        raise error
    await asyncio.sleep(delay_s)


class Watch:
    """An async iterator over the events of one job, made by `Client.watch` and closed by it.

    A connection or server that drops is a pause, not an error: the stream is resumed where it was. Every durable event
    comes exactly once and in order; progress and previews are the newest there are, and may come again after a pause.
    What cannot be replayed is announced by `reset`, followed by `snapshot`. Iteration ends after `completed`, or at
    once with a token from after it.

    One consumer at a time. Cancelling a pending step loses nothing: the next one goes on from there.
    """

    def __init__(
        self, open_stream: OpenStream, job_id: str, *, resume_token: str, options: WatchOptions, retry: Retry
    ) -> None:
        self.job_id = job_id
        self._open_stream = open_stream
        self._options = options
        self._retry = retry
        self._delivery = Delivery(resume_token)
        self._call: grpc.aio.UnaryStreamCall[WatchJobRequest, WatchJobResponse] | None = None
        self._has_ended = False

    @property
    def resume_token(self) -> str:
        """Where another `watch` could go on after the events that were taken from this one."""
        return self._delivery.resume_token

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> JobEvent:
        while not self._has_ended:
            event = await self._next_of_stream()
            if event is not None and self._delivery.accepts(event):
                self._has_ended = event.HasField("completed")
                return event
        raise StopAsyncIteration

    def close(self) -> None:
        """Lets go of the connection. The job is left alone."""
        self._has_ended = True
        self._drop_stream()

    async def _next_of_stream(self) -> JobEvent | None:
        """The next event as it comes; None when there was none, but the stream ended or broke."""
        try:
            with translated_errors():
                response = await self._read()
        except ImagegenError as error:
            self._drop_stream()
            await pause(self._retry, error)
            return None
        except asyncio.CancelledError:
            self._drop_stream()  # gRPC has given up the call with the read: the next step needs a new one
            raise
        if response is None:
            self._has_ended = True
            return None
        if response.event.WhichOneof("event") not in {"caught_up", "heartbeat", "reset"}:
            self._retry.succeeded()
        return response.event

    async def _read(self) -> WatchJobResponse | None:
        if self._call is None:
            request = WatchJobRequest(job_id=self.job_id, resume_token=self._delivery.resume_token, watch=self._options)
            self._call = self._open_stream(request)
        response = await self._call.read()
        return response if isinstance(response, WatchJobResponse) else None

    def _drop_stream(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
