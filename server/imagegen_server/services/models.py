"""ModelService."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from imagegen.v1 import model_pb2 as pb
from imagegen_adapters.errors import AdapterError
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.backend import Backend
from imagegen_server.errors import Refused, bad_field
from imagegen_server.fleet import Fleet
from imagegen_server.services.rpc import Context
from imagegen_server.wire.backends import LISTS, LOADABLE, bounded_metadata, encode_models, type_name
from imagegen_server.wire.scalars import to_timestamp

_METADATA_TIMEOUT_S: Final = 5.0
_KEPT_METADATA: Final = 256

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelService:
    fleet: Fleet
    _metadata: OrderedDict[tuple[str, int, str], tuple[int, Mapping[str, str]]] = field(default_factory=OrderedDict)
    """What files said about themselves, by backend, type and name, with the version of the catalogue at that time."""

    async def list_models(self, request: pb.ListModelsRequest, _: Context) -> pb.ListModelsResponse:
        # A filter, and no name to be found: a backend that is not there has no models.
        backends = [backend for backend in self.fleet if request.backend in {"", backend.name}]
        types = [request.type] if request.type else []
        models = [model for model in encode_models(backends, types) if request.text.lower() in model.name.lower()]
        times = [backend.health.catalog_time for backend in backends if backend.health.catalog_time is not None]
        return pb.ListModelsResponse(models=models, refresh_time=to_timestamp(min(times)) if times else None)

    async def get_model(self, request: pb.GetModelRequest, _: Context) -> pb.GetModelResponse:
        model = self._find(request.name, [request.type])
        model.metadata.update(await self._metadata_of(model))
        return pb.GetModelResponse(model=model)

    async def refresh_models(self, request: pb.RefreshModelsRequest, _: Context) -> pb.RefreshModelsResponse:
        backends = [self.fleet.find(request.backend, field="backend")] if request.backend else list(self.fleet)
        await asyncio.gather(*(backend.refresh(with_catalog=True) for backend in backends))
        return pb.RefreshModelsResponse(
            models=encode_models(backends),
            unreachable_backends=[backend.name for backend in backends if not backend.is_healthy],
        )

    async def load_model(self, request: pb.LoadModelRequest, _: Context) -> pb.LoadModelResponse:
        backends = [self.fleet.find(request.backend, field="backend")] if request.backend else list(self.fleet)
        model = self._find_loadable(request.name, backends)
        having = [backend for backend in backends if backend.name in model.backends]
        able = having if request.backend else [backend for backend in having if backend.is_healthy]
        failures = await _each(able, lambda backend: backend.load_model(request.name))
        if len(failures) == len(able):
            raise _nobody(f"load {request.name!r}", failures or [_absence(backend) for backend in having])
        return pb.LoadModelResponse(model=self._find_loadable(request.name, list(self.fleet)), failures=failures)

    async def unload_models(self, request: pb.UnloadModelsRequest, _: Context) -> pb.UnloadModelsResponse:
        named = [self.fleet.find(request.backend, field="backend")] if request.backend else []
        able = named or [backend for backend in self.fleet if backend.is_healthy]
        failures = await _each(able, lambda backend: backend.free_memory())
        if len(failures) == len(able):
            raise _nobody("give memory back", failures or [_absence(backend) for backend in self.fleet])
        failed = {failure.backend for failure in failures}
        done = [backend.name for backend in able if backend.name not in failed]
        return pb.UnloadModelsResponse(backends=done, failures=failures)

    def _find(self, name: str, types: Sequence[int]) -> pb.Model:
        """Refused: MODEL_NOT_FOUND."""
        models = encode_models(self.fleet, types)
        found = next((model for model in models if model.name == name), None)
        if found is None:
            raise _not_found(type_name(types[0]), name, [model.name for model in models])
        return found

    def _find_loadable(self, name: str, backends: Sequence[Backend]) -> pb.Model:
        """Refused: MODEL_NOT_FOUND, or INVALID_REQUEST for what is of another type."""
        models = encode_models(backends)
        named = [model for model in models if model.name == name]
        found = next((model for model in named if model.type in LOADABLE), None)
        if found is not None:
            return found
        if named:
            message = f"{name!r} is a {type_name(named[0].type)}: only checkpoints and diffusion models can be loaded"
            raise bad_field("INVALID_REQUEST", "name", message)
        raise _not_found("model", name, [model.name for model in models if model.type in LOADABLE])

    async def _metadata_of(self, model: pb.Model) -> Mapping[str, str]:
        """What the model's file says about itself, as far as a backend can be asked at the moment."""
        backend = next((each for each in self.fleet if each.is_healthy and each.name in model.backends), None)
        if backend is None:
            return {}
        key, version = (backend.name, int(model.type), model.name), backend.health.catalog_version
        kept_version, metadata = self._metadata.get(key, (-1, {}))
        if kept_version == version:
            return metadata
        try:
            async with asyncio.timeout(_METADATA_TIMEOUT_S):
                metadata = bounded_metadata(await backend.adapter.model_metadata(LISTS[model.type], model.name))
        except (AdapterError, TimeoutError) as error:
            log.info("metadata of a model not told", backend=backend.name, model=model.name, reason=str(error))
            return {}
        self._metadata[key] = version, metadata
        self._metadata.move_to_end(key)
        if len(self._metadata) > _KEPT_METADATA:
            self._metadata.popitem(last=False)
        return metadata


async def _each(backends: Sequence[Backend], do: Callable[[Backend], Awaitable[None]]) -> list[pb.BackendFailure]:
    """Does it at all of them at once; gives those that could not."""
    outcomes = await asyncio.gather(*(_attempted(backend, do) for backend in backends))
    return [failure for failure in outcomes if failure is not None]


async def _attempted(backend: Backend, do: Callable[[Backend], Awaitable[None]]) -> pb.BackendFailure | None:
    if not backend.is_healthy:
        return _absence(backend)
    try:
        await do(backend)
    except AdapterError as error:
        return pb.BackendFailure(backend=backend.name, message=str(error))
    return None


def _absence(backend: Backend) -> pb.BackendFailure:
    return pb.BackendFailure(backend=backend.name, message=backend.health.reason or "has not been asked yet")


def _nobody(what: str, failures: Sequence[pb.BackendFailure]) -> Refused:
    reasons = "; ".join(f"{failure.backend}: {failure.message}" for failure in failures)
    return Refused("BACKEND_UNREACHABLE", f"no backend could {what}: {reasons or 'there is none'}")


def _not_found(kind: str, name: str, names: Sequence[str]) -> Refused:
    return Refused("MODEL_NOT_FOUND", unknown_name(kind, name, names), metadata={"model": name})
