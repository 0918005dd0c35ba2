"""The models that there are to choose from, as OpenAI lists them."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    del kit
    return []
