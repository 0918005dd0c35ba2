"""The page at /, the documentation at /docs, and whether all is well."""

from hashlib import sha256
from importlib import resources
from typing import Final

import grpc
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from grpc_health.v1 import health_pb2

from imagegen_gateway.errors import unavailable
from imagegen_gateway.openapi import document

FILES: Final = {
    "/": ("index.html", "text/html"),
    "/docs": ("docs.html", "text/html"),
    "/static/app.js": ("app.js", "text/javascript"),
    "/static/docs.js": ("docs.js", "text/javascript"),
    "/static/style.css": ("style.css", "text/css"),
    "/favicon.ico": ("icon.svg", "image/svg+xml"),
}
PROBE_TIMEOUT_S: Final = 2.0


def routes(channel: grpc.aio.Channel, version: str) -> list[web.RouteDef]:
    """aiohttp routes."""
    static = resources.files("imagegen_gateway").joinpath("static")
    return [
        *(web.get(path, fixed(static.joinpath(name).read_bytes(), kind)) for path, (name, kind) in FILES.items()),
        web.get("/openapi.json", fixed(orjson.dumps(document(version)), "application/json")),
        web.get("/healthz", fixed(b'{"status":"ok"}', "application/json")),
        web.get("/readyz", ready(channel)),
    ]


def fixed(body: bytes, media_type: str) -> Handler:
    """A handler that always gives the same, and 304 to who has it."""
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    charset = None if media_type == "application/json" else "utf-8"

    async def handle(request: web.Request) -> web.Response:
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=media_type, charset=charset, headers=headers)

    return handle


def ready(channel: grpc.aio.Channel) -> Handler:
    """A handler that asks the server how it is."""
    check: grpc.aio.UnaryUnaryMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )

    async def handle(_: web.Request) -> web.Response:
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S)
        except grpc.aio.AioRpcError as exc:
            raise unavailable(f"the imagegen server does not answer: {exc.code().name}") from exc
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise unavailable("the imagegen server is not serving")
        return web.Response(body=b'{"status":"ready"}', content_type="application/json")

    return handle
