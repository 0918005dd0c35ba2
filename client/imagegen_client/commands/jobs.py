"""`imagegen jobs`, `watch`, `cancel`, `delete`."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from imagegen.v1.job_pb2 import Job, JobState
from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.following import Wish, see_through
from imagegen_client.commands.printing import as_json as message_as_json
from imagegen_client.commands.printing import give, give_json, give_table, local_time
from imagegen_client.commands.session import AsJson, Session, report, run
from imagegen_client.commands.status import queue_text, state_text
from imagegen_client.errors import ImagegenError, InvalidRequest, NotFound

MIN_PREFIX = 4
MAX_SEARCHED_JOBS = 5000
"""How far back the beginning of an id is looked for."""

_ID_LENGTH = 36
_STATES = {state_text(value): value for value in JobState.values() if value != JobState.JOB_STATE_UNSPECIFIED}
_PROMPT_WIDTH = 60

JobIds = Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or their first 4 or more characters.")]


def jobs(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(_STATES)}; repeatable.", show_default=False)
    ] = None,
    label: Annotated[str, typer.Option(metavar="KEY[=VALUE]", help="Only with this label.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    wrong = [name for name in state or () if name not in _STATES]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is none of {', '.join(_STATES)}", param_hint="--state")
    states = [_STATES[name] for name in state or ()]

    async def body(client: Client) -> None:
        found: list[Job] = []
        async for job in client.list_jobs(states=states, label=label, page_size=min(limit, 500)):
            found.append(job)
            if len(found) == limit:
                break
        if as_json:
            for job in found:
                give_json({"job": message_as_json(job)})
        else:
            give_table(["JOB", "STATE", "CREATED", "BACKEND", "PROMPT"], [_row(job) for job in found])

    run(context, body, as_json=as_json)


def _row(job: Job) -> list[str]:
    state = state_text(job.state)
    if job.HasField("progress"):
        state += f" {100 * job.progress.fraction:.0f} %"
    if job.HasField("queue"):
        state += f", {queue_text(job.queue)}"
    backend = job.attempts[-1].backend if job.attempts else job.spec.backend
    prompt = " ".join(job.spec.image.prompt.split()) if job.spec.HasField("image") else "(graph)"
    shown = prompt if len(prompt) <= _PROMPT_WIDTH else prompt[: _PROMPT_WIDTH - 1] + "…"
    return [job.job_id[:8], state, local_time(job.create_time), backend, shown]


def watch(
    context: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the first 4 or more characters.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Save the results: file or folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
    pictures: Annotated[bool, typer.Option("--watch", help="Show previews in the terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a job until it ends; print the digests of its results, or save them. Ctrl-C leaves the job running."""
    wish = Wish(
        from_start=False,
        as_json=as_json,
        shows_pictures=pictures and sys.stdout.isatty() and not as_json,
        saves=output is not None,
        target=output,
        overwrites=force,
    )

    async def body(client: Client) -> Exit:
        job_id = await resolve(client, job)
        return await see_through(client, job_id, wish, interrupted=asyncio.Event())

    run(context, body, as_json=as_json)


def cancel(context: typer.Context, jobs: JobIds, as_json: AsJson = False) -> None:
    """Cancel jobs. One that has ended is left as it is."""

    async def one(client: Client, job_id: str) -> None:
        job = await client.cancel(job_id)
        if as_json:
            give_json({"job": message_as_json(job)})
        else:
            give(f"{job.job_id} {state_text(job.state)}")

    _for_each(context, jobs, one, as_json=as_json)


def delete(context: typer.Context, jobs: JobIds, as_json: AsJson = False) -> None:
    """Forget jobs that have ended. Their pictures stay, see `imagegen assets`."""

    async def one(client: Client, job_id: str) -> None:
        await client.delete(job_id)
        if as_json:
            give_json({"deleted": {"job_id": job_id}})
        else:
            give(f"{job_id} deleted")

    _for_each(context, jobs, one, as_json=as_json)


def _for_each(
    context: typer.Context, jobs: list[str], one: Callable[[Client, str], Awaitable[None]], *, as_json: bool
) -> NoReturn:
    """Does it to every job, whatever becomes of the others; the first error is the exit status."""
    session: Session = context.obj

    async def body(client: Client) -> Exit:
        statuses = []
        for job in jobs:
            try:
                await one(client, await resolve(client, job))
            except ImagegenError as error:
                statuses.append(report(error, as_json=as_json, server=session.server))
        return next(iter(statuses), Exit.SUCCESS)

    run(context, body, as_json=as_json)


async def resolve(client: Client, text: str) -> str:
    """The id that begins so. Raises NotFound, and InvalidRequest for too short a text or more than one such job."""
    if len(text) >= _ID_LENGTH:
        return text
    if len(text) < MIN_PREFIX:
        raise InvalidRequest(f"{text!r} is too short for a job: give at least {MIN_PREFIX} characters of its id")
    matches, searched = [], 0
    async for job in client.list_jobs(page_size=500):
        if job.job_id.startswith(text.lower()):
            matches.append(job.job_id)
        searched += 1
        if searched == MAX_SEARCHED_JOBS:
            break
    if not matches:
        raise NotFound(f"no job begins with {text!r}")
    if len(matches) > 1:
        raise InvalidRequest(f"{text!r} is not one job but {len(matches)}: {', '.join(matches[:5])}")
    return matches[0]
