"""A TCP proxy that cuts connections on command: what a network does, as opposed to what a server says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Proxy:
    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections = 0
        self.has_returned = asyncio.Event()
        """Set when somebody has connected once more."""
        self.loses_answers = False
        """Whether what the server says goes nowhere."""

    def cut(self) -> None:
        """Resets every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        if self._connections > 1:
            self.has_returned.set()
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        writers = {writer, target_writer}
        self._writers |= writers
        try:
            await asyncio.gather(_copy(reader, target_writer), self._copy_answers(target_reader, writer))
        finally:
            self._writers -= writers
            for each in writers:
                each.transport.abort()

    async def _copy_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _copy(reader, writer, is_lost=lambda: self.loses_answers)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_lost: Callable[[], bool] = lambda: False
) -> None:
    try:
        while chunk := await reader.read(65536):
            if not is_lost():
                writer.write(chunk)
                await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


@asynccontextmanager
async def serve_proxy(target_port: int) -> AsyncIterator[tuple[Proxy, int]]:
    proxy = Proxy(target_port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    try:
        yield proxy, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
