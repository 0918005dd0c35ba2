"""Signing in with a key, for browsers, whose pictures and event streams cannot carry a header: a cookie does."""

from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from imagegen_gateway.callers import COOKIE, Caller, Callers
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem
from imagegen_gateway.keyring import Keyring
from imagegen_gateway.keys import Role

LASTS_S: Final = 30 * 24 * 3600
MAX_BODY: Final = 4096


def routes(callers: Callers, keyring: Keyring) -> list[web.RouteDef]:
    """aiohttp routes."""
    return [
        web.get("/session", tell(callers, keyring)),
        web.post("/session", sign_in(callers)),
        web.delete("/session", sign_out),
    ]


def tell(callers: Callers, keyring: Keyring) -> Handler:
    """A handler that says whether a key is needed, and who asks: nothing that the caller does not know or may not."""

    async def handle(request: web.Request) -> web.Response:
        try:
            caller = await callers.identify(request)
        except Problem as problem:
            if problem.status != HTTPStatus.UNAUTHORIZED:
                raise
            caller = Caller(role=Role.USER)
        answer = {
            "keys_needed": bool(keyring.keys),
            "signed_in": caller.key is not None,
            "key": caller.key_name,
            "owner": caller.owner,
            "role": caller.role,
        }
        return web.Response(
            body=orjson.dumps(answer), content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    return handle


def sign_in(callers: Callers) -> Handler:
    """A handler that takes {"key": "..."} and gives it back as a cookie that scripts cannot read."""

    async def handle(request: web.Request) -> web.Response:
        shown = await read_key(request)
        key = await callers.check_key(shown)
        response = web.Response(status=204)
        if key is not None:
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
