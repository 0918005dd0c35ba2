"""WorkflowService."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from imagegen.v1 import workflow_pb2 as pb
from imagegen_server.definitions import united
from imagegen_server.errors import node_class_not_found
from imagegen_server.fleet import Backend, Fleet
from imagegen_server.services.rpc import Context


@dataclass(frozen=True, slots=True)
class _Union:
    """What some backends have together, and which of their catalogues it was made from."""

    catalogs: tuple[tuple[str, int], ...] = ()
    definitions: Mapping[str, bytes] = field(default_factory=dict)
    """JSON by class."""


class WorkflowService:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._union = _Union()
        self._turn = asyncio.Lock()

    async def list_workflows(self, request: pb.ListWorkflowsRequest, _: Context) -> pb.ListWorkflowsResponse:
        raise NotImplementedError

    async def get_workflow(self, request: pb.GetWorkflowRequest, _: Context) -> pb.GetWorkflowResponse:
        raise NotImplementedError

    async def create_workflow(self, request: pb.CreateWorkflowRequest, _: Context) -> pb.CreateWorkflowResponse:
        raise NotImplementedError

    async def update_workflow(self, request: pb.UpdateWorkflowRequest, _: Context) -> pb.UpdateWorkflowResponse:
        raise NotImplementedError

    async def delete_workflow(self, request: pb.DeleteWorkflowRequest, _: Context) -> pb.DeleteWorkflowResponse:
        raise NotImplementedError

    async def list_workflow_revisions(
        self, request: pb.ListWorkflowRevisionsRequest, _: Context
    ) -> pb.ListWorkflowRevisionsResponse:
        raise NotImplementedError

    async def import_workflow(self, request: pb.ImportWorkflowRequest, _: Context) -> pb.ImportWorkflowResponse:
        raise NotImplementedError

    async def validate_workflow(self, request: pb.ValidateWorkflowRequest, _: Context) -> pb.ValidateWorkflowResponse:
        raise NotImplementedError

    async def render_workflow(self, request: pb.RenderWorkflowRequest, _: Context) -> pb.RenderWorkflowResponse:
        raise NotImplementedError

    async def get_node_definitions(self, request: pb.GetNodeDefinitionsRequest, _: Context) -> bytes:
        """Gives the serialized response: large installations have 10 MB of definitions."""
        chosen = [self._fleet.find(request.backend, field="backend")] if request.backend else list(self._fleet)
        backends = [each for each in chosen if each.adapter.capabilities.graphs and each.health.catalog is not None]
        definitions = await self._united(backends)
        if request.class_type:
            if request.class_type not in definitions:
                raise node_class_not_found(request.class_type, request.backend)
            definitions = {request.class_type: definitions[request.class_type]}
        return await asyncio.to_thread(_response, definitions, [backend.name for backend in backends])

    async def _united(self, backends: Sequence[Backend]) -> Mapping[str, bytes]:
        # Held while the work is done: whoever comes meanwhile most likely wants the same.
        async with self._turn:
            catalogs = tuple((backend.name, backend.health.catalog_version) for backend in backends)
            if catalogs != self._union.catalogs:
                answers = [await backend.adapter.node_definitions() for backend in backends]
                self._union = _Union(catalogs, await asyncio.to_thread(_united, answers))
            return self._union.definitions


def _united(answers: Sequence[bytes]) -> dict[str, bytes]:
    union = united(orjson.loads(answer) for answer in answers)
    return {name: orjson.dumps(entry) for name, entry in union.items()}


def _response(definitions: Mapping[str, bytes], backends: Sequence[str]) -> bytes:
    members = b",".join(orjson.dumps(name) + b":" + entry for name, entry in definitions.items())
    return pb.GetNodeDefinitionsResponse(json=f"{{{members.decode()}}}", backends=backends).SerializeToString()
