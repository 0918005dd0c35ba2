"""HTTP and websocket calls to one ComfyUI server. Every call is bounded in time and size and raises AdapterError."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from imagegen_adapters.comfyui.answers import (
    ATTEMPT_TAG,
    HistoryEntry,
    QueueEntry,
    ServerInfo,
    read_history,
    read_metadata,
    read_names,
    read_queue,
    read_queue_remaining,
    read_server_info,
    read_sizes,
    read_uploaded,
)
from imagegen_adapters.comfyui.protocol import FEATURE_FLAGS, OutputFile
from imagegen_adapters.config import LOOPS
from imagegen_adapters.errors import AdapterError, Rejected, Unauthenticated, Unintelligible, Unreachable

_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_MAX_FILE_BYTES = 512 * 1024 * 1024
_MAX_FRAME_BYTES = 64 * 1024 * 1024
_DECODED_IN_LOOP_BYTES = 1024 * 1024
_RECENT_PROMPTS = 32
_REFUSES_LOGIN = frozenset({401, 407})
_HAS_NO_SERVER = frozenset({502, 503, 504})
"""What a proxy answers while the server behind it restarts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take, in seconds."""

    request_s: float = 8.0
    """One small request, or the opening of the websocket."""
    transfer_s: float = 120.0
    """One request that moves a file, or the node classes."""
    ping_s: float = 20.0
    """Between pings on the websocket: finds links that died without a word."""
    reconnect_pause_s: float = 0.6
    """Before the websocket is opened again. Under half a second the server may silence the new one for good."""
    reconnect_limit_s: float = 8.0
    """The pause doubles up to this."""
    poll_s: float = 1.5
    """Between questions over HTTP while frames cannot be relied on."""
    silence_s: float = 15.0
    """Without a frame for so long, HTTP is asked; after twice as long the websocket is opened again."""
    status_s: float = 4.5
    """Everything that `status` asks; the contract gives it five seconds."""
    refused_s: float = 3.0
    """After so long of nothing but refused connections the process is taken for dead."""
    unreachable_s: float = 30.0
    """After so long without any sensible answer an attempt is given up. Not sooner: a server that reads a large
    checkpoint can answer nothing for a while, and that looks the same as one that hangs.
    """
    cancel_s: float = 20.0
    """A cancel that is not confirmed by then is reported as such."""


class ComfyClient:
    """One HTTP session. `open_client` makes it."""

    def __init__(self, session: aiohttp.ClientSession, url: URL, timing: Timing) -> None:
        self._session = session
        self._url = url
        self._timing = timing

    async def server_info(self) -> ServerInfo:
        return read_server_info(await self._get("system_stats"))

    async def queue_remaining(self) -> int:
        """Jobs of everybody. Cheap, as `queue` is not: that answers whole graphs."""
        return read_queue_remaining(await self._get("prompt"))

    async def queue(self) -> tuple[QueueEntry, ...]:
        return read_queue(await self._get("queue"))

    async def history(self, prompt_id: str) -> HistoryEntry | None:
        """How a prompt ended; None while it has not, or if it is not known."""
        entries = read_history(await self._get("history", prompt_id))
        return next((entry for entry in entries if entry.prompt_id == prompt_id), None)

    async def recent_history(self) -> tuple[HistoryEntry, ...]:
        return read_history(await self._get("history", query={"max_items": str(_RECENT_PROMPTS)}))

    async def object_info(self) -> bytes:
        """The definitions of the server's node classes as they came; `nodes` reads them."""
        async with self._request("GET", "object_info", timeout_s=self._timing.transfer_s) as response:
            _check(response)
            return await _read(response, _MAX_ANSWER_BYTES)

    async def embeddings(self) -> tuple[str, ...]:
        answer = await self._get("embeddings")
        return tuple(str(name) for name in answer) if isinstance(answer, list) else ()

    async def model_lists(self, ignored: Collection[str]) -> Mapping[str, tuple[str, ...]] | None:
        """The files of every folder of models but the ignored ones; None: the server is too old to tell.

        Cheap: the server looks which of its folders were changed.
        """
        answer = await self._get_if_any("models")
        if answer is None:
            return None
        folders = [folder for folder in read_names(answer) if folder not in ignored]
        listed = await asyncio.gather(*(self._get_if_any("models", folder) for folder in folders))
        return {folder: read_names(names or ()) for folder, names in zip(folders, listed, strict=True)}

    async def model_sizes(self, folder: str) -> Mapping[str, int]:
        """Bytes of the folder's files by name; nothing where the server does not tell."""
        return read_sizes(await self._get_if_any("experiment", "models", folder) or ())

    async def model_metadata(self, folder: str, name: str) -> Mapping[str, str]:
        """What a file says about itself; nothing where it is no safetensors file or says nothing."""
        return read_metadata(await self._get_if_any("view_metadata", folder, query={"filename": name}) or {})

    async def submit(
        self, graph: Mapping[str, Any], *, client_id: str, attempt_id: str, extra_data: Mapping[str, Any]
    ) -> tuple[int, Any]:
        """Queues a graph; gives status and answer, as a refusal has much to say."""
        body = {
            "prompt": graph,
            "client_id": client_id,
            "prompt_id": attempt_id,
            "extra_data": {**extra_data, ATTEMPT_TAG: attempt_id},
        }
        # Graphs of callers may hold integers beyond what orjson writes: refusing them is the server's business.
        async with self._request("POST", "prompt", data=json.dumps(body).encode(), is_json=True) as response:
            if response.status not in {200, 400}:
                raise Unintelligible(f"the backend answered {response.status} to a prompt")
            return response.status, await _json(response)

    async def delete_pending(self, prompt_id: str) -> None:
        """Takes a prompt out of the queue; nothing happens to a running one."""
        await self._post("queue", {"delete": [prompt_id]})

    async def interrupt(self, prompt_id: str) -> None:
        """Stops a running prompt. Servers up to 0.3.56 stop whatever runs: ask `queue` right before."""
        await self._post("interrupt", {"prompt_id": prompt_id})

    async def cancel_job(self, prompt_id: str) -> bool:
        """Stops a prompt by newer servers' own call. False: this server does not have it."""
        path = ("api", "jobs", prompt_id, "cancel")
        async with self._request("POST", *path, data=b"{}", is_json=True) as response:
            return response.status == 200

    async def free(self) -> None:
        """Has models and cached results dropped, once the running prompt has ended."""
        await self._post("free", {"unload_models": True, "free_memory": True})

    async def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Stores an input image; gives the name that LoadImage takes."""
        form = aiohttp.FormData()
        form.add_field("image", data, filename=name, content_type=media_type)
        form.add_field("subfolder", "imagegen")
        timeout_s = self._timing.transfer_s
        async with self._request("POST", "upload", "image", data=form, timeout_s=timeout_s) as response:
            _check(response)
            return read_uploaded(await _json(response))

    async def fetch(self, file: OutputFile) -> bytes | None:
        """The bytes of a result; None if the server does not have it any more."""
        query = {"filename": file.filename, "subfolder": file.subfolder, "type": file.folder}
        timeout_s = self._timing.transfer_s
        async with self._request("GET", "view", query=query, timeout_s=timeout_s) as response:
            if response.status in {400, 403, 404}:
                return None
            _check(response)
            return await _read(response, _MAX_FILE_BYTES)

    @asynccontextmanager
    async def events(self, client_id: str) -> AsyncIterator[AsyncIterator[str | bytes]]:
        """The messages of a new websocket, which ends with the iteration. Its close has been awaited on leaving."""
        url = (self._url / "ws").with_query(clientId=client_id)
        with _translated(self._url):
            async with asyncio.timeout(self._timing.request_s):
                socket = await self._session.ws_connect(
                    url,
                    max_msg_size=_MAX_FRAME_BYTES,
                    heartbeat=self._timing.ping_s,
                    timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                )
            async with socket:
                await socket.send_str(FEATURE_FLAGS)
                yield _messages(socket)

    async def _get(self, *path: str, query: Mapping[str, str] | None = None, timeout_s: float | None = None) -> Any:
        async with self._request("GET", *path, query=query, timeout_s=timeout_s) as response:
            _check(response)
            return await _json(response)

    async def _get_if_any(self, *path: str, query: Mapping[str, str] | None = None) -> Any:
        """None where the server does not have it."""
        async with self._request("GET", *path, query=query) as response:
            if response.status == 404:
                return None
            _check(response)
            return await _json(response)

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        async with self._request("POST", path, data=orjson.dumps(body), is_json=True) as response:
            _check(response)

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        *path: str,
        query: Mapping[str, str] | None = None,
        data: bytes | aiohttp.FormData | None = None,
        is_json: bool = False,
        timeout_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self._url.joinpath(*path)
        timeout = aiohttp.ClientTimeout(total=timeout_s or self._timing.request_s)
        headers = {"Content-Type": "application/json"} if is_json else None
        with _translated(self._url):
            # No redirects: they would turn a POST into a GET, or take the password elsewhere.
            async with self._session.request(
                method, url, params=query, data=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if 300 <= response.status < 400:
                    raise Unintelligible(f"the backend at {self._url} sends us elsewhere; give the address it leads to")
                if response.status in _REFUSES_LOGIN:
                    raise Unauthenticated(f"the backend at {self._url} refused our user name and password")
                if response.status == LOOPS:
                    raise Unintelligible(f"what listens at {self._url} is this imagegen server itself")
                if response.status in _HAS_NO_SERVER:
                    raise Unreachable(f"the proxy before the backend at {self._url} answered {response.status}")
                if response.status == 413:
                    raise Rejected("the backend takes no request of that size: see ComfyUI's --max-upload-size")
                yield response


@asynccontextmanager
async def open_client(
    url: str, timing: Timing, *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[ComfyClient]:
    """A client for the server at `url`, "http://[user:password@]host:port[/prefix]". Connects on first use.

    `headers` go with every request.
    """
    parsed = URL(url.rstrip("/"))
    # For servers behind a proxy that asks: ComfyUI itself knows no users.
    sent = dict(headers or {})
    if parsed.user:
        sent["Authorization"] = aiohttp.encode_basic_auth(parsed.user, parsed.password or "", "utf-8")
    async with aiohttp.ClientSession(headers=sent) as session:
        yield ComfyClient(session, parsed.with_user(None), timing)


async def _messages(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str | bytes]:
    async for message in socket:
        if message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            yield message.data


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """The one place where aiohttp's errors become ours."""
    try:
        yield
    except AdapterError:
        raise
    except aiohttp.ClientConnectorError as exc:
        if isinstance(exc.os_error, ConnectionRefusedError):
            raise Unreachable(f"the backend at {url} refused the connection", backend_died=True) from exc
        reason = os.strerror(exc.errno).lower() if exc.errno and exc.errno > 0 else "unknown host"
        raise Unreachable(f"no connection to the backend at {url}: {reason}") from exc
    except TimeoutError as exc:
        raise Unreachable(f"the backend at {url} did not answer in time") from exc
    except aiohttp.WSServerHandshakeError as exc:
        if exc.status in _REFUSES_LOGIN:
            raise Unauthenticated(f"the backend at {url} refused our user name and password") from exc
        if exc.status in _HAS_NO_SERVER:
            raise Unreachable(f"the proxy before the backend at {url} answered {exc.status}") from exc
        raise Unintelligible(f"the backend at {url} has no websocket: it answered {exc.status}") from exc
    except (aiohttp.ContentTypeError, aiohttp.ClientPayloadError) as exc:
        raise Unintelligible(f"the backend at {url} does not speak ComfyUI's protocol") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise Unreachable(f"the connection to the backend at {url} broke") from exc


def _check(response: aiohttp.ClientResponse) -> None:
    if response.status != 200:
        raise Unintelligible(f"the backend answered {response.status} to {response.method} {response.url.path}")


async def _json(response: aiohttp.ClientResponse) -> Any:
    data = await _read(response, _MAX_ANSWER_BYTES)
    try:
        if len(data) > _DECODED_IN_LOOP_BYTES:
            return await asyncio.to_thread(orjson.loads, data)
        return orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise Unintelligible(f"the backend's answer to {response.method} {response.url.path} is no JSON") from exc


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(256 * 1024):
        data += chunk
        if len(data) > limit:
            raise Unintelligible(f"the backend's answer to {response.url.path} is larger than {limit} bytes")
    return bytes(data)
