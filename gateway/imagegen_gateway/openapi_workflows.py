"""The OpenAPI descriptions of workflows as endpoints: in general, and of each one that there is."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from imagegen.v1 import image_gen_pb2, job_pb2, workflow_pb2
from imagegen_gateway import callers
from imagegen_gateway.descriptors import descriptor_of
from imagegen_gateway.openapi_manual import json_response, parameter, path
from imagegen_gateway.schemas import Schema, field_schema, reference
from imagegen_gateway.workflows import OPTIONS

MAX_WORKFLOWS: Final = 200
MAX_SCHEMA_BYTES: Final = 4 * 1024 * 1024
"""Of all schemas together: lists of models may be long, and stand in each. What goes beyond is left out."""
UPLOADS: Final[Schema] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {
                    "type": "string",
                    "contentMediaType": "application/octet-stream",
                    "description": "The graph or the picture.",
                },
                "name": {"type": "string", "description": "As in the JSON; empty: the file's."},
                "backend": {"type": "string", "description": "As in the JSON."},
                "openwebui_nodes_json": {"type": "string", "description": "As in the JSON."},
            },
        }
    },
    "image/*": {"schema": {"type": "string", "description": "A picture; the rest is in the query."}},
    "text/plain": {"schema": {"type": "string", "description": "Text in any of the forms; the rest is in the query."}},
}
"""What ImportWorkflow takes besides JSON."""


def workflow_routes() -> list[tuple[str, str, Schema]]:
    """The routes that all workflows have."""
    workflow = path("workflow_id", "The workflow.", {"type": "string", "maxLength": 64})
    inputs = {"type": "object", "description": "The inputs by name, as the workflow's schema says."}
    general = run_operation("RunWorkflow", "Runs a workflow", RUN, inputs)
    return [
        ("/api/v1/workflows/{workflow_id}:run", "post", general | {"parameters": [workflow, *general["parameters"]]}),
        ("/api/v1/workflows/{workflow_id}/schema", "get", schema_operation(workflow)),
    ]


RUN: Final = (
    "Makes a job of the inputs alone: the body is what the workflow's schema describes. Errors name them as they stand "
    "there. A new job is answered with 201, one that was there already, and a mere check, with 200."
)


def with_workflows(document: Schema, workflows: Sequence[workflow_pb2.Workflow]) -> Schema:
    """The document with an endpoint for each of these workflows; the document itself stays as it is."""
    paths: dict[str, Schema] = {}
    room = MAX_SCHEMA_BYTES
    for workflow in workflows[:MAX_WORKFLOWS]:
        room -= len(workflow.input_schema_json)
        if room < 0:
            break
        paths[f"/api/v1/workflows/{workflow.workflow_id}:run"] = {"post": operation_of(workflow)}
    return document | {"paths": document["paths"] | paths}


def operation_of(workflow: workflow_pb2.Workflow) -> Schema:
    """The endpoint of a workflow."""
    schema: dict[str, Any] = orjson.loads(workflow.input_schema_json or "{}")
    schema.pop("$schema", None)
    name = f"run_{workflow.workflow_id.replace('-', '_')}"
    title = workflow.title or workflow.workflow_id
    return run_operation(name, f"Runs {title}", workflow.description or f"Runs the workflow {title}.", schema)


def run_operation(name: str, summary: str, text: str, inputs: Schema) -> Schema:
    """An endpoint that takes a workflow's inputs."""
    answer = reference(descriptor_of(image_gen_pb2.CreateJobResponse))
    return {
        "operationId": name,
        "tags": ["Workflows"],
        "summary": summary,
        "description": text,
        "parameters": list(PARAMETERS),
        "requestBody": {
            "required": bool(inputs.get("required")),
            "content": {"application/json": {"schema": inputs}},
        },
        "responses": {
            "200": json_response("The job that was there already, or would be made.", answer),
            "201": json_response("The new job.", answer),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def schema_operation(workflow: Schema) -> Schema:
    """What a workflow takes."""
    return {
        "operationId": "getWorkflowSchema",
        "tags": ["Workflows"],
        "summary": "Gives the JSON Schema of a workflow's inputs",
        "parameters": [workflow, REVISION],
        "responses": {
            "200": {
                "description": "The schema, with choices as the backends have them now.",
                "content": {"application/schema+json": {"schema": {"type": "object"}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _option(name: str) -> Schema:
    schema = field_schema(descriptor_of(job_pb2.JobSpec).fields_by_name[name])
    return parameter("query", name, schema.pop("description", ""), schema)


REVISION: Final = parameter(
    "query", "revision", "Its revision; 0: the newest.", {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
)
PARAMETERS: Final = (
    REVISION,
    *(_option(name) for name in OPTIONS),
    parameter("query", "label", "The caller's own note, KEY=VALUE; may be repeated.", {"pattern": "^[^=]+=.*$"}),
    parameter("query", "validate_only", "Check the request, and make nothing.", {"type": "boolean"}),
    parameter("header", "Idempotency-Key", "The same key and request never make a second job.", {"maxLength": 128}),
    parameter(
        "header",
        callers.HEADER,
        "Who asks, as in CreateJob.",
        {"maxLength": callers.MAX_CHARS, "pattern": f"^{callers.PRINTABLE.pattern}$"},
    ),
)
"""What can be said about a job besides its inputs."""
