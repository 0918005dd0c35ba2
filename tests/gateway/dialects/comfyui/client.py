"""A client of ComfyUI's API, as programs write them, and what they rely on."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.adapters.conformance.subjects.comfyui import text_to_image
from tests.fakes.comfyui import CHECKPOINTS

LAST_WORDS = frozenset({"execution_success", "execution_error", "execution_interrupted"})


def graph(
    nodes: Mapping[str, Any] | None = None, *, steps: int = 3, seed: int = 7, model: str = CHECKPOINTS[0]
) -> dict[str, Any]:
    """Text to image, with nodes added or changed by their id."""
    return {**text_to_image(model, seed=seed, steps=steps, size=64), **(nodes or {})}


def endless(seed: int = 7) -> dict[str, Any]:
    return graph(steps=10_000, seed=seed)


@dataclass
class Socket:
    """One websocket, and all that came on it."""

    socket: aiohttp.ClientWebSocketResponse
    client_id: str
    messages: list[str | bytes] = field(default_factory=list)

    async def next(self) -> Any:
        """The next text message, decoded; None when the server has closed."""
        while True:
            message = await self.socket.receive(timeout=10)
            if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
                return None
            self.messages.append(message.data)
            if message.type is aiohttp.WSMsgType.TEXT:
                return json.loads(message.data)

    async def until(self, kind: str, **data: Any) -> Any:
        """The data of the next message of that type with such members."""
        async with asyncio.timeout(10):
            while True:
                message = await self.next()
                assert message is not None, f"closed before {kind}"
                if message["type"] == kind and data.items() <= message["data"].items():
                    return message["data"]

    async def until_ended(self, prompt_id: str) -> None:
        await self.until("executing", node=None, prompt_id=prompt_id)

    @property
    def texts(self) -> list[Any]:
        return [json.loads(message) for message in self.messages if isinstance(message, str)]

    def types(self, prompt_id: str) -> list[str]:
        return [message["type"] for message in self.texts if message["data"].get("prompt_id") == prompt_id]


class ComfyClient:
    """HTTP calls and sockets."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def post(self, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        async with self.http.post(f"{self.url}/{path}", json=body, **options) as response:
            return response.status, await _body(response)

    async def get(self, path: str, **options: Any) -> Any:
        async with self.http.get(f"{self.url}/{path}", **options) as response:
            assert response.status == 200, await response.text()
            return await _body(response)

    async def queue(self, nodes: Mapping[str, Any], client_id: str = "", **more: Any) -> str:
        status, answer = await self.post("prompt", {"prompt": nodes, "client_id": client_id, **more})
        assert status == 200, answer
        assert answer["node_errors"] == {}
        return str(answer["prompt_id"])

    async def history(self, prompt_id: str, **options: Any) -> Any:
        return (await self.get(f"history/{prompt_id}", **options)).get(prompt_id)

    async def ended(self, prompt_id: str) -> Any:
        """Its history, once it is there, as clients poll for it."""
        async with asyncio.timeout(10):
            while (entry := await self.history(prompt_id)) is None:  # noqa: ASYNC110  # as clients do
                await asyncio.sleep(0.02)
        return entry

    async def is_queued(self, prompt_id: str, where: str) -> bool:
        return any(entry[1] == prompt_id for entry in (await self.get("queue"))[where])

    async def running(self, prompt_id: str) -> None:
        async with asyncio.timeout(10):
            while not await self.is_queued(prompt_id, "queue_running"):  # noqa: ASYNC110  # as clients do
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def connect(self, client_id: str = "", *, has_flags: bool = False, **options: Any) -> AsyncIterator[Socket]:
        client_id = client_id or uuid.uuid4().hex
        async with self.http.ws_connect(f"{self.url}/ws?clientId={client_id}", **options) as opened:
            socket = Socket(opened, client_id)
            assert (await socket.until("status"))["sid"] == client_id
            if has_flags:
                flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
                await opened.send_str(json.dumps(flags))
                assert (await socket.until("feature_flags"))["supports_preview_metadata"] is True
            yield socket


async def _body(response: aiohttp.ClientResponse) -> Any:
    data = await response.read()
    return json.loads(data) if response.content_type == "application/json" else data
