"""The tool server for chats, under /tools: an LLM makes pictures with it, and the chat sees them grow.

Open WebUI calls it with the user's token and the ids of chat and message in headers; with these it writes status,
previews and the finished pictures into the message while the call goes on. Others are answered with links.
"""

import orjson
from aiohttp import web

from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai.errors import message_of
from imagegen_gateway.dialects.tools.handlers import Tools
from imagegen_gateway.errors import Problem

PREFIX = "/tools/"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    return Tools(kit).routes()


def answer_problem(problem: Problem) -> web.Response:
    """A problem in this dialect's own shape: one sentence, which the language model reads."""
    return problem.answer(orjson.dumps({"detail": message_of(problem)}))
