"""The fake's HTTP side."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import BodyPartReader, web

from tests.fakes.openwebui.answers import NOT_FOUND, PROHIBITED, missing, problem, user_of
from tests.fakes.openwebui.settings import Settings
from tests.fakes.openwebui.state import ChatEvent, State, StoredFile


class FakeOpenWebUI(State):
    """One server at one address."""

    __slots__ = ("port", "requests")

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.requests: list[str] = []
        """Method and path of every request, in order."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/version", self._version),
            web.get("/api/v1/chats/{chat}", self._chat),
            web.post("/api/v1/chats/{chat}/messages/{message}/event", self._event),
            web.post("/api/v1/files/", self._upload),
            web.get("/api/v1/files/{id}/content", self._content),
        ]

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": self.version, "deployment_id": ""})

    async def _chat(self, request: web.Request) -> web.Response:
        user, chat = user_of(request), request.match_info["chat"]
        if self.chats.get(chat, user) != user or chat not in self.histories:
            raise problem(401, NOT_FOUND)
        return web.json_response({"id": chat, "chat": {"history": {"messages": self.histories[chat]}}})

    async def _event(self, request: web.Request) -> web.Response:
        user, chat, body = user_of(request), request.match_info["chat"], await request.json()
        if self.chats.get(chat, user) != user and user != "admin":
            raise problem(401, PROHIBITED)
        if not isinstance(body.get("type"), str) or not isinstance(body.get("data"), dict):
            raise missing()
        message = request.match_info["message"]
        self.events.append(ChatEvent(user=user, chat=chat, message=message, type=body["type"], data=body["data"]))
        return web.json_response(True)

    async def _upload(self, request: web.Request) -> web.Response:
        user = user_of(request)
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                file = StoredFile(
                    id=str(uuid.uuid4()),
                    user=user,
                    name=part.filename or "",
                    content_type=part.headers.get("Content-Type", ""),
                    content=bytes(await part.read()),
                )
                self.files[file.id] = file
                return web.json_response(_file_as_json(file))
        raise missing("file")

    async def _content(self, request: web.Request) -> web.Response:
        user_of(request)
        file = self.files.get(request.match_info["id"])
        if file is None:
            raise problem(404, NOT_FOUND)
        return web.Response(body=file.content, content_type=file.content_type)


def _file_as_json(file: StoredFile) -> dict[str, Any]:
    return {
        "id": file.id,
        "user_id": file.user,
        "hash": None,
        "filename": file.name,
        "data": {},
        "meta": {"name": file.name, "content_type": file.content_type, "size": len(file.content), "data": {}},
        "created_at": 1795347187,
        "updated_at": 1795347187,
        "status": True,
    }


@asynccontextmanager
async def open_fake(*, port: int = 0) -> AsyncIterator[FakeOpenWebUI]:
    """Runs the fake on 127.0.0.1; port 0 chooses a free one."""
    fake = FakeOpenWebUI()

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        fake.requests.append(f"{request.method} {request.path}")
        if request.path in fake.failing:
            raise problem(500, "Internal Server Error")
        response: web.StreamResponse = await handler(request)
        return response

    app = web.Application(client_max_size=64 * 1024 * 1024, middlewares=[note])
    app.router.add_routes([*fake.routes(), *Settings(fake).routes()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        fake.port = runner.addresses[0][1]
        yield fake
    finally:
        await runner.cleanup()
