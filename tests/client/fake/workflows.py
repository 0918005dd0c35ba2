# ruff: noqa: N802  # the names of rpcs are the proto's
"""A built-in workflow and a stored one, an import that finds two inputs, and backends of which one can run them."""

import json
from typing import Any

import grpc

from imagegen.v1 import workflow_pb2
from imagegen.v1.workflow_pb2_grpc import WorkflowServiceServicer
from tests.client.fake.faults import Fault
from tests.client.fake.state import FakeServer
from tests.client.fake.stories import NOW

NO_WORKFLOW = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such workflow", reason="WORKFLOW_NOT_FOUND")
EXISTS = Fault(code=grpc.StatusCode.ALREADY_EXISTS, message="there is one already", reason="WORKFLOW_EXISTS")
CHANGED = Fault(code=grpc.StatusCode.ABORTED, message="it has changed meanwhile", reason="CHANGED_MEANWHILE")
DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$", "contentMediaType": "image/*"}
SEED = {"type": ["integer", "string"], "pattern": "^-?[0-9]{1,20}$", "minimum": 0}
LORA = {"type": "object", "properties": {"name": {"type": "string"}, "weight": {"type": "number"}}}
PROPERTIES: dict[str, Any] = {
    "prompt": {"type": "string", "title": "Prompt"},
    "model": {"type": "string", "enum": ["dusk", "dawn"], "default": "dusk"},
    "steps": {"type": "integer", "minimum": 1, "maximum": 150, "default": 20, "x-type": "int"},
    "seed": SEED,
    "strength": {"type": "number", "minimum": 0, "maximum": 1, "description": "How much changes."},
    "is_wide": {"type": "boolean"},
    "init_image": DIGEST,
    "text_encoder": {"type": "string"},
    "text_encoder_2": {"type": "string"},
    "loras": {"type": "array", "items": LORA},
    "settings": {"type": "object"},
}
SCHEMA = json.dumps({"type": "object", "properties": PROPERTIES})


class FakeWorkflows(WorkflowServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._stored: dict[str, list[workflow_pb2.Workflow]] = {
            "text-to-image": [_workflow("text-to-image", built_in=True)],
            "portrait": [_workflow("portrait", revision=1, graph_json='{"3":{}}', update_time=NOW)],
        }

    async def ListWorkflows(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListWorkflows", request, context)
        found = [revisions[-1] for name, revisions in self._stored.items() if request.text in name]
        return workflow_pb2.ListWorkflowsResponse(workflows=found)

    async def GetWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetWorkflow", request, context)
        revisions = await self._revisions(request.workflow_id, context)
        found = [each for each in revisions if each.revision == request.revision] or revisions[-1:]
        return workflow_pb2.GetWorkflowResponse(workflow=found[0])

    async def ListWorkflowRevisions(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListWorkflowRevisions", request, context)
        revisions = await self._revisions(request.workflow_id, context)
        return workflow_pb2.ListWorkflowRevisionsResponse(workflows=reversed(revisions))

    async def CreateWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("CreateWorkflow", request, context)
        if request.workflow.workflow_id in self._stored:
            await EXISTS.raise_in(context)
        stored = request.workflow
        stored.MergeFrom(workflow_pb2.Workflow(revision=1, input_schema_json=SCHEMA, update_time=NOW))
        self._stored[stored.workflow_id] = [stored]
        return workflow_pb2.CreateWorkflowResponse(workflow=stored)

    async def UpdateWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("UpdateWorkflow", request, context)
        revisions = await self._revisions(request.workflow_id, context)
        if request.expected_revision not in {0, revisions[-1].revision}:
            await CHANGED.raise_in(context)
        stored = workflow_pb2.Workflow()
        stored.CopyFrom(revisions[-1])
        stored.revision += 1
        stored.title = request.title
        del stored.inputs[:]
        stored.inputs.extend(request.inputs.inputs)
        revisions.append(stored)
        return workflow_pb2.UpdateWorkflowResponse(workflow=stored)

    async def DeleteWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteWorkflow", request, context)
        await self._revisions(request.workflow_id, context)
        del self._stored[request.workflow_id]
        return workflow_pb2.DeleteWorkflowResponse()

    async def ImportWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("ImportWorkflow", request, context)
        seed = workflow_pb2.InputProposal(
            name="seed", confidence=workflow_pb2.CONFIDENCE_HIGH, reason="of KSampler (3)"
        )
        problem = workflow_pb2.WorkflowProblem(
            severity=workflow_pb2.PROBLEM_SEVERITY_WARNING,
            code="CONVERSION",
            message="it was muted",
            node_id="7",
            node_title="Blur",
        )
        return workflow_pb2.ImportWorkflowResponse(
            workflow=workflow_pb2.Workflow(
                workflow_id=request.name.partition(".")[0] or "imported",
                title=request.asset or request.openwebui_nodes_json,
                graph_json=f"read:{request.text}" if '"nodes"' in request.text else request.text,
            ),
            format=workflow_pb2.WORKFLOW_FORMAT_COMFYUI_API,
            proposals=[seed],
            problems=[problem],
        )

    async def ValidateWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("ValidateWorkflow", request, context)
        missing = workflow_pb2.WorkflowProblem(
            severity=workflow_pb2.PROBLEM_SEVERITY_ERROR,
            code="MODEL_MISSING",
            message="there is no model dusk",
            node_id="4",
            class_type="CheckpointLoaderSimple",
            suggestions=["dust"],
        )
        verdicts = [
            workflow_pb2.BackendVerdict(backend="demo", runnable=True),
            workflow_pb2.BackendVerdict(backend="comfyui", problems=[missing]),
        ]
        if request.graph_json not in {"", '{"3": {}}'}:  # what it cannot run, it shows
            verdicts = [workflow_pb2.BackendVerdict(backend=request.graph_json)]
        found = [each for each in verdicts if request.backend in {"", each.backend}]
        return workflow_pb2.ValidateWorkflowResponse(verdicts=found)

    async def RenderWorkflow(self, request: Any, context: Any) -> Any:
        await self._server.enter("RenderWorkflow", request, context)
        graph = json.dumps({"3": {"inputs": dict(request.spec.workflow.inputs)}})
        return workflow_pb2.RenderWorkflowResponse(graph_json=graph, backend="demo")

    async def GetNodeDefinitions(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetNodeDefinitions", request, context)
        return workflow_pb2.GetNodeDefinitionsResponse(json='{"KSampler":{}}', backends=["comfyui"])

    async def _revisions(self, workflow_id: str, context: Any) -> list[workflow_pb2.Workflow]:
        if workflow_id not in self._stored:
            await NO_WORKFLOW.raise_in(context)
        return self._stored[workflow_id]


def _workflow(workflow_id: str, **more: Any) -> workflow_pb2.Workflow:
    return workflow_pb2.Workflow(workflow_id=workflow_id, title=workflow_id.title(), input_schema_json=SCHEMA, **more)
