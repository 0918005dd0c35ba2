"""The options of `imagegen generate`, in the order and under the headings of its help."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from imagegen.v1.job_pb2 import UncertainPolicy


class OnUncertain(StrEnum):
    """What to do after an attempt of which nobody can tell whether it still runs."""

    RETRY = "retry"
    FAIL = "fail"


POLICIES: Mapping[OnUncertain | None, UncertainPolicy.ValueType] = {
    None: UncertainPolicy.UNCERTAIN_POLICY_UNSPECIFIED,
    OnUncertain.RETRY: UncertainPolicy.UNCERTAIN_POLICY_RETRY,
    OnUncertain.FAIL: UncertainPolicy.UNCERTAIN_POLICY_FAIL,
}


def _picture(help: str, *names: str, **more: Any) -> Any:  # noqa: A002  # typer's word
    return typer.Option(*names, help=help, rich_help_panel="The picture", **more)


def _images(help: str, **more: Any) -> Any:  # noqa: A002
    return typer.Option(help=help, rich_help_panel="Starting from images", **more)


def _workflow(*names: str, help: str, **more: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel="Workflows and graphs", **more)


def _run(*names: str, help: str, **more: Any) -> Any:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel="Running it", **more)


Prompt: TypeAlias = Annotated[str | None, typer.Argument(help="What the picture should show.", show_default=False)]

ModelName: TypeAlias = Annotated[str, _picture("A checkpoint or diffusion model, see `imagegen models`.")]
Negative: TypeAlias = Annotated[str, _picture("What it should not show.")]
Size: TypeAlias = Annotated[str, _picture("Width and height in pixels.", metavar="WxH")]
Width: TypeAlias = Annotated[int, _picture("Pixels.", min=0, show_default=False)]
Height: TypeAlias = Annotated[int, _picture("Pixels.", min=0, show_default=False)]
Steps: TypeAlias = Annotated[int | None, _picture("Sampling steps.", min=0)]
Cfg: TypeAlias = Annotated[float | None, _picture("Guidance scale.")]
DistilledCfg: TypeAlias = Annotated[
    float | None, _picture("Guidance of models that were distilled with it, as Flux.", "--distilled-cfg-scale")
]
Sampler: TypeAlias = Annotated[str, _picture("Sampler of the backend.")]
Scheduler: TypeAlias = Annotated[str, _picture("Noise schedule of the backend.")]
Seed: TypeAlias = Annotated[int | None, _picture("Seed of the first picture.")]
Count: TypeAlias = Annotated[int, _picture("How many.", min=0, show_default=False)]
BatchSize: TypeAlias = Annotated[int, _picture("How many in one pass.", min=0, show_default=False)]
Hires: TypeAlias = Annotated[float | None, _picture("Second pass, larger.", metavar="FACTOR")]
LoraNames: TypeAlias = Annotated[
    list[str] | None, _picture("A LoRA and its weight, 1 unless said; repeatable.", metavar="NAME[:WEIGHT]")
]
TextEncoders: TypeAlias = Annotated[
    list[str] | None, _picture("For a diffusion model that comes without; repeatable.", metavar="NAME")
]
Vae: TypeAlias = Annotated[str, _picture("A VAE in place of the model's own.")]

InitImage: TypeAlias = Annotated[Path | None, _images("Start from this.", exists=True, dir_okay=False)]
Mask: TypeAlias = Annotated[Path | None, _images("Repaint white.", exists=True, dir_okay=False)]
Denoise: TypeAlias = Annotated[float | None, _images("Share of it to replace, 0..1.")]

WorkflowId: TypeAlias = Annotated[
    str, _workflow("-w", "--workflow", help="A workflow, see `imagegen workflows`.", metavar="ID")
]
Revision: TypeAlias = Annotated[
    int, _workflow("--revision", help="Its revision. Default: the newest.", min=0, show_default=False)
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    _workflow("--set", help="A value for one of its inputs; of a picture @FILE. Repeatable.", metavar="NAME=VALUE"),
]
Graph: TypeAlias = Annotated[
    Path | None,
    _workflow("--graph", help="A ComfyUI graph in API format, run as it is.", exists=True, dir_okay=False),
]
GraphImages: TypeAlias = Annotated[
    list[str] | None,
    _workflow("--image", help="Upload for an input of the graph; repeatable.", metavar="NODE.INPUT=FILE"),
]

BackendName: TypeAlias = Annotated[str, _run("--backend", help="The only backend to run it.")]
BackendLabels: TypeAlias = Annotated[
    list[str] | None,
    _run("--backend-label", help="Only on backends with this label; repeatable.", metavar="KEY=VALUE"),
]
Priority: TypeAlias = Annotated[
    int | None, _run("--priority", help="Its class; higher ones go first.", min=-10, max=10)
]
StartDeadline: TypeAlias = Annotated[
    str, _run("--start-deadline", help="It expires if it waits longer: 90s, 5m, 2h.", metavar="TIME")
]
Deadline: TypeAlias = Annotated[
    str, _run("--deadline", help="It expires if it runs longer: 90s, 5m, 2h.", metavar="TIME")
]
WhenUncertain: TypeAlias = Annotated[
    OnUncertain | None,
    _run("--on-uncertain", help="When nobody can tell whether an attempt still runs. Default: retry."),
]
Reuse: TypeAlias = Annotated[
    bool, _run("--reuse", help="Take what was made before, if it is exactly this; needs a seed.")
]
LabelPairs: TypeAlias = Annotated[
    list[str] | None, _run("--label", help="Your own note; repeatable.", metavar="KEY=VALUE")
]
RequestId: TypeAlias = Annotated[str, _run("--request-id", help="The same id and request never make a second job.")]
ValidateOnly: TypeAlias = Annotated[bool, _run("--validate-only", help="Check the request, make nothing.")]
Detach: TypeAlias = Annotated[bool, _run("--detach", help="Print the job's id and leave it running.")]
Watch: TypeAlias = Annotated[bool, _run("--watch", help="Show previews in the terminal.")]
