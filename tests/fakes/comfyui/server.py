"""The fake's HTTP side."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes.comfyui.execution import Prompt, Worker
from tests.fakes.comfyui.faults import Faults
from tests.fakes.comfyui.files import Files
from tests.fakes.comfyui.profiles import PROFILES
from tests.fakes.comfyui.sockets import FEATURES, Sockets
from tests.fakes.comfyui.validation import check_prompt

CHECKPOINTS = ("fake_sd15.safetensors", "fake_sdxl.safetensors")
_MODELS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": CHECKPOINTS,
    "configs": ("v1-inference.yaml",),
    "loras": ("fake_lora.safetensors", "fake_detail.safetensors"),
    "vae": ("fake_vae.safetensors", "ae.safetensors"),
    "text_encoders": ("clip_l.safetensors", "t5xxl_fp8_e4m3fn.safetensors"),
    "diffusion_models": ("flux1-fake-dev.safetensors",),
    "clip_vision": (),
    "embeddings": ("fake_embedding.safetensors",),
    "controlnet": ("fake_depth.safetensors",),
    "upscale_models": ("fake_x2.pth",),
    "custom_nodes": ("somebody_elses/model.safetensors",),
}
_CHOICES = {
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("DualCLIPLoader", "clip_name1"): "text_encoders",
    ("DualCLIPLoader", "clip_name2"): "text_encoders",
    ("LoraLoader", "lora_name"): "loras",
    ("UpscaleModelLoader", "model_name"): "upscale_models",
    ("ControlNetLoader", "control_net_name"): "controlnet",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("VAELoader", "vae_name"): "vae",
}
_METADATA = {"modelspec.architecture": "stable-diffusion-v1", "modelspec.title": "random full seed 1", "format": "pt"}
_FILE_BYTES = 486821910
_FOREIGN = "somebody else"


class FakeComfyUI:
    """A server that behaves as the recorded ones, and misbehaves on command. `open_fake` makes it."""

    def __init__(self, version: str, *, step_s: float, preview_method: str) -> None:
        self.profile = PROFILES[version]
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        """By method and first segment of the path, as "POST /prompt"."""
        self.models = dict(_MODELS)
        """Files by folder."""
        self.lacks: frozenset[str] = frozenset()
        """Node classes that it does not have, as an installation without some extension."""
        self.worker: Worker
        self.sockets: Sockets
        self._step_s = step_s
        self._preview_method = preview_method
        self.files = Files()
        self._number = 0
        self._accepted: list[Prompt] = []
        """Since the start or the last restart."""
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._restarting: asyncio.Task[None] | None = None
        self._address = ("127.0.0.1", 0)
        self._begin()

    @property
    def url(self) -> str:
        return f"http://{self._address[0]}:{self._address[1]}"

    @property
    def checkpoints(self) -> tuple[str, ...]:
        return self.models["checkpoints"]

    @checkpoints.setter
    def checkpoints(self, names: tuple[str, ...]) -> None:
        self.models["checkpoints"] = names

    # --- what tests look at and do ---

    def prompts_of(self, *, foreign: bool) -> list[Prompt]:
        """What is queued or running now."""
        listed = [self.worker.running, *self.worker.pending]
        return [prompt for prompt in listed if prompt and (prompt.client_id in {_FOREIGN, None}) is foreign]

    def queue_foreign(self, *, client_id: str | None = _FOREIGN, preview: str = "none") -> Prompt:
        """A job of somebody else, which runs until it is told to end early."""
        slow = {"steps": 100_000, "seconds": 0.01, "preview": preview, "size": 8, "text": False, "seed": self._number}
        graph = {
            "1": {"class_type": "LabSlow", "inputs": slow},
            "2": {"class_type": "LabText", "inputs": {"text": "done", "image": ["1", 0]}},
        }
        return self._queue(graph, {"client_id": client_id} if client_id else {}, ["2"], str(uuid.uuid4()))

    def drop_sockets(self) -> None:
        self.sockets.drop_all()

    async def restart(self, *, dead_s: float = 0.0) -> None:
        """Everything but stored files is forgotten, and every connection cut; for so long new ones are refused."""
        await self.stop_listening()
        await self._end()
        await asyncio.sleep(dead_s)
        self.files.wipe_temp()
        self._number = 0
        self._accepted = []
        self._begin()
        self.start_working()
        await self.start_listening()

    async def start_listening(self) -> None:
        app = web.Application(middlewares=[self._disturb], client_max_size=128 * 1024 * 1024)
        self._add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, *self._address, reuse_address=True)
        await site.start()
        self._address = self._runner.addresses[0][:2]

    async def stop_listening(self) -> None:
        """From now on connections are refused; those that are open are cut."""
        if self._runner is None or self._runner.server is None:
            return
        self.sockets.drop_all()
        for connection in list(self._runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()
        self._runner = None

    def start_working(self) -> None:
        self._tasks = [asyncio.create_task(self.worker.work()), asyncio.create_task(self.sockets.publish())]

    async def close(self) -> None:
        await self.stop_listening()
        await self._end()

    def _begin(self) -> None:
        self.sockets = Sockets(self.profile, self.faults)
        self.worker = Worker(
            self.profile, self.faults, self.sockets, self.files, step_s=self._step_s, preview=self._preview_method
        )

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    # --- HTTP ---

    @web.middleware
    async def _disturb(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        segment = request.path.removeprefix("/api").strip("/").split("/")[0]
        self.requests[f"{request.method} /{segment}"] += 1
        if segment == "_fake":
            return await handler(request)
        if self.faults.needs_login and request.headers.get("Authorization") is None:
            return web.Response(status=401)
        if self.faults.proxy_status:
            return web.Response(status=self.faults.proxy_status, text="<html>bad gateway</html>")
        if 0 < self.faults.max_request_bytes < (request.content_length or 0):
            return web.Response(status=413)
        while self.faults.vanished:  # noqa: ASYNC110  # the switch has no event
            await asyncio.sleep(0.02)
        if self.faults.slowness_s:
            await asyncio.sleep(self.faults.slowness_s)
        if segment in self.faults.garbage_paths:
            return web.Response(text="<html>proxy error</html>", content_type="text/html")
        try:
            return await handler(request)
        except ConnectionError:
            raise web.HTTPBadRequest from None  # whoever asked is gone, and this goes nowhere

    def _add_routes(self, app: web.Application) -> None:
        routes: list[tuple[str, str, Callable[[web.Request], Awaitable[web.StreamResponse]]]] = [
            ("GET", "/ws", self._on_ws),
            ("GET", "/prompt", self._get_prompt),
            ("POST", "/prompt", self._post_prompt),
            ("GET", "/queue", self._get_queue),
            ("POST", "/queue", self._post_queue),
            ("POST", "/interrupt", self._post_interrupt),
            ("GET", "/history", self._get_history),
            ("GET", "/history/{prompt_id}", self._get_history_of),
            ("GET", "/view", self._get_view),
            ("POST", "/upload/image", self._post_upload),
            ("GET", "/object_info", self._get_object_info),
            ("GET", "/object_info/{name}", self._get_object_info),
            ("GET", "/embeddings", self._get_embeddings),
            ("GET", "/view_metadata/{folder}", self._get_metadata),
            ("GET", "/system_stats", self._get_system_stats),
            ("POST", "/free", self._post_free),
        ]
        if self.profile.has_progress_state:
            routes.append(("GET", "/features", self._get_features))
        if self.profile.has_models:
            routes.append(("GET", "/models", self._get_folders))
            routes.append(("GET", "/models/{folder}", self._get_models))
        if self.profile.has_progress_state:
            routes.append(("GET", "/experiment/models/{folder}", self._get_files))
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
            app.router.add_route(method, f"/api{path}", handler)
        if self.profile.has_jobs_api:
            app.router.add_post("/api/jobs/{prompt_id}/cancel", self._post_cancel)
        app.router.add_post("/_fake/faults", self._post_faults)
        app.router.add_get("/_fake", self._get_counts)

    async def _on_ws(self, request: web.Request) -> web.StreamResponse:
        return await self.sockets.serve(request, greet=self._greetings)

    def _greetings(self, client_id: str) -> list[str]:
        info = {"exec_info": {"queue_remaining": self.worker.remaining}}
        greetings = [{"type": "status", "data": {"status": info, "sid": client_id}}]
        running = self.worker.running
        if running is not None and running.client_id == client_id:
            greetings.append({"type": "executing", "data": {"node": next(iter(running.graph))}})
        return [json.dumps(greeting) for greeting in greetings]

    async def _get_prompt(self, request: web.Request) -> web.Response:
        return web.json_response({"exec_info": {"queue_remaining": self.worker.remaining}})

    async def _post_prompt(self, request: web.Request) -> web.Response:
        body = json.loads(await request.text())  # what cannot be read is a 500, as there
        if not isinstance(body, dict) or "prompt" not in body:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "No prompt provided"}
            return web.json_response({"error": {**error, "extra_info": {}}, "node_errors": {}}, status=400)
        prompt_id = self._prompt_id(body)
        if prompt_id is None:
            error = {"type": "invalid_prompt_id", "message": "prompt_id must be a UUID", "details": ""}
            return web.json_response({"error": {**error, "extra_info": {}}, "node_errors": {}}, status=400)
        targets = body.get("partial_execution_targets") if self.profile.takes_prompt_id else None
        checked = check_prompt(body["prompt"], self.object_info(), self.profile, self.files.has_annotated, targets)
        if checked.error is not None:
            self._number += 1  # refused prompts use one up too
            return web.json_response({"error": checked.error, "node_errors": checked.node_errors}, status=400)
        extra_data = dict(body.get("extra_data", {}))
        if "client_id" in body:
            extra_data["client_id"] = body["client_id"]
        prompt = self._queue(body["prompt"], extra_data, checked.outputs, prompt_id, body)
        if self.faults.early_frames:
            await asyncio.wait_for(prompt.has_begun.wait(), 5)
            await self.sockets.flush()
        self._break_answer(request)
        answer = {"prompt_id": prompt.prompt_id, "number": prompt.number, "node_errors": checked.node_errors}
        return web.json_response(answer)

    def _break_answer(self, request: web.Request) -> None:
        if self.faults.lost_posts and request.transport is not None:
            self.faults.lost_posts -= 1
            request.transport.abort()
        if self.faults.failing_posts:
            self.faults.failing_posts -= 1
            raise web.HTTPInternalServerError(text="500 Internal Server Error\n\nServer got itself in trouble")

    def _prompt_id(self, body: Mapping[str, Any]) -> str | None:
        asked = str(body.get("prompt_id", uuid.uuid4()))
        if self.profile.needs_uuid:
            try:
                return asked if str(uuid.UUID(asked)) == asked else None
            except ValueError:
                return None
        return asked if self.profile.takes_prompt_id else str(uuid.uuid4())

    def _queue(
        self,
        graph: dict[str, Any],
        extra_data: dict[str, Any],
        outputs: list[str],
        prompt_id: str,
        body: Mapping[str, Any] | None = None,
    ) -> Prompt:
        body = body or {}
        number = float(body["number"]) if "number" in body else -self._number if body.get("front") else self._number
        self._number += 1
        prompt = Prompt(number=number, prompt_id=prompt_id, graph=graph, extra_data=extra_data, outputs=outputs)
        self._accepted.append(prompt)
        self.worker.put(prompt)
        return prompt

    async def _get_queue(self, request: web.Request) -> web.Response:
        running = [self.worker.running.listed()] if self.worker.running is not None else []
        pending = [prompt.listed() for prompt in self.worker.pending]
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def _post_queue(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            for prompt in list(self.worker.pending):
                self.worker.delete(prompt.prompt_id)
        for prompt_id in body.get("delete", []):
            self.worker.delete(prompt_id)
        return web.Response()

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        text = await request.text()
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {}
        self.worker.interrupt(body.get("prompt_id"))
        return web.Response()

    async def _post_cancel(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        is_known = any(prompt.prompt_id == prompt_id for prompt in self.prompts_of(foreign=False))
        if not is_known and prompt_id not in self.worker.history:
            return web.json_response({"error": "Job not found"}, status=404)
        self.worker.delete(prompt_id)
        self.worker.interrupt(prompt_id)
        return web.json_response({"cancelled": is_known})

    async def _get_history(self, request: web.Request) -> web.Response:
        entries = list(self.worker.history.items())
        count = int(request.query.get("max_items", len(entries)))
        return web.json_response(dict(entries[-count:] if count else []))

    async def _get_history_of(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = self.worker.history.get(prompt_id)
        return web.json_response({prompt_id: entry} if entry is not None else {})

    async def _get_view(self, request: web.Request) -> web.Response:
        query = request.query
        data = self.files.get(query.get("type", "output"), query.get("subfolder", ""), query["filename"])
        if data is None or self.faults.lost_files:
            return web.Response(status=404)
        disposition = f'filename="{query["filename"]}"'
        return web.Response(body=data, content_type="image/png", headers={"Content-Disposition": disposition})

    async def _post_upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        image = form["image"]
        assert isinstance(image, web.FileField)
        folder, subfolder = str(form.get("type", "input")), str(form.get("subfolder", ""))
        return web.json_response(self.files.upload(folder, subfolder, image.filename, image.file.read()))

    async def _get_object_info(self, request: web.Request) -> web.Response:
        classes, name = self.object_info(), request.match_info.get("name")
        if name is None:
            return web.json_response(classes)
        return web.json_response({name: classes[name]} if name in classes else {})

    async def _get_embeddings(self, request: web.Request) -> web.Response:
        return web.json_response([name.removesuffix(".safetensors") for name in self.models["embeddings"]])

    async def _get_folders(self, request: web.Request) -> web.Response:
        return web.json_response(list(self.models))

    async def _get_models(self, request: web.Request) -> web.Response:
        names = self.models.get(request.match_info["folder"])
        return web.Response(status=404) if names is None else web.json_response(list(names))

    async def _get_files(self, request: web.Request) -> web.Response:
        names = self.models.get(request.match_info["folder"])
        if names is None:
            return web.Response(status=404)
        times = {"modified": 1795345118.15, "created": 1795345118.16}
        return web.json_response([{"name": name, "pathIndex": 0, **times, "size": _FILE_BYTES} for name in names])

    async def _get_metadata(self, request: web.Request) -> web.Response:
        name = request.query.get("filename", "")
        if not name.endswith(".safetensors") or name not in self.models.get(request.match_info["folder"], ()):
            return web.Response(status=404)
        return web.json_response(_METADATA)

    async def _get_features(self, request: web.Request) -> web.Response:
        return web.json_response(FEATURES)

    async def _get_system_stats(self, request: web.Request) -> web.Response:
        system: dict[str, Any] = {"os": "posix", "python_version": "3.11.7", "embedded_python": False}
        if self.profile.reported_version is not None:
            system["comfyui_version"] = self.profile.reported_version
        if self.profile.tells_argv:
            system["argv"] = ["main.py", "--cpu", "--preview-method", self._preview_method]
        memory = {"vram_total": 25276502016, "vram_free": 21119725568}
        device = {"name": "cpu", "type": "cpu", "index": None, **memory}
        return web.json_response({"system": system, "devices": [device]})

    async def _post_free(self, request: web.Request) -> web.Response:
        if (await request.json()).get("free_memory"):
            self.worker.free()
        return web.Response()

    async def _get_counts(self, request: web.Request) -> web.Response:
        sockets = {"open": self.sockets.open_count, "opened": self.sockets.opened}
        left = [prompt for prompt in (self.worker.running, *self.worker.pending) if prompt is not None]
        ends = self.worker.history.items()
        prompts = {
            "accepted": [_named(each) for each in self._accepted],
            "left": [_named(each) for each in left],
            "succeeded": [prompt_id for prompt_id, entry in ends if entry["status"]["completed"]],
            "ended": self.worker.ended,
        }
        return web.json_response({"sockets": sockets, "requests": self.requests, "prompts": prompts})

    async def _post_faults(self, request: web.Request) -> web.Response:
        self.misbehave(await request.json())
        return web.Response()

    def misbehave(self, wanted: dict[str, Any]) -> None:
        """Sets switches of `Faults` by name. At once are done "drop_sockets", "restart", and "dead_s": a restart during
        which new connections are refused for so many seconds.
        """
        if wanted.pop("drop_sockets", False):
            self.drop_sockets()
        if "dead_s" in wanted or wanted.pop("restart", False):
            self._restarting = asyncio.create_task(self.restart(dead_s=float(wanted.pop("dead_s", 0))))
        for name, value in wanted.items():
            setattr(self.faults, name, set(value) if name == "garbage_paths" else value)

    def object_info(self) -> dict[str, Any]:
        classes: dict[str, Any] = json.loads(_OBJECT_INFO)
        for (class_type, name), folder in _CHOICES.items():
            choices = self.models[folder] + (("pixel_space",) if folder == "vae" else ())
            spec = classes[class_type]["input"]["required"][name]
            if spec[0] == "COMBO":
                spec[1]["options"] = list(choices)
            else:
                spec[0] = list(choices)
        for class_type in ("LoadImage", "LoadImageMask"):
            classes[class_type]["input"]["required"]["image"][0] = self.files.names("input")
        return {class_type: definition for class_type, definition in classes.items() if class_type not in self.lacks}


def _named(prompt: Prompt) -> dict[str, Any]:
    return {"prompt_id": prompt.prompt_id, "extra_data": prompt.extra_data}


_OBJECT_INFO = (Path(__file__).parent / "object_info.json").read_text()


@asynccontextmanager
async def open_fake(
    version: str = "0.3.64",
    *,
    port: int = 0,
    step_s: float = 0.02,
    preview_method: str = "latent2rgb",
    is_listening: bool = True,
) -> AsyncIterator[FakeComfyUI]:
    """A fake on 127.0.0.1, working; port 0 takes a free one."""
    fake = FakeComfyUI(version, step_s=step_s, preview_method=preview_method)
    fake._address = ("127.0.0.1", port)
    fake.start_working()
    await fake.start_listening()
    if not is_listening:
        await fake.stop_listening()
    try:
        yield fake
    finally:
        await fake.close()
