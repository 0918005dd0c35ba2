"""WorkflowService."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from imagegen.v1 import workflow_pb2 as pb
from imagegen_adapters.contract import RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.graph import read_json
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Backend
from imagegen_server.errors import Refused, asset_not_found, bad_field, invalid, node_class_not_found
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import JobSpec
from imagegen_server.metadata import files
from imagegen_server.services.metadata import encode_parsed, known_names
from imagegen_server.services.owners import owner_of
from imagegen_server.services.rpc import Context
from imagegen_server.services.verdicts import Judge, Verdict
from imagegen_server.validation import SpecChecker
from imagegen_server.wire.scalars import from_struct
from imagegen_server.wire.workflows import (
    decode_inputs,
    decode_workflow,
    encode_problems,
    encode_proposals,
    encode_workflow,
    matching,
)
from imagegen_server.workflows.definitions import Catalogs, Definitions, has_told
from imagegen_server.workflows.forms import with_form
from imagegen_server.workflows.importing import (
    Format,
    Imported,
    InvalidMapping,
    NotAWorkflow,
    Surroundings,
    read_picture,
    read_text,
)
from imagegen_server.workflows.library import MAX_WORKFLOWS, Library
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.schema import input_schema

_MOST_SCHEMAS: Final = 2 * MAX_WORKFLOWS
_FORMATS = {each: pb.WorkflowFormat.Value(f"WORKFLOW_FORMAT_{each.name}") for each in Format}


@dataclass(slots=True)
class _Schemas:
    """JSON Schemas by workflow and revision, as long as no catalogue changes."""

    catalogs: Catalogs = ()
    known: dict[tuple[str, int], str] = field(default_factory=dict)


class WorkflowService:
    def __init__(
        self,
        *,
        fleet: Fleet,
        assets: AssetStore,
        library: Library,
        definitions: Definitions,
        checker: SpecChecker,
        judge: Judge,
    ) -> None:
        self._fleet = fleet
        self._assets = assets
        self._library = library
        self._definitions = definitions
        self._checker = checker
        self._judge = judge
        self._schemas = _Schemas()

    async def list_workflows(self, request: pb.ListWorkflowsRequest, _: Context) -> pb.ListWorkflowsResponse:
        matches = matching(request.text, request.label)
        listed = [workflow for workflow in await self._library.list() if matches(workflow)]
        return pb.ListWorkflowsResponse(workflows=[await self._encoded(workflow) for workflow in listed])

    async def get_workflow(self, request: pb.GetWorkflowRequest, _: Context) -> pb.GetWorkflowResponse:
        workflow = await self._library.get(request.workflow_id, request.revision)
        return pb.GetWorkflowResponse(workflow=await self._encoded(workflow))

    async def create_workflow(self, request: pb.CreateWorkflowRequest, context: Context) -> pb.CreateWorkflowResponse:
        workflow = await self._library.create(decode_workflow(request.workflow), owner_of(context))
        return pb.CreateWorkflowResponse(workflow=await self._encoded(workflow))

    async def update_workflow(self, request: pb.UpdateWorkflowRequest, context: Context) -> pb.UpdateWorkflowResponse:
        workflow = await self._library.update(
            request.workflow_id,
            lambda newest: _changed(newest, request),
            owner_of(context),
            expected_revision=request.expected_revision,
        )
        return pb.UpdateWorkflowResponse(workflow=await self._encoded(workflow))

    async def delete_workflow(self, request: pb.DeleteWorkflowRequest, _: Context) -> pb.DeleteWorkflowResponse:
        await self._library.delete(request.workflow_id)
        return pb.DeleteWorkflowResponse()

    async def list_workflow_revisions(
        self, request: pb.ListWorkflowRevisionsRequest, _: Context
    ) -> pb.ListWorkflowRevisionsResponse:
        revisions = await self._library.revisions(request.workflow_id)
        return pb.ListWorkflowRevisionsResponse(workflows=[encode_workflow(each) for each in revisions])

    async def import_workflow(self, request: pb.ImportWorkflowRequest, _: Context) -> pb.ImportWorkflowResponse:
        surroundings = Surroundings(classes=await self._classes(request.backend), known=known_names(self._fleet))
        mapping = _mapping(request.openwebui_nodes_json)
        name, is_text = request.name, request.WhichOneof("content") == "text"
        data = b"" if is_text else await self._picture(request.asset)

        def read() -> Imported:
            if is_text:
                return read_text(request.text, surroundings, name=name, mapping=mapping)
            return read_picture(files.read(data), surroundings, name=name, mapping=mapping)

        try:
            imported = await asyncio.to_thread(read)
        except NotAWorkflow as error:
            raise bad_field("NOT_A_WORKFLOW", "text" if is_text else "asset", str(error)) from error
        except InvalidMapping as error:
            raise invalid(
                [Violation(f"openwebui_nodes_json{each.field}", each.description) for each in error.violations]
            ) from error
        workflow_id = await self._library.free_id(imported.workflow.title)
        workflow = await asyncio.to_thread(with_form, replace(imported.workflow, workflow_id=workflow_id))
        return pb.ImportWorkflowResponse(
            workflow=encode_workflow(workflow, schema_json=await self._schema(workflow)),
            format=_FORMATS[imported.format],
            proposals=encode_proposals(imported.proposals),
            problems=encode_problems(imported.problems),
            image=encode_parsed(imported.image) if imported.image is not None else None,
        )

    async def validate_workflow(self, request: pb.ValidateWorkflowRequest, _: Context) -> pb.ValidateWorkflowResponse:
        backends = self._chosen(request.backend)
        if request.WhichOneof("content") == "graph_json":
            graph = RawGraph(json=request.graph_json)
            verdicts = [await self._judge.of_graph(backend, graph) for backend in backends]
        else:
            wanted, where = request.workflow, "workflow.workflow_id"
            workflow = await self._library.get(wanted.workflow_id, wanted.revision, field=where)
            given = from_struct(wanted.inputs)
            verdicts = [await self._judge.of_workflow(backend, workflow, given) for backend in backends]
        return pb.ValidateWorkflowResponse(verdicts=map(_encode_verdict, verdicts))

    async def render_workflow(self, request: pb.RenderWorkflowRequest, _: Context) -> pb.RenderWorkflowResponse:
        spec = await self._checker.check(request.spec)
        backend = await self._renderer(spec)
        graph = await asyncio.to_thread(backend.adapter.render, spec.source)
        return pb.RenderWorkflowResponse(graph_json=graph.json, images=dict(graph.images), backend=backend.name)

    async def get_node_definitions(self, request: pb.GetNodeDefinitionsRequest, _: Context) -> bytes:
        """Gives the serialized response: large installations have 10 MB of definitions."""
        backends = [backend for backend in self._chosen(request.backend) if has_told(backend)]
        definitions = await self._definitions.by_class(backends)
        if request.class_type:
            if request.class_type not in definitions:
                raise node_class_not_found(request.class_type, request.backend)
            definitions = {request.class_type: definitions[request.class_type]}
        return await asyncio.to_thread(_definitions, definitions, [backend.name for backend in backends])

    def _chosen(self, name: str) -> list[Backend]:
        return [self._fleet.find(name, field="backend")] if name else list(self._fleet)

    async def _classes(self, backend: str) -> NodeClasses:
        return await self._definitions.classes([each for each in self._chosen(backend) if has_told(each)])

    async def _picture(self, digest: str) -> bytes:
        try:
            return await self._assets.bytes((await self._assets.get(digest)).digest)
        except Refused as refused:
            raise asset_not_found(digest, field="asset") from refused

    async def _renderer(self, spec: JobSpec) -> Backend:
        """The first backend that takes graphs and can run the job."""
        named = [self._fleet.find(spec.backend, field="spec.backend")] if spec.backend else list(self._fleet)
        takers = [
            backend
            for backend in named
            if backend.adapter.capabilities.graphs and spec.backend_labels.items() <= backend.labels.items()
        ]
        if not takers:
            what = f"{spec.backend!r} takes no graphs" if spec.backend else "no backend that may run it takes graphs"
            raise invalid([Violation("spec.backend", what)])
        refusals: list[Violation] = []
        for backend in takers:
            violations = await backend.validate(spec.source)
            if not violations:
                return backend
            refusals = refusals or [replace(each, field=f"spec.{each.field}") for each in violations]
        raise invalid(refusals)

    async def _encoded(self, workflow: Workflow) -> pb.Workflow:
        catalogs, key = self._definitions.catalogs(), (workflow.workflow_id, workflow.revision)
        if catalogs != self._schemas.catalogs or len(self._schemas.known) > _MOST_SCHEMAS:
            self._schemas = _Schemas(catalogs)
        schemas = self._schemas
        if key not in schemas.known:
            schemas.known[key] = await self._schema(workflow)
        return encode_workflow(workflow, schema_json=schemas.known[key])

    async def _schema(self, workflow: Workflow) -> str:
        allowed = await self._definitions.allowed(workflow)
        return await asyncio.to_thread(lambda: orjson.dumps(input_schema(workflow, allowed)).decode())


def _changed(newest: Workflow, request: pb.UpdateWorkflowRequest) -> Workflow:
    """The workflow with what the request gives. Refused: INVALID_REQUEST."""
    plain = {"title", "description", "graph_json", "ui_json"}
    changes = {field.name: value for field, value in request.ListFields() if field.name in plain}
    if request.HasField("inputs"):
        changes["inputs"] = decode_inputs(request.inputs.inputs, newest.base, path="inputs")
    if request.HasField("labels"):
        changes["labels"] = dict(request.labels.labels)
    return replace(newest, **changes)


def _mapping(text: str) -> Any:
    """Open WebUI's mapping as JSON; None: none was given. Refused: INVALID_REQUEST."""
    if not text:
        return None
    try:
        mapping = read_json(text)
    except ValueError as error:
        raise invalid([Violation("openwebui_nodes_json", f"is no JSON: {error}")]) from error
    if not isinstance(mapping, list):
        raise invalid([Violation("openwebui_nodes_json", "must be a list")])
    return mapping


def _encode_verdict(verdict: Verdict) -> pb.BackendVerdict:
    return pb.BackendVerdict(
        backend=verdict.backend,
        runnable=verdict.is_runnable,
        problems=encode_problems(verdict.problems),
        unknown=verdict.is_unknown,
    )


def _definitions(definitions: Mapping[str, bytes], backends: Sequence[str]) -> bytes:
    members = b",".join(orjson.dumps(name) + b":" + entry for name, entry in definitions.items())
    return pb.GetNodeDefinitionsResponse(json=f"{{{members.decode()}}}", backends=backends).SerializeToString()
