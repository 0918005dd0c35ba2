"""Backends and their models."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_adapters.contract import Capabilities, Catalog, NamedModel
from imagegen_server.backend import Backend
from imagegen_server.wire.scalars import to_timestamp

_HEALTH = {
    None: backend_pb2.BACKEND_HEALTH_UNSPECIFIED,
    True: backend_pb2.BACKEND_HEALTH_HEALTHY,
    False: backend_pb2.BACKEND_HEALTH_UNHEALTHY,
}

LISTS: Mapping[model_pb2.ModelType.ValueType, str] = {
    model_pb2.MODEL_TYPE_CHECKPOINT: "checkpoints",
    model_pb2.MODEL_TYPE_VAE: "vaes",
    model_pb2.MODEL_TYPE_LORA: "loras",
    model_pb2.MODEL_TYPE_EMBEDDING: "embeddings",
    model_pb2.MODEL_TYPE_UPSCALER: "upscalers",
    model_pb2.MODEL_TYPE_SAMPLER: "samplers",
    model_pb2.MODEL_TYPE_SCHEDULER: "schedulers",
    model_pb2.MODEL_TYPE_DIFFUSION_MODEL: "diffusion_models",
    model_pb2.MODEL_TYPE_TEXT_ENCODER: "text_encoders",
    model_pb2.MODEL_TYPE_CONTROLNET: "controlnets",
    model_pb2.MODEL_TYPE_CLIP_VISION: "clip_visions",
}
"""The catalogue's list by the type of its models."""

LOADABLE = (model_pb2.MODEL_TYPE_CHECKPOINT, model_pb2.MODEL_TYPE_DIFFUSION_MODEL)
"""Types of models that are loaded by themselves."""

_NAMES: Mapping[int, str] = {number: name for name, number in model_pb2.ModelType.items()}
_MAX_ENTRIES = 256
_MAX_KEY = 256
_MAX_VALUE = 4096


def encode_backend(
    backend: Backend, running_job_ids: Sequence[str], *, megapixel_steps_per_second: float | None = None
) -> backend_pb2.Backend:
    health, status = backend.health, backend.health.status
    return backend_pb2.Backend(
        name=backend.name,
        kind=backend.adapter.kind,
        url=backend.url,
        health=_HEALTH[health.is_healthy],
        reason=health.reason,
        version=status.version,
        devices=[
            backend_pb2.Device(
                name=device.name,
                memory_total_bytes=device.memory_total_bytes,
                memory_free_bytes=device.memory_free_bytes,
            )
            for device in status.devices
        ],
        resident_model=status.resident_model,
        queue_depth=status.queue_depth,
        running_job_ids=running_job_ids,
        capabilities=_encode_capabilities(backend.adapter.capabilities),
        last_seen_time=to_timestamp(health.last_seen) if health.last_seen is not None else None,
        drained=backend.is_drained,
        labels=backend.labels,
        max_concurrent_jobs=backend.slots,
        added=backend.is_added,
        megapixel_steps_per_second=megapixel_steps_per_second,
    )


def encode_models(backends: Iterable[Backend], types: Collection[int] = ()) -> list[model_pb2.Model]:
    """What the backends have, each name once, by type and then by name. No types are all of them."""
    models: dict[tuple[int, str], model_pb2.Model] = {}
    for backend in backends:
        if backend.health.catalog is None:
            continue
        resident = backend.health.status.resident_model
        for type_ in LISTS:
            if types and type_ not in types:
                continue
            for entry in models_in(backend.health.catalog, type_):
                model = models.setdefault((type_, entry.name), model_pb2.Model(name=entry.name, type=type_))
                model.backends.append(backend.name)
                model.description = model.description or entry.description
                model.sha256 = model.sha256 or entry.sha256
                model.size_bytes = model.size_bytes or entry.size_bytes
                if type_ in LOADABLE and entry.name == resident:
                    model.resident_backends.append(backend.name)
    return [models[key] for key in sorted(models)]


def models_in(catalog: Catalog, type_: model_pb2.ModelType.ValueType) -> Sequence[NamedModel]:
    """A catalogue's models of a type."""
    models: Sequence[NamedModel] = getattr(catalog, LISTS[type_])
    return models


def type_name(type_: int) -> str:
    """As a word for a person: "diffusion model"."""
    return _NAMES[type_].removeprefix("MODEL_TYPE_").replace("_", " ").lower()


def bounded_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """What of a file's metadata is shown: training tools write megabytes."""
    return {
        key[:_MAX_KEY]: value if len(value) <= _MAX_VALUE else value[: _MAX_VALUE - 1] + "…"
        for key, value in islice(metadata.items(), _MAX_ENTRIES)
    }


def _encode_capabilities(capabilities: Capabilities) -> backend_pb2.BackendCapabilities:
    return backend_pb2.BackendCapabilities(
        image_parameters=capabilities.image_parameters,
        graphs=capabilities.graphs,
        image_to_image=capabilities.image_to_image,
        inpainting=capabilities.inpainting,
        hires=capabilities.hires,
        previews=capabilities.previews,
        max_batch_size=capabilities.max_batch_size,
        reattach=capabilities.reattach,
        loras=capabilities.loras,
        model_loading=capabilities.model_loading,
    )
