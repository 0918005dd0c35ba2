"""`imagegen models`: what requests can name."""

from typing import Annotated

import typer

from imagegen.v1.model_pb2 import Model, ModelType
from imagegen_client.client import Client
from imagegen_client.commands.printing import give_json, give_table, message_as_json, say
from imagegen_client.commands.session import AsJson, run

_TYPES = {
    ModelType.Name(value).removeprefix("MODEL_TYPE_").lower(): value
    for value in ModelType.values()
    if value != ModelType.MODEL_TYPE_UNSPECIFIED
}
_TYPE_NAMES = {value: name for name, value in _TYPES.items()}


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
