"""ModelService."""

import asyncio
from dataclasses import dataclass

from imagegen.v1 import model_pb2 as pb
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.services.rpc import Context
from imagegen_server.wire.backends import encode_models
from imagegen_server.wire.scalars import to_timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelService:
    fleet: Fleet

    async def list_models(self, request: pb.ListModelsRequest, _: Context) -> pb.ListModelsResponse:
        # A filter, and no name to be found: a backend that is not there has no models.
        backends = [backend for backend in self.fleet if request.backend in {"", backend.name}]
        models = [
            model
            for model in encode_models(backends)
            if request.type in {pb.MODEL_TYPE_UNSPECIFIED, model.type} and request.text.lower() in model.name.lower()
        ]
        times = [backend.health.catalog_time for backend in backends if backend.health.catalog_time is not None]
        return pb.ListModelsResponse(models=models, refresh_time=to_timestamp(min(times)) if times else None)

    async def get_model(self, request: pb.GetModelRequest, _: Context) -> pb.GetModelResponse:
        for model in encode_models(self.fleet):
            if (model.type, model.name) == (request.type, request.name):
                return pb.GetModelResponse(model=model)
        kind = pb.ModelType.Name(request.type).removeprefix("MODEL_TYPE_").lower()
        raise Refused(
            "MODEL_NOT_FOUND", f"no backend has a {kind} called {request.name!r}", metadata={"model": request.name}
        )

    async def refresh_models(self, request: pb.RefreshModelsRequest, _: Context) -> pb.RefreshModelsResponse:
        backends = [self.fleet.find(request.backend, field="backend")] if request.backend else list(self.fleet)
        await asyncio.gather(*(backend.refresh(with_catalog=True) for backend in backends))
        return pb.RefreshModelsResponse(
            models=encode_models(backends),
            unreachable_backends=[backend.name for backend in backends if not backend.is_healthy],
        )

    async def load_model(self, request: pb.LoadModelRequest, _: Context) -> pb.LoadModelResponse:
        raise NotImplementedError

    async def unload_models(self, request: pb.UnloadModelsRequest, _: Context) -> pb.UnloadModelsResponse:
        raise NotImplementedError
