"""Which models there are to choose from now: presets, and the exposed checkpoints of the backends."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from imagegen.v1 import model_pb2, model_pb2_grpc
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.presets import ANY_MODEL, PresetSettings, find_preset, is_exposed

if TYPE_CHECKING:  # this name is in the stub only
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub


@dataclass(frozen=True, slots=True)
class Offer:
    """One model to choose."""

    id: str
    name: str
    """What people read."""
    description: str = ""


class Offers:
    """Asks the server which checkpoints there are."""

    def __init__(self, channel: grpc.aio.Channel, settings: GatewaySettings) -> None:
        self._stub: ModelServiceAsyncStub = model_pb2_grpc.ModelServiceStub(channel)
        self._settings = settings

    async def models(self) -> list[Offer]:
        """All that can be chosen: the server's choice, presets, exposed checkpoints. Raises AioRpcError."""
        offers = {ANY_MODEL: Offer(ANY_MODEL, "imagegen", "The server chooses the checkpoint.")}
        for model in await self._checkpoints():
            if is_exposed(model.name, self._settings.exposed_models):
                offers[model.name] = Offer(model.name, model.name, model.description)
        for preset in self._settings.presets:
            offers[preset.id] = Offer(preset.id, preset.name or preset.id, preset.description)
        return list(offers.values())

    async def find(self, model: str) -> PresetSettings:
        """What a request's `model` means. Raises Problem 404 for what is not offered, AioRpcError."""
        checkpoints = [found.name for found in await self._checkpoints()]
        return find_preset(model, self._settings.presets, checkpoints, self._settings.exposed_models)

    async def _checkpoints(self) -> list[model_pb2.Model]:
        request = model_pb2.ListModelsRequest(type=model_pb2.MODEL_TYPE_CHECKPOINT)
        answer = await self._stub.ListModels(request, timeout=self._settings.rpc_timeout_s)
        return list(answer.models)
