"""The handlers of the tools."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import grpc
import orjson
from aiohttp import web

from imagegen.v1 import asset_pb2, image_gen_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_client.specs import count_of
from imagegen_gateway.assets import DIGEST
from imagegen_gateway.callers import Caller, caller_of
from imagegen_gateway.dialects.bodies import largest_json, read_json
from imagegen_gateway.dialects.chats import ChatMessage, message_of
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.orders import Orders, Request
from imagegen_gateway.dialects.telling import ENDS, tell_end, tell_progress, tell_queue
from imagegen_gateway.dialects.tools.arguments import (
    EditArguments,
    PictureArguments,
    StatusArguments,
    parse_arguments,
)
from imagegen_gateway.dialects.tools.document import document
from imagegen_gateway.dialects.tools.drawing import Drawing, Shelf, answer
from imagegen_gateway.dialects.tools.openwebui import OpenWebUI, file_id_of, open_openwebui
from imagegen_gateway.errors import Problem

DIALECT: Final = "tools"
MAX_NAMES: Final = 30
"""How many models a language model is told about."""


class Tools:
    """The handlers, for one gateway."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._orders = Orders(kit)
        self._shelf = Shelf()
        self._jobs = image_gen_pb2_grpc.ImageGenServiceStub(kit.channels.events)

    def routes(self) -> list[web.RouteDef]:
        """aiohttp routes."""
        body = orjson.dumps(document(self._kit.version))

        async def describe(request: web.Request) -> web.Response:
            del request
            return web.Response(body=body, content_type="application/json")

        return [
            web.get("/tools/openapi.json", describe),
            web.post("/tools/generate_image", self.generate_image),
            web.post("/tools/edit_image", self.edit_image),
            web.post("/tools/image_status", self.image_status),
        ]

    async def generate_image(self, request: web.Request) -> web.Response:
        """Makes a picture and answers when it is finished."""
        arguments = parse_arguments(PictureArguments, await self._body(request))
        message = message_of(request.headers)
        async with self._openwebui(request, message) as openwebui:
            wanted = await self._request(arguments, [], message, caller_of(request))
            return await self._draw(request, wanted, message, openwebui)

    async def edit_image(self, request: web.Request) -> web.Response:
        """The same, from another picture."""
        arguments = parse_arguments(EditArguments, await self._body(request))
        message = message_of(request.headers)
        async with self._openwebui(request, message) as openwebui:
            picture = await self._picture(arguments.image or "", message, caller_of(request), openwebui)
            wanted = await self._request(arguments, [picture], message, caller_of(request))
            return await self._draw(request, wanted, message, openwebui)

    async def image_status(self, request: web.Request) -> web.Response:
        """Tells how a job stands."""
        arguments = parse_arguments(StatusArguments, await self._body(request))
        caller = caller_of(request)
        found = await self._jobs.GetJob(
            image_gen_pb2.GetJobRequest(job_id=arguments.job_id),
            timeout=self._kit.settings.rpc_timeout_s,
            metadata=caller.metadata,
        )
        if caller.owner and found.job.owner != caller.owner:
            raise Problem(404, f"there is no job {arguments.job_id}", reason="JOB_NOT_FOUND")
        return _answer(status_of(found.job))

    async def _request(
        self, arguments: PictureArguments, pictures: list[asset_pb2.Asset], message: ChatMessage, caller: Caller
    ) -> Request:
        labels = {"dialect": DIALECT, **message.labels}
        try:
            return await self._orders.request(arguments.model or "", arguments.order(), pictures, labels, caller)
        except Problem as exc:
            if exc.reason != "MODEL_NOT_FOUND":
                raise
            names = ", ".join(offer.id for offer in (await self._kit.offers.models())[:MAX_NAMES])
            raise Problem(400, f"model: there is no {(arguments.model or '')[:128]!r}; there are {names}") from exc

    async def _draw(
        self, request: web.Request, wanted: Request, message: ChatMessage, openwebui: OpenWebUI | None
    ) -> web.Response:
        drawing = Drawing(self._kit, self._shelf, message, openwebui)
        try:
            async with self._kit.studio.render(wanted.spec, caller_of(request)) as rendering:
                job = await drawing.follow(rendering)
            shown = await drawing.finish(tell_end(job))
        except asyncio.CancelledError:  # the Stop button; the job is cancelled by now
            await drawing.finish("Cancelled")
            raise
        except (Problem, grpc.aio.AioRpcError):
            await drawing.finish("Interrupted")
            raise
        return _answer(answer(job, drawing, shown, request))

    async def _picture(
        self, image: str, message: ChatMessage, caller: Caller, openwebui: OpenWebUI | None
    ) -> asset_pb2.Asset:
        """The picture that is meant. Raises Problem, AioRpcError."""
        if image:
            return await self._named(image, openwebui)
        for address in await openwebui.pictures() if openwebui is not None else []:
            return await self._named(address, openwebui)
        made = await self._orders.newest_of(message.chat_id, caller) if message.chat_id else None
        if made is None:
            raise Problem(400, "there is no picture in this chat; ask the user to attach one, or give image")
        return made

    async def _named(self, image: str, openwebui: OpenWebUI | None) -> asset_pb2.Asset:
        if DIGEST.fullmatch(image) or image.startswith("data:"):
            return await self._orders.stored(image)
        file_id = file_id_of(image, self._kit.settings.openwebui_url)
        if not file_id:
            raise Problem(
                400, "image: must be the url or id of a file of this chat, an entry of images, or a data: address"
            )
        data = None
        if openwebui is not None:
            data = await openwebui.fetch(file_id, self._kit.settings.max_upload_bytes)
        if data is None:
            raise Problem(400, f"image: the file {file_id} cannot be had from Open WebUI")
        return await self._kit.assets.store(data)

    def _openwebui(self, request: web.Request, message: ChatMessage) -> AbstractAsyncContextManager[OpenWebUI | None]:
        token = _bearer(request)
        if self._kit.keyring.find(token) is not None:  # our own key is nobody else's business
            token = ""
        return open_openwebui(self._kit.settings.openwebui_url, token, message)

    async def _body(self, request: web.Request) -> dict[str, Any]:
        return await read_json(request, largest_json(self._kit.settings))


def status_of(job: job_pb2.Job) -> dict[str, Any]:
    """How a job stands, for a language model."""
    count = max(1, count_of(job.spec))
    match job.state:
        case job_pb2.JOB_STATE_QUEUED:
            message = tell_queue(job.queue if job.HasField("queue") else None)
        case state if state in ENDS:
            message = job.error.message or ENDS[state]
        case _ if job.HasField("progress"):
            message = tell_progress(job.progress, count=count)
        case _:
            message = "Starting"
    status = job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()
    return {"status": status, "message": message, "job_id": job.job_id}


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _answer(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
