"""Pictures by OpenAI's image API: /openai/v1/images/generations and /openai/v1/images/edits."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    del kit
    return []
