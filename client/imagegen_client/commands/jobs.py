"""`imagegen jobs`, `watch`, `cancel`, `update`, `delete`."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from imagegen.v1.job_pb2 import Job, JobState
from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.following import Wish, see_through
from imagegen_client.commands.job_ids import JobId, JobIds, for_each_job, resolve
from imagegen_client.commands.output import Force, check_name
from imagegen_client.commands.printing import give, give_json, give_one, give_table, local_time, message_as_json
from imagegen_client.commands.request import parse_labels
from imagegen_client.commands.session import AsJson, first_of, run
from imagegen_client.commands.wording import backends_text, queue_text, state_text
from imagegen_client.specs import input_of

_STATES = {state_text(value): value for value in JobState.values() if value != JobState.JOB_STATE_UNSPECIFIED}
_PROMPT_WIDTH = 60


def jobs(
    context: typer.Context,
    state: Annotated[
        list[str] | None, typer.Option(help=f"Only these: {', '.join(_STATES)}; repeatable.", show_default=False)
    ] = None,
    label: Annotated[str, typer.Option(metavar="KEY[=VALUE]", help="Only with this label.")] = "",
    owner: Annotated[str, typer.Option(metavar="NAME", help="Only this owner's.")] = "",
    workflow: Annotated[str, typer.Option("-w", "--workflow", metavar="ID", help="Only what ran this workflow.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    wrong = [name for name in state or () if name not in _STATES]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is none of {', '.join(_STATES)}", param_hint="--state")
    states = [_STATES[name] for name in state or ()]

    async def body(client: Client) -> None:
        listing = client.list_jobs(
            states=states, owner=owner, label=label, workflow_id=workflow, page_size=min(limit, 500)
        )
        found = await first_of(listing, limit)
        if as_json:
            for job in found:
                give_json({"job": message_as_json(job)})
        else:
            headings = ["JOB", "OWNER", "STATE", "CREATED", "BACKEND", "PROMPT"]
            give_table(headings, [_row(job) for job in found], optional={"OWNER"})

    run(context, body, as_json=as_json)


def _row(job: Job) -> list[str]:
    state = state_text(job.state)
    if job.HasField("progress"):
        state += f" {100 * job.progress.fraction:.0f} %"
    if job.HasField("queue"):
        state += f", {queue_text(job.queue)}"
    prompt = "(graph)" if job.spec.HasField("graph") else " ".join(str(input_of(job.spec, "prompt") or "").split())
    if job.spec.HasField("workflow"):
        prompt = f"{job.spec.workflow.workflow_id}: {prompt}".removesuffix(": ")
    shown = prompt if len(prompt) <= _PROMPT_WIDTH else prompt[: _PROMPT_WIDTH - 1] + "…"
    return [job.job_id[:8], job.owner, state, local_time(job.create_time), backends_text(job), shown]


def watch(
    context: typer.Context,
    job: JobId,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Save the results: file or folder.", callback=check_name),
    ] = None,
    force: Force = False,
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
        give_one("job", job, f"{job.job_id} {state_text(job.state)}", as_json=as_json)

    for_each_job(context, jobs, one, as_json=as_json)


def update(
    context: typer.Context,
    jobs: JobIds,
    priority: Annotated[int | None, typer.Option(min=-10, max=10, help="The new priority class.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A new label in place of all old ones; repeatable.", show_default=False),
    ] = None,
    no_labels: Annotated[bool, typer.Option("--no-labels", help="Take all labels away.")] = False,
    pause: Annotated[
        bool | None, typer.Option("--pause/--resume", help="Keep its place and do not start it, or do.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change jobs that have not ended."""
    if label and no_labels:
        raise typer.BadParameter("say it once: --label or --no-labels", param_hint="--no-labels")
    labels = parse_labels(label or ()) if label or no_labels else None
    if priority is None and labels is None and pause is None:
        raise typer.BadParameter("say what to change: --priority, --label, --no-labels, --pause or --resume")

    async def one(client: Client, job_id: str) -> None:
        job = await client.update_job(job_id, priority=priority, labels=labels, paused=pause)
        give_one("job", job, f"{job.job_id} updated", as_json=as_json)

    for_each_job(context, jobs, one, as_json=as_json)


def delete(context: typer.Context, jobs: JobIds, as_json: AsJson = False) -> None:
    """Forget jobs that have ended. Their pictures stay, see `imagegen assets`."""

    async def one(client: Client, job_id: str) -> None:
        await client.delete(job_id)
        if as_json:
            give_json({"deleted": {"job_id": job_id}})
        else:
            give(f"{job_id} deleted")

    for_each_job(context, jobs, one, as_json=as_json)
