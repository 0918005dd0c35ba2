"""REST over unary rpcs, derived from their `google.api.http` annotations.

The rules of AIP-127: path variables are set from the path, with `body: "*"` the JSON body is the rest of the request,
otherwise the rest comes from the query. Answers are the response message as JSON with status 200.
The header Idempotency-Key stands for `request_id` where a request has that field; Imagegen-Owner goes on as metadata.
What the caller's role does not allow is refused.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import grpc
from aiohttp import web
from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]  # ships no annotations
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from imagegen_gateway.callers import caller_of, check_allowed
from imagegen_gateway.decoding import bad_field, parse_json, parse_query, set_text
from imagegen_gateway.descriptors import descriptor_of, load_package
from imagegen_gateway.encoding import to_json
from imagegen_gateway.errors import Problem

VARIABLE = re.compile(r"\{(?P<name>[a-z_][a-z0-9_.]*)(?:=(?P<pattern>\*\*|\*))?\}")
VERBS = ("get", "put", "post", "delete", "patch")
JSON_TYPES = frozenset({"application/json", "text/json"})
KEY: Final = re.compile(r"[!-~]{0,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One REST route of one rpc."""

    method: MethodDescriptor
    """The rpc."""
    verb: str
    """HTTP method, upper-case."""
    template: str
    """The path as in the annotation."""
    variables: frozenset[str]
    """Fields that are set from the path."""
    has_body: bool
    """Whether the rest of the request is a JSON body; otherwise it is the query."""

    @property
    def input(self) -> Descriptor:
        """The request's type."""
        return self.method.input_type

    @property
    def output(self) -> Descriptor:
        """The response's type."""
        return self.method.output_type

    @property
    def grpc_path(self) -> str:
        """The rpc's path on the wire."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def aiohttp_path(self) -> str:
        """The template for aiohttp's router. A colon ends a plain variable, because custom verbs begin with it."""
        return VARIABLE.sub(
            lambda m: f"{{{m['name']}:{'.+' if m['pattern'] == '**' else '[^/:]+'}}}",
            self.template,
        )

    @property
    def openapi_path(self) -> str:
        """The template as OpenAPI writes it."""
        return VARIABLE.sub(lambda m: f"{{{m['name']}}}", self.template)


def bindings() -> list[Binding]:
    """The routes of every annotated unary rpc, in the order of the files."""
    methods = [method for service in load_package().services for method in service.methods]
    return [bind(method) for method in methods if method.GetOptions().HasExtension(annotations_pb2.http)]


def binding_of(name: str) -> Binding:
    """The route of the rpc of this name."""
    return next(binding for binding in bindings() if binding.method.name == name)


def bind(method: MethodDescriptor) -> Binding:
    """The route that a method's annotation names. Raises ValueError for one that this module does not know."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    if verb not in VERBS or rule.body not in {"", "*"} or rule.additional_bindings or rule.response_body:
        raise ValueError(f"{method.full_name}: this google.api.http rule is not supported: {_text(rule)}")
    if method.client_streaming or method.server_streaming:
        raise ValueError(f"{method.full_name}: only unary rpcs can be transcoded")
    template = getattr(rule, verb)
    return Binding(
        method=method,
        verb=verb.upper(),
        template=template,
        variables=frozenset(match["name"] for match in VARIABLE.finditer(template)),
        has_body=rule.body == "*",
    )


def build_request(
    binding: Binding,
    *,
    path: Mapping[str, str],
    query: list[tuple[str, str]],
    body: bytes,
    idempotency_key: str | None = None,
) -> Message:
    """The rpc's request out of the parts of an HTTP request. Raises Problem 400."""
    request = GetMessageClass(binding.input)()
    if binding.has_body:
        parse_json(request, body)
        parse_query(request, query, frozenset(field.name for field in binding.input.fields))
    else:
        parse_query(request, query, binding.variables)
    for name in binding.variables:
        _set_variable(request, name, path[name])
    if idempotency_key is not None and "request_id" in binding.input.fields_by_name:
        _set_key(request, idempotency_key)
    return request


def _set_variable(request: Message, name: str, text: str) -> None:
    field = descriptor_of(request).fields_by_name[name]
    before = getattr(request, name)
    set_text(request, field, text, name)
    if before not in {field.default_value, getattr(request, name)}:
        raise bad_field(name, "has another value in the body than in the path")


def _set_key(request: Message, key: str) -> None:
    if getattr(request, "request_id") not in {"", key}:  # noqa: B009  # any message that has the field
        raise bad_field("request_id", "differs from the header Idempotency-Key: give one of them")
    if not KEY.fullmatch(key):
        raise bad_field("Idempotency-Key", "must be at most 128 printable ASCII characters without spaces")
    setattr(request, "request_id", key)  # noqa: B010  # any message that has the field


def _text(rule: http_pb2.HttpRule) -> str:
    return " ".join(str(rule).split())


Call = Callable[..., Awaitable[Message]]
Perform = Callable[[Message], Awaitable[Any]]
"""Makes the call with a request."""
Around = Callable[[Any, Perform], Awaitable[Message]]
"""Answers a request by making the call, with what has to be done before and after."""


def routes(
    channel: grpc.aio.Channel, *, timeout_s: float, arounds: Mapping[str, Around] | None = None
) -> list[web.RouteDef]:
    """aiohttp routes for all bindings, calling over `channel`; `arounds` is by the names of rpcs."""
    ordered = sorted(bindings(), key=lambda binding: "=**" in binding.template)  # the greedy ones match last
    return [
        web.route(b.verb, b.aiohttp_path, handler(b, channel, timeout_s, (arounds or {}).get(b.method.name)))
        for b in ordered
    ]


def handler(
    binding: Binding,
    channel: grpc.aio.Channel,
    timeout_s: float,
    around: Around | None = None,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What answers requests of a binding by calling over `channel`."""
    rpc = cast(
        "Call",
        channel.unary_unary(
            binding.grpc_path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(binding.output).FromString,
        ),
    )

    async def handle(http_request: web.Request) -> web.Response:
        request = build_request(
            binding,
            path=http_request.match_info,
            query=list(http_request.query.items()),
            body=await read_body(http_request) if binding.has_body else b"",
            idempotency_key=http_request.headers.get("Idempotency-Key"),
        )
        caller = caller_of(http_request)
        check_allowed(caller, binding.method.name, request)

        async def perform(wanted: Message) -> Message:
            return await rpc(wanted, timeout=timeout_s, metadata=caller.metadata)

        answer = await (around(request, perform) if around is not None else perform(request))
        return web.Response(
            body=to_json(answer), content_type="application/json", headers={"Cache-Control": "no-store"}
        )

    return handle


async def read_body(request: web.Request) -> bytes:
    """The JSON text of a request. Raises Problem 415 for another type, which also keeps HTML forms out."""
    body = await request.read()
    if body and request.content_type not in JSON_TYPES:
        raise Problem(415, f"the body must be application/json, not {request.content_type}")
    return body
