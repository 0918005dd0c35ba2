"""From options to a job's specification. Pure; what is wrong raises typer.BadParameter, which is exit status 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from imagegen.v1.job_pb2 import HiresParameters, ImageParameters, JobSpec, RawGraph

MAX_GRAPH_BYTES = 4 * 1024 * 1024


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
    backend: str = ""
    labels: Mapping[str, str]

    @property
    def files(self) -> frozenset[Path]:
        """Files to upload."""
        return frozenset(path for path in (self.init_image, self.mask, *self.images.values()) if path is not None)


def spec_of(request: Request, digests: Mapping[Path, str]) -> JobSpec:
    """The specification; `digests` names the asset of every file of the request."""
    spec = JobSpec(backend=request.backend, labels=request.labels)
    if request.graph is not None:
        images = {target: digests[path] for target, path in request.images.items()}
        spec.graph.CopyFrom(RawGraph(json=request.graph, images=images))
    else:
        spec.image.CopyFrom(_image_parameters(request, digests))
    return spec


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
        return
    used = Request(graph=request.graph, images=request.images, backend=request.backend, labels=request.labels)
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


def parse_labels(pairs: Sequence[str]) -> dict[str, str]:
    """From "key=value"s."""
    labels = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"{pair!r} is no KEY=VALUE", param_hint="--label")
        labels[key] = value
    return labels


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
