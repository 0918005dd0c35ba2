"""Backends and their models."""

from collections.abc import Iterable, Sequence

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_adapters.contract import Capabilities, Catalog, NamedModel
from imagegen_server.fleet import Backend
from imagegen_server.wire.scalars import to_timestamp

_HEALTH = {
    None: backend_pb2.BACKEND_HEALTH_UNSPECIFIED,
    True: backend_pb2.BACKEND_HEALTH_HEALTHY,
    False: backend_pb2.BACKEND_HEALTH_UNHEALTHY,
}


def encode_backend(backend: Backend, running_job_ids: Sequence[str]) -> backend_pb2.Backend:
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
    )


def encode_models(backends: Iterable[Backend]) -> list[model_pb2.Model]:
    """What the backends have, each name once, by type and then by name."""
    models: dict[tuple[int, str], model_pb2.Model] = {}
    for backend in backends:
        if backend.health.catalog is None:
            continue
        resident = backend.health.status.resident_model
        for type_, entries in _lists(backend.health.catalog):
            for entry in entries:
                model = models.setdefault((type_, entry.name), model_pb2.Model(name=entry.name, type=type_))
                model.backends.append(backend.name)
                model.description = model.description or entry.description
                if type_ == model_pb2.MODEL_TYPE_CHECKPOINT and entry.name == resident:
                    model.resident_backends.append(backend.name)
    return [models[key] for key in sorted(models)]


def _lists(catalog: Catalog) -> tuple[tuple[model_pb2.ModelType.ValueType, tuple[NamedModel, ...]], ...]:
    return (
        (model_pb2.MODEL_TYPE_CHECKPOINT, catalog.checkpoints),
        (model_pb2.MODEL_TYPE_VAE, catalog.vaes),
        (model_pb2.MODEL_TYPE_LORA, catalog.loras),
        (model_pb2.MODEL_TYPE_EMBEDDING, catalog.embeddings),
        (model_pb2.MODEL_TYPE_UPSCALER, catalog.upscalers),
        (model_pb2.MODEL_TYPE_SAMPLER, catalog.samplers),
        (model_pb2.MODEL_TYPE_SCHEDULER, catalog.schedulers),
    )


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
    )
