# ruff: noqa: N802  # the names of rpcs are the proto's
"""Two backends and two models."""

from typing import Any

from imagegen.v1 import backend_pb2, model_pb2
from imagegen.v1.backend_pb2_grpc import BackendServiceServicer
from imagegen.v1.model_pb2_grpc import ModelServiceServicer
from tests.client.fake.faults import NO_BACKEND, SILENT
from tests.client.fake.state import FakeServer


class FakeBackends(BackendServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._backends = {
            "demo": backend_pb2.Backend(name="demo", kind="demo", health=backend_pb2.BACKEND_HEALTH_HEALTHY),
            "comfyui": backend_pb2.Backend(
                name="comfyui",
                kind="comfyui",
                url="http://127.0.0.1:8188",
                health=backend_pb2.BACKEND_HEALTH_UNHEALTHY,
                reason="refused",
            ),
        }

    async def ListBackends(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListBackends", request, context)
        return backend_pb2.ListBackendsResponse(backends=self._backends.values())

    async def GetBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetBackend", request, context)
        return backend_pb2.GetBackendResponse(backend=self._backends[request.name])

    async def RefreshBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("RefreshBackend", request, context)
        return backend_pb2.RefreshBackendResponse(backend=self._backends[request.name])

    async def DrainBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("DrainBackend", request, context)
        return backend_pb2.DrainBackendResponse(backend=await self._drained(request.name, True, context))

    async def UndrainBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("UndrainBackend", request, context)
        return backend_pb2.UndrainBackendResponse(backend=await self._drained(request.name, False, context))

    async def CreateBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("CreateBackend", request, context)
        if "silent" in request.url:
            await SILENT.raise_in(context)
        backend = backend_pb2.Backend(
            name=request.name or "comfyui-2",
            kind=request.kind or "comfyui",
            url=request.url,
            version="0.3.64",
            health=backend_pb2.BACKEND_HEALTH_HEALTHY,
            labels=request.labels,
            max_concurrent_jobs=request.max_concurrent_jobs,
            added=True,
        )
        if not request.validate_only:
            self._backends[backend.name] = backend
        return backend_pb2.CreateBackendResponse(backend=backend)

    async def DeleteBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteBackend", request, context)
        if self._backends.pop(request.name, None) is None:
            await NO_BACKEND.raise_in(context)
        return backend_pb2.DeleteBackendResponse()

    async def _drained(self, name: str, is_drained: bool, context: Any) -> backend_pb2.Backend:
        if name not in self._backends:
            await NO_BACKEND.raise_in(context)
        self._backends[name].drained = is_drained
        return self._backends[name]


class FakeModels(ModelServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._models = [
            model_pb2.Model(name="dusk", type=model_pb2.MODEL_TYPE_CHECKPOINT, backends=["demo"]),
            model_pb2.Model(name="euler", type=model_pb2.MODEL_TYPE_SAMPLER, backends=["demo", "comfyui"]),
        ]

    async def ListModels(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListModels", request, context)
        models = [
            model for model in self._models if request.type in {0, model.type} and request.text.lower() in model.name
        ]
        return model_pb2.ListModelsResponse(models=models)

    async def GetModel(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetModel", request, context)
        return model_pb2.GetModelResponse(model=self._models[0])

    async def RefreshModels(self, request: Any, context: Any) -> Any:
        await self._server.enter("RefreshModels", request, context)
        return model_pb2.RefreshModelsResponse(models=self._models, unreachable_backends=["comfyui"])

    async def LoadModel(self, request: Any, context: Any) -> Any:
        await self._server.enter("LoadModel", request, context)
        self._models[0].resident_backends[:] = ["demo"]
        failure = model_pb2.BackendFailure(backend="comfyui", message="it does not answer")
        return model_pb2.LoadModelResponse(model=self._models[0], failures=[] if request.backend else [failure])

    async def UnloadModels(self, request: Any, context: Any) -> Any:
        await self._server.enter("UnloadModels", request, context)
        self._models[0].resident_backends[:] = []
        return model_pb2.UnloadModelsResponse(backends=[request.backend or "demo"])
