"""`imagegen generate`: from a prompt to files."""

import sys

import typer

from imagegen.v1.job_pb2 import JobSpec
from imagegen.v1.workflow_pb2 import Workflow
from imagegen_client.client import Client
from imagegen_client.commands import options
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.following import Wish, see_through
from imagegen_client.commands.inputs import read_schema, with_uploads
from imagegen_client.commands.interrupts import interruptions
from imagegen_client.commands.output import Force, OutputPath, check_free
from imagegen_client.commands.printing import give_one, say
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
    workflow_inputs,
    workflow_spec,
)
from imagegen_client.commands.session import AsJson, run
from imagegen_client.errors import NotFound
from imagegen_client.specs import JobOptions, count_of

TEXT_TO_IMAGE = "text-to-image"
"""The workflow that is begun with where the settings name none."""


def generate(
    context: typer.Context,
    prompt: options.Prompt = None,
    output: OutputPath = None,
    force: Force = False,
    model: options.ModelName = "",
    negative: options.Negative = "",
    size: options.Size = "",
    width: options.Width = 0,
    height: options.Height = 0,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    distilled_cfg: options.DistilledCfg = None,
    sampler: options.Sampler = "",
    scheduler: options.Scheduler = "",
    seed: options.Seed = None,
    count: options.Count = 0,
    batch_size: options.BatchSize = 0,
    hires: options.Hires = None,
    lora: options.LoraNames = None,
    text_encoder: options.TextEncoders = None,
    vae: options.Vae = "",
    init_image: options.InitImage = None,
    mask: options.Mask = None,
    denoise: options.Denoise = None,
    workflow: options.WorkflowId = "",
    revision: options.Revision = 0,
    assignments: options.Assignments = None,
    graph: options.Graph = None,
    image: options.GraphImages = None,
    backend: options.BackendName = "",
    backend_label: options.BackendLabels = None,
    priority: options.Priority = None,
    start_deadline: options.StartDeadline = "",
    deadline: options.Deadline = "",
    on_uncertain: options.WhenUncertain = None,
    reuse: options.Reuse = False,
    label: options.LabelPairs = None,
    request_id: options.RequestId = "",
    validate_only: options.ValidateOnly = False,
    detach: options.Detach = False,
    watch: options.Watch = False,
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
        vae=vae,
        width=width,
        height=height,
        steps=steps,
        cfg=cfg,
        distilled_cfg=distilled_cfg,
        sampler=sampler,
        scheduler=scheduler,
        seed=seed,
        count=count,
        batch_size=batch_size,
        init_image=init_image,
        mask=mask,
        denoise=denoise,
        hires=hires,
        loras=tuple(lora or ()),
        text_encoders=tuple(text_encoder or ()),
        workflow=workflow,
        revision=revision,
        assignments=tuple(assignments or ()),
        graph=read_graph(graph) if graph else None,
        images=parse_images(image or ()),
        options=JobOptions(
            backend=backend,
            backend_labels=parse_labels(backend_label or (), "--backend-label"),
            labels=parse_labels(label or ()),
            priority=priority,
            start_deadline_s=parse_duration(start_deadline, "--start-deadline"),
            execution_deadline_s=parse_duration(deadline, "--deadline"),
            reuse=reuse,
            on_uncertain=options.POLICIES[on_uncertain],
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
        spec = await _spec(client, request)
        if validate_only or detach:
            return await _hand_in(client, spec, request_id, validate_only=validate_only, as_json=as_json)
        async with interruptions() as interrupted:
            job = await client.create_job(spec, request_id=request_id)
            images = count_of(job.spec)
            return await see_through(client, job.job_id, wish, interrupted=interrupted, images=images)

    run(context, body, as_json=as_json)


async def _spec(client: Client, request: Request) -> JobSpec:
    workflow = await _workflow(client, request)
    if workflow is None:
        return spec_of(request, {path: (await client.upload(path)).digest for path in request.files})
    inputs = workflow_inputs(request, workflow.workflow_id, read_schema(workflow.input_schema_json))
    return workflow_spec(request, workflow.workflow_id, await with_uploads(client, inputs))


async def _workflow(client: Client, request: Request) -> Workflow | None:
    """The workflow that is named, or else the usual one; None: none, parameters or the graph say it all."""
    if request.graph is not None:
        return None
    if request.workflow:
        return await client.get_workflow(request.workflow, revision=request.revision)
    usual = (await client.settings()).effective.defaults.workflow_id or TEXT_TO_IMAGE
    try:
        if usual != TEXT_TO_IMAGE:
            return await client.get_workflow(usual)
    except NotFound:
        say(f"the default workflow {usual} is not there any more (`imagegen settings`); this is {TEXT_TO_IMAGE}")
    return await client.get_workflow(TEXT_TO_IMAGE) if request.assignments else None


async def _hand_in(client: Client, spec: JobSpec, request_id: str, *, validate_only: bool, as_json: bool) -> Exit:
    job = await client.create_job(spec, request_id=request_id, validate_only=validate_only)
    give_one("job", job, "the request is valid" if validate_only else job.job_id, as_json=as_json)
    return Exit.SUCCESS
