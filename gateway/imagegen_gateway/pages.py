"""The documentation at /docs, the OpenAPI document, and whether all is well."""

import asyncio
from hashlib import sha256
from importlib import resources
from typing import Final

import grpc
import orjson
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from grpc_health.v1 import health_pb2

from imagegen.v1 import workflow_pb2, workflow_pb2_grpc
from imagegen_gateway.callers import Callers
from imagegen_gateway.errors import Problem, unavailable
from imagegen_gateway.openapi import document
from imagegen_gateway.openapi_workflows import with_workflows

log = structlog.get_logger(__name__)

FILES: Final = {
    "/docs": ("docs.html", "text/html"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
    "/docs/style.css": ("style.css", "text/css"),
}
PROBE_TIMEOUT_S: Final = 2.0


def routes(channel: grpc.aio.Channel, version: str, callers: Callers) -> list[web.RouteDef]:
    """aiohttp routes."""
    reference = resources.files("imagegen_gateway").joinpath("reference")
    return [
        *(web.get(path, fixed(reference.joinpath(name).read_bytes(), kind)) for path, (name, kind) in FILES.items()),
        web.get("/openapi.json", described(channel, version, callers)),
        web.get("/healthz", fixed(b'{"status":"ok"}', "application/json")),
        web.get("/readyz", ready(channel)),
    ]


def fixed(body: bytes, media_type: str) -> Handler:
    """A handler that always gives the same, and 304 to who has it."""
    etag = etag_of(body)

    async def handle(request: web.Request) -> web.Response:
        return unless_known(request, body, media_type, etag)

    return handle


def described(channel: grpc.aio.Channel, version: str, callers: Callers) -> Handler:
    """A handler that gives the OpenAPI document, with an endpoint for each workflow that there is now.

    Without a key, where one is needed, and while the server is away, it is what is the same everywhere.
    """
    workflows = workflow_pb2_grpc.WorkflowServiceStub(channel)
    plain = orjson.dumps(document(version))

    async def handle(request: web.Request) -> web.Response:
        body = plain
        try:
            await callers.identify(request)
            listed = await workflows.ListWorkflows(workflow_pb2.ListWorkflowsRequest(), timeout=PROBE_TIMEOUT_S)
            body = await asyncio.to_thread(lambda: orjson.dumps(with_workflows(document(version), listed.workflows)))
        except Problem:  # no key: names of workflows and models are nobody else's business
            pass
        except grpc.aio.AioRpcError as exc:
            log.warning("workflows are left out of the document", code=exc.code().name)
        return unless_known(request, body, "application/json", etag_of(body))

    return handle


def etag_of(body: bytes) -> str:
    """The name of exactly these bytes."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def unless_known(request: web.Request, body: bytes, media_type: str, etag: str) -> web.Response:
    """The bytes, or 304 to who has them."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    charset = None if media_type == "application/json" else "utf-8"
    return web.Response(body=body, content_type=media_type, charset=charset, headers=headers)


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
