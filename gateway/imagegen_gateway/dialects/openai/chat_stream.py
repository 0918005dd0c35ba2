"""Answers of a chat model on the wire: chat.completion objects, and streams of chunks with Open WebUI's events in them.

An event stands in a chunk without choices, which OpenAI's packages hand on and programs skip. Whoever reads the stream
line by line meets long ones: a finished picture is one line of as many megabytes as it has.
"""

import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from aiohttp import web

from imagegen_gateway.dialects.showing import Event
from imagegen_gateway.records import PING
from imagegen_gateway.sink import Sink

WRITE_TIMEOUT_S: Final = 60.0
"""A chat stores each picture before it reads on."""
HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}


def image_part(address: str) -> dict[str, Any]:
    """A picture, as messages hold it."""
    return {"type": "image_url", "image_url": {"url": address}}


class Completion:
    """What all parts of one answer share."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def whole(self, content: str, images: list[str]) -> web.Response:
        """The answer at once."""
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if images:
            message["images"] = [image_part(address) for address in images]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        answer = {**self._head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    def chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        """A piece of it."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}

    def event(self, event: Event) -> dict[str, Any]:
        """A piece that says nothing but an event."""
        return {**self._head, "object": "chat.completion.chunk", "choices": [], "event": event}


class Stream:
    """An answer in pieces. Made by `open_stream`."""

    def __init__(self, sink: Sink, completion: Completion) -> None:
        self._sink = sink
        self._completion = completion
        self.response = sink.response
        """What the handler returns."""

    async def say(self, **delta: object) -> None:
        """Adds to the message: content, reasoning_content, images."""
        await self._send(self._completion.chunk(delta))

    async def event(self, event: Event) -> None:
        """Sends an event of Open WebUI."""
        await self._send(self._completion.event(event))

    async def fail(self, error: Mapping[str, Any]) -> None:
        """Says why there will be no more."""
        await self._send({"error": error})

    async def ping(self) -> None:
        """Shows that it lives."""
        await self._sink.write_long(PING)

    async def finish(self) -> None:
        """Ends the message."""
        await self._send(self._completion.chunk({}, "stop"))

    async def _send(self, chunk: Mapping[str, Any]) -> None:
        await self._sink.write_long(line(chunk))


def line(chunk: Mapping[str, Any]) -> bytes:
    """A piece as a record of the stream."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


@asynccontextmanager
async def open_stream(request: web.Request, completion: Completion) -> AsyncIterator[Stream]:
    """A stream that is begun, and ended in good order when the block is.

    A reader that went away, or does not read, ends the block without an error. Raises ConnectionResetError for one that
    was gone before the beginning.
    """
    sink = Sink(request, web.StreamResponse(headers=HEADERS), write_timeout_s=WRITE_TIMEOUT_S)
    await sink.open(line(completion.chunk({"role": "assistant", "content": ""})))
    async with sink.writing():
        yield Stream(sink, completion)
        await sink.write_long(b"data: [DONE]\n\n")
        await sink.close()
