"""Signing in with a key, for browsers, whose pictures and event streams cannot carry a header: a cookie does."""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from imagegen_gateway.callers import COOKIE
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem
from imagegen_gateway.keys import find_key

LASTS_S: Final = 30 * 24 * 3600
MAX_BODY: Final = 4096


def routes(settings: GatewaySettings) -> list[web.RouteDef]:
    """aiohttp routes."""
    return [web.post("/session", sign_in(settings)), web.delete("/session", sign_out)]


def sign_in(settings: GatewaySettings) -> Handler:
    """A handler that takes {"key": "..."} and gives it back as a cookie that scripts cannot read."""

    async def handle(request: web.Request) -> web.Response:
        shown = await read_key(request)
        if settings.keys and find_key(settings.keys, shown) is None:
            raise Problem(401, "this key is not known here", reason="UNAUTHENTICATED")
        response = web.Response(status=204)
        if settings.keys:
            response.set_cookie(
                COOKIE, shown, max_age=LASTS_S, httponly=True, samesite="Strict", secure=request.secure, path="/"
            )
        return response

    return handle


async def sign_out(_: web.Request) -> web.Response:
    """Takes the cookie back."""
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response


async def read_key(request: web.Request) -> str:
    """The key in the body. Raises Problem 400, 415."""
    if request.content_type != "application/json":
        raise Problem(415, f"the body must be application/json, not {request.content_type}")
    if (request.content_length or 0) > MAX_BODY:
        raise Problem(413, f"the body is larger than {MAX_BODY} bytes")
    try:
        body = await request.json()
    except ValueError as exc:
        raise Problem(400, "the body is no JSON", reason="INVALID_REQUEST") from exc
    key = body.get("key") if isinstance(body, dict) else None
    if not isinstance(key, str) or not key or not key.isascii():
        raise bad_field("key", "must be the text of a key")
    return key
