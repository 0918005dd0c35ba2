"""`imagegen generate`: from a prompt to files."""

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from imagegen.v1.job_pb2 import JobSpec, UncertainPolicy
from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.following import Wish, see_through
from imagegen_client.commands.interrupts import interruptions
from imagegen_client.commands.output import Force, OutputPath, check_free
from imagegen_client.commands.printing import give_one
from imagegen_client.commands.request import (
    Request,
    check_sources,
    check_values,
    parse_duration,
    parse_images,
    parse_labels,
    parse_size,
    read_graph,
    spec_of,
)
from imagegen_client.commands.session import AsJson, run
from imagegen_client.specs import JobOptions

_PICTURE = "The picture"
_IMAGES = "Starting from images"
_GRAPH = "ComfyUI graphs"
_RUN = "Running it"


class OnUncertain(StrEnum):
    """What to do after an attempt of which nobody can tell whether it still runs."""

    RETRY = "retry"
    FAIL = "fail"


_POLICIES: Mapping[OnUncertain | None, UncertainPolicy.ValueType] = {
    None: UncertainPolicy.UNCERTAIN_POLICY_UNSPECIFIED,
    OnUncertain.RETRY: UncertainPolicy.UNCERTAIN_POLICY_RETRY,
    OnUncertain.FAIL: UncertainPolicy.UNCERTAIN_POLICY_FAIL,
}


def generate(
    context: typer.Context,
    prompt: Annotated[str | None, typer.Argument(help="What the picture should show.", show_default=False)] = None,
    output: OutputPath = None,
    force: Force = False,
    model: Annotated[str, typer.Option(help="A checkpoint, see `imagegen models`.", rich_help_panel=_PICTURE)] = "",
    negative: Annotated[str, typer.Option(help="What it should not show.", rich_help_panel=_PICTURE)] = "",
    size: Annotated[
        str, typer.Option(help="Width and height in pixels.", metavar="WxH", rich_help_panel=_PICTURE)
    ] = "",
    width: Annotated[int, typer.Option(min=0, help="Pixels.", show_default=False, rich_help_panel=_PICTURE)] = 0,
    height: Annotated[int, typer.Option(min=0, help="Pixels.", show_default=False, rich_help_panel=_PICTURE)] = 0,
    steps: Annotated[int | None, typer.Option(min=0, help="Sampling steps.", rich_help_panel=_PICTURE)] = None,
    cfg: Annotated[float | None, typer.Option(help="Guidance scale.", rich_help_panel=_PICTURE)] = None,
    sampler: Annotated[str, typer.Option(help="Sampler of the backend.", rich_help_panel=_PICTURE)] = "",
    scheduler: Annotated[str, typer.Option(help="Noise schedule of the backend.", rich_help_panel=_PICTURE)] = "",
    seed: Annotated[int | None, typer.Option(help="Seed of the first picture.", rich_help_panel=_PICTURE)] = None,
    count: Annotated[int, typer.Option(min=0, help="How many.", show_default=False, rich_help_panel=_PICTURE)] = 0,
    batch_size: Annotated[
        int, typer.Option(min=0, help="How many in one pass.", show_default=False, rich_help_panel=_PICTURE)
    ] = 0,
    hires: Annotated[
        float | None, typer.Option(metavar="FACTOR", help="Second pass, larger.", rich_help_panel=_PICTURE)
    ] = None,
    init_image: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Start from this.", rich_help_panel=_IMAGES)
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Repaint white.", rich_help_panel=_IMAGES)
    ] = None,
    denoise: Annotated[
        float | None, typer.Option(help="Share of it to replace, 0..1.", rich_help_panel=_IMAGES)
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="API-format JSON, run as it is.", rich_help_panel=_GRAPH),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE.INPUT=FILE", help="Upload for an input; repeatable.", rich_help_panel=_GRAPH),
    ] = None,
    backend: Annotated[str, typer.Option(help="The only backend to run it.", rich_help_panel=_RUN)] = "",
    backend_label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only on backends with this label; repeatable.", rich_help_panel=_RUN),
    ] = None,
    priority: Annotated[
        int | None, typer.Option(min=-10, max=10, help="Its class; higher ones go first.", rich_help_panel=_RUN)
    ] = None,
    start_deadline: Annotated[
        str, typer.Option(metavar="TIME", help="It expires if it waits longer: 90s, 5m, 2h.", rich_help_panel=_RUN)
    ] = "",
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="It expires if it runs longer: 90s, 5m, 2h.", rich_help_panel=_RUN)
    ] = "",
    on_uncertain: Annotated[
        OnUncertain | None,
        typer.Option(help="When nobody can tell whether an attempt still runs. Default: retry.", rich_help_panel=_RUN),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Your own note; repeatable.", rich_help_panel=_RUN)
    ] = None,
    request_id: Annotated[
        str, typer.Option(help="The same id and request never make a second job.", rich_help_panel=_RUN)
    ] = "",
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Check the request, make nothing.", rich_help_panel=_RUN)
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the job's id and leave it running.", rich_help_panel=_RUN)
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show previews in the terminal.", rich_help_panel=_RUN)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make pictures and save them. The names of the files go to stdout, all else to stderr; Ctrl-C cancels the job."""
    if size and (width or height):
        raise typer.BadParameter("say it once: --size or --width and --height", param_hint="--size")
    width, height = parse_size(size) if size else (width, height)
    request = Request(
        prompt=prompt,
        negative=negative,
        model=model,
        width=width,
        height=height,
        steps=steps,
        cfg=cfg,
        sampler=sampler,
        scheduler=scheduler,
        seed=seed,
        count=count,
        batch_size=batch_size,
        init_image=init_image,
        mask=mask,
        denoise=denoise,
        hires=hires,
        graph=read_graph(graph) if graph else None,
        images=parse_images(image or ()),
        options=JobOptions(
            backend=backend,
            backend_labels=parse_labels(backend_label or (), "--backend-label"),
            labels=parse_labels(label or ()),
            priority=priority,
            start_deadline_s=parse_duration(start_deadline, "--start-deadline"),
            execution_deadline_s=parse_duration(deadline, "--deadline"),
            on_uncertain=_POLICIES[on_uncertain],
        ),
    )
    check_sources(request)
    check_values(request)
    wish = Wish(
        from_start=True,
        as_json=as_json,
        shows_pictures=watch and sys.stdout.isatty() and not as_json,
        saves=True,
        target=output,
        overwrites=force,
    )

    async def body(client: Client) -> Exit:
        if not (validate_only or detach):
            check_free(output, request.count, overwrite=force)
        spec = await _with_uploads(client, request)
        if validate_only or detach:
            return await _hand_in(client, spec, request_id, validate_only=validate_only, as_json=as_json)
        async with interruptions() as interrupted:
            job = await client.create_job(spec, request_id=request_id)
            images = job.spec.image.count
            return await see_through(client, job.job_id, wish, interrupted=interrupted, images=images)

    run(context, body, as_json=as_json)


async def _with_uploads(client: Client, request: Request) -> JobSpec:
    return spec_of(request, {path: (await client.upload(path)).digest for path in request.files})


async def _hand_in(client: Client, spec: JobSpec, request_id: str, *, validate_only: bool, as_json: bool) -> Exit:
    job = await client.create_job(spec, request_id=request_id, validate_only=validate_only)
    give_one("job", job, "the request is valid" if validate_only else job.job_id, as_json=as_json)
    return Exit.SUCCESS
