"""The OpenAPI document: valid, complete, and in step with what the gateway does."""

import re
from typing import Any

import aiohttp
import grpc
import jsonschema
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no annotations

from imagegen_gateway.openapi import document
from imagegen_gateway.transcoding import bindings
from tests.gateway.fake_server import FakeServer

DOCUMENT = document("1.2.3")

PARAMETER = {
    "type": "object",
    "required": ["in", "name", "schema"],
    "properties": {
        "in": {"enum": ["path", "query", "header"]},
        "name": {"type": "string", "minLength": 1},
        "required": {"type": "boolean"},
        "description": {"type": "string"},
        "schema": {"type": "object"},
    },
    "additionalProperties": False,
    "if": {"properties": {"in": {"const": "path"}}},
    "then": {"required": ["required"], "properties": {"required": {"const": True}}},
}
CONTENT = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["schema"],
        "additionalProperties": False,
        "properties": {"schema": {"type": "object"}},
    },
}
OPERATION = {
    "type": "object",
    "required": ["operationId", "tags", "summary", "responses"],
    "properties": {
        "operationId": {"type": "string", "pattern": "^[A-Za-z]+$"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "summary": {"type": "string", "minLength": 1},
        "description": {"type": "string"},
        "parameters": {"type": "array", "items": PARAMETER},
        "requestBody": {
            "type": "object",
            "required": ["content"],
            "properties": {"required": {"type": "boolean"}, "content": CONTENT},
            "additionalProperties": False,
        },
        "responses": {
            "type": "object",
            "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"},
            "additionalProperties": {
                "anyOf": [
                    {"required": ["$ref"]},
                    {
                        "required": ["description"],
                        "properties": {"description": {"type": "string", "minLength": 1}, "content": CONTENT},
                    },
                ]
            },
        },
    },
    "additionalProperties": False,
}
OPENAPI_31 = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"required": ["title", "version"]},
        "tags": {"items": {"required": ["name"]}},
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "propertyNames": {"enum": ["get", "put", "post", "delete", "patch"]},
                "additionalProperties": OPERATION,
            },
        },
        "security": {"items": {"type": "object", "maxProperties": 1}},
        "components": {
            "propertyNames": {"enum": ["schemas", "responses", "securitySchemes"]},
            "properties": {
                "securitySchemes": {
                    "additionalProperties": {
                        "required": ["type"],
                        "properties": {"type": {"enum": ["http", "apiKey"]}, "in": {"enum": ["header", "cookie"]}},
                    }
                }
            },
        },
    },
    "additionalProperties": False,
}
"""What OpenAPI 3.1 asks of the parts that we use."""


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, verb, one) for path, verbs in DOCUMENT["paths"].items() for verb, one in verbs.items()]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


def test_the_document_has_the_form_of_openapi_3_1() -> None:
    jsonschema.validate(DOCUMENT, OPENAPI_31, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_a_json_schema_with_descriptions(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["description"]
    assert [key for key, one in schema.get("properties", {}).items() if not one.get("description")] == []


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        target: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_keys_may_be_shown_in_each_of_the_declared_ways_and_left_out() -> None:
    named = {name for way in DOCUMENT["security"] for name in way}
    assert named == set(DOCUMENT["components"]["securitySchemes"])
    assert {} in DOCUMENT["security"]


def test_every_annotated_rpc_is_there() -> None:
    found = {one["operationId"]: (path, verb.upper()) for path, verb, one in operations()}
    for binding in bindings():
        assert found[binding.method.name] == (binding.openapi_path, binding.verb)


def test_operation_ids_are_unique_and_path_variables_are_declared() -> None:
    names = [one["operationId"] for _, _, one in operations()]
    assert len(names) == len(set(names))
    for path, _, one in operations():
        declared = {parameter["name"] for parameter in one.get("parameters", []) if parameter["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path


def test_calls_that_make_jobs_take_a_key_and_an_owner() -> None:
    headers = {
        one["operationId"]: {parameter["name"] for parameter in one["parameters"] if parameter["in"] == "header"}
        for _, verb, one in operations()
        if verb in {"post", "patch"} and one.get("parameters")
    }
    assert {name for name, found in headers.items() if "Imagegen-Owner" in found} == {
        *("CreateJob", "RetryJob", "RunWorkflow")
    }
    assert headers["CreateJob"] == headers["RetryJob"] == headers["RunWorkflow"]
    assert headers["CreateJob"] == {"Idempotency-Key", "Imagegen-Owner"}


def test_rules_of_the_proto_are_rules_of_the_schema() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    image = schemas["ImageParameters"]["properties"]
    assert image["prompt"]["maxLength"] == 32768
    assert (image["steps"]["minimum"], image["steps"]["maximum"]) == (1, 500)
    assert image["init_image"]["pattern"] == "^([0-9a-f]{64})?$"
    assert "multiple of 8" in image["width"]["description"]
    assert schemas["HiresParameters"]["properties"]["scale"]["exclusiveMinimum"] == 1
    assert schemas["JobSpec"]["properties"]["labels"]["maxProperties"] == 32
    assert schemas["CreateJobRequest"]["required"] == ["spec"]
    assert "Exactly one of `image`, `workflow`, `graph`" in schemas["JobSpec"]["description"]
    move = DOCUMENT["paths"]["/api/v1/queue/entries/{job_id}:move"]["post"]["requestBody"]["content"]
    assert "Exactly one of `end`, `before_job_id`" in move["application/json"]["schema"]["description"]
    assert "job_id" not in move["application/json"]["schema"]["properties"]
    [kind] = [
        one for one in DOCUMENT["paths"]["/api/v1/models/{type}/{name}"]["get"]["parameters"] if one["name"] == "type"
    ]
    assert "MODEL_TYPE_UNSPECIFIED" not in kind["schema"]["enum"]


async def test_answers_fit_their_schemas(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    job = fake.add_job("j1")
    job.spec.image.seed = 5
    job.create_time.GetCurrentTime()
    job.error.message = "m"
    job.spec.labels["a"] = "b"
    job.queue.start_eta.FromMilliseconds(1500)
    fake.add_output("j1", b"picture")
    async with http.get("/openapi.json") as response:
        served = await response.json()
    async with http.get("/api/v1/jobs/j1") as response:
        answer = await response.json()
    schema = {"$ref": "#/components/schemas/GetJobResponse", "components": served["components"]}
    jsonschema.validate(answer, schema, cls=jsonschema.Draft202012Validator)
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="owner:anna", description="2 jobs of this owner wait already; at most 2 may")
    fake.errors["CreateJob"] = (grpc.StatusCode.RESOURCE_EXHAUSTED, "later", "QUOTA_EXCEEDED", (quota,))
    async with http.post("/api/v1/jobs", json={}) as response:
        problem = await response.json()
    assert problem["quota"]
    schema = {"$ref": "#/components/schemas/Problem", "components": served["components"]}
    jsonschema.validate(problem, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/theme.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/docs/docs.js", "text/javascript"),
        ("/docs/style.css", "text/css"),
        ("/openapi.json", "application/json"),
        ("/readyz", "application/json"),
    ],
)
async def test_pages_are_served_and_cached(http: aiohttp.ClientSession, path: str, kind: str) -> None:
    async with http.get(path) as response:
        assert response.status == 200
        assert response.content_type == kind
        etag = response.headers.get("ETag")
        body = await response.read()
    assert body
    assert b"http://" not in body.replace(b"http://www.w3.org", b"")
    if etag:
        async with http.get(path, headers={"If-None-Match": etag}) as response:
            assert response.status == 304


@pytest.mark.parametrize("page", ["static/index.html", "reference/docs.html"])
def test_pages_have_nothing_inline(page: str) -> None:
    from importlib import resources

    text = resources.files("imagegen_gateway").joinpath(page).read_text()
    assert re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", text) is None


def test_the_script_puts_text_in_as_text() -> None:
    from importlib import resources

    text = resources.files("imagegen_gateway").joinpath("reference/docs.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
