"""`imagegen backends`: which there are, how they are, and which of them get jobs."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.backend_pb2 import Backend, BackendHealth
from imagegen_client.client import Client
from imagegen_client.commands.printing import give_json, give_one, give_table, message_as_json, say
from imagegen_client.commands.request import parse_labels
from imagegen_client.commands.session import AsJson, is_alone, run

app = typer.Typer(invoke_without_command=True)

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as `imagegen backends` shows it.")]

Url: TypeAlias = Annotated[
    str, typer.Argument(metavar="URL", help="Its address, as http://127.0.0.1:8188; user and password may be in it.")
]
Kind: TypeAlias = Annotated[
    str, typer.Option(metavar="KIND", help="comfyui, a1111 or demo. Default: found out by asking the address.")
]

_HEALTH = {
    BackendHealth.BACKEND_HEALTH_UNSPECIFIED: "not asked yet",
    BackendHealth.BACKEND_HEALTH_HEALTHY: "healthy",
    BackendHealth.BACKEND_HEALTH_UNHEALTHY: "unhealthy",
}


@app.callback()
def backends(
    context: typer.Context,
    refresh: Annotated[bool, typer.Option("--refresh", help="Have each asked how it is, now.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the backends and how they are; add and remove, drain and undrain them."""
    if not is_alone(context):
        return

    async def body(client: Client) -> None:
        listed = await client.list_backends()
        if refresh:
            listed = [await client.refresh_backend(backend.name) for backend in listed]
        if as_json:
            for backend in listed:
                give_json({"backend": message_as_json(backend)})
        else:
            headings = ["NAME", "KIND", "HEALTH", "JOBS", "QUEUE", "MODEL", "LABELS", "VERSION", "ADDRESS"]
            give_table(headings, [_row(backend) for backend in listed], optional={"LABELS"})

    run(context, body, as_json=as_json)


def _row(backend: Backend) -> list[str]:
    return [
        backend.name,
        backend.kind,
        _condition(backend),
        f"{len(backend.running_job_ids)}/{backend.max_concurrent_jobs}",
        str(backend.queue_depth),
        backend.resident_model,
        ", ".join(f"{key}={value}" for key, value in sorted(backend.labels.items())),
        backend.version,
        backend.url,
    ]


def _condition(backend: Backend) -> str:
    health = _HEALTH.get(backend.health, str(backend.health)) + (", drained" if backend.drained else "")
    return f"{health}: {backend.reason}" if backend.reason else health


@app.command()
def probe(context: typer.Context, url: Url, kind: Kind = "", as_json: AsJson = False) -> None:
    """Ask an address what is there; nothing is added."""

    async def body(client: Client) -> None:
        found = await client.add_backend(url, kind=kind, validate_only=True)
        text = " ".join(part for part in (found.kind, found.version, "at", found.url) if part)
        give_one("backend", found, f"{text}: {_condition(found)}", as_json=as_json)

    run(context, body, as_json=as_json)


@app.command()
def add(
    context: typer.Context,
    url: Url = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it. Default: its kind.")] = "",
    kind: Kind = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="KEY=VALUE", help="What jobs can ask for; repeatable.")
    ] = None,
    max_jobs: Annotated[
        int, typer.Option("--max-jobs", min=0, max=64, help="How many jobs it gets at a time. 0: as suit its kind.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Add a backend, which takes jobs at once and lasts over restarts."""
    labels = parse_labels(label or ())

    async def body(client: Client) -> None:
        added = await client.add_backend(url, name=name, kind=kind, labels=labels, max_concurrent_jobs=max_jobs)
        give_one("backend", added, f"{added.name} ({added.kind}) added, {_condition(added)}", as_json=as_json)

    run(context, body, as_json=as_json)


@app.command()
def remove(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Remove a backend that was added. Drain it first, if jobs run there."""

    async def body(client: Client) -> None:
        await client.remove_backend(name)
        say(f"{name} removed")

    run(context, body, as_json=as_json)


@app.command()
def drain(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Give a backend no new jobs; what runs there goes on to its end."""
    _change(context, lambda client: client.drain_backend(name), as_json=as_json)


@app.command()
def undrain(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Give a drained backend jobs again."""
    _change(context, lambda client: client.undrain_backend(name), as_json=as_json)


def _change(context: typer.Context, change: Callable[[Client], Awaitable[Backend]], *, as_json: bool) -> None:
    async def body(client: Client) -> None:
        backend = await change(client)
        running = len(backend.running_job_ids)
        text = f"{backend.name} gets {'no new jobs' if backend.drained else 'jobs again'}, {running} running there"
        give_one("backend", backend, text, as_json=as_json)

    run(context, body, as_json=as_json)
