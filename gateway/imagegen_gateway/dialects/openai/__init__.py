"""The OpenAI dialect: models, images and chat completions under /openai/v1."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai import chat, images, models
from imagegen_gateway.dialects.openai.errors import answer_problem

__all__ = ["PREFIX", "answer_problem", "routes"]

PREFIX = "/openai/"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    return [*images.routes(kit), *models.routes(kit), *chat.routes(kit)]
