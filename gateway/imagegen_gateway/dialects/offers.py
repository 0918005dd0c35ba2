"""Which models there are to choose from now: the server's choice, checkpoints and diffusion models, stored workflows.

The settings say which of them are shown. All of it is asked for at each request, so a change counts at once.
"""

import asyncio
import re
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import grpc
import orjson
from google.protobuf.json_format import MessageToDict

from imagegen.v1 import (
    model_pb2,
    model_pb2_grpc,
    settings_pb2,
    settings_pb2_grpc,
    workflow_pb2,
    workflow_pb2_grpc,
)
from imagegen_gateway.dialects.wishes import Offer
from imagegen_gateway.errors import Problem

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub
    from imagegen.v1.settings_pb2_grpc import SettingsServiceAsyncStub
    from imagegen.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

ANY_MODEL: Final = "imagegen"
"""The model that leaves the choice to the server."""
FOREIGN_NAMES: Final = ("dall-e*", "gpt-image*", "chatgpt-image*")
"""Models of OpenAI, which programs ask for when nobody told them a name: the server chooses."""
MODEL_TYPES: Final = (model_pb2.MODEL_TYPE_CHECKPOINT, model_pb2.MODEL_TYPE_DIFFUSION_MODEL)
"""What requests can name as their model."""
MAX_TEXT: Final = 256
WORKFLOW_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)


class Offers:
    """Asks the server what there is."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._models: ModelServiceAsyncStub = model_pb2_grpc.ModelServiceStub(channel)
        self._workflows: WorkflowServiceAsyncStub = workflow_pb2_grpc.WorkflowServiceStub(channel)
        self._settings: SettingsServiceAsyncStub = settings_pb2_grpc.SettingsServiceStub(channel)
        self._timeout_s = timeout_s

    async def models(self) -> list[Offer]:
        """All that can be chosen. Of two with one name a workflow goes before a checkpoint. Raises AioRpcError."""
        exposed, models, workflows = await asyncio.gather(
            self._exposure(), self._listed_models(), self._listed_workflows()
        )
        offers = {ANY_MODEL: Offer(id=ANY_MODEL, description="The server chooses the model.")}
        for model in models:
            if _is_exposed(model.name, exposed.models):
                offers[model.name] = Offer(id=model.name, description=model.description, model=model.name)
        for workflow in workflows:
            if not workflow.built_in and _is_exposed(workflow.workflow_id, exposed.workflows):
                offers[workflow.workflow_id] = offer_of(workflow)
        return list(offers.values())

    async def find(self, name: str) -> Offer:
        """What a request's `model` means. Raises Problem 404 for what is not offered, AioRpcError."""
        if not name:
            return Offer(id=ANY_MODEL)
        exposed, models, workflow = await asyncio.gather(
            self._exposure(), self._listed_models(name), self._workflow(name)
        )
        if workflow is not None and not workflow.built_in and _is_exposed(name, exposed.workflows):
            return offer_of(workflow)
        if any(model.name == name for model in models) and _is_exposed(name, exposed.models):
            return Offer(id=name, model=name)
        if name == ANY_MODEL or any(fnmatchcase(name.lower(), pattern) for pattern in FOREIGN_NAMES):
            return Offer(id=ANY_MODEL)
        raise unknown_model(name, [offer.id for offer in await self.models()])

    async def _exposure(self) -> settings_pb2.ExposureSettings:
        answer = await self._settings.GetSettings(settings_pb2.GetSettingsRequest(), timeout=self._timeout_s)
        return answer.effective.exposure

    async def _listed_models(self, name: str = "") -> list[model_pb2.Model]:
        """All of them, or those with this in their names, as far as a request can say it."""
        requests = [model_pb2.ListModelsRequest(type=each, text=name[:MAX_TEXT]) for each in MODEL_TYPES]
        answers = await asyncio.gather(
            *(self._models.ListModels(request, timeout=self._timeout_s) for request in requests)
        )
        return [model for answer in answers for model in answer.models]

    async def _listed_workflows(self) -> list[workflow_pb2.Workflow]:
        request = workflow_pb2.ListWorkflowsRequest()
        return list((await self._workflows.ListWorkflows(request, timeout=self._timeout_s)).workflows)

    async def _workflow(self, name: str) -> workflow_pb2.Workflow | None:
        if not WORKFLOW_ID.fullmatch(name):
            return None
        request = workflow_pb2.GetWorkflowRequest(workflow_id=name)
        try:
            return (await self._workflows.GetWorkflow(request, timeout=self._timeout_s)).workflow
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise


def offer_of(workflow: workflow_pb2.Workflow) -> Offer:
    """A workflow as a model."""
    return Offer(
        id=workflow.workflow_id,
        name=workflow.title,
        description=workflow.description,
        workflow_id=workflow.workflow_id,
        base=workflow.base,
        inputs=frozenset(orjson.loads(workflow.input_schema_json or "{}").get("properties", {})),
        defaults={
            each.name: MessageToDict(each.default_value) for each in workflow.inputs if each.HasField("default_value")
        },
    )


def _is_exposed(name: str, patterns: settings_pb2.PatternList) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns.patterns)


def unknown_model(name: str, offered: Sequence[str]) -> Problem:
    """The answer to a model that is not offered."""
    near = get_close_matches(name[:MAX_TEXT], offered)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return Problem(
        404, f"there is no model {name[:128]!r} here; {meant}/openai/v1/models lists them", "MODEL_NOT_FOUND"
    )
