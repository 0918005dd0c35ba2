"""One streamed answer: the job as it goes on, its pictures as they are finished, and how it ended."""

import asyncio
from contextlib import aclosing
from typing import Final

import grpc
from aiohttp import web
from aiohttp.hdrs import ORIGIN

from imagegen.v1 import job_pb2
from imagegen_gateway.assets import asset_address
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai.chat_orders import made
from imagegen_gateway.dialects.openai.chat_stream import Stream, image_part
from imagegen_gateway.dialects.openai.errors import error_of
from imagegen_gateway.dialects.orders import Request
from imagegen_gateway.dialects.rendering import Moment, Rendering, finished_pictures, is_picture
from imagegen_gateway.dialects.showing import (
    FINISHED_BYTES,
    PREVIEW_BYTES,
    REASONING_INTERVAL_S,
    STATUS_INTERVAL_S,
    Event,
    Picture,
    Show,
    follow_event,
    pictures_event,
    status_event,
)
from imagegen_gateway.dialects.telling import tell_end
from imagegen_gateway.errors import Problem, from_rpc
from imagegen_gateway.pictures import small_preview, to_data_address

PAGE_PAUSE_S: Final = 0.25
"""A page that reads for itself gets nothing right after a picture, so that it does not read both in two parts."""


def link(request: web.Request, digest: str, number: int) -> str:
    """Where a picture can be had, as Markdown: no picture itself, which some would show twice."""
    return f"[Picture {number}]({asset_address(request, digest)})"


class Answer:
    """Gives a job's answer to a stream, once."""

    def __init__(self, kit: Kit, stream: Stream, wanted: Request, request: web.Request) -> None:
        self._kit = kit
        self._stream = stream
        self._wanted = wanted
        self._request = request
        self._events = False
        self._previews = False
        self._show = Show()
        self._digests: list[str] = []
        self._now = asyncio.get_running_loop().time
        self._said_at = self._now()

    async def give(self, rendering: Rendering, *, events: bool, previews: bool) -> None:
        """Sends all of it. `events` are for Open WebUI, `previews` for chats that replace pictures in place."""
        self._events, self._previews = events, previews
        if not events:
            self._show = Show(status_interval_s=REASONING_INTERVAL_S)
        try:
            async with aclosing(rendering.moments(heartbeat_s=STATUS_INTERVAL_S)) as moments:
                async for moment in moments:
                    await self._go_on(moment)
            await self._end(await rendering.ended())
        except Problem as exc:
            await self._fail(exc)
        except grpc.aio.AioRpcError as exc:
            await self._fail(from_rpc(exc))

    async def _go_on(self, moment: Moment) -> None:
        for output in moment.outputs:
            if is_picture(output):
                await self._give_picture(output)
        if moment.is_last:
            return
        self._show.take(moment)
        now = self._now()
        if (line := self._show.line(now)) is not None:
            await self._tell(line)
        if self._expects_more and (pictures := self._show.pictures(now)) is not None:
            await self._show_pictures(pictures)
        if now - self._said_at > self._kit.settings.ping_interval_s:
            self._said_at = now
            await self._stream.ping()

    @property
    def _expects_more(self) -> bool:
        """Whether a finished picture will replace what is shown: nothing else can, because its address is not known."""
        return self._previews and len(self._digests) < self._wanted.count

    async def _give_picture(self, output: job_pb2.Output) -> None:
        asset, data = await self._kit.assets.read(output.asset.digest, max_bytes=self._kit.settings.max_upload_bytes)
        self._digests.append(asset.digest)
        if not self._events and ORIGIN in self._request.headers:
            await self._give_to_page(data, asset.media_type)
            return
        await self._say(images=[image_part(await to_data_address(data, asset.media_type))])
        if self._expects_more:
            small = await small_preview(data, asset.media_type, FINISHED_BYTES)
            self._show.finish(output.image_index, Picture(*small) if small is not None else None)

    async def _give_to_page(self, data: bytes, media_type: str) -> None:
        """Small enough for one read: Open WebUI's page loses what it gets in two. The link is to the whole picture."""
        picture = (data, media_type)
        if len(data) > PREVIEW_BYTES:
            picture = await small_preview(data, media_type, PREVIEW_BYTES) or picture
        await self._say(images=[image_part(await to_data_address(*picture))])
        await asyncio.sleep(PAGE_PAUSE_S)

    async def _tell(self, line: str) -> None:
        if self._events:
            await self._send(status_event(line))
        else:
            await self._say(reasoning_content=line + "\n")

    async def _show_pictures(self, pictures: list[Picture]) -> None:
        small = [await small_preview(picture.data, picture.media_type, PREVIEW_BYTES) for picture in pictures]
        await self._send(pictures_event([await to_data_address(*picture) for picture in small if picture is not None]))
        await self._send(follow_event())

    async def _end(self, job: job_pb2.Job) -> None:
        try:
            finished_pictures(job)
        except Problem as problem:
            await self._fail(problem, tell_end(job))
            return
        if self._events:
            await self._send(status_event(tell_end(job), done=True))
        texts = [made(job, self._wanted)]
        if not self._events:
            texts += [link(self._request, digest, number) for number, digest in enumerate(self._digests, start=1)]
        await self._say(content="\n\n".join(texts))
        await self._stream.finish()

    async def _fail(self, problem: Problem, line: str = "Interrupted") -> None:
        if self._events:
            await self._send(status_event(line, done=True))
        if self._expects_more:  # what is half done must not look like a result
            await self._show_pictures(self._show.finished())
        await self._stream.fail(error_of(problem))

    async def _say(self, **delta: object) -> None:
        self._said_at = self._now()
        await self._stream.say(**delta)

    async def _send(self, event: Event) -> None:
        self._said_at = self._now()
        await self._stream.event(event)
