"""Open WebUI as a tool reaches it: with the token of the user who is chatting, at the one address of the settings.

Nothing here fails a job: what cannot be posted is logged once, and what cannot be read is not there.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson
import structlog
from yarl import URL

from imagegen_gateway.dialects.chats import ChatMessage
from imagegen_gateway.dialects.showing import Event

log = structlog.get_logger(__name__)

EVENT_TIMEOUT_S: Final = 5.0
FILE_TIMEOUT_S: Final = 60.0
MAX_FAILURES: Final = 3
"""So many in a row, and no more events are tried."""
MAX_CHAT_BYTES: Final = 32 * 1024 * 1024
FILE_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
FILE_PATH: Final = re.compile(r"/api/v1/files/([A-Za-z0-9-]{1,64})(?:/content(?:/[^/]*)?)?/?")


class OpenWebUI:
    """One message of one chat. Made by `open_openwebui`."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, message: ChatMessage) -> None:
        self._session = session
        self._url = url
        self._message = message
        self._failures = 0

    @property
    def has_message(self) -> bool:
        """Whether there is a message to write to; chats that are not stored have none."""
        return bool(self._message.chat_id and self._message.message_id and self._message.keeps_files)

    async def post(self, event: Event) -> bool:
        """Sends an event to everybody who looks at the message; whether that went well."""
        if not self.has_message or self._failures >= MAX_FAILURES:
            return False
        path = f"api/v1/chats/{self._message.chat_id}/messages/{self._message.message_id}/event"
        answer = await self._call("POST", path, EVENT_TIMEOUT_S, json=event)
        self._failures = 0 if answer is True else self._failures + 1
        return answer is True

    async def upload(self, data: bytes, media_type: str, name: str) -> dict[str, Any] | None:
        """Stores a picture; the entry of a message's `files`, or None."""
        form = aiohttp.FormData()
        form.add_field("file", data, filename=name, content_type=media_type)
        answer = await self._call("POST", "api/v1/files/?process=false", FILE_TIMEOUT_S, data=form)
        file_id = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(file_id, str) or not FILE_ID.fullmatch(file_id):
            return None
        address = f"/api/v1/files/{file_id}/content"
        return {"type": "image", "id": file_id, "url": address, "name": name, "content_type": media_type}

    async def pictures(self) -> list[str]:
        """Addresses of the pictures in the message and in those that led to it, the newest first."""
        if not self.has_message:
            return []
        answer = await self._call("GET", f"api/v1/chats/{self._message.chat_id}", EVENT_TIMEOUT_S)
        return list(pictures_of(answer, self._message.message_id))

    async def fetch(self, file_id: str, max_bytes: int) -> bytes | None:
        """A stored file, as far as the user may have it."""
        return await self._fetch("GET", f"api/v1/files/{file_id}/content", FILE_TIMEOUT_S, max_bytes)

    async def _call(self, method: str, path: str, timeout_s: float, **body: Any) -> Any:
        """The JSON that it answers; None for anything else."""
        data = await self._fetch(method, path, timeout_s, MAX_CHAT_BYTES, **body)
        try:
            return orjson.loads(data) if data is not None else None
        except orjson.JSONDecodeError as exc:
            self._note(method, type(exc).__name__)
            return None

    async def _fetch(self, method: str, path: str, timeout_s: float, max_bytes: int, **body: Any) -> bytes | None:
        """The body of its answer; None where there is none, or a larger one."""
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        url = self._url.join(URL(path))
        try:
            async with self._session.request(method, url, timeout=timeout, allow_redirects=False, **body) as response:
                if response.status != 200:
                    self._note(method, response.status)
                    return None
                return await _bounded(response, max_bytes)
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            self._note(method, type(exc).__name__)
            return None

    def _note(self, method: str, why: object) -> None:
        if self._failures == 0:
            log.warning("open webui did not take or give something", method=method, why=why)


async def _bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    data = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        data += chunk
        if len(data) > max_bytes:
            return None
    return bytes(data)


def pictures_of(chat: object, message_id: str) -> Iterator[str]:
    """The pictures of a chat as Open WebUI stores it, from a message upwards, the newest first."""
    messages = _dict(_dict(_dict(_dict(chat).get("chat")).get("history")).get("messages"))
    seen: set[str] = set()
    while message_id and message_id not in seen:
        seen.add(message_id)
        message = _dict(messages.get(message_id))
        files = message.get("files")
        for file in reversed(files if isinstance(files, list) else []):
            about = _dict(file)
            is_picture = about.get("type") == "image" or str(about.get("content_type")).startswith("image/")
            if is_picture and isinstance(about.get("url"), str):
                yield about["url"]
        message_id = str(message.get("parentId") or "")


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def file_id_of(text: str, url: str) -> str:
    """The id in what a chat calls a file: its address there, with or without the host, or the bare id; else empty."""
    path = text.removeprefix(url.rstrip("/")) if url else text
    found = FILE_PATH.fullmatch(path)
    if found is not None:
        return found[1]
    return text if FILE_ID.fullmatch(text) else ""


@asynccontextmanager
async def open_openwebui(url: str, token: str, message: ChatMessage) -> AsyncIterator[OpenWebUI | None]:
    """The Open WebUI that a call came from; None where its address or the user's token is not known."""
    if not url or not token:
        yield None
        return
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}", "User-Agent": "imagegen"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield OpenWebUI(session, URL(url.rstrip("/") + "/"), message)
