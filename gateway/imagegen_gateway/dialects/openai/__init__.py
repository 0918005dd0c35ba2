"""The OpenAI dialect: models, images and chat completions under /openai/v1."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem

PREFIX = "/openai/"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    del kit
    return []


def answer_problem(problem: Problem) -> web.Response:
    """A problem in this dialect's own shape."""
    return problem.response()
