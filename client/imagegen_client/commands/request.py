"""From options to a job's specification. Pure; what is wrong raises typer.BadParameter, which is exit status 2."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer

from imagegen.v1.job_pb2 import HiresParameters, ImageParameters, JobSpec, Lora, RawGraph
from imagegen_client.commands.inputs import Given, input_named, inputs_of, lora_value, parse_lora
from imagegen_client.specs import InputValue, JobOptions, invocation
from imagegen_client.specs import spec_of as spec_with

MAX_GRAPH_BYTES = 4 * 1024 * 1024
MAX_DEADLINE_S = 30 * 86400

_DURATION = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,6})?)(?P<unit>[smhd]?)", re.ASCII)
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What `generate` was asked for. None, empty and 0 mean: left to the server."""

    prompt: str | None = None
    negative: str = ""
    model: str = ""
    vae: str = ""
    width: int = 0
    height: int = 0
    steps: int | None = None
    cfg: float | None = None
    distilled_cfg: float | None = None
    sampler: str = ""
    scheduler: str = ""
    seed: int | None = None
    count: int = 0
    batch_size: int = 0
    init_image: Path | None = None
    mask: Path | None = None
    denoise: float | None = None
    hires: float | None = None
    loras: Sequence[str] = ()
    """Each "NAME" or "NAME:WEIGHT"."""
    text_encoders: Sequence[str] = ()
    workflow: str = ""
    """A workflow that takes all this as values of its inputs; empty: the usual one."""
    revision: int = 0
    assignments: Sequence[str] = ()
    """More values for its inputs, each "NAME=VALUE"."""
    graph: str | None = None
    """JSON text of a ComfyUI graph."""
    images: Mapping[str, Path]
    """Files for the graph's inputs, keyed by "NODE.INPUT"."""
    options: JobOptions
    """Where, when and how it is to be run."""

    @property
    def files(self) -> frozenset[Path]:
        """Files to upload, but for those of `assignments`."""
        return frozenset(path for path in (self.init_image, self.mask, *self.images.values()) if path is not None)


_INPUTS: Mapping[str, tuple[str, str]] = {
    "prompt": ("prompt", "PROMPT"),
    "negative": ("negative_prompt", "--negative"),
    "model": ("model", "--model"),
    "vae": ("vae", "--vae"),
    "width": ("width", "--width"),
    "height": ("height", "--height"),
    "steps": ("steps", "--steps"),
    "cfg": ("cfg_scale", "--cfg"),
    "distilled_cfg": ("distilled_cfg_scale", "--distilled-cfg-scale"),
    "sampler": ("sampler", "--sampler"),
    "scheduler": ("scheduler", "--scheduler"),
    "seed": ("seed", "--seed"),
    "count": ("count", "--count"),
    "batch_size": ("batch_size", "--batch-size"),
    "init_image": ("init_image", "--init-image"),
    "mask": ("mask", "--mask"),
    "denoise": ("denoise", "--denoise"),
    "hires": ("hires_scale", "--hires"),
}
"""The input of a workflow that each field of a request fills, and the option that says it."""
_LEFT_OPEN: Mapping[str, Any] = {field.name: field.default for field in fields(Request)}


def spec_of(request: Request, digests: Mapping[Path, str]) -> JobSpec:
    """The specification without a workflow; `digests` names the asset of every file of the request."""
    if request.graph is None:
        return spec_with(_image_parameters(request, digests), **request.options)
    images = {target: digests[path] for target, path in request.images.items()}
    return spec_with(JobSpec(graph=RawGraph(json=request.graph, images=images)), **request.options)


def workflow_inputs(request: Request, workflow_id: str, schema: Mapping[str, Any]) -> dict[str, Given]:
    """The values that the request has for a workflow with these inputs."""
    given = inputs_of(workflow_id, schema, request.assignments)
    for name, option, value in _said(request):
        input_named(name, workflow_id, schema, option)
        if name in given:
            raise typer.BadParameter(f"say it once: {option} or --set {name}=", param_hint=option)
        given[name] = value
    return given


def _said(request: Request) -> Iterator[tuple[str, str, Given]]:
    """What options say: the input's name, the option, the value."""
    for field, (name, option) in _INPUTS.items():
        value = getattr(request, field)
        if value != _LEFT_OPEN[field]:
            yield name, option, value
    if request.loras:
        yield "loras", "--lora", [lora_value(text) for text in request.loras]
    for number, encoder in enumerate(request.text_encoders, start=1):
        yield "text_encoder" if number == 1 else f"text_encoder_{number}", "--text-encoder", encoder


def workflow_spec(request: Request, workflow_id: str, inputs: Mapping[str, InputValue]) -> JobSpec:
    """The specification with a workflow and values for its inputs."""
    return spec_with(invocation(workflow_id, inputs, revision=request.revision), **request.options)


def _image_parameters(request: Request, digests: Mapping[Path, str]) -> ImageParameters:
    return ImageParameters(
        prompt=request.prompt or "",
        negative_prompt=request.negative,
        model=request.model,
        vae=request.vae,
        width=request.width,
        height=request.height,
        steps=request.steps,
        cfg_scale=request.cfg,
        distilled_cfg_scale=request.distilled_cfg,
        sampler=request.sampler,
        scheduler=request.scheduler,
        seed=request.seed,
        count=request.count,
        batch_size=request.batch_size,
        init_image=digests[request.init_image] if request.init_image else "",
        mask=digests[request.mask] if request.mask else "",
        denoise=request.denoise,
        hires=HiresParameters(scale=request.hires) if request.hires is not None else None,
        loras=[Lora(name=name, weight=weight) for name, weight in map(parse_lora, request.loras)],
        text_encoders=request.text_encoders,
    )


def check_sources(request: Request) -> None:
    """A prompt, a workflow or a graph, and nothing that would be ignored."""
    if request.graph is not None:
        used = Request(graph=request.graph, images=request.images, options=request.options)
        if request != used:
            raise typer.BadParameter(
                "takes everything from the graph: leave out the prompt, the options of the picture and the workflow",
                param_hint="--graph",
            )
        return
    if request.images:
        raise typer.BadParameter("goes with --graph only", param_hint="--image")
    if request.workflow or request.assignments:
        return
    if request.revision:
        raise typer.BadParameter("goes with --workflow", param_hint="--revision")
    if request.prompt is None:
        raise typer.BadParameter("say what to make: a prompt, --workflow ID, or --graph FILE")
    if request.init_image is None and request.denoise is not None:
        raise typer.BadParameter("goes with --init-image: it is the share of that to replace", param_hint="--denoise")
    if request.init_image is None and request.mask is not None:
        raise typer.BadParameter("goes with --init-image: it says which part to repaint", param_hint="--mask")


def check_values(request: Request) -> None:
    """What cannot even be sent: numbers of more than 32 or 64 bits, and text that is none."""
    try:
        spec_of(request, dict.fromkeys(request.files, ""))
        workflow_spec(request, request.workflow, {"assignments": request.assignments})
    except UnicodeEncodeError:
        raise typer.BadParameter("not all of it is valid text") from None
    except ValueError as exc:
        raise typer.BadParameter(str(exc).lower()) from None


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "768x512"."""
    width, separator, height = text.lower().partition("x")
    if not separator or not _is_number(width) or not _is_number(height):
        raise typer.BadParameter(f"{text!r} is no WIDTHxHEIGHT, as 768x512", param_hint="--size")
    return int(width), int(height)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def parse_labels(pairs: Sequence[str], option: str = "--label") -> dict[str, str]:
    """From "key=value"s."""
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{pair!r} is no KEY=VALUE", param_hint=option)
        labels[key] = value
    return labels


def parse_duration(text: str, option: str) -> float | None:
    """Seconds of "90", "90s", "1.5m", "2h" or "1d"; None for an empty text."""
    if not text:
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no time, as 90s, 5m, 2h or 1d", param_hint=option)
    seconds = float(match["number"]) * _UNITS_S[match["unit"]]
    if not 0 < seconds <= MAX_DEADLINE_S:
        raise typer.BadParameter(f"{text!r} must be above 0 and at most 30 days", param_hint=option)
    return seconds


def parse_images(pairs: Sequence[str]) -> dict[str, Path]:
    """From "NODE.INPUT=FILE"s."""
    images = {}
    for pair in pairs:
        target, separator, file = pair.partition("=")
        if not separator or "." not in target.strip(".") or not file:
            raise typer.BadParameter(f"{pair!r} is no NODE.INPUT=FILE, as 10.image=cat.png", param_hint="--image")
        images[target] = Path(file)
    return images


def read_graph(path: Path) -> str:
    """The graph's text. Raises OSError; what is in it is for the server to judge."""
    with path.open("rb") as file:
        content = file.read(MAX_GRAPH_BYTES + 1)
    if len(content) > MAX_GRAPH_BYTES:
        raise typer.BadParameter(f"{path} is larger than {MAX_GRAPH_BYTES} bytes", param_hint="--graph")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is no UTF-8 text", param_hint="--graph") from None
