"""Pictures as the answers of a chat model: /openai/v1/chat/completions."""

from aiohttp import web

from imagegen_gateway.dialects.kit import Kit


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    del kit
    return []
