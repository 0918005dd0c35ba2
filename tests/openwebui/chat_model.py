"""A chat model that does what it is told, so that no real one is needed: an OpenAI-compatible server.

The message `use NAME {"prompt": …}` makes it call that tool; `FILE` in the arguments stands for the address of the
picture that was attached last. To `draw …` it calls `generate_image`, as a real model would. To all else, and when the
tool has answered, it says one sentence.
"""

import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

MODEL = "scripted"
_USE = re.compile(r"^use (\S+) (\{.*\})", re.MULTILINE)
_DRAW = re.compile(r"^draw .+", re.IGNORECASE)
_ATTACHED = re.compile(r"<file [^>]*?url=\"([^\"]+)\"")

Message = Mapping[str, Any]


def answer_of(messages: Sequence[Message]) -> dict[str, Any]:
    """The assistant's next message."""
    if messages[-1]["role"] == "tool":
        return {"role": "assistant", "content": "There it is."}
    text = _text(messages[-1])
    if found := _USE.search(text):
        return _call(found.group(1), found.group(2).replace("FILE", _attached(text)))
    if found := _DRAW.search(text):
        return _call("generate_image", json.dumps({"prompt": found.group(0), "size": "512x384"}))
    return {"role": "assistant", "content": "I am a script."}


def _call(name: str, arguments: str) -> dict[str, Any]:
    call = {
        "id": f"call_{uuid.uuid4().hex[:8]}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    return {"role": "assistant", "content": "", "tool_calls": [call]}


def _text(message: Message) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _attached(text: str) -> str:
    urls = _ATTACHED.findall(text)
    return urls[-1] if urls else "FILE"


def chunks_of(message: Message) -> list[dict[str, Any]]:
    """The answer as a stream: the message, then why it ends."""
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", ()))]
    delta = {**message, "tool_calls": calls} if calls else message
    return [_choice({"delta": delta}, None), _choice({"delta": {}}, "tool_calls" if calls else "stop")]


def _choice(content: Mapping[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, **content, "finish_reason": finish_reason}],
    }


async def models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "tests"}]})


async def complete(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    message = answer_of(asked["messages"])
    if not asked.get("stream"):
        finish_reason = "tool_calls" if "tool_calls" in message else "stop"
        return web.json_response({"object": "chat.completion", **_choice({"message": message}, finish_reason)})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for chunk in chunks_of(message):
        await response.write(f"data: {json.dumps({'object': 'chat.completion.chunk', **chunk})}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def open_chat_model() -> AsyncIterator[str]:
    """Listens on a free port of loopback; gives the address that Open WebUI is to be told."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()
