"""`imagegen models`: what requests can name, and what of it is loaded."""

import difflib
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.model_pb2 import BackendFailure, Model, ModelType
from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.printing import (
    give,
    give_json,
    give_one,
    give_table,
    message_as_json,
    say,
    size_text,
)
from imagegen_client.commands.session import AsJson, is_alone, run
from imagegen_client.commands.wording import either
from imagegen_client.commands.wording import listed as words
from imagegen_client.errors import InvalidRequest, NotFound

app = typer.Typer(invoke_without_command=True)

_TYPES = {
    ModelType.Name(value).removeprefix("MODEL_TYPE_").lower(): value
    for value in ModelType.values()
    if value != ModelType.MODEL_TYPE_UNSPECIFIED
}
_TYPE_NAMES = {value: name for name, value in _TYPES.items()}

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="As `imagegen models` shows it.")]
TypeName: TypeAlias = Annotated[str, typer.Option("--type", help=f"Only one of: {', '.join(_TYPES)}.")]
Backend: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Only this backend.")]


@app.callback()
def models(
    context: typer.Context,
    type_name: TypeName = "",
    backend: Annotated[str, typer.Option(metavar="NAME", help="Only what this backend has.")] = "",
    text: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only names with this in them.")] = "",
    refresh: Annotated[bool, typer.Option("--refresh", help="Have the backends asked again first.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what requests can name: checkpoints, LoRAs, samplers and the like; load and unload models."""
    if not is_alone(context):
        return
    wanted = _type(type_name)

    async def body(client: Client) -> None:
        if refresh:
            for name in (await client.refresh_models(backend=backend)).unreachable_backends:
                say(f"backend {name} does not answer: its list is as before")
        listed = await client.list_models(type=wanted, backend=backend, text=text)
        if as_json:
            for model in listed:
                give_json({"model": message_as_json(model)})
        else:
            headings = ["TYPE", "NAME", "SIZE", "BACKENDS", "LOADED ON", ""]
            give_table(headings, [_row(model) for model in listed], optional={"SIZE"})

    run(context, body, as_json=as_json)


def _type(name: str) -> ModelType.ValueType:
    if name and name not in _TYPES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(_TYPES)}", param_hint="--type")
    return _TYPES.get(name, ModelType.MODEL_TYPE_UNSPECIFIED)


def _row(model: Model) -> list[str]:
    return [
        _TYPE_NAMES.get(model.type, str(model.type)),
        model.name,
        size_text(model.size_bytes) if model.size_bytes else "",
        ", ".join(model.backends),
        ", ".join(model.resident_backends),
        model.description,
    ]


@app.command()
def show(context: typer.Context, name: Name, type_name: TypeName = "", as_json: AsJson = False) -> None:
    """Show all that is known about a model: where it is, its hash, and what its file says about itself."""
    wanted = _type(type_name)

    async def body(client: Client) -> None:
        model = await client.get_model(wanted or await _type_of(client, name), name)
        if as_json:
            give_json({"model": message_as_json(model)})
            return
        facts = {
            "type": _TYPE_NAMES.get(model.type, str(model.type)),
            "backends": words(model.backends),
            "loaded on": words(model.resident_backends) if model.resident_backends else "",
            "sha256": model.sha256,
            "size": size_text(model.size_bytes) if model.size_bytes else "",
            "about": model.description,
        }
        give(model.name)
        for key, value in {**facts, **dict(sorted(model.metadata.items()))}.items():
            if value:
                give(f"  {key}: {' '.join(value.split())}")

    run(context, body, as_json=as_json)


async def _type_of(client: Client, name: str) -> ModelType.ValueType:
    """The type of the only model of this name. Raises NotFound, InvalidRequest."""
    like = await client.list_models(text=name)
    found = [model.type for model in like if model.name == name]
    if not found:
        near = [model.name for model in like[:3]] or difflib.get_close_matches(
            name, [model.name for model in await client.list_models()]
        )
        raise NotFound(f"there is no model {name!r}; {either(near) if near else 'see `imagegen models`'}")
    if len(found) > 1:
        raise InvalidRequest(f"{name!r} is {words([_TYPE_NAMES[each] for each in found])}: say which with --type")
    return found[0]


@app.command()
def load(context: typer.Context, name: Name, backend: Backend = "", as_json: AsJson = False) -> None:
    """Have backends load a checkpoint or a diffusion model, and wait until they have."""

    async def body(client: Client) -> Exit:
        answer = await client.load_model(name, backend=backend)
        loaded = answer.model.resident_backends
        text = f"{name} is loaded on {words(loaded)}" if loaded else f"{name} is not known to be loaded anywhere"
        give_one("loaded", answer, text, as_json=as_json)
        return _say_failures(answer.failures)

    run(context, body, as_json=as_json)


@app.command()
def unload(context: typer.Context, backend: Backend = "", as_json: AsJson = False) -> None:
    """Have backends give back the memory that models take; the next job loads its own again."""

    async def body(client: Client) -> Exit:
        answer = await client.unload_models(backend=backend)
        text = f"no models are loaded on {words(answer.backends)}" if answer.backends else "nothing was unloaded"
        give_one("unloaded", answer, text, as_json=as_json)
        return _say_failures(answer.failures)

    run(context, body, as_json=as_json)


def _say_failures(failures: Sequence[BackendFailure]) -> Exit:
    for failure in failures:
        say(f"backend {failure.backend}: {failure.message}")
    return Exit.FAILED if failures else Exit.SUCCESS
