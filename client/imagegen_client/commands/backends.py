"""`imagegen backends`: how the backends are, and which of them get jobs."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.backend_pb2 import Backend, BackendHealth
from imagegen_client.client import Client
from imagegen_client.commands.printing import give_json, give_one, give_table, message_as_json
from imagegen_client.commands.session import AsJson, is_alone, run

app = typer.Typer(invoke_without_command=True)

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="Its name, as `imagegen backends` shows it.")]

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
    """List the backends and how they are; drain and undrain them."""
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
    health = _HEALTH.get(backend.health, str(backend.health)) + (", drained" if backend.drained else "")
    return [
        backend.name,
        backend.kind,
        f"{health}: {backend.reason}" if backend.reason else health,
        f"{len(backend.running_job_ids)}/{backend.max_concurrent_jobs}",
        str(backend.queue_depth),
        backend.resident_model,
        ", ".join(f"{key}={value}" for key, value in sorted(backend.labels.items())),
        backend.version,
        backend.url,
    ]


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
