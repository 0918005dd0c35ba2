"""One websocket of a client, which hears of its own prompts.

Of each prompt a task tells, moment by moment: while the reader does not read, it waits, and of what passes meanwhile
only the newest is told. So nothing piles up here, and a reader that takes nothing for `write_timeout_s` is cut off.

Several prompts of a client run side by side, where ComfyUI would run one after the other; each frame names its own.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing, suppress
from typing import Any, Final

import grpc
import orjson
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from imagegen.v1 import job_pb2
from imagegen_gateway.assets import Assets
from imagegen_gateway.callers import caller_of
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.dialects.comfyui.frames import (
    Departure,
    Frame,
    Picture,
    SentResult,
    Text,
    encode_picture,
    encode_text,
    status,
)
from imagegen_gateway.dialects.comfyui.jobs import Jobs
from imagegen_gateway.dialects.comfyui.narration import Narrator
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.rendering import Studio
from imagegen_gateway.errors import Problem, from_rpc

log = structlog.get_logger(__name__)

INTERVAL_S: Final = 0.1
"""Between two moments of a prompt that are told, but for results and the end."""


class Session:
    """One socket."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        client_id: str,
        kit: Kit,
        jobs: Jobs,
        features: dict[str, Any],
    ) -> None:
        self.caller = caller_of(request)
        self.unfinished: dict[str, None] = {}
        """Jobs that it hears of and that have not ended."""
        self._request = request
        self._socket = socket
        self._client_id = client_id
        self._studio: Studio = kit.studio
        self._assets: Assets = kit.assets
        self._settings: GatewaySettings = kit.settings
        self._jobs = jobs
        self._features = features
        self._has_spoken = False
        self._has_flags = False
        self._has_metadata = False
        self._ended = asyncio.Event()
        self._code: int = WSCloseCode.OK
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self._last_sent = 0.0

    @property
    def gives_up(self) -> bool:
        """Whether the client has closed the socket and will hardly come back for its prompts."""
        return not self._ended.is_set() and not self._has_flags and self._socket.close_code == WSCloseCode.OK

    async def run(self) -> None:
        """Until the socket is closed, by whomever."""
        try:
            await self._greet()
            self._spawn(self._beat())
            over = [self._spawn(self._read()), self._spawn(self._until_ended()), self._spawn(self._until_closing())]
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        except grpc.aio.AioRpcError as exc:
            log.debug("a socket cannot be told anything", why=from_rpc(exc).detail)
            self.end(WSCloseCode.TRY_AGAIN_LATER)
        except (ConnectionResetError, TimeoutError):
            self._cut()
        finally:
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._ended.is_set():
            await self._close()

    def end(self, code: int) -> None:
        """Has the socket closed from this side."""
        if not self._ended.is_set():
            self._code = code
            self._ended.set()

    def follow(self, job: job_pb2.Job, *, is_new: bool) -> None:
        """Tells of a job from now on."""
        if job.job_id not in self.unfinished and not self._ended.is_set():
            self.unfinished[job.job_id] = None
            self._spawn(self._tell(job, is_new=is_new))

    async def _greet(self) -> None:
        # Held, because this must be the first frame.
        async with self._turn:
            for job in await self._jobs.unfinished_of(self._client_id, self.caller):
                self.follow(job, is_new=job.state == job_pb2.JOB_STATE_QUEUED)
            await self._write(encode_text(status(len(self.unfinished), sid=self._client_id)))

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT:
                await self._hear(message.data)

    async def _until_ended(self) -> None:
        await self._ended.wait()

    async def _until_closing(self) -> None:
        await self._studio.closing()
        self.end(WSCloseCode.GOING_AWAY)

    async def _hear(self, text: str) -> None:
        """Takes feature flags, which only the first object of a socket can bring."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        if self._has_spoken or not isinstance(message, dict):
            return
        self._has_spoken = True
        if message.get("type") != "feature_flags":
            return
        flags = message.get("data")
        self._has_flags = True
        self._has_metadata = isinstance(flags, dict) and flags.get("supports_preview_metadata") is True
        await self._send([Text("feature_flags", self._features)])

    async def _tell(self, job: job_pb2.Job, *, is_new: bool) -> None:
        narrator = Narrator(job, is_new=is_new)
        try:
            if is_new:
                await self._send([status(len(self.unfinished))])
            async with (
                self._studio.follow(job.job_id) as rendering,
                aclosing(rendering.moments(interval_s=INTERVAL_S)) as moments,
            ):
                async for moment in moments:
                    if moment.is_last:
                        self.unfinished.pop(job.job_id, None)
                    await self._send(narrator.tell(moment, has_metadata=self._has_metadata))
        except Problem as problem:
            # What it does not hear any more it would wait for in vain; on a new socket it can ask again.
            log.debug("a prompt can be followed no more", job_id=job.job_id, why=problem.detail)
            self.end(WSCloseCode.GOING_AWAY)
        except (ConnectionResetError, TimeoutError):
            self._cut()

    async def _beat(self) -> None:
        """Says something now and then while prompts wait, as proxies close what is silent for a minute."""
        pause_s = self._settings.ping_interval_s
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(pause_s)
            if self.unfinished and now() - self._last_sent >= pause_s:
                try:
                    await self._send([status(len(self.unfinished))])
                except (ConnectionResetError, TimeoutError):
                    self._cut()

    async def _send(self, frames: list[Frame]) -> None:
        """Sends frames that belong together. Raises ConnectionResetError, TimeoutError."""
        # Held while they are written: a preview of the old kind belongs to what was told right before it.
        async with self._turn:
            for frame in frames:
                if (data := await self._encode(frame)) is not None:
                    await self._write(data)

    async def _encode(self, frame: Frame) -> str | bytes | None:
        match frame:
            case Text():
                return encode_text(frame)
            case Departure():
                return encode_text(status(len(self.unfinished)))
            case Picture():
                return encode_picture(frame, has_metadata=self._has_metadata)
            case SentResult():
                return await self._result(frame)

    async def _result(self, frame: SentResult) -> bytes | None:
        try:
            asset, data = await self._assets.read(frame.digest, max_bytes=self._settings.max_upload_bytes)
        except (Problem, grpc.aio.AioRpcError) as exc:
            problem = from_rpc(exc) if isinstance(exc, grpc.aio.AioRpcError) else exc
            log.warning("a result could not be sent", digest=frame.digest, why=problem.detail)
            return None
        picture = Picture(prompt_id=frame.prompt_id, node_id=frame.node_id, media_type=asset.media_type, data=data)
        return encode_picture(picture, has_metadata=self._has_metadata)

    async def _write(self, data: str | bytes) -> None:
        self._last_sent = asyncio.get_running_loop().time()
        async with asyncio.timeout(self._settings.write_timeout_s):
            await (self._socket.send_str(data) if isinstance(data, str) else self._socket.send_bytes(data))

    async def _close(self) -> None:
        with suppress(ConnectionResetError, TimeoutError):
            async with asyncio.timeout(self._settings.write_timeout_s):
                await self._socket.close(code=self._code)

    def _cut(self) -> None:
        """Ends the connection of a reader that does not read."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a socket failed", exc_info=error)
            self._cut()
