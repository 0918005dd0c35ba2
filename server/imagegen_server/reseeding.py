"""The same work with other seeds, so that other images come out. Pure."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import JobSpec

SEED_INPUTS: Final = frozenset({"seed", "noise_seed"})
"""What ComfyUI's own nodes, and those of most authors, call it."""


def with_new_seeds(spec: JobSpec, choose_seed: Callable[[], int]) -> JobSpec | None:
    """The spec with new seeds; None: it is a graph without any that could be replaced."""
    if isinstance(spec.source, ImageParameters):
        return replace(spec, source=replace(spec.source, seed=choose_seed()))
    graph = _graph_with_new_seeds(spec.source, choose_seed)
    return None if graph is None else replace(spec, source=graph)


def _graph_with_new_seeds(graph: RawGraph, choose_seed: Callable[[], int]) -> RawGraph | None:
    """A seed is a number in an input of that name; a link to another node is none. Equal seeds stay equal.

    The graph has been checked: it is an object of nodes.
    """
    nodes: dict[str, Any] = json.loads(graph.json)
    new: dict[float, int] = {}
    for node in nodes.values():
        inputs = node.get("inputs", {})
        for name in sorted(SEED_INPUTS & inputs.keys()):
            old = inputs[name]
            if isinstance(old, int | float) and not isinstance(old, bool):
                inputs[name] = new.setdefault(old, choose_seed())
    return replace(graph, json=json.dumps(nodes)) if new else None
