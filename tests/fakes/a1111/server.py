"""The fake's HTTP side: routes, modes, forks, auth and what breaks between engine and client."""

import asyncio
import json
import random
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, TypeAlias

from aiohttp import web

from tests.fakes.a1111.engine import Config, Engine
from tests.fakes.a1111.faults import Faults
from tests.fakes.a1111.info import recorded
from tests.fakes.a1111.requests import ServerError, not_an_exception

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


_TEXT_ENCODERS = [
    {"model_name": name, "filename": f"/srv/webui/models/text_encoder/{name}"}
    for name in ("clip_l.safetensors", "t5xxl_fp16.safetensors")
]
"""Forge's."""


class Flavor(Enum):
    A1111 = "a1111"
    FORGE = "forge"
    SDNEXT = "sdnext"


class FakeA1111:
    """One server at one address. It can go down, come back and lose its connections."""

    def __init__(
        self,
        *,
        port: int,
        is_webui: bool,
        flavor: Flavor,
        api_auth: str,
        step_s: float,
        load_s: float,
        is_loaded: bool,
        has_task_ids: bool,
    ) -> None:
        self.faults = Faults()
        self.config = Config()
        self.port = port
        self.requests: list[str] = []
        """Method and path of every request, in order."""
        self.controlnets: list[str] = []
        """As the extension lists them; empty: it is not installed."""
        self.polls_in_flight = 0
        self.max_polls_in_flight = 0
        self._is_webui = is_webui and flavor is not Flavor.SDNEXT
        self._flavor = flavor
        self._authorization = "Basic " + b64encode(api_auth.encode()).decode() if api_auth else ""
        self._has_task_ids = has_task_ids and flavor is not Flavor.SDNEXT
        self._step_s, self._load_s, self._is_loaded = step_s, load_s, is_loaded
        self._jobs: dict[asyncio.Task[dict[str, Any]], asyncio.Transport | None] = {}
        self._transports: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._begin()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # --- life ---

    async def start(self) -> None:
        app = web.Application(client_max_size=2**28, middlewares=[self._misbehave])
        app.router.add_route("*", "/{path:.*}", self._dispatch)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Dies: connections are reset, jobs are lost, the port is closed."""
        self._end.set()
        for transport in list(self._transports):
            transport.abort()
        for job in list(self._jobs):
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def restart(self, *, dead_s: float = 0.0) -> None:
        """For so long connections are refused."""
        await self.stop()
        await asyncio.sleep(dead_s)
        self._begin()
        await self.start()

    async def close_port(self) -> None:
        """Shuts down gracefully: new connections are refused, and the jobs are finished and answered."""
        assert self._site is not None
        await self._site.stop()
        for transport in self._transports - set(self._jobs.values()):
            transport.close()

    def drop_job_connections(self) -> None:
        """The jobs go on: closing a connection cancels nothing."""
        for transport in self._jobs.values():
            if transport is not None:
                transport.abort()

    def _begin(self) -> None:
        self.engine = Engine(
            config=self.config,
            faults=self.faults,
            step_s=self._step_s,
            load_s=self._load_s,
            is_loaded=self._is_loaded,
        )
        if self._flavor is Flavor.FORGE:
            self.engine.extra_fields = {"distilled_cfg_scale": 3.5}
        self._end = asyncio.Event()
        self.app_id = random.getrandbits(64)  # may exceed 2^63

    # --- jobs of others ---

    def post_foreign(self, *, steps: int = 10**6) -> asyncio.Task[dict[str, Any]]:
        """Somebody else posts a job; without the default it never ends by itself."""
        body = {"prompt": "somebody else's", "steps": steps, "width": 64, "height": 64, "force_task_id": ""}
        return self._post_job("txt2img", body, None, is_foreign=True)

    def _post_job(
        self, kind: str, body: Any, transport: asyncio.Transport | None, *, is_foreign: bool = False
    ) -> asyncio.Task[dict[str, Any]]:
        job = asyncio.create_task(self.engine.run(kind, body, is_foreign=is_foreign))
        self._jobs[job] = transport
        job.add_done_callback(self._forget_job)
        return job

    def _forget_job(self, job: asyncio.Task[dict[str, Any]]) -> None:
        self._jobs.pop(job, None)
        if not job.cancelled():
            job.exception()  # seen: whoever posted it may be gone

    # --- requests ---

    async def wait_for_requests(self, count: int) -> None:
        """Until so many more have come."""
        wanted = len(self.requests) + count
        await self.engine.wait_until(lambda: len(self.requests) >= wanted)

    @web.middleware
    async def _misbehave(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self._transports.add(transport)
        if request.path.startswith("/_fake"):
            return await handler(request)
        self.requests.append(f"{request.method} {request.path}")
        self.engine.changes.tell()
        if self.faults.is_silent:
            await self._end.wait()
        if self.faults.answer_delay_s:
            await asyncio.sleep(self.faults.answer_delay_s)
        response = await handler(request)
        if self.faults.is_silent:
            await self._end.wait()
        if self.faults.sends_garbage:
            return web.Response(text='{"images": ["iVBO', content_type="application/json")
        return response

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        try:
            self._authorize(request)
            return await self._answer(request)
        except ServerError as error:
            return self._error(error)
        except ConnectionError:
            raise web.HTTPBadRequest from None  # whoever asked is gone, and this goes nowhere

    def _authorize(self, request: web.Request) -> None:
        """Extension routes such as /loras, and all outside /sdapi, are open."""
        is_core = request.path.startswith("/sdapi/") and request.path != "/sdapi/v1/loras"
        if self._authorization and is_core and request.headers.get("Authorization") != self._authorization:
            detail = "Incorrect username or password" if "Authorization" in request.headers else "Not authenticated"
            raise not_an_exception(401, detail)

    def _error(self, error: ServerError) -> web.Response:
        if error.status == 422 and isinstance(error.detail, list):
            return web.json_response({"detail": error.detail}, status=422)
        if self._flavor is not Flavor.FORGE:
            document = {"error": error.error, "detail": error.detail, "body": "", "errors": error.errors}
        elif error.error == "HTTPException":
            document = {"detail": error.detail}
        else:
            document = {"error": error.error, "detail": error.detail, "body": "", "message": error.errors}
        return web.json_response(document, status=error.status)

    async def _answer(self, request: web.Request) -> web.Response:
        match request.method, request.path:
            case "POST", "/sdapi/v1/txt2img" | "/sdapi/v1/img2img":
                return await self._run_job(request)
            case "GET", "/sdapi/v1/progress":
                return await self._global_progress(request)
            case "POST", "/internal/progress" if self._is_webui:
                return await self._task_progress(request)
            case "GET", "/internal/pending-tasks" if self._is_webui and self._has_task_ids:
                tasks = list(self.engine.tasks.pending)
                return web.json_response({"size": len(tasks), "tasks": tasks})
            case "GET", "/app_id" if self._is_webui:
                return web.json_response({"app_id": self.app_id})
            case "POST", "/sdapi/v1/interrupt":
                self.engine.interrupt()
                return self._done({})
            case "POST", "/sdapi/v1/skip":
                self.engine.skip()
                return self._done(None)
            case "POST", "/sdapi/v1/unload-checkpoint":
                self.engine.unload()
                return self._done({})
            case "GET", "/sdapi/v1/options":
                return self._options()
            case "POST", "/sdapi/v1/options":
                await self.engine.set_options(await request.json())
                return self._done(None)
            case "GET", "/sdapi/v1/sd-models":
                return web.json_response(self.engine.models)
            case "POST", "/sdapi/v1/refresh-checkpoints":
                await self.engine.refresh_models()
                return self._done(None)
            case "POST", "/sdapi/v1/refresh-vae" if self._flavor is not Flavor.FORGE:
                return self._done(None)
            case "POST", "/sdapi/v1/refresh-loras" | "/sdapi/v1/refresh-embeddings":
                return self._done(None)
            case "GET", "/controlnet/model_list" if self.controlnets:
                return web.json_response({"model_list": ["None", *self.controlnets]})
            case "POST", "/_fake/faults":
                return await self._set_faults(request)
            case "GET", "/_fake":
                received = [str(each["force_task_id"]) for each in self.engine.received]
                left = [job.task for job in self.engine.jobs]
                ends = {"succeeded": self.engine.succeeded, "ended": self.engine.ended}
                return web.json_response({"received": received, "left": left, **ends})
            case "GET", path:
                return self._list(path)
        return _not_found()

    async def _run_job(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except json.JSONDecodeError as exc:
            item = {"loc": ["body", exc.pos], "msg": str(exc), "type": "value_error.jsondecode"}
            raise ServerError(422, detail=[item]) from exc
        if isinstance(body, dict) and not self._has_task_ids:
            body.pop("force_task_id", None)
        job = self._post_job(request.path.rpartition("/")[2], body, request.transport)
        await asyncio.wait({job})
        if self.faults.keeps_job_answers:
            await self._end.wait()
        if job.cancelled():  # the server has died; nobody gets this
            return _not_found()
        return web.json_response(job.result())

    async def _global_progress(self, request: web.Request) -> web.Response:
        async with self._counting_polls():
            shows_image = request.query.get("skip_current_image", "false").lower() != "true"
            document = self.engine.progress(shows_image=shows_image)
        if self._flavor is Flavor.SDNEXT:
            document |= {"id": "0", "progress": round(max(0.0, document["progress"] - 0.01), 2)}
            del document["state"]["stopping_generation"]
        return web.json_response(document)

    async def _task_progress(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self._counting_polls():
            return web.json_response(
                self.engine.task_progress(
                    body.get("id_task"),
                    preview_id=body.get("id_live_preview", -1),
                    shows_preview=body.get("live_preview", True),
                )
            )

    @asynccontextmanager
    async def _counting_polls(self) -> AsyncIterator[None]:
        self.polls_in_flight += 1
        self.max_polls_in_flight = max(self.max_polls_in_flight, self.polls_in_flight)
        try:
            await asyncio.sleep(0)  # lets another one come in
            yield
        finally:
            self.polls_in_flight -= 1

    def _done(self, document: object) -> web.Response:
        if self._flavor is Flavor.SDNEXT:
            return web.Response(status=204)
        return web.json_response(document)

    def _options(self) -> web.Response:
        # A wrongly typed value is accepted, and breaks this route afterwards.
        for key, default in recorded("options").items():
            if isinstance(default, int | float) and not isinstance(self.engine.options[key], int | float):
                text = f"1 validation error for Options\nresponse -> {key}\n  value is not a valid float"
                raise ServerError(500, "ValidationError", errors=text)
        return web.json_response(self.engine.options)

    def _list(self, path: str) -> web.Response:
        name = path.removeprefix("/sdapi/v1/")
        if self._flavor is Flavor.FORGE and name in ("sd-vae", "sd-modules"):
            return web.json_response(recorded("sd-vae") + _TEXT_ENCODERS) if name == "sd-modules" else _not_found()
        names = (
            "samplers", "schedulers", "sd-vae", "upscalers", "latent-upscale-modes", "loras", "embeddings",
            "prompt-styles", "memory",
        )  # fmt: skip
        return web.json_response(recorded(name)) if name in names else _not_found()

    async def _set_faults(self, request: web.Request) -> web.Response:
        """Fields of `Faults`, or {"do": "restart" | "drop_job_connections" | "interrupt" | "post_foreign"}; with
        "dead_s" a restart refuses connections for so many seconds.
        """
        values = await request.json()
        dead_s = float(values.pop("dead_s", 0))
        match values.pop("do", None):
            case "restart":
                asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.restart(dead_s=dead_s)))
            case "drop_job_connections":
                self.drop_job_connections()
            case "interrupt":
                self.engine.interrupt()
            case "post_foreign":
                self.post_foreign(steps=100)
        try:
            self.faults.set(values)
        except ValueError as exc:
            return web.json_response({"detail": str(exc)}, status=422)
        return web.json_response(None)


def _not_found() -> web.Response:
    return web.json_response({"detail": "Not Found"}, status=404)


@asynccontextmanager
async def open_fake(
    *,
    port: int = 0,
    is_webui: bool = True,
    flavor: Flavor = Flavor.A1111,
    api_auth: str = "",
    step_s: float = 0.005,
    load_s: float = 0.02,
    is_loaded: bool = True,
    has_task_ids: bool = True,
) -> AsyncIterator[FakeA1111]:
    """`api_auth` is "user:password"; `has_task_ids` False is a version before 1.8.0; `is_loaded` False has no model
    loaded yet, as just after its start.
    """
    fake = FakeA1111(
        port=port,
        is_webui=is_webui,
        flavor=flavor,
        api_auth=api_auth,
        step_s=step_s,
        load_s=load_s,
        is_loaded=is_loaded,
        has_task_ids=has_task_ids,
    )
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()
