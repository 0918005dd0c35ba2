"""Sees a job through to its end: what `generate` and `watch` share."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from imagegen.v1.image_gen_pb2 import PreviewDelivery
from imagegen.v1.job_pb2 import Job, JobState, Output
from imagegen_client.client import Client
from imagegen_client.commands.exits import EXIT_OF_STATE, Exit
from imagegen_client.commands.interrupts import cancelling
from imagegen_client.commands.output import results, save_results
from imagegen_client.commands.printing import give, give_json, message_as_json, plain, say
from imagegen_client.commands.session import WATCH_PATIENCE_S, sentences
from imagegen_client.commands.views import View, open_view
from imagegen_client.commands.wording import state_text
from imagegen_client.errors import ImagegenError, error_from_status

_PREVIEW_PIXELS = 512
_MAX_RATE_HZ = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a job is to be seen, and what becomes of its results."""

    from_start: bool
    """Every event from the first, or a snapshot and what comes after it."""
    as_json: bool
    shows_pictures: bool
    saves: bool
    target: Path | None
    overwrites: bool


async def see_through(client: Client, job_id: str, wish: Wish, *, interrupted: asyncio.Event, images: int = 0) -> Exit:
    """Shows a job until it has ended, saves what it made (also when it did not succeed), and says how it ended.

    The job is cancelled when the event is set. `images` says how many it will make; 0: not known.
    """
    with open_view(as_json=wish.as_json, with_pictures=wish.shows_pictures, images=images) as view:
        async with cancelling(client, job_id, view, when=interrupted):
            job = await _follow(client, job_id, view, wish)
        saved = await _save(client, job, view, wish) if wish.saves else []
    _give_results(job, saved, wish)
    return EXIT_OF_STATE.get(job.state, Exit.FAILED)


async def _follow(client: Client, job_id: str, view: View, wish: Wish) -> Job:
    watching = client.watch(
        job_id,
        resume_token="earliest" if wish.from_start else "",  # a word of the protocol, no secret
        previews=_previews(wish),
        max_rate_hz=_MAX_RATE_HZ,
        max_pixels=_PREVIEW_PIXELS,
        give_up_after_s=WATCH_PATIENCE_S,
    )
    async with watching as watch:
        async for event in watch:
            view.show(event)
            if event.HasField("completed"):
                return event.completed.job
    # It had ended before: then a stream that begins with a snapshot holds no `completed`.
    return await client.get_job(job_id)


def _previews(wish: Wish) -> PreviewDelivery.ValueType:
    if wish.shows_pictures:
        return PreviewDelivery.PREVIEW_DELIVERY_INLINE
    return PreviewDelivery.PREVIEW_DELIVERY_NOTICE if wish.as_json else PreviewDelivery.PREVIEW_DELIVERY_NONE


async def _save(client: Client, job: Job, view: View, wish: Wish) -> list[tuple[Path, Output]]:
    try:
        saved = await save_results(client, job, wish.target, overwrite=wish.overwrites)
    except (OSError, ImagegenError):
        view.say(f"the pictures are still on the server: imagegen watch {job.job_id} -o FILE saves them")
        raise
    if saved:
        view.show_result(await asyncio.to_thread(saved[0][0].read_bytes))
    return saved


def _give_results(job: Job, saved: list[tuple[Path, Output]], wish: Wish) -> None:
    if job.state != JobState.JOB_STATE_SUCCEEDED:
        _say_end(job)
    if job.reused_from:
        say(f"imagegen: exactly this was made before, by job {job.reused_from}")
    if wish.as_json:
        for path, output in saved:
            give_json({"saved": {"path": plain(str(path)), "digest": output.asset.digest}})
        give_json({"job": message_as_json(job)})
        return
    for line in [str(path) for path, _ in saved] if wish.saves else [output.asset.digest for output in results(job)]:
        give(line)


def _say_end(job: Job) -> None:
    if not job.HasField("error"):
        say(f"imagegen: job {job.job_id} is {state_text(job.state)}")
        return
    first, *rest = sentences(error_from_status(job.error), "")
    say(f"imagegen: job {job.job_id} {state_text(job.state)}: {first.removeprefix('imagegen: ')}")
    for line in rest:
        say(line)
