"""REST routes: every annotated rpc, its path, query and body, and what is refused."""

from typing import Any

import aiohttp
import pytest
from google.api import annotations_pb2  # type: ignore[import-untyped]  # ships no annotations
from google.protobuf import struct_pb2, timestamp_pb2
from yarl import URL

from imagegen.v1 import (
    asset_pb2,
    backend_pb2,
    image_gen_pb2,
    job_pb2,
    key_pb2,
    model_pb2,
    queue_pb2,
    settings_pb2,
    system_pb2,
    workflow_pb2,
)
from imagegen_gateway.descriptors import load_package
from imagegen_gateway.transcoding import bindings
from tests.gateway.fake_server import FakeServer

DIGEST = "ab" * 32
INVOCATION = job_pb2.WorkflowInvocation(
    workflow_id="w-1",
    inputs=struct_pb2.Struct(fields={"seed": struct_pb2.Value(string_value="18446744073709551615")}),
)
IMAGE_SPEC = job_pb2.JobSpec(image=job_pb2.ImageParameters(prompt="a fox", seed=2**60))

CASES: list[tuple[str, str, Any, str, Any]] = [
    ("GET", "/api/v1/jobs/j-1", None, "GetJob", image_gen_pb2.GetJobRequest(job_id="j-1")),
    ("DELETE", "/api/v1/jobs/j-1", None, "DeleteJob", image_gen_pb2.DeleteJobRequest(job_id="j-1")),
    ("POST", "/api/v1/jobs/j-1:cancel", None, "CancelJob", image_gen_pb2.CancelJobRequest(job_id="j-1")),
    ("POST", "/api/v1/jobs/j-1:cancel", {"job_id": "j-1"}, "CancelJob", image_gen_pb2.CancelJobRequest(job_id="j-1")),
    (
        "POST",
        "/api/v1/jobs/j-1:retry",
        {"new_seeds": True, "request_id": "k"},
        "RetryJob",
        image_gen_pb2.RetryJobRequest(job_id="j-1", new_seeds=True, request_id="k"),
    ),
    (
        "PATCH",
        "/api/v1/jobs/j-1",
        {"priority": 0, "labels": {"labels": {"a": "b"}}, "paused": False},
        "UpdateJob",
        image_gen_pb2.UpdateJobRequest(
            job_id="j-1", priority=0, labels=image_gen_pb2.Labels(labels={"a": "b"}), paused=False
        ),
    ),
    (
        "PATCH",
        "/api/v1/jobs/j-1",
        {"labels": {}},
        "UpdateJob",
        image_gen_pb2.UpdateJobRequest(job_id="j-1", labels=image_gen_pb2.Labels()),
    ),
    ("GET", "/api/v1/jobs", None, "ListJobs", image_gen_pb2.ListJobsRequest()),
    (
        "GET",
        "/api/v1/jobs?page_size=5&states=JOB_STATE_QUEUED&states=running,FAILED&label=a%3Db&text=x%20y",
        None,
        "ListJobs",
        image_gen_pb2.ListJobsRequest(
            page_size=5,
            states=[job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_FAILED],
            label="a=b",
            text="x y",
        ),
    ),
    ("GET", "/api/v1/jobs?pageToken=t", None, "ListJobs", image_gen_pb2.ListJobsRequest(page_token="t")),
    (
        "POST",
        "/api/v1/jobs",
        {"spec": {"image": {"prompt": "a fox", "seed": str(2**60)}}, "requestId": "k"},
        "CreateJob",
        image_gen_pb2.CreateJobRequest(spec=IMAGE_SPEC, request_id="k"),
    ),
    (
        "POST",
        "/api/v1/jobs",
        {"spec": {"image": {"prompt": "a fox", "seed": 2**60}}, "validate_only": True},
        "CreateJob",
        image_gen_pb2.CreateJobRequest(spec=IMAGE_SPEC, validate_only=True),
    ),
    ("GET", f"/api/v1/assets/{DIGEST}/info", None, "GetAsset", asset_pb2.GetAssetRequest(digest=DIGEST)),
    (
        "GET",
        "/api/v1/assets?origin=upload",
        None,
        "ListAssets",
        asset_pb2.ListAssetsRequest(origin=asset_pb2.ASSET_ORIGIN_UPLOAD),
    ),
    (
        "GET",
        "/api/v1/assets?text=red+fox&owner=&favorites=true&created_after=1970-01-01T00:00:05Z",
        None,
        "ListAssets",
        asset_pb2.ListAssetsRequest(
            text="red fox", owner="", favorites=True, created_after=timestamp_pb2.Timestamp(seconds=5)
        ),
    ),
    ("GET", "/api/v1/assets:facets", None, "GetAssetFacets", asset_pb2.GetAssetFacetsRequest()),
    (
        "PATCH",
        f"/api/v1/assets/{DIGEST}",
        {"favorite": False},
        "UpdateAsset",
        asset_pb2.UpdateAssetRequest(digest=DIGEST, favorite=False),
    ),
    (
        "DELETE",
        f"/api/v1/assets/{DIGEST}?permanently=true",
        None,
        "DeleteAsset",
        asset_pb2.DeleteAssetRequest(digest=DIGEST, permanently=True),
    ),
    ("POST", f"/api/v1/assets/{DIGEST}:undelete", {}, "UndeleteAsset", asset_pb2.UndeleteAssetRequest(digest=DIGEST)),
    ("DELETE", f"/api/v1/assets/{DIGEST}", None, "DeleteAsset", asset_pb2.DeleteAssetRequest(digest=DIGEST)),
    ("GET", "/api/v1/backends", None, "ListBackends", backend_pb2.ListBackendsRequest()),
    ("GET", "/api/v1/backends/demo", None, "GetBackend", backend_pb2.GetBackendRequest(name="demo")),
    ("POST", "/api/v1/backends/demo:refresh", {}, "RefreshBackend", backend_pb2.RefreshBackendRequest(name="demo")),
    ("POST", "/api/v1/backends/demo:drain", {}, "DrainBackend", backend_pb2.DrainBackendRequest(name="demo")),
    ("POST", "/api/v1/backends/demo:undrain", None, "UndrainBackend", backend_pb2.UndrainBackendRequest(name="demo")),
    (
        "POST",
        "/api/v1/backends",
        {"url": "http://10.0.0.7:8188", "labels": {"gpu": "3090"}, "validate_only": True},
        "CreateBackend",
        backend_pb2.CreateBackendRequest(url="http://10.0.0.7:8188", labels={"gpu": "3090"}, validate_only=True),
    ),
    ("DELETE", "/api/v1/backends/den", None, "DeleteBackend", backend_pb2.DeleteBackendRequest(name="den")),
    ("GET", "/api/v1/system", None, "GetSystem", system_pb2.GetSystemRequest()),
    ("GET", "/api/v1/queue", None, "GetQueue", queue_pb2.GetQueueRequest()),
    (
        "GET",
        "/api/v1/queue/entries?page_size=5&owner=anna",
        None,
        "ListQueueEntries",
        queue_pb2.ListQueueEntriesRequest(page_size=5, owner="anna"),
    ),
    ("POST", "/api/v1/queue:pause", {"owner": "anna"}, "PauseQueue", queue_pb2.PauseQueueRequest(owner="anna")),
    ("POST", "/api/v1/queue:resume", None, "ResumeQueue", queue_pb2.ResumeQueueRequest()),
    (
        "POST",
        "/api/v1/queue/entries/j-1:move",
        {"end": "first"},
        "MoveJob",
        queue_pb2.MoveJobRequest(job_id="j-1", end=queue_pb2.QUEUE_END_FIRST),
    ),
    (
        "POST",
        "/api/v1/queue/entries/j-1:move",
        {"before_job_id": "j-2"},
        "MoveJob",
        queue_pb2.MoveJobRequest(job_id="j-1", before_job_id="j-2"),
    ),
    (
        "GET",
        "/api/v1/models?type=1&text=xl",
        None,
        "ListModels",
        model_pb2.ListModelsRequest(type=model_pb2.MODEL_TYPE_CHECKPOINT, text="xl"),
    ),
    (
        "GET",
        "/api/v1/models/checkpoint/sdxl/base%201.0:v2.safetensors",
        None,
        "GetModel",
        model_pb2.GetModelRequest(type=model_pb2.MODEL_TYPE_CHECKPOINT, name="sdxl/base 1.0:v2.safetensors"),
    ),
    (
        "GET",
        "/api/v1/models/MODEL_TYPE_LORA/a%2Fb%25",
        None,
        "GetModel",
        model_pb2.GetModelRequest(type=model_pb2.MODEL_TYPE_LORA, name="a/b%"),
    ),
    (
        "GET",
        "/api/v1/node_definitions?backend=b&class_type=KSampler",
        None,
        "GetNodeDefinitions",
        workflow_pb2.GetNodeDefinitionsRequest(backend="b", class_type="KSampler"),
    ),
    ("POST", "/api/v1/models:refresh", {"backend": "b"}, "RefreshModels", model_pb2.RefreshModelsRequest(backend="b")),
    ("POST", "/api/v1/models:load", {"name": "a/b"}, "LoadModel", model_pb2.LoadModelRequest(name="a/b")),
    ("POST", "/api/v1/models:unload", None, "UnloadModels", model_pb2.UnloadModelsRequest()),
    (
        "GET",
        f"/api/v1/assets/{DIGEST}/metadata",
        None,
        "GetGenerationMetadata",
        image_gen_pb2.GetGenerationMetadataRequest(digest=DIGEST),
    ),
    ("GET", "/api/v1/workflows?text=x", None, "ListWorkflows", workflow_pb2.ListWorkflowsRequest(text="x")),
    (
        "GET",
        "/api/v1/workflows/w-1?revision=2",
        None,
        "GetWorkflow",
        workflow_pb2.GetWorkflowRequest(workflow_id="w-1", revision=2),
    ),
    (
        "POST",
        "/api/v1/workflows",
        {"workflow": {"title": "W", "inputs": [{"name": "a", "type": "INT", "default_value": 3}]}},
        "CreateWorkflow",
        workflow_pb2.CreateWorkflowRequest(
            workflow=workflow_pb2.Workflow(
                title="W",
                inputs=[
                    workflow_pb2.WorkflowInput(
                        name="a",
                        type=workflow_pb2.WORKFLOW_INPUT_TYPE_INT,
                        default_value=struct_pb2.Value(number_value=3),
                    )
                ],
            )
        ),
    ),
    (
        "PATCH",
        "/api/v1/workflows/w-1",
        {"title": "", "inputs": {}, "expected_revision": 2},
        "UpdateWorkflow",
        workflow_pb2.UpdateWorkflowRequest(
            workflow_id="w-1", title="", inputs=workflow_pb2.WorkflowInputs(), expected_revision=2
        ),
    ),
    ("DELETE", "/api/v1/workflows/w-1", None, "DeleteWorkflow", workflow_pb2.DeleteWorkflowRequest(workflow_id="w-1")),
    (
        "GET",
        "/api/v1/workflows/w-1/revisions",
        None,
        "ListWorkflowRevisions",
        workflow_pb2.ListWorkflowRevisionsRequest(workflow_id="w-1"),
    ),
    (
        "POST",
        "/api/v1/workflows:import",
        {"text": "{}", "name": "w.json"},
        "ImportWorkflow",
        workflow_pb2.ImportWorkflowRequest(text="{}", name="w.json"),
    ),
    (
        "POST",
        "/api/v1/workflows:validate",
        {"workflow": {"workflow_id": "w-1", "inputs": {"seed": "18446744073709551615"}}},
        "ValidateWorkflow",
        workflow_pb2.ValidateWorkflowRequest(workflow=INVOCATION),
    ),
    (
        "POST",
        "/api/v1/workflows:render",
        {"spec": {"workflow": {"workflow_id": "w-1", "inputs": {"seed": "18446744073709551615"}}}},
        "RenderWorkflow",
        workflow_pb2.RenderWorkflowRequest(spec=job_pb2.JobSpec(workflow=INVOCATION)),
    ),
    ("GET", "/api/v1/keys", None, "ListKeys", key_pb2.ListKeysRequest()),
    (
        "POST",
        "/api/v1/keys",
        {"key": {"name": "anna", "role": "KEY_ROLE_ADMIN"}},
        "CreateKey",
        key_pb2.CreateKeyRequest(key=key_pb2.Key(name="anna", role=key_pb2.KEY_ROLE_ADMIN)),
    ),
    ("DELETE", "/api/v1/keys/anna", None, "DeleteKey", key_pb2.DeleteKeyRequest(name="anna")),
    ("GET", "/api/v1/settings", None, "GetSettings", settings_pb2.GetSettingsRequest()),
    (
        "PATCH",
        "/api/v1/settings",
        {"settings": {"defaults": {"steps": 30}}, "update_mask": ["defaults.steps", "defaults.model"]},
        "UpdateSettings",
        settings_pb2.UpdateSettingsRequest(
            settings=settings_pb2.Settings(defaults=settings_pb2.GenerationDefaults(steps=30)),
            update_mask=["defaults.steps", "defaults.model"],
        ),
    ),
    (
        "GET",
        "/api/v1/settings/changes?limit=5",
        None,
        "ListSettingsChanges",
        settings_pb2.ListSettingsChangesRequest(limit=5),
    ),
]


@pytest.mark.parametrize(("verb", "path", "body", "rpc", "expected"), CASES, ids=lambda value: str(value)[:50])
async def test_requests_become_rpcs(
    fake: FakeServer, http: aiohttp.ClientSession, verb: str, path: str, body: Any, rpc: str, expected: Any
) -> None:
    fake.add_job("j-1")
    fake.answers["GetAsset"] = asset_pb2.GetAssetResponse()
    async with http.request(verb, URL(path, encoded=True), json=body) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/json"
    assert fake.requests[rpc] == expected


def test_the_cases_cover_every_annotated_rpc() -> None:
    annotated = {
        method.name
        for service in load_package().services
        for method in service.methods
        if method.GetOptions().HasExtension(annotations_pb2.http)
    }
    assert annotated == {rpc for _, _, _, rpc, _ in CASES} == {binding.method.name for binding in bindings()}


async def test_answers_use_proto_names_and_hold_every_field(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    job = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING, sequence=2**60)
    job.spec.image.seed = 7
    job.create_time.FromJsonString("2026-01-02T03:04:05.123456Z")
    job.spec.backend_options.update({"a1111": {"tiling": True}})
    fake.answers["CreateJob"] = image_gen_pb2.CreateJobResponse(job=job, replayed=True)
    async with http.post("/api/v1/jobs", json={}) as response:
        answer = await response.json()
    assert answer["replayed"] is True
    assert answer["job"]["job_id"] == "j"
    assert answer["job"]["state"] == "JOB_STATE_RUNNING"
    assert answer["job"]["sequence"] == str(2**60)
    assert answer["job"]["create_time"] == "2026-01-02T03:04:05.123456Z"
    assert answer["job"]["outputs"] == []
    assert answer["job"]["spec"]["image"]["seed"] == "7"
    assert answer["job"]["spec"]["backend_options"] == {"a1111": {"tiling": True}}
    assert "end_time" not in answer["job"]
    assert "steps" not in answer["job"]["spec"]["image"]


@pytest.mark.parametrize(
    ("verb", "path", "body", "field", "text"),
    [
        ("GET", "/api/v1/jobs?pagesize=1", None, "pagesize", "allowed: label, owner, page_size"),
        ("GET", "/api/v1/jobs?page_size=x", None, "page_size", "whole number"),
        ("GET", "/api/v1/jobs?page_size=-1", None, "page_size", "from 0 to 4294967295"),
        ("GET", "/api/v1/jobs?page_size=1&page_size=2", None, "page_size", "more than once"),
        ("GET", "/api/v1/jobs?states=BUSY", None, "states", "allowed: queued, "),
        ("GET", "/api/v1/jobs/j?x=1", None, "x", "allowed: none"),
        ("GET", "/api/v1/models/colour/x", None, "type", "vae, lora, "),
        ("POST", "/api/v1/jobs?validate_only=true", {}, "validate_only", "no parameter"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"promt": ""}}}, "spec.image.promt", "allowed: prompt"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"width": "wide"}}}, "spec.image.width", "whole number"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"width": 1.5}}}, "spec.image.width", "whole number"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"width": -8}}}, "spec.image.width", "from 0"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"seed": 2**63}}}, "spec.image.seed", "as strings"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {"prompt": 5}}}, "spec.image.prompt", "must be a string"),
        ("POST", "/api/v1/jobs", {"spec": {"image": []}}, "spec.image", "must be an object"),
        ("POST", "/api/v1/jobs", {"spec": {"image": {}, "graph": {}}}, "spec.graph", "together with image"),
        ("POST", "/api/v1/jobs", {"spec": {"labels": {"a": 1}}}, 'spec.labels["a"]', "must be a string"),
        ("POST", "/api/v1/jobs", {"spec": {"preview": {"mode": "MAYBE"}}}, "spec.preview.mode", "allowed: on, off"),
        ("POST", "/api/v1/jobs", {"spec": {"backend_options": 5}}, "spec.backend_options", "Struct"),
        ("POST", "/api/v1/jobs", {"validate_only": "yes"}, "validate_only", "true or false"),
        ("GET", "/api/v1/assets?created_after=yesterday", None, "created_after", "must be a time with its zone, as"),
        ("POST", "/api/v1/jobs", [], "", "must be an object"),
        ("POST", "/api/v1/jobs/a:cancel", {"job_id": "b"}, "job_id", "another value"),
        ("PATCH", "/api/v1/jobs/a", {"state": "JOB_STATE_FAILED"}, "state", "allowed: job_id, priority"),
        (
            "POST",
            "/api/v1/queue/entries/a:move",
            {"end": "first", "after_job_id": "b"},
            "after_job_id",
            "together with end",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_path(
    http: aiohttp.ClientSession, verb: str, path: str, body: Any, field: str, text: str
) -> None:
    async with http.request(verb, path, json=body) as response:
        assert response.status == 400
        problem = await response.json()
    assert problem["reason"] == "INVALID_REQUEST"
    assert problem["errors"][0]["field"] == field
    assert text in problem["detail"]


async def test_a_body_that_is_no_json_is_400(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/jobs", data=b"{", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
        assert "no JSON" in (await response.json())["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_415(http: aiohttp.ClientSession, kind: str) -> None:
    async with http.post("/api/v1/jobs", data=b"{}", headers={"Content-Type": kind}) as response:
        assert response.status == 415


@pytest.mark.parametrize("settings", [{"max_body_bytes": 100}])
async def test_a_body_that_is_too_large_is_413(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/jobs", json={"request_id": "x" * 200}) as response:
        assert response.status == 413
        assert response.content_type == "application/problem+json"


async def test_deep_nesting_is_refused(http: aiohttp.ClientSession) -> None:
    nested: Any = 1
    for _ in range(500):
        nested = {"a": nested}
    async with http.post("/api/v1/jobs", json={"spec": {"backend_options": nested}}) as response:
        assert response.status == 400


@pytest.mark.parametrize("value", ["5m", 5, {}])
async def test_a_duration_of_another_form_is_told_the_form(http: aiohttp.ClientSession, value: Any) -> None:
    async with http.post("/api/v1/jobs", json={"spec": {"start_deadline": value}}) as response:
        assert response.status == 400
        [error] = (await response.json())["errors"]
    assert error["field"] == "spec.start_deadline"
    assert 'must be seconds as text, as "90s"' in error["description"]


@pytest.mark.parametrize(
    ("header", "body", "status", "request_id"),
    [
        ("key-1", {}, 200, "key-1"),
        ("key-1", {"request_id": "key-1"}, 200, "key-1"),
        ("key-1", {"request_id": "key-2"}, 400, ""),
        ("k" * 129, {}, 400, ""),
        ("a key", {}, 400, ""),
    ],
)
async def test_the_idempotency_key_is_the_request_id(
    fake: FakeServer, http: aiohttp.ClientSession, header: str, body: Any, status: int, request_id: str
) -> None:
    async with http.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": header}) as response:
        assert response.status == status
    if status == 200:
        assert getattr(fake.requests["CreateJob"], "request_id") == request_id  # noqa: B009


async def test_the_key_is_ignored_where_there_is_no_request_id(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/models:refresh", json={}, headers={"Idempotency-Key": "k"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(("given", "told"), [("anna", "anna"), (" Anna B. ", "Anna B."), ("", None), (None, None)])
async def test_the_owner_goes_on_with_the_call(
    fake: FakeServer, http: aiohttp.ClientSession, given: str | None, told: str | None
) -> None:
    headers = {} if given is None else {"Imagegen-Owner": given}
    async with http.post("/api/v1/jobs", json={}, headers=headers) as response:
        assert response.status == 200
    assert fake.owners["CreateJob"] == told


@pytest.mark.parametrize("owners", [["a" * 257], ["j\u00f6rg"], ["a\tb"], ["anna", "bert"]])
async def test_an_owner_that_metadata_cannot_carry_is_refused(
    fake: FakeServer, http: aiohttp.ClientSession, owners: list[str]
) -> None:
    headers = [("Imagegen-Owner", owner) for owner in owners]
    async with http.post("/api/v1/jobs", json={}, headers=headers) as response:
        assert response.status == 400
        problem = await response.json()
    assert (problem["reason"], problem["errors"][0]["field"]) == ("INVALID_REQUEST", "Imagegen-Owner")
    assert not fake.requests
