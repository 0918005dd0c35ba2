"""`imagegen retry`: a job that has ended, once more."""

import sys
from typing import Annotated

import typer

from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.following import Wish, see_through
from imagegen_client.commands.interrupts import interruptions
from imagegen_client.commands.job_ids import JobId, resolve
from imagegen_client.commands.output import Force, OutputPath, check_free
from imagegen_client.commands.printing import give_one
from imagegen_client.commands.session import AsJson, run
from imagegen_client.specs import count_of


def retry(
    context: typer.Context,
    job: JobId,
    new_seeds: Annotated[bool, typer.Option("--new-seeds", help="Make other pictures of the same request.")] = False,
    output: OutputPath = None,
    force: Force = False,
    request_id: Annotated[str, typer.Option(help="The same id never makes a second job.")] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Print the new job's id and leave it running.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show previews in the terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a job that has ended once more, as a new job that is seen through as by `generate`."""
    wish = Wish(
        from_start=True,
        as_json=as_json,
        shows_pictures=watch and sys.stdout.isatty() and not as_json,
        saves=True,
        target=output,
        overwrites=force,
    )

    async def body(client: Client) -> Exit:
        first = await client.get_job(await resolve(client, job))
        if detach:
            new = await client.retry_job(first.job_id, new_seeds=new_seeds, request_id=request_id)
            give_one("job", new, new.job_id, as_json=as_json)
            return Exit.SUCCESS
        check_free(output, count_of(first.spec), overwrite=force)
        async with interruptions() as interrupted:
            new = await client.retry_job(first.job_id, new_seeds=new_seeds, request_id=request_id)
            images = count_of(new.spec)
            return await see_through(client, new.job_id, wish, interrupted=interrupted, images=images)

    run(context, body, as_json=as_json)
