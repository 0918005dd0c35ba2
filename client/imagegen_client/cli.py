"""The `imagegen` command."""

import os
import re
from typing import Annotated

# gRPC writes its own lines to stderr when a server goes away; that is for us to say, in our words.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import typer

from imagegen_client.__about__ import __version__
from imagegen_client.calls.connection import checked_owner
from imagegen_client.commands import (
    assets,
    backends,
    generate,
    jobs,
    keys,
    models,
    openwebui,
    queue,
    retry,
    settings,
    up,
    workflows,
)
from imagegen_client.commands.exits import EPILOG
from imagegen_client.commands.printing import give
from imagegen_client.commands.session import Session

_ADDRESS = re.compile(r"\S+:(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535

app = typer.Typer(
    help="Make images on your own ComfyUI and A1111 servers, and watch them being made.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    context: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="IMAGEGEN_SERVER",
            help="Address of the gRPC server. Default: 127.0.0.1:50051.",
        ),
    ] = None,
    owner: Annotated[
        str,
        typer.Option(metavar="NAME", envvar="IMAGEGEN_OWNER", help="Who asks. Default: nobody in particular."),
    ] = "",
) -> None:
    """What holds for all commands."""
    if server is not None:
        address = _ADDRESS.fullmatch(server)
        if address is None or int(address["port"]) > _MAX_PORT:  # gRPC would take the remainder of a larger one
            raise typer.BadParameter(f"{server!r} is no HOST:PORT", param_hint="--server")
    try:
        context.obj = Session(given_server=server, owner=checked_owner(owner))
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint="--owner") from None


def version() -> None:
    """Print the version."""
    give(f"imagegen {__version__}")


# In the order of the help.
app.command(epilog=EPILOG)(generate.generate)
app.command(epilog=EPILOG)(jobs.jobs)
app.command(epilog=EPILOG)(jobs.watch)
app.command(epilog=EPILOG)(jobs.cancel)
app.command(epilog=EPILOG)(retry.retry)
app.command(epilog=EPILOG)(jobs.update)
app.command(epilog=EPILOG)(jobs.delete)
app.add_typer(queue.app, name="queue", epilog=EPILOG)
app.add_typer(workflows.app, name="workflows", epilog=EPILOG)
app.add_typer(models.app, name="models", epilog=EPILOG)
app.add_typer(backends.app, name="backends", epilog=EPILOG)
app.add_typer(assets.app, name="assets", epilog=EPILOG)
app.add_typer(settings.app, name="settings", epilog=EPILOG)
app.add_typer(keys.app, name="keys", epilog=EPILOG)
app.add_typer(openwebui.app, name="openwebui", epilog=EPILOG)
app.command(epilog=EPILOG)(up.up)
app.command(epilog=EPILOG)(up.server)
app.command(epilog=EPILOG)(up.gateway)
app.command()(version)


def main() -> None:
    """Runs the command and ends the process."""
    app(prog_name="imagegen")
