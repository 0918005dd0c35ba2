"""The same work with other seeds, so that other images come out. Pure."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import JobSpec

SEED_INPUTS: Final = frozenset({"seed", "noise_seed"})
"""What ComfyUI's own nodes, and those of most authors, call it."""


def with_new_seeds(
    spec: JobSpec, choose_seed: Callable[[], int], *, seed_inputs: Collection[str] = ()
) -> JobSpec | None:
    """The spec with new seeds; None: there are none that could be replaced. Equal seeds stay equal.

    `seed_inputs` are those inputs of its workflow. If that has none, the seeds in its graph are new, which the workflow
    no longer tells: the graph is run by itself then. What else follows from new inputs is not made anew here.
    """
    if spec.invocation is not None and not spec.invocation.inputs.keys().isdisjoint(seed_inputs):
        inputs = _with_new_values(spec.invocation.inputs, seed_inputs, choose_seed)
        return replace(spec, invocation=replace(spec.invocation, inputs=inputs))
    if isinstance(spec.source, ImageParameters):
        return replace(spec, source=replace(spec.source, seed=choose_seed()))
    graph = _graph_with_new_seeds(spec.source, choose_seed)
    return None if graph is None else replace(spec, source=graph, invocation=None)


def _with_new_values(
    inputs: Mapping[str, Any], seed_inputs: Collection[str], choose_seed: Callable[[], int]
) -> dict[str, Any]:
    new: dict[str, int] = {}
    # Of a large seed its digits stand there.
    return {
        name: new.setdefault(str(value), choose_seed()) if name in seed_inputs else value
        for name, value in inputs.items()
    }


def _graph_with_new_seeds(graph: RawGraph, choose_seed: Callable[[], int]) -> RawGraph | None:
    """A seed is a number in an input of that name; a link to another node is none.

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
