"""The OpenAPI 3.1 document: derived routes from the descriptors, the hand-written ones from the table below."""

from functools import cache
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from imagegen.v1 import asset_pb2, error_pb2, event_pb2
from imagegen_gateway import callers
from imagegen_gateway.descriptors import descriptor_of, is_map, message_of
from imagegen_gateway.openapi_manual import hand_written, json_response, parameter
from imagegen_gateway.openapi_workflows import UPLOADS, workflow_routes
from imagegen_gateway.schemas import Schema, collect, comment, field_schema, message_schema, reference
from imagegen_gateway.transcoding import Binding, bindings

ABOUT: Final = """\
Image generation with streaming progress, over ComfyUI, A1111 and a built-in demo.

This document is derived from the Protocol Buffers of `imagegen.v1`; the gRPC service has the same calls and words.

- Fields are named as in the .proto (`job_id`); camelCase is accepted in requests. Unknown fields are refused.
- 64-bit integers (`seed`, `sequence`, `size_bytes`) are strings, because JavaScript's numbers end at 2^53; in requests
  numbers are accepted too.
- Enums are given by name; in requests also without the type's prefix, in any letter case (`queued`).
- Every error is a problem document (RFC 9457) with a stable `reason`.
- Events of a job: `GET /api/v1/jobs/{job_id}/events`. A live picture for a plain `<img>`:
  `GET /api/v1/jobs/{job_id}/live`.
"""
SECTIONS: Final = {
    "ImageGenService": "Jobs",
    "QueueService": "Queue",
    "AssetService": "Assets",
    "BackendService": "Backends",
    "ModelService": "Models",
    "WorkflowService": "Workflows",
    "SettingsService": "Settings",
}
KEY: Final = parameter("header", "Idempotency-Key", "The same as `request_id` in the body.", {"maxLength": 128})
SECURITY: Final[Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key of this gateway, where it has any."},
    "header": {"type": "apiKey", "in": "header", "name": callers.KEY_HEADER, "description": "The same key."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": callers.COOKIE, "description": "What the page signs in with."},
}
OWNER: Final = parameter(
    "header",
    callers.HEADER,
    "Who asks: the job belongs to that owner, whose share of the queue and limits it counts towards. "
    "With keys, only one that acts for users may name somebody else.",
    {"maxLength": callers.MAX_CHARS, "pattern": f"^{callers.PRINTABLE.pattern}$"},
)


@cache
def document(version: str) -> Schema:
    """The whole document. Not to be changed."""
    routes = bindings()
    paths: dict[str, Schema] = {}
    for binding in routes:
        paths.setdefault(binding.openapi_path, {})[binding.verb.lower()] = operation(binding)
    for path, verb, described in [*hand_written(), *workflow_routes()]:
        paths.setdefault(path, {})[verb] = described
    paths["/api/v1/workflows:import"]["post"]["requestBody"]["content"] |= UPLOADS
    roots = [b.output for b in routes] + [b.input for b in routes if b.has_body]
    described_types = collect([*roots, descriptor_of(event_pb2.JobEvent), descriptor_of(asset_pb2.Asset)])
    described_types["Preview"]["properties"]["url"] = {
        "type": "string",
        "format": "uri-reference",
        "description": "In event streams of the gateway, instead of `data`: where the newest frame can be had.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagegen",
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name} for name in (*SECTIONS.values(), "Watching", "Operation")],
        "paths": paths,
        "security": [{}, *({name: []} for name in SECURITY)],  # keys are asked for where there are any
        "components": {
            "securitySchemes": SECURITY,
            "schemas": described_types | {"Problem": problem_schema()},
            "responses": {"Problem": problem_response()},
        },
    }


def operation(binding: Binding) -> Schema:
    """A derived route."""
    text = comment(binding.method.full_name)
    described: Schema = {
        "operationId": binding.method.name,
        "tags": [SECTIONS.get(binding.method.containing_service.name, binding.method.containing_service.name)],
        "summary": text.partition(". ")[0].partition("\n")[0].rstrip("."),
        "description": text,
        "parameters": [path_parameter(binding, name) for name in sorted(binding.variables)],
        "responses": {
            "200": json_response(comment(binding.output.full_name), reference(binding.output)),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if not binding.has_body:
        described["parameters"] += query_parameters(binding.input, binding.variables)
        return described
    schema = without(binding.input, binding.variables)
    described["requestBody"] = {
        "required": "required" in message_schema(binding.input),
        "content": {"application/json": {"schema": schema}},
    }
    if "request_id" in binding.input.fields_by_name:
        described["parameters"] += [KEY, OWNER]
    return described


def without(descriptor: Descriptor, taken: frozenset[str]) -> Schema:
    """The schema of a body: the request less what the path holds."""
    if not taken:
        return reference(descriptor)
    schema = message_schema(descriptor)
    return schema | {"properties": {name: one for name, one in schema["properties"].items() if name not in taken}}


def path_parameter(binding: Binding, name: str) -> Schema:
    """A variable of the path."""
    schema = field_schema(binding.input.fields_by_name[name])
    text = schema.pop("description", "")
    if f"{{{name}=**}}" in binding.template:
        text += " May contain slashes."
    return {"in": "path", "name": name, "required": True, "description": text, "schema": schema}


def query_parameters(descriptor: Descriptor, taken: frozenset[str], prefix: str = "") -> list[Schema]:
    """The fields of a request as parameters, those of nested messages by dots."""
    found: list[Schema] = []
    for field in descriptor.fields:
        if field.name in taken or is_map(field):
            continue
        if is_nested(field):
            found += query_parameters(message_of(field), frozenset(), f"{prefix}{field.name}.")
            continue
        schema = field_schema(field)
        found.append(parameter("query", prefix + field.name, schema.pop("description", ""), schema))
    return found


def is_nested(field: FieldDescriptor) -> bool:
    """Whether the field is a message of ours."""
    return field.message_type is not None and field.message_type.full_name.startswith("imagegen.")


def problem_response() -> Schema:
    """Every error."""
    return {
        "description": "What went wrong (RFC 9457).",
        "headers": {
            "Retry-After": {"description": "Seconds, where a retry helps.", "schema": {"type": "integer"}},
        },
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def problem_schema() -> Schema:
    """The problem document, with the catalogue of reasons."""
    enum = error_pb2.ErrorReason.DESCRIPTOR
    reasons = {
        value.name.removeprefix("ERROR_REASON_"): comment(f"imagegen.v1.ErrorReason.{value.name}")
        for value in enum.values
        if value.number
    }
    return {
        "type": "object",
        "description": "An error as RFC 9457 describes it.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Names the kind of problem."},
            "title": {"type": "string", "description": "The name of the HTTP status."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What happened, to what, and what to do."},
            "reason": {
                "type": "string",
                "enum": list(reasons),
                "description": "Stable name of the error.\n\n"
                + "\n".join(f"- `{name}`: {text}" for name, text in reasons.items()),
            },
            "errors": {
                "type": "array",
                "description": "The fields at fault.",
                "items": {
                    "type": "object",
                    "required": ["field", "description"],
                    "properties": {
                        "field": {"type": "string", "description": "Its path, as spec.image.width."},
                        "description": {"type": "string", "description": "What is wrong and what is allowed."},
                    },
                },
            },
            "quota": {
                "type": "array",
                "description": "The limits that the request would have exceeded.",
                "items": {
                    "type": "object",
                    "required": ["subject", "description"],
                    "properties": {
                        "subject": {
                            "type": "string",
                            "description": "`queue`, or `owner:` and the owner.",
                        },
                        "description": {"type": "string", "description": "The limit, and what is taken of it."},
                    },
                },
            },
            "retry_after": {"type": "number", "description": "Seconds after which a retry helps."},
        },
    }
