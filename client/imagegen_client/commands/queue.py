"""`imagegen queue`: what waits and why, and what people can do about it."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.queue_pb2 import Queue, QueueEntry
from imagegen_client.client import Client
from imagegen_client.commands.job_ids import JobId, resolve
from imagegen_client.commands.printing import give, give_json, give_one, give_table, local_time, message_as_json
from imagegen_client.commands.session import AsJson, first_of, is_alone, run
from imagegen_client.commands.wording import WAIT_REASONS, about, listed, queue_text

app = typer.Typer(invoke_without_command=True)

_HEADINGS = ["PLACE", "JOB", "OWNER", "PRIORITY", "MODEL", "WAITING SINCE", "STARTS IN", "BACKEND", "WHY IT WAITS"]

Owner: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="Only this owner's jobs. Default: all.", show_default=False)
]


@app.callback()
def queue(
    context: typer.Context,
    owner: Annotated[str, typer.Option(metavar="NAME", help="Only this owner's.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show what waits, next one first; pause, resume and reorder it."""
    if not is_alone(context):
        return

    async def body(client: Client) -> None:
        found = await first_of(client.queue_entries(owner=owner, page_size=min(limit, 500)), limit)
        now = await client.queue()
        if as_json:
            give_json({"queue": message_as_json(now)})
            for entry in found:
                give_json({"entry": message_as_json(entry)})
        else:
            give(_summary(now))
            if found:
                give_table(_HEADINGS, [_row(entry) for entry in found], optional={"OWNER", "MODEL"})

    run(context, body, as_json=as_json)


def _summary(queue: Queue) -> str:
    text = f"{queue.queued} waiting, {queue.running + queue.cancelling} running"
    if queue.paused:
        text += "; the queue is paused"
    if queue.paused_owners:
        text += f"; paused: {listed(queue.paused_owners)}"
    return text


def _row(entry: QueueEntry) -> list[str]:
    return [
        str(entry.queue.ahead + 1),
        entry.job_id[:8],
        entry.owner,
        str(entry.priority),
        entry.model,
        local_time(entry.create_time),
        about(entry.queue.start_eta.seconds) if entry.queue.HasField("start_eta") else "",
        entry.queue.backend,
        WAIT_REASONS.get(entry.queue.reason, ""),
    ]


@app.command()
def pause(context: typer.Context, owner: Owner = "", as_json: AsJson = False) -> None:
    """Start no more jobs; what runs goes on."""
    _change(context, lambda client: client.pause_queue(owner=owner), as_json=as_json)


@app.command()
def resume(context: typer.Context, owner: Owner = "", as_json: AsJson = False) -> None:
    """Start jobs again. An owner that was paused by name is resumed by name."""
    _change(context, lambda client: client.resume_queue(owner=owner), as_json=as_json)


def _change(context: typer.Context, change: Callable[[Client], Awaitable[Queue]], *, as_json: bool) -> None:
    async def body(client: Client) -> None:
        changed = await change(client)
        give_one("queue", changed, _summary(changed), as_json=as_json)

    run(context, body, as_json=as_json)


@app.command()
def move(
    context: typer.Context,
    job: JobId,
    first: Annotated[bool, typer.Option("--first", help="Before all others.")] = False,
    last: Annotated[bool, typer.Option("--last", help="As if it came now.")] = False,
    before: Annotated[str, typer.Option(metavar="JOB", help="Right before this one.")] = "",
    after: Annotated[str, typer.Option(metavar="JOB", help="Right after this one.")] = "",
    as_json: AsJson = False,
) -> None:
    """Give a job that waits another place."""
    if sum(map(bool, (first, last, before, after))) != 1:
        raise typer.BadParameter("say where to, once: --first, --last, --before JOB or --after JOB")

    async def body(client: Client) -> None:
        moved = await client.move_job(
            await resolve(client, job),
            first=first,
            last=last,
            before=await resolve(client, before) if before else "",
            after=await resolve(client, after) if after else "",
        )
        place = queue_text(moved.queue) if moved.HasField("queue") else "moved"
        give_one("job", moved, f"{moved.job_id} {place}", as_json=as_json)

    run(context, body, as_json=as_json)
