"""How every command runs: one client, one exit status, errors in one voice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, NoReturn, TypeAlias, TypeVar

import typer
from pydantic import ValidationError

from imagegen_client.client import Client
from imagegen_client.commands.exits import EXIT_OF_ERROR, Exit
from imagegen_client.commands.printing import error_as_json, give_json, say
from imagegen_client.errors import ImagegenError, InvalidRequest, Unavailable

T = TypeVar("T")

DEFAULT_SERVER = "127.0.0.1:50051"

CALL_PATIENCE_S = 3.0
"""How long a command tries to reach a server before it says that there is none."""

WATCH_PATIENCE_S = 60.0
"""How long a stream that has begun waits for a server that went away."""

_INPUTS = "spec.workflow.inputs."
"""Where the inputs of a workflow are; people know them by their names."""

AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object a line, errors included, for scripts.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What holds for all commands of one call."""

    given_server: str | None = None
    """Address of the server as it was given; None: the default."""
    owner: str = ""
    """Who asks; empty: nobody in particular."""

    @property
    def server(self) -> str:
        return self.given_server or DEFAULT_SERVER


class Interrupted(Exception):
    """Ctrl-C was pressed, and what had to be cleaned up is."""


def run(context: typer.Context, body: Callable[[Client], Awaitable[Exit | None]], *, as_json: bool = False) -> NoReturn:
    """Runs a command against the server and ends the process with its exit status; None is success."""
    session: Session = context.obj

    async def main() -> Exit | None:
        async with Client(session.server, owner=session.owner, give_up_after_s=CALL_PATIENCE_S) as client:
            return await body(client)

    try:
        status = asyncio.run(main()) or Exit.SUCCESS
    except ImagegenError as error:
        status = report(error, as_json=as_json, server=session.server)
    except OSError as error:
        status = report(InvalidRequest(_file_problem(error)), as_json=as_json, server=session.server)
    except (Interrupted, KeyboardInterrupt):
        status = Exit.CANCELLED
    raise typer.Exit(status)


async def first_of(items: AsyncIterator[T], limit: int) -> list[T]:
    """The first of a listing, at most so many."""
    found: list[T] = []
    async for item in items:
        found.append(item)
        if len(found) == limit:
            break
    return found


def is_alone(context: typer.Context) -> bool:
    """Whether a command that has commands of its own was called without one of them.

    Options before such a command would be ignored, so they are refused.
    """
    command = context.invoked_subcommand
    if command is None:
        return True
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":  # by name: newer typers bring a click of their own
            raise typer.BadParameter(f"goes after {command!r}, if it goes with it", param_hint=option.opts[0])
    return False


def report(error: ImagegenError, *, as_json: bool, server: str) -> Exit:
    """Says what went wrong, and gives the exit status for it."""
    for line in sentences(error, server):
        say(line)
    if as_json:
        give_json(error_as_json(error))
    return EXIT_OF_ERROR[type(error)]


def sentences(error: ImagegenError, server: str) -> list[str]:
    """An error for a person: what happened, which fields are at fault, what to do."""
    if isinstance(error, Unavailable) and not error.reason:
        first = f"imagegen: cannot reach the server at {server}: {error.message}"
        return [first, "  is it running? `imagegen up` starts one; --server says where it is"]
    faults = [f"{violation.field}: {violation.description}" for violation in error.violations]
    told = next((fault for fault in faults if _is_beginning(error.message, fault)), error.message)
    lines = [f"imagegen: {told}", *(f"  {fault}" for fault in faults if fault.partition(": ")[2] not in told)]
    lines = [line.replace(_INPUTS, "") for line in lines]
    lines += [f"  {quota.subject}: {quota.description}" for quota in error.quotas if quota.description not in lines[0]]
    if error.retry_after_s is not None:
        lines.append(f"  try again in {error.retry_after_s:.0f} s")
    return lines


def _is_beginning(message: str, fault: str) -> bool:
    """Whether a message is what fits into it of a field's fault."""
    return message.endswith("…") and fault.startswith(message.removesuffix("…"))


def setting_problem(error: ValidationError) -> str:
    """What is wrong with the settings, by name; never the values, which may hold passwords."""
    return "; ".join(
        f"{'.'.join(str(part) for part in each['loc']) or 'settings'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors(include_input=False, include_url=False, include_context=False)
    )


def _file_problem(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return f"{error.filename} is there already: choose another name, or --force"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)
