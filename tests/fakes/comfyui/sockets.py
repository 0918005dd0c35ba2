"""The fake's websockets: registered by client id, written to by one publisher, dropped by a careless clean-up."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from tests.fakes.comfyui.faults import Faults
from tests.fakes.comfyui.profiles import Profile

_GARBAGE: tuple[str | bytes, ...] = (
    "not json at all",
    '{"type": "progress"}',
    '{"type": "progress", "data": {"value": "x"}}',
    "[]",
    '{"type": "some.custom.node", "data": {"a": 1}}',
    b"\x00",
    b"\x00\x00\x00\x04\x7f\xff\xff\xff{",
    b"\x00\x00\x00\x09abc",
)


class Sockets:
    """Who listens, and what is on its way to them."""

    def __init__(self, profile: Profile, faults: Faults) -> None:
        self.open_count = 0
        self.opened = 0
        self._profile = profile
        self._faults = faults
        self._by_client: dict[str, web.WebSocketResponse] = {}
        self._has_metadata: set[str] = set()
        self._transports: list[asyncio.Transport] = []
        self._outbox: asyncio.Queue[tuple[str | bytes, str | None]] = asyncio.Queue()
        self._garbage_sent = 0

    def wants_metadata(self, client_id: str) -> bool:
        return client_id in self._has_metadata

    def send(self, kind: str, data: dict[str, Any], client_id: str | None) -> None:
        """To one client, or to all of them with None."""
        self._outbox.put_nowait((json.dumps({"type": kind, "data": data}), client_id))

    def send_binary(self, data: bytes, client_id: str | None) -> None:
        self._outbox.put_nowait((data, client_id))

    def drop_all(self) -> None:
        """Cuts the connections without a close frame."""
        for transport in self._transports:
            transport.abort()

    async def flush(self) -> None:
        """Returns when everything so far has been sent."""
        await self._outbox.join()

    async def publish(self) -> None:
        """Sends one message after the other: a client that does not read stalls all others."""
        while True:
            message, client_id = await self._outbox.get()
            clients = list(self._by_client) if client_id is None else [client_id]
            for socket in [self._by_client[client] for client in clients if client in self._by_client]:
                for frame in self._disturbed(message):
                    await _send(socket, frame)
            self._outbox.task_done()

    async def serve(self, request: web.Request, *, greet: Callable[[str], list[str]]) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client_id = request.query.get("clientId") or "0" * 32
        self._by_client[client_id] = socket
        self._has_metadata.discard(client_id)
        assert request.transport is not None
        transport = request.transport
        self._transports.append(transport)
        self.open_count += 1
        self.opened += 1
        try:
            for greeting in greet(client_id):
                await _send(socket, greeting)
            await self._read(socket, client_id)
        finally:
            self._transports.remove(transport)
            self.open_count -= 1
            if self._faults.late_goodbye_s:
                await asyncio.sleep(self._faults.late_goodbye_s)
            # As the server does it: whatever socket is registered by now goes, though it may be a newer one.
            self._by_client.pop(client_id, None)
        return socket

    async def _read(self, socket: web.WebSocketResponse, client_id: str) -> None:
        is_first = True
        async for message in socket:
            if message.type is not WSMsgType.TEXT or not self._profile.has_progress_state:
                continue
            try:
                body = json.loads(message.data)
            except ValueError:
                continue
            if is_first and isinstance(body, dict):
                is_first = False
                if body.get("type") == "feature_flags":
                    if body["data"].get("supports_preview_metadata") is True:
                        self._has_metadata.add(client_id)
                    self.send("feature_flags", FEATURES, client_id)

    def _disturbed(self, message: str | bytes) -> list[str | bytes]:
        if self._faults.silent or self._faults.vanished:
            return []
        self._garbage_sent += 1
        garbage = _GARBAGE[self._garbage_sent % len(_GARBAGE)]
        match self._faults.garbage_frames:
            case "instead":
                return [garbage]
            case "beside":
                return [garbage, message]
        return [message, message] if self._faults.duplicate_frames else [message]


FEATURES = {"supports_preview_metadata": True, "max_upload_size": 104857600}


async def _send(socket: web.WebSocketResponse, message: str | bytes) -> None:
    with suppress(ConnectionError, RuntimeError):  # it is closing; nobody is told, as in the server
        await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
