"""From options to a job's specification. Pure; what is wrong raises typer.BadParameter, which is exit status 2."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from imagegen.v1.job_pb2 import HiresParameters, ImageParameters, JobSpec, RawGraph
from imagegen_client.specs import JobOptions
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
    width: int = 0
    height: int = 0
    steps: int | None = None
    cfg: float | None = None
    sampler: str = ""
    scheduler: str = ""
    seed: int | None = None
    count: int = 0
    batch_size: int = 0
    init_image: Path | None = None
    mask: Path | None = None
    denoise: float | None = None
    hires: float | None = None
    graph: str | None = None
    """JSON text of a ComfyUI graph."""
    images: Mapping[str, Path]
    """Files for the graph's inputs, keyed by "NODE.INPUT"."""
    options: JobOptions
    """Where, when and how it is to be run."""

    @property
    def files(self) -> frozenset[Path]:
        """Files to upload."""
        return frozenset(path for path in (self.init_image, self.mask, *self.images.values()) if path is not None)


def spec_of(request: Request, digests: Mapping[Path, str]) -> JobSpec:
    """The specification; `digests` names the asset of every file of the request."""
    if request.graph is None:
        return spec_with(_image_parameters(request, digests), **request.options)
    images = {target: digests[path] for target, path in request.images.items()}
    return spec_with(JobSpec(graph=RawGraph(json=request.graph, images=images)), **request.options)


def _image_parameters(request: Request, digests: Mapping[Path, str]) -> ImageParameters:
    return ImageParameters(
        prompt=request.prompt or "",
        negative_prompt=request.negative,
        model=request.model,
        width=request.width,
        height=request.height,
        steps=request.steps,
        cfg_scale=request.cfg,
        sampler=request.sampler,
        scheduler=request.scheduler,
        seed=request.seed,
        count=request.count,
        batch_size=request.batch_size,
        init_image=digests[request.init_image] if request.init_image else "",
        mask=digests[request.mask] if request.mask else "",
        denoise=request.denoise,
        hires=HiresParameters(scale=request.hires) if request.hires is not None else None,
    )


def check_sources(request: Request) -> None:
    """A prompt or a graph, and nothing that would be ignored."""
    if request.graph is None:
        if request.prompt is None:
            raise typer.BadParameter("say what to make: a prompt, or --graph FILE")
        if request.images:
            raise typer.BadParameter("goes with --graph only", param_hint="--image")
        if request.init_image is None and request.denoise is not None:
            raise typer.BadParameter(
                "goes with --init-image: it is the share of that to replace", param_hint="--denoise"
            )
        if request.init_image is None and request.mask is not None:
            raise typer.BadParameter("goes with --init-image: it says which part to repaint", param_hint="--mask")
        return
    used = Request(graph=request.graph, images=request.images, options=request.options)
    if request != used:
        raise typer.BadParameter(
            "takes everything from the graph: leave out the prompt and the options of the picture", param_hint="--graph"
        )


def check_values(request: Request) -> None:
    """What cannot even be sent: numbers of more than 32 or 64 bits, and text that is none."""
    try:
        spec_of(request, dict.fromkeys(request.files, ""))
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
