"""What a gallery tells of a file beside the file itself. Pure.

A picture made by a job keeps what the job was asked for, because jobs are forgotten sooner than pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.proposing import propose
from imagegen_server.jobs import Asset, Job
from imagegen_server.workflows.structure import read_graph

MAX_PROMPT_CHARS: Final = 1000
MAX_MODEL_CHARS: Final = 512
MAX_SEED: Final = 2**63 - 1
MAX_GRAPH_CHARS: Final = 1024 * 1024
"""Larger graphs are not searched: that would take a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSource:
    """What a job was asked for that made a picture."""

    owner: str = ""
    prompt: str = ""
    """Its first MAX_PROMPT_CHARS; empty: not known."""
    model: str = ""
    """Empty: not known."""
    workflow_id: str = ""
    """Empty: none."""
    image_index: int = 0
    """Which image of the job it is."""
    seed: int | None = None
    """None: not known."""
    intermediate: bool = False
    """Whether it is a by-product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryEntry:
    """A file, and what is kept beside it."""

    asset: Asset
    source: AssetSource | None = None
    """None: no job made it."""
    favorite: bool = False
    delete_time: float | None = None
    """None: it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """How many pictures have what. Values come with their counts, the largest first."""

    pictures: int
    favorites: int
    deleted: int
    models: Sequence[tuple[str, int]]
    workflows: Sequence[tuple[str, int]]
    owners: Sequence[tuple[str, int]]


def is_picture(asset: Asset, source: AssetSource | None) -> bool:
    """Whether people want to see it among their pictures."""
    return asset.media_type.startswith("image/") and not (source is not None and source.intermediate)


def words_of(text: str) -> tuple[str, ...]:
    """What a prompt must contain to be found by this text, once letter case is taken from both."""
    return tuple(dict.fromkeys(text.casefold().split()))


class SourceFinder:
    """Tells the sources of a job's pictures. Takes its time for a large graph when it is made."""

    def __init__(self, job: Job) -> None:
        source, invocation = job.spec.source, job.spec.invocation
        self._counts_seeds = isinstance(source, ImageParameters)
        self._owner = job.owner
        self._workflow_id = invocation.workflow_id if invocation is not None else ""
        known: dict[str, Any]
        if isinstance(source, ImageParameters):
            known = {"prompt": source.prompt, "model": source.model, "seed": source.seed}
        else:
            known = {**_literals(source), **(invocation.inputs if invocation is not None else {})}
        self._prompt = _text(known.get("prompt"))[:MAX_PROMPT_CHARS]
        self._model = _text(known.get("model"))[:MAX_MODEL_CHARS]
        self._seed = _number(known.get("seed"))

    def source(self, *, image_index: int, seed: int | None, intermediate: bool) -> AssetSource:
        """Of one picture; `seed` as its backend told it."""
        if seed is None and self._seed is not None:
            seed = self._seed + (image_index if self._counts_seeds else 0)
        return AssetSource(
            owner=self._owner,
            prompt=self._prompt,
            model=self._model,
            workflow_id=self._workflow_id,
            image_index=image_index,
            seed=seed if seed is not None and 0 <= seed <= MAX_SEED else None,
            intermediate=intermediate,
        )


def _literals(source: RawGraph) -> Mapping[str, Any]:
    """What the graph holds where people would set something, by the names of such inputs."""
    nodes = read_graph(source.json) if len(source.json) <= MAX_GRAPH_CHARS else ""
    if isinstance(nodes, str):
        return {}
    # Without definitions: which backend has run it does not matter, and a guess is enough here.
    found = ((each.input.name, each.input.targets[0]) for each in propose(Graph(nodes), NodeClasses()))
    return {name: nodes[target.node_id]["inputs"][target.input_name] for name, target in found}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    """Seeds beyond 2^53 are digits in what is stored of workflows."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
