"""Open WebUI's REST API, as far as it is needed to set it up. Tried with 0.12.4.

What its routes really do is said at the line that deals with it; they are in open_webui/routers/*.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Self

import aiohttp

from imagegen_client.errors import NotAllowed, NotPossible, ServerFault, Unavailable
from imagegen_client.openwebui.choices import FILTER_DESCRIPTION, FILTER_ID, FILTER_NAME
from imagegen_client.openwebui.items import (
    FILTER,
    Change,
    Documents,
    Value,
    images_after,
    openai_after,
    tools_after,
)

TIMEOUT_S: Final = 60.0
"""For one call: Open WebUI looks at the tool server before it answers."""
MIN_VERSION: Final = (0, 10, 0)
"""The first that fills {{TASK}} into the headers of a connection, by which titles are told from pictures."""
MAX_DETAIL: Final = 300

VERSION: Final = "/api/version"
IMAGES: Final = "/api/v1/images/config"
OPENAI: Final = "/openai/config"
TOOLS: Final = "/api/v1/configs/tool_servers"
FUNCTIONS: Final = "/api/v1/functions"


class KeyRefused(Exception):
    """Another server, asked by Open WebUI, does not take the key."""


class OpenWebUI:
    """One Open WebUI, spoken to as an administrator. Made by `open_webui`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, token: str) -> AsyncIterator[Self]:
        """Connects. Raises Unavailable, NotAllowed, NotPossible (too old), ServerFault, as every call may."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=timeout, raise_for_status=False) as session:
            found = cls(url, session)
            await found._check_version()
            yield found

    async def read(self) -> Documents:
        """All that may be changed, as it is now."""
        images = await self._call("GET", IMAGES)
        openai = await self._call("GET", OPENAI)
        tools = await self._call("GET", TOOLS)
        return Documents(
            images=images,
            openai=openai,
            tools=tools.get("TOOL_SERVER_CONNECTIONS") or [],
            functions=await self._read_functions(),
        )

    async def write(self, section: str, changes: Sequence[Change]) -> None:
        """Makes the changes of one section, on top of what is there now."""
        now = await self.read()
        match section:
            case "images":
                await self._call("POST", f"{IMAGES}/update", images_after(now, changes))
            case "openai":
                await self._call("POST", f"{OPENAI}/update", openai_after(now, changes))
            case "tools":
                await self._call("POST", TOOLS, {"TOOL_SERVER_CONNECTIONS": tools_after(now, changes)})
            case "filter":
                for change in changes:
                    name = change.item.removeprefix(FILTER)
                    await self._write_function(name, now.functions.get(name), change.becomes)

    async def image_models(self) -> list[str]:
        """The models of its image engine; empty where it gets no answer from it."""
        try:
            return [model["id"] for model in await self._call("GET", "/api/v1/images/models") or []]
        except ServerFault:
            return []

    async def users_told(self) -> str:
        """How it tells its image engine who asks: "no", "plain", "signed"; empty: not known without the filter."""
        if FILTER_ID not in await self._names_of_functions():
            return ""
        schema = await self._call("GET", f"{FUNCTIONS}/id/{FILTER_ID}/valves/spec")
        return str(schema.get("users_told", ""))

    async def reaches_models(self, url: str, key: str) -> bool:
        """Whether Open WebUI gets an answer from an OpenAI API. Raises KeyRefused when that does not take the key."""
        try:
            await self._call("POST", "/openai/verify", {"url": url, "key": key})
        except NotAllowed as exc:  # says the other server: our token was good enough for all that came before
            raise KeyRefused from exc
        except ServerFault:
            return False
        return True

    async def reaches_engine(self, engine: str, url: str, key: str) -> bool:
        """Whether Open WebUI gets an answer from A1111's or ComfyUI's API."""
        return await self._finds("/api/v1/images/verify", {"engine": engine, "url": url, "key": key})

    async def reaches_tools(self, connection: Mapping[str, Value]) -> bool:
        """Whether Open WebUI gets a tool server's description."""
        return await self._finds(f"{TOOLS}/verify", connection)

    async def _finds(self, path: str, body: Value) -> bool:
        try:
            await self._call("POST", path, body)
        except (ServerFault, NotAllowed):  # what the other server answered comes through with its status
            return False
        return True

    async def _check_version(self) -> None:
        answer = await self._call("GET", VERSION)
        version = answer.get("version") if isinstance(answer, Mapping) else None
        if not isinstance(version, str):
            raise ServerFault(f"there is no Open WebUI at {self._url}: it does not tell its version")
        if version_number(version) < MIN_VERSION:
            wanted = ".".join(map(str, MIN_VERSION))
            raise NotPossible(f"Open WebUI {version} is too old: imagegen needs {wanted} or newer")

    async def _read_functions(self) -> dict[str, dict[str, Value]]:
        if FILTER_ID not in await self._names_of_functions():
            return {}
        found = await self._call("GET", f"{FUNCTIONS}/id/{FILTER_ID}")
        valves = await self._call("GET", f"{FUNCTIONS}/id/{FILTER_ID}/valves")
        function = {"content": found["content"], "active": found["is_active"], "global": found["is_global"]}
        return {FILTER_ID: {**function, "valves": valves or {}}}

    async def _names_of_functions(self) -> set[str]:
        # Asking for one that is not there is answered 401, as a wrong token is.
        return {function["id"] for function in await self._call("GET", f"{FUNCTIONS}/")}

    async def _write_function(
        self, name: str, now: Mapping[str, Value] | None, wanted: Mapping[str, Value] | None
    ) -> None:
        path = f"{FUNCTIONS}/id/{name}"
        if wanted is None:
            await self._call("DELETE", f"{path}/delete")
            return
        form = {"id": name, "name": FILTER_NAME, "meta": {"description": FILTER_DESCRIPTION}}
        if now is None:
            await self._call("POST", f"{FUNCTIONS}/create", {**form, "content": wanted["content"]})
            now = {"content": wanted["content"], "active": False, "global": False, "valves": {}}
        elif now["content"] != wanted["content"]:
            await self._call("POST", f"{path}/update", {**form, "content": wanted["content"]})
        if now["valves"] != wanted["valves"]:  # before it may run
            await self._call("POST", f"{path}/valves/update", wanted["valves"])
        if now["global"] != wanted["global"]:
            await self._call("POST", f"{path}/toggle/global")
        if now["active"] != wanted["active"]:
            await self._call("POST", f"{path}/toggle")

    async def _call(self, method: str, path: str, body: Value = None) -> Value:
        with self._translated():
            # Not where it is sent on to: a POST would become a GET there, and the token is for this address.
            request = self._session.request(method, self._url + path, json=body, allow_redirects=False)
            async with request as response:
                if response.status in (401, 403):
                    raise NotAllowed(
                        f"{self._url} does not let this token do that ({response.status}): it has to be an "
                        "administrator's API key, with API keys switched on in Open WebUI's settings, "
                        "or an administrator's session token"
                    )
                if response.status == 404 and path == VERSION:
                    raise ServerFault(f"there is no Open WebUI at {self._url}")
                if response.status >= 300:
                    raise ServerFault(f"{self._url}{path} answered {response.status}: {await _detail(response)}")
                return await response.json(content_type=None)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as exc:
            raise Unavailable(f"Open WebUI at {self._url} does not answer") from exc
        except aiohttp.ClientError as exc:
            raise Unavailable(f"cannot reach Open WebUI at {self._url}: {exc}") from exc
        except ValueError as exc:
            raise ServerFault(f"there is no Open WebUI at {self._url}: its answer is no JSON") from exc


def version_number(text: str) -> tuple[int, ...]:
    """ "0.12.4-dev" as (0, 12, 4)."""
    parts = text.removeprefix("v").partition("-")[0].split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


async def _detail(response: aiohttp.ClientResponse) -> str:
    try:
        body = await response.json(content_type=None)
        text = str(body.get("detail", body) if isinstance(body, Mapping) else body)
    except (ValueError, asyncio.IncompleteReadError):
        text = response.reason or ""
    return text[:MAX_DETAIL]
