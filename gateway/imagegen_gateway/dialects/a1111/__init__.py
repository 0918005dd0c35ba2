"""The dialect of Automatic1111's API, under /a1111."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem

PREFIX = "/a1111/"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    del kit
    return []


def answer_problem(problem: Problem) -> web.Response:
    """A problem in this dialect's own shape."""
    return problem.response()
