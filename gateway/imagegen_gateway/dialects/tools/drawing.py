"""One picture that a tool makes: seen in the chat while it is made, kept there, and told to the language model."""

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from typing import Any, Final

from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_client.specs import input_of
from imagegen_gateway.assets import asset_address
from imagegen_gateway.dialects.chats import ChatMessage
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.rendering import Moment, Rendering, finished_pictures, images_of, is_picture
from imagegen_gateway.dialects.showing import (
    PREVIEW_BYTES,
    STATUS_INTERVAL_S,
    Event,
    Picture,
    Show,
    follow_event,
    pictures_event,
    status_event,
)
from imagegen_gateway.dialects.tools.openwebui import OpenWebUI
from imagegen_gateway.pictures import small_preview, to_data_address

File = dict[str, Any]
"""An entry of a message's `files`."""
MAX_MESSAGES: Final = 1000


class Shelf:
    """What tools have put into messages, for the newest of these: a model may call twice in one answer, and previews
    of the second picture must not take away the first."""

    def __init__(self) -> None:
        self._files: OrderedDict[ChatMessage, list[File]] = OrderedDict()

    def files(self, message: ChatMessage) -> list[File]:
        """What is in the message."""
        return self._files.get(message, [])

    def add(self, message: ChatMessage, files: list[File]) -> None:
        """Notes more."""
        self._files[message] = [*self.files(message), *files]
        self._files.move_to_end(message)
        if len(self._files) > MAX_MESSAGES:
            self._files.popitem(last=False)


class Drawing:
    """Follows one job."""

    def __init__(self, kit: Kit, shelf: Shelf, message: ChatMessage, openwebui: OpenWebUI | None) -> None:
        self._kit = kit
        self._shelf = shelf
        self._message = message
        self._openwebui = openwebui
        self._show = Show()
        self._files: list[File] = []
        self._is_told = False
        self._is_stored = False
        self._now = asyncio.get_running_loop().time

    async def follow(self, rendering: Rendering) -> job_pb2.Job:
        """The job once it has ended. Raises Problem for one without pictures, AioRpcError."""
        async with aclosing(rendering.moments(heartbeat_s=STATUS_INTERVAL_S)) as moments:
            async for moment in moments:
                await self._go_on(moment)
        job = await rendering.ended()
        finished_pictures(job)
        return job

    async def _go_on(self, moment: Moment) -> None:
        if self._openwebui is None:
            return
        for output in moment.outputs:
            if is_picture(output):
                await self._keep(self._openwebui, output)
        if moment.is_last or not self._openwebui.has_message:
            return
        self._show.take(moment)
        now = self._now()
        if (line := self._show.line(now)) is not None:
            await self._post(status_event(line))
        if (pictures := self._show.pictures(now)) is not None:
            await self._show_all(pictures)

    async def _keep(self, openwebui: OpenWebUI, output: job_pb2.Output) -> None:
        asset, data = await self._kit.assets.read(output.asset.digest, max_bytes=self._kit.settings.max_upload_bytes)
        name = f"picture.{asset.media_type.partition('/')[2]}"
        if (file := await openwebui.upload(data, asset.media_type, name)) is not None:
            self._files.append(file)
        self._show.finish(output.image_index, None)

    async def _show_all(self, previews: list[Picture]) -> None:
        """All that is in the message already, and how the rest looks now."""
        small = [await small_preview(picture.data, picture.media_type, PREVIEW_BYTES) for picture in previews]
        addresses = [file["url"] for file in (*self._shelf.files(self._message), *self._files)]
        addresses += [await to_data_address(*picture) for picture in small if picture is not None]
        await self._post(pictures_event(addresses))
        await self._post(follow_event())

    async def _post(self, event: Event) -> None:
        if self._openwebui is not None and await self._openwebui.post(event):
            self._is_told = True

    async def finish(self, line: str) -> list[File]:
        """Puts what was made into the message for good, instead of previews. What it shows now of this job."""
        if self._openwebui is None:
            return []
        if self._files and not self._is_stored:
            await self._store(self._openwebui)
        if self._is_told:
            if not self._files:
                await self._show_all([])
            await self._post(status_event(line, done=True))
        return self._files if self._is_stored else []

    async def _store(self, openwebui: OpenWebUI) -> None:
        # Noted beforehand: whoever presses Stop meanwhile has the rest done anew, and would have each picture twice.
        self._is_stored = True
        # Open WebUI stores what this event holds, in front of what is there, and shows nothing else.
        if not await openwebui.post(Event({"type": "files", "data": {"files": self._files}})):
            self._is_stored = False
            return
        before = self._shelf.files(self._message)
        if before:
            await openwebui.post(Event({"type": "chat:message:files", "data": {"files": [*before, *self._files]}}))
        self._shelf.add(self._message, self._files)

    @property
    def uploaded(self) -> list[File]:
        """Pictures that Open WebUI has, whether or not the message shows them."""
        return self._files


def answer(job: job_pb2.Job, drawing: Drawing, shown: list[File], request: web.Request) -> dict[str, Any]:
    """What the language model is told: short, because it reads all of it."""
    pictures = images_of(job)
    message = "The picture is shown to the user." if len(pictures) == 1 else "The pictures are shown to the user."
    if len(shown) < len(pictures):
        addresses = [file["url"] for file in drawing.uploaded]
        addresses = addresses or [asset_address(request, picture.asset.digest) for picture in pictures]
        markdown = " ".join(f"![picture]({address})" for address in addresses)
        message = f"Show it to the user by writing this into your answer: {markdown}"
    told: dict[str, Any] = {
        "status": "success",
        "message": message,
        "job_id": job.job_id,
        "images": [picture.asset.digest for picture in pictures],
        "size": f"{pictures[0].asset.width}x{pictures[0].asset.height}",
    }
    if (seed := input_of(job.spec, "seed")) is not None:
        told["seed"] = seed
    if job.warnings:
        told["notes"] = [warning.message for warning in job.warnings]
    return told
