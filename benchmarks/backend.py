"""A backend that speaks as much of ComfyUI as one endless job needs, and sends frames when the benchmark says so."""

import asyncio
import contextlib
import json
import time
from typing import Any

import uvloop
from aiohttp import WSMsgType, web

from benchmarks.pacing import Steps
from benchmarks.processes import Control

NODE = "1"
STEPS = 1_000_000
"""More than a run sends, so that the job never ends."""
GRAPH = {
    NODE: {"class_type": "BenchSampler", "inputs": {"steps": STEPS}},
    "2": {"class_type": "SaveImage", "inputs": {"images": [NODE, 0]}},
}
_CLASSES = {
    "BenchSampler": {"input": {"required": {"steps": ["INT", {}]}}, "output": ["IMAGE"], "output_node": False},
    "SaveImage": {"input": {"required": {"images": ["IMAGE", {}]}}, "output": [], "output_node": True},
}


def run_backend(control: Control) -> None:
    """A helper's target: answers a Burst with its Stamps."""
    with contextlib.suppress(EOFError):
        uvloop.run(_serve(control))


async def _serve(control: Control) -> None:
    backend, steps = Backend(), Steps()
    runner = web.AppRunner(backend.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    control.send(runner.addresses[0][1])
    while True:
        burst = await asyncio.to_thread(control.recv)
        control.send(await steps.play(burst, backend.send_step))


class Backend:
    """One client, one prompt, which runs for ever."""

    def __init__(self) -> None:
        self._socket: web.WebSocketResponse | None = None
        self._queue: list[list[Any]] = []
        self._has_prompt = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/ws", self._on_ws),
                web.post("/prompt", self._on_prompt),
                self._fixed("/prompt", {"exec_info": {"queue_remaining": 1}}),
                self._fixed("/object_info", _CLASSES),
                self._fixed("/embeddings", []),
                self._fixed("/history/{prompt_id}", {}),
                self._fixed("/system_stats", {"system": {"comfyui_version": "0.3.64"}, "devices": []}),
                web.get("/queue", self._on_queue),
            ]
        )
        return app

    async def send_step(self, step: int, preview: bytes) -> float:
        """As servers since 0.3.45 do it: the state of all nodes, the preview if there is one, the node's step."""
        await self._has_prompt.wait()
        assert self._socket is not None
        prompt_id = self._queue[0][1]
        about = {"node_id": NODE, "prompt_id": prompt_id, "display_node_id": NODE, "real_node_id": NODE}
        state = {**about, "value": step, "max": STEPS, "state": "running"}
        text = _text("progress_state", prompt_id=prompt_id, nodes={NODE: state})
        began = time.monotonic()
        await self._socket.send_str(text)
        if preview:
            head = json.dumps({**about, "image_type": "image/jpeg"}).encode()
            began = time.monotonic()
            await self._socket.send_bytes((4).to_bytes(4, "big") + len(head).to_bytes(4, "big") + head + preview)
        await self._tell("progress", prompt_id=prompt_id, node=NODE, value=step, max=STEPS)
        return began

    async def _tell(self, kind: str, **data: object) -> None:
        assert self._socket is not None
        await self._socket.send_str(_text(kind, **data))

    @staticmethod
    def _fixed(path: str, answer: object) -> web.RouteDef:
        async def handler(_: web.Request) -> web.Response:
            return web.json_response(answer)

        return web.get(path, handler)

    async def _on_queue(self, _: web.Request) -> web.Response:
        return web.json_response({"queue_running": self._queue, "queue_pending": []})

    async def _on_prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        prompt_id = body["prompt_id"]
        self._queue = [[0, prompt_id, body["prompt"], body["extra_data"], ["2"]]]
        await self._tell("execution_start", prompt_id=prompt_id)
        await self._tell("execution_cached", prompt_id=prompt_id, nodes=[])
        await self._tell("executing", prompt_id=prompt_id, node=NODE, display_node=NODE)
        self._has_prompt.set()
        return web.json_response({"prompt_id": prompt_id, "number": 0, "node_errors": {}})

    async def _on_ws(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._tell("status", status={"exec_info": {"queue_remaining": 0}}, sid=request.query["clientId"])
        async for message in socket:
            if message.type is WSMsgType.TEXT and json.loads(message.data).get("type") == "feature_flags":
                await self._tell("feature_flags", supports_preview_metadata=True)
        return socket


def _text(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})
