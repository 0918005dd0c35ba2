"""The websockets of clients: who is connected, who takes whose place, who has given up.

A socket belongs to an owner and a client id; a newer one of the same takes the place of the older.

A client that closes its socket in good order before its prompts have ended has given them up, as Open WebUI does when
its user presses Stop: they are cancelled, unless it comes back at once. ComfyUI's page and our adapter come back to
their prompts at any time; they are known by the feature flags that they send. A connection that breaks says nothing.
"""

import asyncio
import socket as sockets
from typing import Any, Final
from uuid import uuid4

from aiohttp import WSCloseCode, web

from imagegen.v1 import job_pb2
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.comfyui.endings import CLIENT_ID
from imagegen_gateway.dialects.comfyui.jobs import Jobs
from imagegen_gateway.dialects.comfyui.prompts import MAX_LABEL_CHARS, refused
from imagegen_gateway.dialects.comfyui.session import Session
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem
from imagegen_gateway.sink import bound_socket

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Clients send their feature flags, and nothing else that is understood."""
RETURN_S: Final = 2.0
"""So soon a client that has closed its socket comes back, or has given up its prompts."""
KEEPALIVE_S: Final = 60
"""After so long without a word the kernel looks whether the peer is still there: ComfyUI itself sends no pings."""


class Sockets:
    """All sockets of this process."""

    def __init__(self, kit: Kit, jobs: Jobs) -> None:
        self._kit = kit
        self._jobs = jobs
        self._sessions: dict[tuple[str, str], Session] = {}

    @property
    def features(self) -> dict[str, Any]:
        """What this server can, as clients ask over HTTP and by socket."""
        return {"supports_preview_metadata": True, "max_upload_size": self._kit.settings.max_upload_bytes}

    def tell_of(self, job: job_pb2.Job, caller: Caller) -> None:
        """A prompt was accepted: its client hears of it, if it is connected."""
        session = self._sessions.get((caller.owner, job.spec.labels.get(CLIENT_ID, "")))
        if session is not None:
            session.follow(job, is_new=True)

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """The handler."""
        client_id = request.query.get("clientId", "") or uuid4().hex
        if len(client_id) > MAX_LABEL_CHARS:
            raise refused("INVALID_CLIENT_ID", f"clientId must have at most {MAX_LABEL_CHARS} characters")
        if len(self._sessions) >= self._kit.settings.max_watchers:
            raise Problem(429, "too many streams are open", reason="TOO_MANY_WATCHERS")
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_MESSAGE_BYTES)  # previews do not get smaller
        await socket.prepare(request)
        bound(request)
        session = Session(request, socket, client_id, self._kit, self._jobs, self.features)
        key = session.caller.owner, client_id
        older, self._sessions[key] = self._sessions.get(key), session
        try:
            if older is not None:
                older.end(WSCloseCode.OK)
            await session.run()
        finally:
            if self._sessions.get(key) is session:
                del self._sessions[key]
                if session.gives_up:
                    asyncio.get_running_loop().call_later(RETURN_S, self._give_up, key, session)
        return socket

    def _give_up(self, key: tuple[str, str], session: Session) -> None:
        if key not in self._sessions:
            for job_id in session.unfinished:
                self._kit.studio.abandon(job_id, session.caller)


def bound(request: web.Request) -> None:
    """Keeps small what waits in the kernel for a reader, and has it look for peers that are gone."""
    transport = request.transport
    raw = transport.get_extra_info("socket") if transport is not None else None
    bound_socket(raw)
    if raw is not None and hasattr(sockets, "TCP_KEEPIDLE"):
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
        raw.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_KEEPIDLE, KEEPALIVE_S)
