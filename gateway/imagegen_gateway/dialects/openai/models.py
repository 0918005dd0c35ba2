"""The models that there are to choose from, as OpenAI lists them: /openai/v1/models."""

from typing import Any, Final

import orjson
from aiohttp import web

from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.offers import unknown_model
from imagegen_gateway.dialects.wishes import Offer

CREATED: Final = 1_735_689_600
"""When a model was made, which clients want to know and nobody does: the first day of 2025."""


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""

    async def list_models(request: web.Request) -> web.Response:
        del request
        return _answer({"object": "list", "data": [_model(offer) for offer in await kit.offers.models()]})

    async def get_model(request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        offers = {offer.id: offer for offer in await kit.offers.models()}
        if wanted not in offers:
            raise unknown_model(wanted, list(offers))
        return _answer(_model(offers[wanted]))

    return [
        web.get("/openai/v1/models", list_models),
        web.get("/openai/v1/models/{id:.+}", get_model),  # names of checkpoints hold slashes
    ]


def _model(offer: Offer) -> dict[str, Any]:
    return {
        "id": offer.id,
        "object": "model",
        "created": CREATED,
        "owned_by": "imagegen",
        "name": offer.title,  # what Open WebUI shows
        "description": offer.description,
    }


def _answer(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
