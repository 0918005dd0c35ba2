"""Open WebUI's node mapping as inputs of a graph. Pure.

It is a list of [{"type": "prompt", "key": "text", "node_ids": ["6"]}, ...]. What has no type is a constant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_adapters.graphs.proposing.models import model_type_of

_MOST_VIOLATIONS: Final = 50
_MOST_ENTRIES: Final = 1024
_INPUTS: Final = {
    # Its type: name here, type here, the key where it is left out
    "prompt": ("prompt", InputType.TEXT, "text"),
    "negative_prompt": ("negative_prompt", InputType.TEXT, "text"),
    "image": ("init_image", InputType.IMAGE, "image"),
    "mask": ("mask", InputType.MASK, "image"),
    "model": ("model", InputType.MODEL, ""),
    "width": ("width", InputType.INT, "width"),
    "height": ("height", InputType.INT, "height"),
    "n": ("count", InputType.INT, "batch_size"),
    "steps": ("steps", InputType.INT, "steps"),
    "seed": ("seed", InputType.SEED, "seed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedGraph:
    """A graph with the inputs that a mapping gives it."""

    api_format: Mapping[str, Any]
    """The graph, with the mapping's constants written into it."""
    inputs: tuple[GraphInput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    path: str
    type: str
    """Empty: a constant."""
    targets: tuple[Target, ...]
    value: Any


def read_openwebui_mapping(mapping: Any, api_format: Mapping[str, Any]) -> MappedGraph | tuple[Violation, ...]:
    """What a mapping, decoded from JSON, makes of a graph in API format; or all that is wrong with it.

    Paths of violations begin at the list, as `[2].node_ids`.
    """
    if not isinstance(mapping, list) or len(mapping) > _MOST_ENTRIES:
        return (Violation("", f"must be a JSON list of at most {_MOST_ENTRIES} entries with type, key and node_ids"),)
    graph = Graph(api_format)
    faults: list[Violation] = []
    entries: list[_Entry] = []
    taken: dict[Target, str] = {}
    for number, raw in enumerate(mapping):
        entry = _read_entry(f"[{number}]", raw, graph, taken)
        if isinstance(entry, _Entry):
            entries.append(entry)
            taken |= dict.fromkeys(entry.targets, entry.path)
        elif len(faults) < _MOST_VIOLATIONS:
            faults.append(entry)
        else:
            break
    if faults:
        return tuple(faults)
    return MappedGraph(api_format=_with_constants(api_format, entries), inputs=tuple(_inputs(graph, entries)))


def _read_entry(path: str, raw: Any, graph: Graph, taken: Mapping[Target, str]) -> _Entry | Violation:
    if not isinstance(raw, Mapping):
        return Violation(path, "must be an object with type, key and node_ids")
    type_ = raw.get("type") or ""
    if type_ and type_ not in _INPUTS:
        return Violation(f"{path}.type", unknown_name("type", type_, _INPUTS))
    key = raw.get("key") or (_INPUTS[type_][2] if type_ else "")
    if not isinstance(key, str) or not key:
        return Violation(f"{path}.key", "must be the name of an input")
    if not type_ and not isinstance(raw.get("value"), str | int | float):
        return Violation(f"{path}.value", "must be a text, a number or a boolean where there is no type")
    node_ids = raw.get("node_ids") or []
    if not isinstance(node_ids, list):
        return Violation(f"{path}.node_ids", "must be a list of nodes")
    # Its settings page keeps an empty list, or an empty name, for what is not mapped.
    named = [str(node_id).strip() for node_id in node_ids]
    targets = tuple(dict.fromkeys(Target(node_id, key) for node_id in named if node_id))
    for target in targets:
        fault = _target_fault(path, target, graph, taken)
        if fault is not None:
            return fault
    return _Entry(path=path, type=type_, targets=targets, value=raw.get("value"))


def _target_fault(path: str, target: Target, graph: Graph, taken: Mapping[Target, str]) -> Violation | None:
    node = graph.nodes.get(target.node_id)
    if node is None:
        return Violation(f"{path}.node_ids", unknown_name("node", target.node_id, graph.nodes))
    # ComfyUI takes no notice of inputs that a class does not have: a misspelt one would change nothing.
    if target.input_name not in node.inputs:
        at = f"{node.title} ({node.node_id})"
        return Violation(f"{path}.key", f"{unknown_name('input', target.input_name, node.inputs)} at {at}")
    if target in taken:
        return Violation(path, f"{target.input_name} of node {target.node_id} is set by entry {taken[target]} already")
    return None


def _with_constants(api_format: Mapping[str, Any], entries: Sequence[_Entry]) -> Mapping[str, Any]:
    graph = dict(api_format)
    for entry in entries:
        for target in entry.targets if not entry.type else ():
            node = graph[target.node_id]
            graph[target.node_id] = {**node, "inputs": {**node["inputs"], target.input_name: entry.value}}
    return graph


def _inputs(graph: Graph, entries: Sequence[_Entry]) -> Iterator[GraphInput]:
    for type_, (name, input_type, _) in _INPUTS.items():
        targets = [target for entry in entries if entry.type == type_ for target in entry.targets]
        if input_type is InputType.IMAGE:
            # Each node has a picture of its own, in the order of the pictures.
            for number, target in enumerate(targets, 1):
                yield GraphInput(
                    name=name if number == 1 else f"{name}_{number}", type=input_type, targets=(target,), required=True
                )
        elif targets:
            first = targets[0]
            class_type = graph.nodes[first.node_id].class_type
            model_type = model_type_of(class_type, first.input_name) if input_type is InputType.MODEL else ""
            yield GraphInput(name=name, type=input_type, targets=tuple(targets), model_type=model_type)
