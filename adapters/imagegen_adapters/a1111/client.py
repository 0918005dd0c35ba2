"""The HTTP connection to one A1111 server: sends, receives, and translates failures."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import orjson
from yarl import URL

from imagegen_adapters.a1111 import listing, protocol
from imagegen_adapters.a1111.catalog import FORGE_VAE_OPTION, VAE_OPTION, ServerCatalog
from imagegen_adapters.a1111.faults import error_from
from imagegen_adapters.a1111.progress import Pace
from imagegen_adapters.errors import Lost, Unintelligible, Unreachable

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 64 * 2**20
"""Of any answer but a job's. LoRA lists hold the tags of every training picture."""
DECODE_ELSEWHERE_BYTES = 2**20
"""Larger answers are decoded in a thread."""
IDLE_S = 4.0
"""uvicorn closes idle connections after 5 s; a request that meets the close is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for what, in seconds."""

    connect_s: float = 10.0
    request_s: float = 10.0
    """Every answer but a job's. With more than 40 jobs waiting the whole API freezes until one ends."""
    status_s: float = 4.5
    """All that `status` asks; the contract gives it five seconds."""
    refused_s: float = 3.0
    """Nothing but refused connections after a job's own broke: the process is taken for dead."""
    silence_s: float = 30.0
    """Polls without any answer, while a job is out: the server counts as unreachable. Not sooner: one that reads a
    large checkpoint can answer nothing for a while, and that looks the same as one that hangs.
    """
    answer_s: float = 120.0
    """A job that is no longer active, and no answer to its POST: lost."""
    stall_s: float = 3600.0
    """Nothing at all changes about a job: lost. The first load of a large model looks like this for minutes."""
    cancel_s: float = 60.0
    """Until the caller is told that a cancel was not confirmed, and interrupts that change nothing are given up."""
    leave_s: float = 10.0
    """How long leaving a run's block early waits; the backend is made to stop behind the scenes afterwards."""
    pace: Pace = field(default_factory=Pace)


class Client:
    """One server. At most one progress poll is in flight, whoever asks. Raises AdapterError."""

    def __init__(
        self, base: URL, *, calls: aiohttp.ClientSession, jobs: aiohttp.ClientSession, timeouts: Timeouts
    ) -> None:
        self._base = base
        self._calls = calls
        self._jobs = jobs
        self._timeouts = timeouts
        # Held across the request: each poll may make the server render a preview, and they would pile up there.
        self._poll_lock = asyncio.Lock()

    # --- polls ---

    async def global_progress(self, *, with_preview: bool = False) -> protocol.GlobalProgress:
        query = f"?skip_current_image={str(not with_preview).lower()}"
        async with self._poll_lock:
            body = await self._call("GET", f"sdapi/v1/progress{query}")
        return await _decode(protocol.decode_global_progress, body)

    async def task_progress(
        self, task_id: str, *, preview_id: int = -1, with_preview: bool = False
    ) -> protocol.TaskProgress | None:
        """None: the server has no such route."""
        request = {"id_task": task_id, "id_live_preview": preview_id, "live_preview": with_preview}
        async with self._poll_lock:
            return await self._call_optional(protocol.decode_task_progress, "POST", "internal/progress", request)

    # --- commands ---

    async def post_job(self, path: str, body: bytes, *, max_bytes: int) -> protocol.Answer:
        """Waits for the whole job. Raises Unreachable if it was not sent, Lost if it may be running nevertheless."""
        with _translate_job_failures():
            # No redirects: they would turn the POST into a GET, or take the password elsewhere.
            async with self._jobs.post(self._url(path), data=body, headers=_JSON, allow_redirects=False) as response:
                status, answer = response.status, await _read(response, max_bytes)
        if status in (502, 503, 504):
            raise Lost(f"a proxy before the server answered {status}; the job may still be running there")
        if status != 200:
            raise error_from(status, answer)
        return await _decode(protocol.decode_answer, answer)

    async def interrupt(self) -> None:
        """Stops whichever job runs at this instant. SD.Next answers 204 without a body."""
        await self._call("POST", "sdapi/v1/interrupt")

    async def unload_checkpoint(self) -> None:
        """Takes the model out of memory at once; the next job loads it again. Nothing where there is no such route."""
        await self._call_optional(lambda _: None, "POST", "sdapi/v1/unload-checkpoint")

    async def options(self) -> dict[str, Any]:
        return protocol.decode_options(await self._call("GET", "sdapi/v1/options"))

    async def set_options(self, values: Mapping[str, Any]) -> None:
        """May wait for the running job, whosever it is."""
        await self._call("POST", "sdapi/v1/options", values, timeout_s=self._timeouts.stall_s)

    # --- questions ---

    async def app_id(self) -> str:
        """Changes at each start of the server; empty where it has none."""
        return await self._call_optional(protocol.decode_app_id, "GET", "app_id") or ""

    async def pending_tasks(self) -> int:
        return await self._count_pending_tasks() or 0

    async def tells_tasks(self) -> bool:
        """Whether tasks can be asked about by the ids that we give them: both came with 1.8.0."""
        return await self._count_pending_tasks() is not None

    async def memory(self) -> protocol.Memory | None:
        return await self._call_optional(protocol.decode_memory, "GET", "sdapi/v1/memory")

    async def catalog(self) -> ServerCatalog:
        """Every list; those that a version does not have are empty."""
        vae_option, vaes = VAE_OPTION, await self._list("sd-vae", listing.decode_files)
        encoders: tuple[str, ...] = ()
        # Forge has VAEs among its "modules", together with text encoders.
        if vaes is None and (modules := await self._list("sd-modules", listing.decode_modules)) is not None:
            vae_option = FORGE_VAE_OPTION
            vaes, encoders = modules
        return ServerCatalog(
            checkpoints=await _decode(listing.decode_checkpoints, await self._call("GET", "sdapi/v1/sd-models")),
            vaes=vaes or (),
            text_encoders=encoders,
            vae_option=vae_option,
            samplers=await _decode(listing.decode_samplers, await self._call("GET", "sdapi/v1/samplers")),
            schedulers=await self._list("schedulers", listing.decode_schedulers) or (),
            upscalers=await self._list("upscalers", listing.decode_names) or (),
            latent_upscalers=await self._list("latent-upscale-modes", listing.decode_names) or (),
            loras=await self._list("loras", listing.decode_loras) or (),
            embeddings=await self._list("embeddings", listing.decode_embeddings) or (),
            styles=await self._list("prompt-styles", listing.decode_names) or (),
            controlnets=await self._call_optional(listing.decode_controlnets, "GET", "controlnet/model_list") or (),
        )

    async def lora_metadata(self, name: str) -> dict[str, str]:
        return await self._list("loras", lambda body: listing.decode_lora_metadata(body, name)) or {}

    async def rescan(self) -> None:
        """Has the server look through its folders. Waits for the running job."""
        for kind in ("checkpoints", "vae", "loras", "embeddings"):
            await self._call_optional(lambda _: None, "POST", f"sdapi/v1/refresh-{kind}")

    async def _count_pending_tasks(self) -> int | None:
        return await self._call_optional(protocol.decode_pending, "GET", "internal/pending-tasks")

    async def _list(self, name: str, decode: Callable[[bytes], T]) -> T | None:
        return await self._call_optional(decode, "GET", f"sdapi/v1/{name}")

    # --- one request ---

    async def _call_optional(
        self, decode: Callable[[bytes], T], method: str, path: str, json: Mapping[str, Any] | None = None
    ) -> T | None:
        """None where the server has no such route."""
        status, body = await self._exchange(method, path, json, self._timeouts.request_s)
        if status in (404, 405):
            return None
        return await _decode(decode, _accept(status, body))

    async def _call(
        self, method: str, path: str, json: Mapping[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> bytes:
        status, body = await self._exchange(method, path, json, timeout_s or self._timeouts.request_s)
        return _accept(status, body)

    async def _exchange(
        self, method: str, path: str, json: Mapping[str, Any] | None, timeout_s: float
    ) -> tuple[int, bytes]:
        data, headers = (None, None) if json is None else (orjson.dumps(json), _JSON)
        with _translate_call_failures(timeout_s):
            async with (
                asyncio.timeout(timeout_s),
                self._calls.request(
                    method, self._url(path), data=data, headers=headers, allow_redirects=False
                ) as response,
            ):
                return response.status, await _read(response, MAX_DOCUMENT_BYTES)

    def _url(self, path: str) -> URL:
        return URL(f"{self._base}/{path}")


@asynccontextmanager
async def open_client(
    url: str, timeouts: Timeouts, *, headers: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    """A client for the server at `url`, whose user and password, if any, are sent as basic auth.

    `headers` go with every request. Connects lazily. Raises ValueError for a `url` that is none.
    """
    full = URL(url)
    if full.scheme not in ("http", "https") or not full.host:
        # Without the address itself: it may hold a password.
        raise ValueError('the backend\'s url must look like "http://host:port"')
    base = URL(str(full.with_user(None).with_query(None).with_fragment(None)).rstrip("/"))
    # Compressing costs the server more than it saves.
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    if full.user:
        sent["Authorization"] = aiohttp.encode_basic_auth(full.user, full.password or "", "utf-8")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect_s)
    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_S),
            headers=sent,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as calls,
        # A fresh connection for each job: one that is reused may turn out closed after the request was written, and
        # nobody could tell whether the job runs.
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0, socket_factory=_open_socket),
            headers=sent,
            timeout=timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as jobs,
    ):
        yield Client(base, calls=calls, jobs=jobs, timeouts=timeouts)


_JSON = {"Content-Type": "application/json"}


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A job's connection carries nothing for minutes: keep-alive probes keep routers from forgetting it, and notice
    when the other machine is gone.
    """
    family, kind, protocol_number, _, _ = address
    opened = socket.socket(family, kind, protocol_number)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6)
    return opened


def _accept(status: int, body: bytes) -> bytes:
    if not 200 <= status < 300:
        raise error_from(status, body)
    return body


async def _decode(decode: Callable[[bytes], T], body: bytes) -> T:
    if len(body) > DECODE_ELSEWHERE_BYTES:
        return await asyncio.to_thread(decode, body)
    return decode(body)


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body. Raises Unintelligible if it is larger than it may be."""
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) > max_bytes:
            raise Unintelligible(f"the server's answer is larger than {max_bytes} bytes")
    return bytes(pieces)


@contextmanager
def _translate_call_failures(timeout_s: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:  # aiohttp's own are its subclasses
        raise Unreachable(f"the server did not answer within {timeout_s:g} s") from exc
    except aiohttp.ClientConnectorError as exc:
        raise _not_connected(exc) from exc
    except aiohttp.ClientPayloadError as exc:
        raise Unreachable("the server broke off its answer") from exc
    except (aiohttp.ClientConnectionError, OSError) as exc:
        raise Unreachable("the server closed the connection without an answer") from exc
    except aiohttp.ClientError as exc:
        raise Unintelligible("the server answered something that is not HTTP") from exc


@contextmanager
def _translate_job_failures() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as exc:
        raise Unreachable("the server does not accept connections") from exc
    except aiohttp.ClientConnectorError as exc:
        raise _not_connected(exc) from exc
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as exc:
        # Never sent again: a server that lives runs the job to its end although nobody listens.
        raise Lost("the connection broke before the job's answer; the job may still be running there") from exc
    except aiohttp.ClientError as exc:
        raise Unintelligible("the server answered something that is not HTTP") from exc


def _not_connected(error: aiohttp.ClientConnectorError) -> Unreachable:
    if isinstance(error.os_error, ConnectionRefusedError):
        return Unreachable("the server refused the connection", backend_died=True)
    return Unreachable(f"the server cannot be reached: {error.strerror or 'connection failed'}")
