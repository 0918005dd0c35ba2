"""The routes by which an admin sets it up, with the traps of the real ones."""

import re
from typing import Any

from aiohttp import web

from tests.fakes.openwebui.answers import NOT_FOUND, check_admin, missing, problem, user_of
from tests.fakes.openwebui.state import IMAGES, State

TOOL_SERVER = {"type": "openapi", "forward_cookies": False, "headers": None, "info": None}
"""What a connection gets where it does not say it."""
FUNCTION = {"is_active": False, "is_global": False, "valves": None}
REPLACED = {
    "from utils": "from open_webui.utils",
    "from apps": "from open_webui.apps",
    "from main": "from open_webui.main",
    "from config": "from open_webui.config",
}
"""What it changes in the source of functions, wherever it stands."""


class Settings:
    """The handlers."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        one = "/api/v1/functions/id/{id}"
        return [
            web.get("/api/v1/images/config", self._images),
            web.post("/api/v1/images/config/update", self._set_images),
            web.get("/api/v1/images/models", self._models),
            web.post("/api/v1/images/verify", self._verify_engine),
            web.get("/openai/config", self._openai),
            web.post("/openai/config/update", self._set_openai),
            web.post("/openai/verify", self._verify_models),
            web.get("/api/v1/configs/tool_servers", self._tools),
            web.post("/api/v1/configs/tool_servers", self._set_tools),
            web.post("/api/v1/configs/tool_servers/verify", self._verify_tools),
            web.get("/api/v1/functions/", self._functions),
            web.post("/api/v1/functions/create", self._create),
            web.get(one, self._function),
            web.post(one + "/update", self._update),
            web.delete(one + "/delete", self._delete),
            web.get(one + "/valves", self._valves),
            web.get(one + "/valves/spec", self._spec),
            web.post(one + "/valves/update", self._set_valves),
            web.post(one + "/toggle", self._toggle),
            web.post(one + "/toggle/global", self._toggle_global),
        ]

    async def _images(self, request: web.Request) -> web.Response:
        check_admin(request)
        return web.json_response(self._state.images)

    async def _set_images(self, request: web.Request) -> web.Response:
        check_admin(request)
        body = await request.json()
        for name in IMAGES:
            if name not in body:
                raise missing(name)
        if body["IMAGE_SIZE"] == "auto" and not body["IMAGE_GENERATION_MODEL"].startswith("gpt-image"):
            raise problem(400, "[ERROR: Invalid format. auto is only allowed with models matching ^gpt-image]")
        if body["IMAGE_SIZE"] not in ("auto", "") and not re.match(r"^\d+x\d+$", body["IMAGE_SIZE"]):
            raise problem(400, "[ERROR: Invalid format. Please use the correct format (e.g., 512x512).]")
        self._state.images = {name: body[name] for name in IMAGES}
        self._state.images["COMFYUI_BASE_URL"] = body["COMFYUI_BASE_URL"].strip("/")
        return web.json_response(self._state.images)

    async def _models(self, request: web.Request) -> web.Response:
        user_of(request)
        if self._state.images["COMFYUI_BASE_URL"] not in self._state.reachable:
            raise problem(400, "[ERROR: Failed to retrieve image generation models]")
        return web.json_response([{"id": name, "name": name} for name in self._state.models])

    async def _openai(self, request: web.Request) -> web.Response:
        check_admin(request)
        return web.json_response(self._state.openai)

    async def _set_openai(self, request: web.Request) -> web.Response:
        check_admin(request)
        body = await request.json()
        urls, keys = body["OPENAI_API_BASE_URLS"], body["OPENAI_API_KEYS"]
        configs = {key: value for key, value in body["OPENAI_API_CONFIGS"].items() if key in map(str, range(len(urls)))}
        self._state.openai = {
            "ENABLE_OPENAI_API": body.get("ENABLE_OPENAI_API"),
            "OPENAI_API_BASE_URLS": urls,
            "OPENAI_API_KEYS": [*keys, *[""] * len(urls)][: len(urls)],
            "OPENAI_API_CONFIGS": configs,
        }
        return web.json_response(self._state.openai)

    async def _tools(self, request: web.Request) -> web.Response:
        check_admin(request)
        return web.json_response({"TOOL_SERVER_CONNECTIONS": self._state.tools})

    async def _set_tools(self, request: web.Request) -> web.Response:
        check_admin(request)
        body = await request.json()
        for connection in body["TOOL_SERVER_CONNECTIONS"]:
            for name in ("url", "path", "auth_type", "key", "config"):
                if name not in connection:
                    raise missing("TOOL_SERVER_CONNECTIONS", name)
        self._state.tools = [{**TOOL_SERVER, **connection} for connection in body["TOOL_SERVER_CONNECTIONS"]]
        return web.json_response({"TOOL_SERVER_CONNECTIONS": self._state.tools})

    async def _verify_models(self, request: web.Request) -> web.Response:
        if self._state.wanted_key not in ("", (await request.json())["key"]):
            raise problem(401, "wrong key")  # what the other server answers comes through
        return await self._verify(request, "Server Connection Error")

    async def _verify_engine(self, request: web.Request) -> web.Response:
        return await self._verify(request, "Oops! The URL you provided is invalid.")

    async def _verify_tools(self, request: web.Request) -> web.Response:
        return await self._verify(request, "Failed to connect to the tool server")

    async def _verify(self, request: web.Request, otherwise: str) -> web.Response:
        check_admin(request)
        if (await request.json())["url"] not in self._state.reachable:
            raise problem(400, otherwise)
        return web.json_response(True)

    async def _functions(self, request: web.Request) -> web.Response:
        user_of(request)
        return web.json_response([_shown(function) for function in self._state.functions.values()])

    async def _create(self, request: web.Request) -> web.Response:
        check_admin(request)
        form = await request.json()
        if form["id"] in self._state.functions:
            raise problem(400, "Uh-oh! This id is already registered. Please choose another id string.")
        function = {**FUNCTION, **_checked(form), "id": form["id"].lower(), "type": "filter"}
        self._state.functions[function["id"]] = function
        return web.json_response(_shown(function))

    async def _function(self, request: web.Request) -> web.Response:
        return web.json_response(self._one(request))

    async def _update(self, request: web.Request) -> web.Response:
        function = self._one(request)
        function.update(_checked(await request.json()))
        return web.json_response(_shown(function))

    async def _delete(self, request: web.Request) -> web.Response:
        check_admin(request)
        return web.json_response(self._state.functions.pop(request.match_info["id"], None) is not None)

    async def _valves(self, request: web.Request) -> web.Response:
        return web.json_response(self._one(request)["valves"])

    async def _spec(self, request: web.Request) -> web.Response:
        self._one(request)
        return web.json_response({"properties": {}, "users_told": self._state.users_told})

    async def _set_valves(self, request: web.Request) -> web.Response:
        function, form = self._one(request), await request.json()
        function["valves"] = {name: value for name, value in form.items() if value is not None}
        return web.json_response(function["valves"])

    async def _toggle(self, request: web.Request) -> web.Response:
        function = self._one(request)
        function["is_active"] = not function["is_active"]
        return web.json_response(function)

    async def _toggle_global(self, request: web.Request) -> web.Response:
        function = self._one(request)
        function["is_global"] = not function["is_global"]
        return web.json_response(function)

    def _one(self, request: web.Request) -> dict[str, Any]:
        check_admin(request)
        function = self._state.functions.get(request.match_info["id"])
        if function is None:
            raise problem(401, NOT_FOUND)  # 401 it is
        return function


def _checked(form: dict[str, Any]) -> dict[str, Any]:
    content = form["content"]
    for old, new in REPLACED.items():
        content = content.replace(old, new)
    if "class Filter" not in content:
        raise problem(400, "[ERROR: Error loading function]")
    return {"name": form["name"], "meta": form["meta"], "content": content}


def _shown(function: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in function.items() if name not in ("content", "valves")}
