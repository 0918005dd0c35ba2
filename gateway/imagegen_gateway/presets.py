"""What the OpenAI dialect, the chat and the tools offer as models. Pure, but for reading a preset's workflow file.

`imagegen` leaves the choice to the server; every exposed checkpoint is a model by its own name; presets of the
configuration are checkpoints, or ComfyUI workflows with named inputs, with defaults of their own.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from imagegen.v1 import job_pb2
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem

ANY_MODEL: Final = "imagegen"
"""The model that leaves the choice to the server."""
MAX_WORKFLOW_BYTES: Final = 4 * 1024 * 1024
FOREIGN_NAMES: Final = ("dall-e*", "gpt-image*", "chatgpt-image*")
"""Models of OpenAI, which programs ask for when nobody told them a name: the server chooses."""

InputType = Literal["model", "prompt", "negative_prompt", "image", "mask", "width", "height", "n", "steps", "seed", ""]
DEFAULTS: Final = (
    *("model", "negative_prompt", "width", "height", "steps"),
    *("cfg_scale", "sampler", "scheduler", "denoise"),  # no input of a workflow takes these
)
"""What a preset can say of pictures for which the request says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller asks for, in words that all models share; None: it said nothing."""

    prompt: str
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    count: int | None = None
    init_images: tuple[str, ...] = ()
    """Digests of pictures to start from."""
    mask: str | None = None
    """Digest; white is repainted."""
    denoise: float | None = None


class WorkflowInput(BaseModel):
    """Where a value goes in a workflow: the form that Open WebUI calls node mapping."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: InputType = ""
    """What goes there; empty: always `value`."""
    key: str = Field(min_length=1, max_length=128)
    """Name of the input."""
    node_ids: list[str] = Field(min_length=1, max_length=64)
    """The nodes that have it."""
    value: str | int | float | bool | None = None
    """The constant, where there is no type."""


class PresetSettings(BaseModel):
    """One preset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$")
    """What requests call it."""
    name: str = Field(default="", max_length=128)
    """What people read; empty: the id."""
    description: str = Field(default="", max_length=1024)
    """A sentence about it."""
    model: str = Field(default="", max_length=512)
    """A checkpoint; empty: the server chooses, or the workflow has its own."""
    negative_prompt: str = Field(default="", max_length=32768)
    width: int = Field(default=0, ge=0, le=4096)
    height: int = Field(default=0, ge=0, le=4096)
    steps: int | None = Field(default=None, ge=1, le=500)
    cfg_scale: float | None = Field(default=None, ge=0, le=100)
    sampler: str = Field(default="", max_length=128)
    scheduler: str = Field(default="", max_length=128)
    denoise: float | None = Field(default=None, ge=0, le=1)
    workflow: Path | None = None
    """A file with a ComfyUI graph in API format; a relative path counts from the folder of the process."""
    inputs: list[WorkflowInput] = Field(default=[], max_length=64)
    """Where the values go in the workflow; what nobody says stays as it is there."""

    _graph: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _read_workflow(self) -> "PresetSettings":
        if self.workflow is None:
            if self.inputs:
                raise ValueError("inputs need a workflow")
            return self
        graph = read_graph(self.workflow)
        for entry in self.inputs:
            missing = [node_id for node_id in entry.node_ids if node_id not in graph]
            if missing:
                raise ValueError(f"the workflow {self.workflow} has no node {missing[0]}, which inputs name")
        if not any(entry.type == "prompt" for entry in self.inputs):
            raise ValueError('inputs must say where the prompt goes: {type = "prompt", key = "text", node_ids = ["6"]}')
        taken = {entry.type for entry in self.inputs}
        lost = [name for name in DEFAULTS if getattr(self, name) and name not in taken]
        if lost:
            raise ValueError(f"{lost[0]}: no input of the workflow {self.workflow} takes it")
        self._graph = graph
        return self

    @property
    def graph(self) -> dict[str, Any]:
        """The workflow's nodes; empty for a preset without one. Not to be changed."""
        return self._graph


def read_graph(path: Path) -> dict[str, Any]:
    """A graph in API format. Raises ValueError for a file that is none."""
    try:
        if path.stat().st_size > MAX_WORKFLOW_BYTES:
            raise ValueError(f"the workflow {path} is larger than {MAX_WORKFLOW_BYTES} bytes")
        graph = json.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ValueError(f"the workflow {path} cannot be read: {exc.strerror}") from exc
    except (UnicodeDecodeError, json.JSONDecodeError) as exc:
        raise ValueError(f"the workflow {path} is no JSON: {exc}") from exc
    if not isinstance(graph, dict) or not all(isinstance(n, dict) and "class_type" in n for n in graph.values()):
        raise ValueError(f"the workflow {path} is no graph in API format: in ComfyUI, use Export (API)")
    return graph


def is_exposed(checkpoint: str, patterns: Iterable[str]) -> bool:
    """Whether a checkpoint is a model by its own name."""
    return any(fnmatchcase(checkpoint, pattern) for pattern in patterns)


def find_preset(
    model: str, presets: Sequence[PresetSettings], checkpoints: Iterable[str], patterns: Sequence[str]
) -> PresetSettings:
    """The preset that a request's `model` means. Raises Problem 404 for one that is not offered."""
    for preset in presets:
        if preset.id == model:
            return preset
    if model in checkpoints and is_exposed(model, patterns):
        return PresetSettings.model_construct(id=model, model=model)
    if model in {"", ANY_MODEL} or any(fnmatchcase(model.lower(), name) for name in FOREIGN_NAMES):
        return PresetSettings(id=ANY_MODEL)
    raise unknown_model(model)


def unknown_model(name: str) -> Problem:
    """The answer to a model that is not offered."""
    return Problem(404, f"there is no model {name[:128]!r} here; /openai/v1/models lists them", "MODEL_NOT_FOUND")


def spec_for(preset: PresetSettings, wish: Wish, *, seed: int) -> job_pb2.JobSpec:
    """The job that a wish makes of a preset. `seed` is for a workflow when the wish has none.

    Raises Problem 400, with the name of the wish's field, for what the preset cannot take.
    """
    if preset.graph:
        return job_pb2.JobSpec(graph=_fill_graph(preset, wish, seed))
    return job_pb2.JobSpec(image=_fill_parameters(preset, wish))


def _fill_parameters(preset: PresetSettings, wish: Wish) -> job_pb2.ImageParameters:
    if len(wish.init_images) > 1:
        raise bad_field("image", f"the model {preset.id} starts from one picture; {len(wish.init_images)} were given")
    has_size = wish.width is not None or wish.height is not None
    keeps_size = has_size or wish.init_images  # a picture that is changed keeps its size, not the preset's
    image = job_pb2.ImageParameters(
        prompt=wish.prompt,
        negative_prompt=preset.negative_prompt if wish.negative_prompt is None else wish.negative_prompt,
        model=preset.model,
        width=(wish.width or 0) if keeps_size else preset.width,
        height=(wish.height or 0) if keeps_size else preset.height,
        steps=_first(wish.steps, preset.steps),
        cfg_scale=_first(wish.cfg_scale, preset.cfg_scale),
        sampler=wish.sampler or preset.sampler,
        scheduler=wish.scheduler or preset.scheduler,
        seed=wish.seed,
        count=wish.count or 1,
        init_image=wish.init_images[0] if wish.init_images else "",
        mask=wish.mask or "",
    )
    denoise = _first(wish.denoise, preset.denoise)
    if wish.init_images and denoise is not None:
        image.denoise = denoise
    return image


def _fill_graph(preset: PresetSettings, wish: Wish, seed: int) -> job_pb2.RawGraph:
    values = _values(preset, wish, seed)
    taken = {entry.type for entry in preset.inputs}
    for name in _said(wish):
        if name not in taken:
            raise bad_field(name, f"the model {preset.id} takes none")
    graph = {node_id: {**node, "inputs": dict(node.get("inputs", {}))} for node_id, node in preset.graph.items()}
    images: dict[str, str] = {}
    for entry in preset.inputs:
        if entry.type in {"image", "mask"}:
            images.update(_placed_images(preset, entry, wish))
        elif (value := values.get(entry.type, entry.value if not entry.type else None)) is not None:
            for node_id in entry.node_ids:
                graph[node_id]["inputs"][entry.key] = value
    return job_pb2.RawGraph(json=json.dumps(graph, ensure_ascii=False), images=images)


def _values(preset: PresetSettings, wish: Wish, seed: int) -> dict[str, str | int | float | None]:
    return {
        "prompt": wish.prompt,
        "negative_prompt": wish.negative_prompt if wish.negative_prompt is not None else preset.negative_prompt or None,
        "model": preset.model or None,
        "width": wish.width or preset.width or None,
        "height": wish.height or preset.height or None,
        "steps": _first(wish.steps, preset.steps),
        "seed": seed if wish.seed is None else wish.seed,
        "n": wish.count or 1,
    }


def _said(wish: Wish) -> list[str]:
    """What the wish says beyond the prompt, by the names of inputs; one picture is what there is without a word."""
    said = {
        "negative_prompt": wish.negative_prompt,
        "width": wish.width,
        "height": wish.height,
        "steps": wish.steps,
        "cfg_scale": wish.cfg_scale,
        "sampler": wish.sampler,
        "scheduler": wish.scheduler,
        "seed": wish.seed,
        "n": wish.count if wish.count != 1 else None,
        "image": wish.init_images or None,
        "mask": wish.mask,
        "denoise": wish.denoise,
    }
    return [name for name, value in said.items() if value is not None]


def _placed_images(preset: PresetSettings, entry: WorkflowInput, wish: Wish) -> dict[str, str]:
    digests = wish.init_images if entry.type == "image" else (wish.mask,) if wish.mask else ()
    if entry.type == "image" and len(digests) > len(entry.node_ids):
        raise bad_field("image", f"the model {preset.id} takes {len(entry.node_ids)}; {len(digests)} were given")
    return {f"{node_id}.{entry.key}": digest for node_id, digest in zip(entry.node_ids, digests, strict=False)}


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
