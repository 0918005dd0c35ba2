"""`imagegen models` and `imagegen backends`: what there is to work with."""

from typing import Annotated

import typer

from imagegen.v1.backend_pb2 import Backend, BackendHealth
from imagegen.v1.model_pb2 import Model, ModelType
from imagegen_client.client import Client
from imagegen_client.commands.printing import as_json as message_as_json
from imagegen_client.commands.printing import give_json, give_table, say
from imagegen_client.commands.session import AsJson, run

_TYPES = {
    ModelType.Name(value).removeprefix("MODEL_TYPE_").lower(): value
    for value in ModelType.values()
    if value != ModelType.MODEL_TYPE_UNSPECIFIED
}
_TYPE_NAMES = {value: name for name, value in _TYPES.items()}
_HEALTH = {
    BackendHealth.BACKEND_HEALTH_UNSPECIFIED: "not asked yet",
    BackendHealth.BACKEND_HEALTH_HEALTHY: "healthy",
    BackendHealth.BACKEND_HEALTH_UNHEALTHY: "unhealthy",
}


def models(
    context: typer.Context,
    type_name: Annotated[str, typer.Option("--type", help=f"Only one of: {', '.join(_TYPES)}.")] = "",
    backend: Annotated[str, typer.Option(metavar="NAME", help="Only what this backend has.")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Have the backends asked again first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what requests can name: checkpoints, samplers and the like."""
    if type_name and type_name not in _TYPES:
        raise typer.BadParameter(f"{type_name!r} is none of {', '.join(_TYPES)}", param_hint="--type")

    async def body(client: Client) -> None:
        if refresh:
            for name in (await client.refresh_models(backend=backend)).unreachable_backends:
                say(f"backend {name} does not answer: its list is as before")
        listed = await client.list_models(type=_TYPES.get(type_name, ModelType.MODEL_TYPE_UNSPECIFIED), backend=backend)
        if as_json:
            for model in listed:
                give_json({"model": message_as_json(model)})
        else:
            give_table(["TYPE", "NAME", "BACKENDS", "LOADED ON", ""], [_model_row(model) for model in listed])

    run(context, body, as_json=as_json)


def _model_row(model: Model) -> list[str]:
    return [
        _TYPE_NAMES.get(model.type, str(model.type)),
        model.name,
        ", ".join(model.backends),
        ", ".join(model.resident_backends),
        model.description,
    ]


def backends(
    context: typer.Context,
    refresh: Annotated[bool, typer.Option("--refresh", help="Have each asked how it is, now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the backends and how they are."""

    async def body(client: Client) -> None:
        listed = await client.list_backends()
        if refresh:
            listed = [await client.refresh_backend(backend.name) for backend in listed]
        if as_json:
            for backend in listed:
                give_json({"backend": message_as_json(backend)})
        else:
            headings = ["NAME", "KIND", "HEALTH", "QUEUE", "MODEL", "VERSION", "ADDRESS"]
            give_table(headings, [_backend_row(backend) for backend in listed])

    run(context, body, as_json=as_json)


def _backend_row(backend: Backend) -> list[str]:
    health = _HEALTH.get(backend.health, str(backend.health))
    return [
        backend.name,
        backend.kind,
        f"{health}: {backend.reason}" if backend.reason else health,
        str(backend.queue_depth),
        backend.resident_model,
        backend.version,
        backend.url,
    ]
