"""The OpenAPI descriptions of the routes that no annotation describes, and the small parts that all are made of."""

from typing import Any, Final

from imagegen.v1 import asset_pb2, event_pb2
from imagegen_gateway.assets import POLICIES
from imagegen_gateway.descriptors import descriptor_of
from imagegen_gateway.schemas import Schema, reference
from imagegen_gateway.thumbnails import WIDTHS


def parameter(place: str, name: str, text: str, schema: Schema) -> Schema:
    """An optional parameter; a string unless the schema says otherwise."""
    typed = schema if schema.keys() & {"type", "$ref"} else {"type": "string"} | schema
    return {"in": place, "name": name, "description": text, "schema": typed}


def json_response(text: str, schema: Schema) -> Schema:
    """An answer in JSON."""
    return {"description": text or "The answer.", "content": {"application/json": {"schema": schema}}}


def hand_written() -> list[tuple[str, str, Schema]]:
    """The routes that no annotation describes."""
    job = path("job_id", "The job.", {"type": "string", "maxLength": 64})
    digest = path("digest", "SHA-256 of the bytes.", {"type": "string", "pattern": "^[0-9a-f]{64}$"})
    return [
        ("/api/v1/jobs/{job_id}/events", "get", events_operation([job], "watchJob", "Streams the events of a job")),
        ("/api/v1/events", "get", events_operation(MANY, "watchJobs", "Streams the events of many jobs")),
        ("/api/v1/jobs/{job_id}/live", "get", live_operation(job)),
        ("/api/v1/jobs/{job_id}/preview", "get", preview_operation(job)),
        ("/api/v1/assets/{digest}", "get", asset_operation(digest)),
        ("/api/v1/assets", "post", upload_operation()),
        ("/healthz", "get", health_operation("healthz", "Says that the gateway runs")),
        ("/readyz", "get", health_operation("readyz", "Says whether the gRPC server can be reached")),
    ]


def path(name: str, text: str, schema: Schema) -> Schema:
    """A variable of a path."""
    return {"in": "path", "name": name, "required": True, "description": text, "schema": schema}


MANY: Final[list[Schema]] = [
    parameter("query", "jobs", "Ids, separated by commas, at most 1000; empty: all jobs, also later ones.", {}),
    parameter("query", "owner", "Only jobs of this owner; empty: all.", {}),
    parameter(
        "query",
        "system",
        "Also tell of backends, the queue, and what changes beside jobs: events `backend`, `backend_removed`, `queue`, "
        "`changed` and `ready`, without id; their data is the message of that name in SystemEvent. First all that "
        "there is, then `ready`, then changes. `away` says that the server cannot be reached; when it is back, all "
        "that there is comes again with another `ready`: then read again what you show.",
        {"type": "boolean", "default": False},
    ),
]
RATE: Final = parameter(
    "query",
    "max_rate_hz",
    "At most this many previews a second, and as many progress events; 0: no limit.",
    {"type": "number", "minimum": 0, "maximum": 30},
)
PIXELS: Final = parameter(
    "query",
    "max_pixels",
    "Longest side of previews, 0 (as they come) or 16 to 2048; the next lower power of two is served.",
    {"type": "integer", "minimum": 0, "maximum": 2048},
)
POSITION: Final = 'Id of the last event seen; "earliest" replays all durable events; empty: a snapshot, then live.'


def events_operation(parameters: list[Schema], name: str, summary: str) -> Schema:
    """A stream of events."""
    return {
        "operationId": name,
        "tags": ["Watching"],
        "summary": summary,
        "description": (
            "Server-sent events, made for EventSource: `event` is the name of the JobEvent's member, `id` its resume "
            "token, `data` the JobEvent as JSON. A comment is sent every 15 seconds. The stream ends when the job has "
            "ended; EventSource then comes back with the last id and is answered 204, which stops it."
        ),
        "parameters": [
            *parameters,
            parameter("header", "Last-Event-ID", POSITION + " Goes before the query.", {"maxLength": 256}),
            parameter("query", "last_event_id", POSITION, {"maxLength": 256}),
            parameter(
                "query",
                "previews",
                "How previews are sent: with their bytes (base64; larger than 64 KiB as url), as the address `url` "
                "instead of `data`, or not.",
                {"type": "string", "enum": ["inline", "url", "none"], "default": "inline"},
            ),
            RATE,
            PIXELS,
        ],
        "responses": {
            "200": {
                "description": "The events.",
                "content": {
                    "text/event-stream": {"schema": {"type": "string", "contentSchema": jobevent()}},
                },
            },
            "204": {"description": "The job has ended and all its events are known to the caller."},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def jobevent() -> Schema:
    """The data of an event."""
    return reference(descriptor_of(event_pb2.JobEvent))


def live_operation(job: Schema) -> Schema:
    """The live picture."""
    index = parameter(
        "query", "index", "Which finished picture comes last.", {"type": "integer", "minimum": 0, "maximum": 999}
    )
    return {
        "operationId": "liveJob",
        "tags": ["Watching"],
        "summary": "Shows a job as a picture that changes",
        "description": (
            'For a plain `<img src="…">`, without a script: previews as they come, at last the finished picture; '
            "the picture itself once the job has ended."
        ),
        "parameters": [job, index, RATE, PIXELS],
        "responses": {
            "200": {
                "description": "The pictures.",
                "content": {
                    "multipart/x-mixed-replace": {"schema": {"type": "string"}},
                    "image/*": {"schema": {"type": "string"}},
                },
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def preview_operation(job: Schema) -> Schema:
    """One frame."""
    return {
        "operationId": "getPreview",
        "tags": ["Watching"],
        "summary": "Gives the newest preview of a running job",
        "parameters": [
            job,
            parameter("query", "frame", "Ignored: makes addresses differ.", {}),
            parameter("query", "attempt", "Ignored: makes addresses differ.", {}),
            PIXELS,
        ],
        "responses": {"200": picture("The frame."), "default": {"$ref": "#/components/responses/Problem"}},
    }


def picture(text: str) -> Schema:
    """An answer that is a picture."""
    return {"description": text, "content": {"image/*": {"schema": {"type": "string"}}}}


def asset_operation(digest: Schema) -> Schema:
    """Bytes of an asset."""
    width = parameter(
        "query", "w", "A WebP of this width instead, never enlarged.", {"type": "integer", "enum": list(WIDTHS)}
    )
    metadata = parameter(
        "query",
        "metadata",
        "What becomes of the generation metadata inside a picture: keep, strip (text, EXIF and XMP; colour profile and "
        "orientation stay), or a1111 (its `parameters` text in their place). Not with w: thumbnails never have any.",
        {"type": "string", "enum": list(POLICIES), "default": "keep"},
    )
    deleted = parameter(
        "query",
        "deleted",
        "Also a file that is deleted and can be brought back.",
        {"type": "boolean", "default": False},
    )
    return {
        "operationId": "readAsset",
        "tags": ["Assets"],
        "summary": "Gives the bytes of an asset",
        "description": (
            "ETag, Range and If-None-Match are understood. As it is stored, and stripped, it never changes, and caches "
            "may keep it for good."
        ),
        "parameters": [
            digest,
            width,
            metadata,
            deleted,
            parameter("header", "Range", "One range of bytes.", {}),
            parameter("header", "If-None-Match", "ETags that the caller has.", {}),
        ],
        "responses": {
            "200": {"description": "The bytes.", "content": {"*/*": {"schema": {"type": "string"}}}},
            "206": {"description": "The range.", "content": {"*/*": {"schema": {"type": "string"}}}},
            "304": {"description": "The caller has it."},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def upload_operation() -> Schema:
    """Upload of an asset."""
    form: Schema = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    return {
        "operationId": "writeAsset",
        "tags": ["Assets"],
        "summary": "Stores a picture",
        "description": "The body is the picture, or a form with the field `file`. Storing it twice is no error.",
        "parameters": [
            parameter("query", "digest", "Expected SHA-256 in hexadecimal digits.", {"pattern": "^[0-9a-f]{64}$"}),
            parameter("header", "Content-Digest", "Expected SHA-256 as RFC 9530 writes it.", {}),
        ],
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": {"type": "string"}}, "multipart/form-data": {"schema": form}},
        },
        "responses": {
            "201": json_response("The stored asset.", reference(descriptor_of(asset_pb2.Asset))),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def health_operation(name: str, summary: str) -> Schema:
    """A probe."""
    status: dict[str, Any] = {"type": "object", "properties": {"status": {"type": "string"}}}
    return {
        "operationId": name,
        "tags": ["Operation"],
        "summary": summary,
        "responses": {
            "200": json_response("It is well.", status),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
