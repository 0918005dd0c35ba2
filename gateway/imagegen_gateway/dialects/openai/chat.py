"""Pictures as the answers of a chat model: /openai/v1/chat/completions.

What can be seen while a picture is made depends on who asks:

- Open WebUI shows events that stand in the stream: a line of status, and previews that are replaced in place. It stores
  the finished pictures (`delta.images`) with the message.
- In chats that it does not store, and in channels, previews would pile up: there is the line only.
- Others get the line as reasoning, which many show and the rest skips, and links to the pictures beside `images`.

Open WebUI is known by the chat's id in a header; a connection that was set up without such headers, by its aiohttp.
"""

import enum
import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway.callers import caller_of
from imagegen_gateway.dialects.bodies import largest_json, read_json
from imagegen_gateway.dialects.chats import CHAT_HEADERS, ChatMessage, message_of
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai import chat_tasks, syntax
from imagegen_gateway.dialects.openai.chat_answer import Answer, link
from imagegen_gateway.dialects.openai.chat_messages import Question, read_question
from imagegen_gateway.dialects.openai.chat_orders import made, request_of
from imagegen_gateway.dialects.openai.chat_stream import Completion, open_stream
from imagegen_gateway.dialects.openai.errors import accepted
from imagegen_gateway.dialects.orders import Orders, Request
from imagegen_gateway.dialects.rendering import check_together, finished_pictures
from imagegen_gateway.pictures import convert, to_data_address

TASK_HEADER: Final = "X-Task"
AIOHTTP: Final = re.compile(r"Python/\S+ aiohttp/\S+")


class Surface(enum.Enum):
    """What the asker can show."""

    FULL = enum.auto()
    """Status and previews."""
    STATUS = enum.auto()
    """Status only."""
    TEXT = enum.auto()
    """Nothing of Open WebUI's."""


def surface_of(headers: Mapping[str, str], message: ChatMessage) -> Surface:
    """What the asker can show, by what it says of itself."""
    if message.chat_id:
        return Surface.FULL if message.keeps_files else Surface.STATUS
    if any(headers.get(name) == "" for name in CHAT_HEADERS):  # its API, used by some program: there is no chat
        return Surface.TEXT
    return Surface.FULL if AIOHTTP.fullmatch(headers.get("User-Agent", "")) else Surface.TEXT


class Chat:
    """The handler."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._orders = Orders(kit)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answers a chat with pictures, and everything else that a chat asks of a model in a few words."""
        body = await read_json(request, largest_json(self._kit.settings))
        question = read_question(body)
        if task := chat_tasks.task_of(request.headers.get(TASK_HEADER), body):
            return await self._say(request, question, chat_tasks.answer(task, body))
        if syntax.asks_for_help(question.text):
            offer = await self._kit.offers.find(question.model)
            return await self._say(request, question, syntax.help_text(offer))
        try:
            order = syntax.parse(question.text)
        except syntax.SyntaxProblem as exc:
            return await self._say(request, question, str(exc))
        message = message_of(request.headers)
        wanted = await request_of(question, order, message, caller_of(request), self._orders)
        render = self._stream if question.is_streamed else self._wait
        return await render(request, question, wanted, surface_of(request.headers, message))

    async def _say(self, request: web.Request, question: Question, content: str) -> web.StreamResponse:
        completion = Completion(question.model)
        if not question.is_streamed:
            return completion.whole(content, [])
        async with open_stream(request, completion) as stream:
            await stream.say(content=content)
            await stream.finish()
        return stream.response

    async def _stream(
        self, request: web.Request, question: Question, wanted: Request, surface: Surface
    ) -> web.StreamResponse:
        async with (
            self._kit.studio.render(wanted.spec, caller_of(request)) as rendering,
            open_stream(request, Completion(question.model)) as stream,
        ):
            answer = Answer(self._kit, stream, wanted, request)
            await answer.give(rendering, events=surface is not Surface.TEXT, previews=surface is Surface.FULL)
        return stream.response

    async def _wait(
        self, request: web.Request, question: Question, wanted: Request, surface: Surface
    ) -> web.StreamResponse:
        async with self._kit.studio.render(wanted.spec, caller_of(request)) as rendering:
            with accepted():
                return await self._whole(request, question, wanted, await rendering.ended(), surface)

    async def _whole(
        self, request: web.Request, question: Question, wanted: Request, job: job_pb2.Job, surface: Surface
    ) -> web.Response:
        """The answer at once. Open WebUI shows no `images` of it, but pictures in the text."""
        pictures = finished_pictures(job)
        check_together(pictures)
        texts, addresses = [made(job, wanted)], []
        for number, output in enumerate(pictures, start=1):
            asset, data = await self._kit.assets.read(
                output.asset.digest, max_bytes=self._kit.settings.max_upload_bytes
            )
            if surface is Surface.TEXT:
                addresses.append(await to_data_address(data, asset.media_type))
                texts.append(link(request, output.asset.digest, number))
            else:
                small, media_type = await convert(data, asset.media_type, "webp")
                texts.insert(-1, f"![picture {number}]({await to_data_address(small, media_type)})")
        return Completion(question.model).whole("\n\n".join(texts), addresses)


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    return [web.post("/openai/v1/chat/completions", Chat(kit).complete)]
