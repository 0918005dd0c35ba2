"""As much of a ComfyUI server as its page needs to start: files, node definitions, and empty answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import WSMsgType, web

_ANSWERS: dict[str, object] = {
    "users": {"storage": "server", "migrated": True},
    "settings": {"Comfy.TutorialCompleted": True, "Comfy.Workflow.Persist": False, "Comfy.InstalledVersion": "1.27.10"},
    "extensions": [],
    "i18n": {},
    "embeddings": [],
    "workflow_templates": {},
    "experiment/models": [],
    "features": {"supports_preview_metadata": True, "max_upload_size": 104857600},
    "queue": {"queue_running": [], "queue_pending": []},
    "history": {},
    "userdata": [],
    "prompt": {"exec_info": {"queue_remaining": 0}},
    "system_stats": {
        "system": {
            "os": "posix",
            "ram_total": 1,
            "ram_free": 1,
            "comfyui_version": "0.3.64",
            "required_frontend_version": "1.27.10",
            "installed_templates_version": "0.1.95",
            "required_templates_version": "0.1.95",
            "python_version": "3.11",
            "pytorch_version": "2",
            "embedded_python": False,
            "argv": ["main.py"],
        },
        "devices": [],
    },
}


@asynccontextmanager
async def serve_page(files: Path, object_info: bytes) -> AsyncIterator[str]:
    """Gives the page's address. `files`: the static files of ComfyUI's frontend package."""

    async def answer(request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].removeprefix("api/")
        if path == "ws":
            return await _websocket(request)
        if path == "object_info":
            return web.Response(body=object_info, content_type="application/json")
        if path in _ANSWERS:
            return web.json_response(_ANSWERS[path])
        file = files / (path or "index.html")
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def _websocket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "page"}})
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            break
    return socket
