"""Workflows as endpoints of their own, uploads to import, and what the OpenAPI document says of each."""

import io
import json
from typing import Any

import aiohttp
import grpc
import jsonschema
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no annotations

from imagegen.v1 import image_gen_pb2, job_pb2, workflow_pb2
from imagegen_gateway.openapi import document
from imagegen_gateway.openapi_workflows import MAX_SCHEMA_BYTES, MAX_WORKFLOWS, with_workflows
from imagegen_gateway.workflows import MAX_TEXT_BYTES
from tests.gateway.dialects.pictures import png
from tests.gateway.fake_server import FakeServer

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"strength": {"type": "number"}},
    "required": ["strength"],
}


async def test_inputs_become_a_job(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.answers["CreateJob"] = image_gen_pb2.CreateJobResponse(job=job_pb2.Job(job_id="j-1"))
    body = {"prompt": "fox", "seed": 2**64 - 1, "steps": 3, "mask": None, "loras": [{"name": "a", "weight": None}]}
    query = "revision=2&backend=big&priority=-3&reuse=true&on_uncertain=fail&label=a%3Db%3Dc&label=d%3D"
    headers = {"Idempotency-Key": "k", "Imagegen-Owner": "anna"}
    async with http.post(f"/api/v1/workflows/w-1:run?{query}", json=body, headers=headers) as response:
        assert (response.status, response.headers["Location"]) == (201, "/api/v1/jobs/j-1"), await response.text()
        assert (await response.json())["job"]["job_id"] == "j-1"
    request = fake.requests["CreateJob"]
    assert isinstance(request, image_gen_pb2.CreateJobRequest)
    assert (request.request_id, request.validate_only, fake.owners["CreateJob"]) == ("k", False, "anna")
    spec = request.spec
    assert (spec.workflow.workflow_id, spec.workflow.revision) == ("w-1", 2)
    assert MessageToDict(spec.workflow.inputs) == {
        "prompt": "fox",
        "seed": str(2**64 - 1),
        "steps": 3.0,
        "loras": [{"name": "a", "weight": None}],
    }
    assert (spec.backend, spec.priority, spec.reuse, dict(spec.labels)) == ("big", -3, True, {"a": "b=c", "d": ""})
    assert spec.on_uncertain == job_pb2.UNCERTAIN_POLICY_FAIL


@pytest.mark.parametrize(("query", "replayed"), [("validate_only=true", False), ("", True)])
async def test_what_makes_no_job_is_200(
    fake: FakeServer, http: aiohttp.ClientSession, query: str, replayed: bool
) -> None:
    fake.answers["CreateJob"] = image_gen_pb2.CreateJobResponse(replayed=replayed)
    async with http.post(f"/api/v1/workflows/w-1:run?{query}") as response:
        assert (response.status, "Location" in response.headers) == (200, False)


@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("colour=red", {}, "colour"),
        ("priority=x", {}, "priority"),
        ("priority=1&priority=2", {}, "priority"),
        ("label=a", {}, "label"),
        ("image.prompt=x", {}, "image.prompt"),
        ("", [], ""),
    ],
)
async def test_what_cannot_be_is_refused(
    fake: FakeServer, http: aiohttp.ClientSession, query: str, body: Any, field: str
) -> None:
    async with http.post(f"/api/v1/workflows/w-1:run?{query}", json=body) as response:
        assert response.status == 400
        assert (await response.json())["errors"][0]["field"] == field
    assert "CreateJob" not in fake.requests


async def test_errors_name_all_that_the_query_may_say(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/workflows/w-1:run?labels=a") as response:
        assert "allowed: backend, label, on_uncertain, priority" in (await response.json())["detail"]
    async with http.post("/api/v1/workflows/w-1:run?on_uncertain=x") as response:
        assert (await response.json())["detail"] == 'on_uncertain: "x" is not known; allowed: retry, fail'


async def test_deep_json_is_refused(http: aiohttp.ClientSession) -> None:
    nested: Any = 1
    for _ in range(500):
        nested = [nested]
    async with http.post("/api/v1/workflows/w-1:run", json={"a": nested}) as response:
        assert response.status == 400


async def test_errors_name_the_inputs_as_they_stand_in_the_body(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="spec.workflow.inputs.strength", description="must be at most 1")
    bad.field_violations.add(field="spec.backend", description="there is none")
    message = "spec.workflow.inputs.strength: must be at most 1; spec.backend: there is none"
    fake.errors["CreateJob"] = (grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_REQUEST", (bad,))
    async with http.post("/api/v1/workflows/w-1:run", json={"strength": 2}) as response:
        problem = await response.json()
    assert problem["detail"] == "strength: must be at most 1; backend: there is none"
    assert [error["field"] for error in problem["errors"]] == ["strength", "backend"]


async def test_the_schema_is_served_as_it_is(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    workflow = workflow_pb2.Workflow(input_schema_json=json.dumps(SCHEMA))
    fake.answers["GetWorkflow"] = workflow_pb2.GetWorkflowResponse(workflow=workflow)
    async with http.get("/api/v1/workflows/w-1/schema?revision=3") as response:
        assert (response.status, response.content_type) == (200, "application/schema+json")
        assert json.loads(await response.text()) == SCHEMA
    assert fake.requests["GetWorkflow"] == workflow_pb2.GetWorkflowRequest(workflow_id="w-1", revision=3)


async def test_files_are_imported_as_they_come(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b'{"3": {}}', filename="portrait.json", content_type="application/json")
    form.add_field("backend", "big")
    form.add_field("name", "Mine")
    async with http.post("/api/v1/workflows:import", data=form) as response:
        assert response.status == 200, await response.text()
    expected = workflow_pb2.ImportWorkflowRequest(text='{"3": {}}', name="Mine", backend="big")
    assert fake.requests["ImportWorkflow"] == expected
    unnamed = aiohttp.FormData()
    unnamed.add_field("file", b'{"3": {}}', filename="portrait.json")
    async with http.post("/api/v1/workflows:import", data=unnamed) as response:
        assert response.status == 200
    expected = workflow_pb2.ImportWorkflowRequest(text='{"3": {}}', name="portrait.json")
    assert fake.requests["ImportWorkflow"] == expected

    picture = png()
    async with http.post("/api/v1/workflows:import?name=a", data=picture, headers={"Content-Type": "image/png"}) as got:
        assert got.status == 200
    digest = fake.add_asset(picture).digest
    assert fake.requests["ImportWorkflow"] == workflow_pb2.ImportWorkflowRequest(asset=digest, name="a")

    headers = {"Content-Type": "text/plain"}
    async with http.post("/api/v1/workflows:import", data="fox\nSteps: 3".encode("utf-8-sig"), headers=headers) as got:
        assert got.status == 200
    assert fake.requests["ImportWorkflow"] == workflow_pb2.ImportWorkflowRequest(text="fox\nSteps: 3")


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        ("text/plain", b"\xff\xfe", 400),
        ("text/plain", b"x" * (MAX_TEXT_BYTES + 1), 400),
        ("text/html", b"x", 415),
        ("application/x-www-form-urlencoded", b"x", 415),
    ],
    ids=["no text", "too much", "a page", "a form of another kind"],
)
async def test_what_is_no_workflow_is_not_sent_on(
    fake: FakeServer, http: aiohttp.ClientSession, kind: str, data: bytes, status: int
) -> None:
    headers = {"Content-Type": kind}
    async with http.post("/api/v1/workflows:import", data=io.BytesIO(data), headers=headers) as response:
        assert response.status == status
    forms: list[list[tuple[str, str]]] = [
        [("name", "x")],
        [("file", "{}"), ("colour", "red")],
        [("file", "{}"), ("file", "{}")],
    ]
    for fields in forms:
        async with http.post(
            "/api/v1/workflows:import", data=aiohttp.FormData(fields, default_to_multipart=True)
        ) as got:
            assert got.status == 400
    assert "ImportWorkflow" not in fake.requests


def listed(fake: FakeServer) -> None:
    workflow = workflow_pb2.Workflow(workflow_id="w-1", title="Portrait", input_schema_json=json.dumps(SCHEMA))
    fake.answers["ListWorkflows"] = workflow_pb2.ListWorkflowsResponse(workflows=[workflow])


async def test_the_document_has_an_endpoint_for_each_workflow(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    listed(fake)
    async with http.get("/openapi.json") as response:
        etag, described = response.headers["ETag"], await response.json()
    operation = described["paths"]["/api/v1/workflows/w-1:run"]["post"]
    assert (operation["operationId"], operation["summary"]) == ("run_w_1", "Runs Portrait")
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "$schema" not in schema
    assert (schema["required"], operation["requestBody"]["required"]) == (["strength"], True)
    async with http.get("/openapi.json", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
    fake.errors["ListWorkflows"] = (grpc.StatusCode.UNAVAILABLE, "away", "SHUTTING_DOWN", ())
    async with http.get("/openapi.json") as response:
        assert "/api/v1/workflows/w-1:run" not in (await response.json())["paths"]


@pytest.mark.parametrize("settings", [{"keys": [{"name": "anna", "key": "k" * 16}]}])
async def test_names_of_workflows_are_for_those_with_a_key(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    listed(fake)
    for headers, is_told in (({}, False), ({"X-Api-Key": "wrong"}, False), ({"X-Api-Key": "k" * 16}, True)):
        async with http.get("/openapi.json", headers=headers) as response:
            assert response.status == 200
            assert ("/api/v1/workflows/w-1:run" in (await response.json())["paths"]) is is_told


def test_the_document_has_a_bound() -> None:
    many = [workflow_pb2.Workflow(workflow_id=f"w{number}") for number in range(MAX_WORKFLOWS + 5)]
    plain = document("1")
    assert len(with_workflows(plain, many)["paths"]) == len(plain["paths"]) + MAX_WORKFLOWS
    large = workflow_pb2.Workflow(workflow_id="w", input_schema_json=" " * (MAX_SCHEMA_BYTES + 1))
    assert with_workflows(plain, [large])["paths"] == plain["paths"]
