"""How a person names a job: by its id, or by the beginning of it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn, TypeAlias

import typer

from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.session import Session, report, run
from imagegen_client.errors import ImagegenError, InvalidRequest, NotFound

MIN_PREFIX = 4
MAX_SEARCHED_JOBS = 5000
"""How far back the beginning of an id is looked for."""

_ID_LENGTH = 36

JobId: TypeAlias = Annotated[
    str, typer.Argument(metavar="JOB", help="Its id, or the first 4 or more characters.", show_default=False)
]
JobIds: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="JOB...", help="Ids, or their first 4 or more characters.", show_default=False),
]


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


def for_each_job(
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
