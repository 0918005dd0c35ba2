"""The calls of BackendService and ModelService, and the node definitions of WorkflowService."""

from collections.abc import Mapping

from imagegen.v1.backend_pb2 import (
    Backend,
    CreateBackendRequest,
    DeleteBackendRequest,
    DrainBackendRequest,
    GetBackendRequest,
    ListBackendsRequest,
    RefreshBackendRequest,
    UndrainBackendRequest,
)
from imagegen.v1.model_pb2 import (
    GetModelRequest,
    ListModelsRequest,
    LoadModelRequest,
    LoadModelResponse,
    Model,
    ModelType,
    RefreshModelsRequest,
    RefreshModelsResponse,
    UnloadModelsRequest,
    UnloadModelsResponse,
)
from imagegen.v1.workflow_pb2 import GetNodeDefinitionsRequest, GetNodeDefinitionsResponse
from imagegen_client.calls.connection import Connection

LOAD_TIMEOUT_S = 600.0
"""A model may be tens of gigabytes on a slow disk, and wait for what runs."""


class CatalogCalls(Connection):
    """What there is to work with: backends, models and node classes."""

    async def list_backends(self) -> list[Backend]:
        """Every backend as it was last seen."""
        return list((await self._call(self._backends.ListBackends, ListBackendsRequest())).backends)

    async def get_backend(self, name: str) -> Backend:
        """One backend as it was last seen."""
        return (await self._call(self._backends.GetBackend, GetBackendRequest(name=name))).backend

    async def refresh_backend(self, name: str) -> Backend:
        """One backend as it answers now. One that does not answer is no error: see its `health`."""
        return (await self._call(self._backends.RefreshBackend, RefreshBackendRequest(name=name))).backend

    async def drain_backend(self, name: str) -> Backend:
        """Gives a backend no new jobs; what runs there goes on to its end."""
        return (await self._call(self._backends.DrainBackend, DrainBackendRequest(name=name))).backend

    async def undrain_backend(self, name: str) -> Backend:
        """Gives a drained backend jobs again."""
        return (await self._call(self._backends.UndrainBackend, UndrainBackendRequest(name=name))).backend

    async def add_backend(
        self,
        url: str,
        *,
        name: str = "",
        kind: str = "",
        labels: Mapping[str, str] | None = None,
        max_concurrent_jobs: int = 0,
        validate_only: bool = False,
    ) -> Backend:
        """Adds a backend, which lasts; gives it as it answered. Without a kind this is found out by asking the address.

        With `validate_only` the address is asked, and nothing is added.
        """
        request = CreateBackendRequest(
            name=name,
            kind=kind,
            url=url,
            labels=labels,
            max_concurrent_jobs=max_concurrent_jobs,
            validate_only=validate_only,
        )
        return (await self._call(self._backends.CreateBackend, request)).backend

    async def remove_backend(self, name: str) -> None:
        """Takes away a backend that was added."""
        await self._call(self._backends.DeleteBackend, DeleteBackendRequest(name=name))

    async def list_models(
        self,
        *,
        type: ModelType.ValueType = ModelType.MODEL_TYPE_UNSPECIFIED,  # noqa: A002  # the proto's word
        backend: str = "",
        text: str = "",
    ) -> list[Model]:
        """What requests can name: checkpoints, samplers and the like, by type and name."""
        request = ListModelsRequest(type=type, backend=backend, text=text)
        return list((await self._call(self._models.ListModels, request)).models)

    async def get_model(self, type: ModelType.ValueType, name: str) -> Model:  # noqa: A002  # the proto's word
        """One model."""
        return (await self._call(self._models.GetModel, GetModelRequest(type=type, name=name))).model

    async def refresh_models(self, *, backend: str = "") -> RefreshModelsResponse:
        """Has the backends asked for their lists again: the models, and the backends that did not answer."""
        return await self._call(self._models.RefreshModels, RefreshModelsRequest(backend=backend))

    async def load_model(self, name: str, *, backend: str = "") -> LoadModelResponse:
        """Has backends load a checkpoint or a diffusion model, and waits until they have."""
        request = LoadModelRequest(name=name, backend=backend)
        return await self._call(self._models.LoadModel, request, LOAD_TIMEOUT_S)

    async def unload_models(self, *, backend: str = "") -> UnloadModelsResponse:
        """Has backends give back the memory that models take; nothing that runs is harmed."""
        return await self._call(self._models.UnloadModels, UnloadModelsRequest(backend=backend))

    async def node_definitions(self, *, backend: str = "", class_type: str = "") -> GetNodeDefinitionsResponse:
        """What graphs can be made of, as JSON text of the form of ComfyUI's `/object_info`, and which backends say so.

        All classes or one, of all backends or one.
        """
        request = GetNodeDefinitionsRequest(backend=backend, class_type=class_type)
        return await self._call(self._workflows.GetNodeDefinitions, request)
