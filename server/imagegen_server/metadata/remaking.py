"""What to ask for to get one picture of a job again. Pure."""

from dataclasses import replace

from imagegen_adapters.contract import ImageParameters
from imagegen_server.jobs import Invocation, Job, JobSpec, Output
from imagegen_server.workflows.values import as_json


def output_of(job: Job, digest: str) -> Output | None:
    """The output that is this asset; a result rather than a by-product."""
    found = [output for output in job.outputs if output.asset.digest == digest]
    return min(found, key=lambda output: output.intermediate, default=None)


def spec_of(job: Job, output: Output) -> JobSpec:
    """What the job was asked for, with the seed that made this picture and a count of one.

    Without what was about that one request only: labels, previews, priority and deadlines.
    """
    source, invocation = job.spec.source, job.spec.invocation
    if isinstance(source, ImageParameters):
        source = replace(source, seed=seed_of(source, output), count=1, batch_size=1)
        invocation = invocation and _with_seed(invocation, source.seed)
    return JobSpec(
        source=source,
        invocation=invocation,
        backend=job.spec.backend,
        backend_labels=job.spec.backend_labels,
        backend_options=job.spec.backend_options,
    )


def seed_of(source: ImageParameters, output: Output) -> int:
    """As its backend told it, or else by the rule that image i has seed + i."""
    return source.seed + output.image_index if output.seed is None else output.seed


def notes_of(job: Job, output: Output) -> list[str]:
    """Why what is made of the spec may differ from the picture."""
    notes = []
    if output.intermediate:
        notes.append("the picture is a by-product of its job, which makes more than it")
    if job.spec.batch_size > 1:
        notes.append(
            f"up to {job.spec.batch_size} pictures were made in one pass; on some backends they have one seed, and a "
            "picture that is made alone differs"
        )
    return notes


def _with_seed(invocation: Invocation, seed: int) -> Invocation:
    fixed = {"seed": as_json(seed), "count": 1, "batch_size": 1}
    inputs = {name: fixed.get(name, value) for name, value in invocation.inputs.items()}
    return replace(invocation, inputs=inputs)
