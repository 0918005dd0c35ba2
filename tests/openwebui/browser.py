"""A browser tab of Open WebUI without the browser: it sends what the page sends and keeps the events that come back.

Open WebUI speaks socket.io 5 over engine.io 4. Of these, over a websocket and without binary data, few packets matter:
`0{…}` opens the connection and `40{…}` the session, `2` asks for a sign of life and `3` gives it, and `42[name, data]`
is an event, which `421[…]` wants acknowledged by `431[…]` (1 is its number).
"""

import asyncio
import base64
import io
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from PIL import Image

from tests.openwebui.account import Account

CHAT_TIMEOUT_S = 60.0
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_EVENT = re.compile(r"42(\d*)(\[.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the page was told about a message."""

    message_id: str
    type: str
    data: Any
    at_s: float
    """When it came, on a clock that only goes on."""


class Browser:
    """A tab in which somebody is signed in; `open_browser` opens one."""

    def __init__(self, account: Account, socket: aiohttp.ClientWebSocketResponse, session_id: str) -> None:
        self.account = account
        self.session_id = session_id
        self._socket = socket
        self._events: list[Event] = []
        self._came = asyncio.Condition()

    async def send(
        self,
        model: str,
        prompt: str,
        *,
        image_button: bool = False,
        tool_ids: Sequence[str] = (),
        attached: Sequence[Mapping[str, Any]] = (),
        temporary: bool = False,
        background_tasks: Mapping[str, bool] | None = None,
        function_calling: str = "native",
    ) -> "Chat":
        """Sends the first message of a new chat. `attached` are files of `Account.upload`."""
        question, answer = str(uuid.uuid4()), str(uuid.uuid4())
        message: dict[str, Any] = {
            "id": question,
            "parentId": None,
            "childrenIds": [answer],
            "role": "user",
            "content": prompt,
            "timestamp": int(time.time()),
            "models": [model],
            "files": [_attachment(file["id"]) for file in attached],
        }
        body: dict[str, Any] = {
            "model": model,
            "stream": True,
            "messages": [{"role": "user", "content": prompt}],
            "params": {"function_calling": function_calling},
            "features": {"image_generation": image_button, "web_search": False, "code_interpreter": False},
            "session_id": self.session_id,
            "message_ids": [{"model_id": model, "message_id": answer}],
            "user_message": message,
            "tool_ids": list(tool_ids) or None,
            "background_tasks": dict(background_tasks or {}),
        }
        if temporary:
            body["chat_id"] = f"temporary:{self.session_id}"
        else:
            body["parent_id"] = None
        accepted = await self.account.post("/api/chat/completions", body)
        return Chat(self, accepted["chat_id"], answer)

    def events_of(self, message_id: str) -> list[Event]:
        """What came for this message so far, in order."""
        return [event for event in self._events if event.message_id == message_id]

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Waits for events until the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s), self._came:
            await self._came.wait_for(condition)

    async def listen(self) -> None:
        """Takes packets until the connection ends."""
        async for packet in self._socket:
            if packet.data == "2":
                await self._socket.send_str("3")
            elif found := _EVENT.fullmatch(packet.data):
                name, payload = json.loads(found.group(2))
                if found.group(1):  # it runs code in the page, or asks the person
                    await self._socket.send_str(f"43{found.group(1)}[true]")
                if name == "events":
                    await self._keep(payload)

    async def _keep(self, payload: Mapping[str, Any]) -> None:
        told = payload["data"]
        event = Event(
            message_id=payload.get("message_id") or "",
            type=told["type"],
            data=told.get("data"),
            at_s=time.monotonic(),
        )
        async with self._came:
            self._events.append(event)
            self._came.notify_all()


@dataclass(frozen=True, slots=True)
class Chat:
    """A message that is being answered."""

    browser: Browser
    chat_id: str
    message_id: str

    @property
    def events(self) -> list[Event]:
        return self.browser.events_of(self.message_id)

    @property
    def statuses(self) -> list[str]:
        """The lines above the message, in order."""
        return [str(event.data["description"]) for event in self.events if event.type == "status"]

    @property
    def previews(self) -> list["Preview"]:
        """The pictures that were shown in place and are stored nowhere."""
        return [
            Preview.of(event, file["url"])
            for event in self.events
            if event.type == "chat:message:files"
            for file in event.data["files"]
            if file["url"].startswith("data:")
        ]

    @property
    def shown(self) -> list[str]:
        """The addresses of the pictures that the page shows now."""
        shown: list[str] = []
        for event in self.events:
            if event.type in ("chat:message:files", "files"):
                shown = [file["url"] for file in event.data["files"]]
        return shown

    async def until(self, condition: Callable[["Chat"], bool], timeout_s: float = CHAT_TIMEOUT_S) -> None:
        """Waits until the condition holds for this chat. Raises AssertionError with what did come."""
        try:
            await self.browser.until(lambda: condition(self), timeout_s)
        except TimeoutError:
            raise AssertionError(f"it did not come in {timeout_s:.0f} s; what came:\n{self.log()}") from None

    async def ended(self, timeout_s: float = CHAT_TIMEOUT_S) -> None:
        """Waits until nothing works on the answer any more."""

        def has_ended(chat: "Chat") -> bool:
            return any(event.type == "chat:active" and not event.data["active"] for event in chat.events)

        await self.until(has_ended, timeout_s)

    async def stop(self) -> None:
        """Presses the Stop button."""
        await self.browser.account.post(f"/api/tasks/chat/{self.chat_id}/stop")

    async def saved(self) -> dict[str, Any]:
        """The message as a reload of the page would show it."""
        chat = await self.browser.account.get(f"/api/v1/chats/{self.chat_id}")
        message: dict[str, Any] = chat["chat"]["history"]["messages"][self.message_id]
        return message

    def log(self) -> str:
        """The events, one a line, for the eyes of a person."""
        return "\n".join(f"{event.type}: {json.dumps(event.data)[:300]}" for event in self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A picture that came inside an event."""

    media_type: str
    content: bytes = field(repr=False)
    at_s: float

    @classmethod
    def of(cls, event: Event, uri: str) -> "Preview":
        head, _, content = uri.partition(",")
        media_type = head.removeprefix("data:").removesuffix(";base64")
        return cls(media_type=media_type, content=base64.b64decode(content, validate=True), at_s=event.at_s)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; raises if it does not decode."""
        picture = Image.open(io.BytesIO(self.content))
        picture.load()
        return picture.size


def _attachment(file_id: str) -> dict[str, str]:
    return {"type": "image", "id": file_id, "url": file_id, "name": "source.png", "content_type": "image/png"}


@asynccontextmanager
async def open_browser(account: Account) -> AsyncIterator[Browser]:
    """Connects as the page does, and listens until the block is left."""
    async with aiohttp.ClientSession(account.url) as session:
        path = "/ws/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(path, max_msg_size=_MAX_MESSAGE_BYTES) as socket:
            await _expect(socket, "0")
            await socket.send_str(f"40{json.dumps({'token': account.token})}")
            browser = Browser(account, socket, json.loads(await _expect(socket, "40"))["sid"])
            listening = asyncio.create_task(browser.listen())
            try:
                yield browser
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


async def _expect(socket: aiohttp.ClientWebSocketResponse, kind: str) -> str:
    """The rest of the next packet, which must be of this kind."""
    packet = await socket.receive_str(timeout=CHAT_TIMEOUT_S)
    if not packet.startswith(kind):
        raise RuntimeError(f"Open WebUI sent {packet[:200]!r} where {kind} was to come")
    return packet.removeprefix(kind)
