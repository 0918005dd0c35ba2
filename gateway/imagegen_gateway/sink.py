"""Writing a stream that never piles up: past aiohttp's buffering, one write at a time, each bounded in time."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import HttpVersion11, web

from imagegen_gateway.eventlog import Trimmed
from imagegen_gateway.records import frame

log = structlog.get_logger(__name__)

SEND_BUFFER_BYTES = 64 * 1024
SLICE_BYTES = 256 * 1024
UNACKNOWLEDGED_MS = 30_000
"""A peer that acknowledges nothing for so long is gone; without this the kernel tries for a quarter of an hour."""


class WriteBlocked(Exception):
    """The peer has not read for too long."""


class Sink:
    """A response that is written past aiohttp's own buffering. Nothing else may write to it."""

    __slots__ = ("_request", "_timeout_s", "_transport", "is_chunked", "response")

    def __init__(self, request: web.Request, response: web.StreamResponse, *, write_timeout_s: float) -> None:
        self._request = request
        self.response = response
        """What is being written."""
        # Kept here from `open` on: the way through the request is long, and would be gone for every event and watcher.
        self._transport: asyncio.Transport | None = None
        self._timeout_s = write_timeout_s
        self.is_chunked = request.version >= HttpVersion11
        """Whether data has to be framed as chunks."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Around all that is written: what goes wrong after the headers can only end the connection.

        Swallows what is nobody's fault but the reader's.
        """
        try:
            yield
        except (WriteBlocked, Trimmed, ConnectionResetError) as exc:
            log.debug("stream cut", why=type(exc).__name__)
            self._abort()
        except Exception:
            if not self.response.prepared:
                raise
            log.exception("stream failed")
            self._abort()

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def open(self, first: bytes) -> None:
        """Sends the headers and the first bytes."""
        self._transport = self._request.transport
        transport = self._open_transport()
        transport.set_write_buffer_limits(high=0)
        bound_socket(transport.get_extra_info("socket"))
        self.response.force_close()  # the small buffers are of no use to another request
        await self.response.prepare(self._request)
        await self.response.write(first)

    def offer(self, data: bytes) -> bool:
        """Writes framed bytes at once if nothing waits in the buffer; False: nothing was written."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size():
            return False
        transport.write(data)
        return True

    def framed(self, data: bytes) -> bytes:
        """The bytes as `offer` and `write` take them."""
        return frame(data) if self.is_chunked else data

    async def write(self, data: bytes) -> None:
        """Writes framed bytes and waits until the kernel has them. Raises WriteBlocked, ConnectionResetError."""
        await self._drain()
        self._open_transport().write(data)
        await self._drain()

    async def write_long(self, data: bytes) -> None:
        """Frames and writes what may be of megabytes, piece by piece, so that each has the time that a write has."""
        for start in range(0, len(data), SLICE_BYTES):
            await self.write(self.framed(data[start : start + SLICE_BYTES]))

    async def close(self) -> None:
        """Ends the response in good order."""
        await self._drain()
        await self.response.write_eof()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._request.writer.drain()
        except TimeoutError as exc:
            raise WriteBlocked from exc

    def _open_transport(self) -> asyncio.Transport:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        return self._transport


def bound_socket(sock: socket.socket | None) -> None:
    """Keeps small what the kernel holds for a peer that does not read, and finds peers that are gone."""
    if sock is None or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
