"""The floors: what sockets alone cost on this machine, with asyncio and uvloop but without gRPC, HTTP or encoding."""

import asyncio
import contextlib
import re
import time
from typing import Any, cast

import uvloop

from benchmarks.pacing import Steps
from benchmarks.processes import Control

GREETING = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: caught_up\ndata: {}\n\n"
BACKLOG = 4096
_STEP = re.compile(rb'"step":\d+')


def run_source(control: Control) -> None:
    """A helper's target: answers a Burst by sending its record, numbered, to whoever is connected."""
    with contextlib.suppress(EOFError):
        uvloop.run(_serve_source(control))


def run_relay(control: Control, upstream: int) -> None:
    """A helper's target: passes what comes from the port `upstream` on to everybody who is connected."""
    with contextlib.suppress(EOFError):
        uvloop.run(_serve_relay(control, upstream))


def run_file(control: Control, body: bytes) -> None:
    """A helper's target: answers whatever it is sent with `body`."""
    with contextlib.suppress(EOFError):
        uvloop.run(_serve_file(control, body))


async def _serve_source(control: Control) -> None:
    watchers, steps = _Watchers(), Steps()
    control.send(await _listen(watchers.new))

    async def send(step: int, record: bytes) -> float:
        numbered = _STEP.sub(b'"step":%d' % step, record)
        chunk = b"%x\r\n%b\r\n" % (len(numbered), numbered)
        began = time.monotonic()
        watchers.write(chunk)
        return began

    while True:
        burst = await asyncio.to_thread(control.recv)
        control.send(await steps.play(burst, send))


async def _serve_relay(control: Control, upstream: int) -> None:
    watchers = _Watchers()
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: _Upstream(watchers), "127.0.0.1", upstream)
    control.send(await _listen(watchers.new))
    await asyncio.to_thread(control.recv)


async def _serve_file(control: Control, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    control.send(await _listen(lambda: _Answering(answer)))
    await asyncio.to_thread(control.recv)


async def _listen(factory: Any) -> int:
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, backlog=BACKLOG)
    port = server.sockets[0].getsockname()[1]
    assert isinstance(port, int)
    return port


class _Watchers:
    """Everybody who is connected."""

    def __init__(self) -> None:
        self.transports = set[asyncio.Transport]()

    def new(self) -> asyncio.Protocol:
        return _Watcher(self.transports)

    def write(self, data: bytes) -> None:
        for transport in self.transports:
            transport.write(data)


class _Watcher(asyncio.Protocol):
    def __init__(self, transports: set[asyncio.Transport]) -> None:
        self._transports = transports
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = _writable(transport)
        self._transports.add(self._transport)
        self._transport.write(GREETING)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        assert self._transport is not None
        self._transports.discard(self._transport)


class _Upstream(asyncio.Protocol):
    def __init__(self, watchers: _Watchers) -> None:
        self._watchers = watchers

    def data_received(self, data: bytes) -> None:
        self._watchers.write(data)


class _Answering(asyncio.Protocol):
    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = _writable(transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        assert self._transport is not None
        self._transport.write(self._answer)


def _writable(transport: asyncio.BaseTransport) -> asyncio.Transport:
    return cast(asyncio.Transport, transport)  # uvloop's are not derived from it
