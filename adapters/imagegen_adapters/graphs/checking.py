"""What is wrong with a graph, before a backend sees it. Pure."""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.graph import Graph, Node, input_path, is_link, node_path, upload_target
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_adapters.graphs.node_classes import InputKind, NodeClasses, takes_value
from imagegen_adapters.graphs.problems import GraphProblem

MOST_PROBLEMS = 200
_MOST_VIOLATIONS = 50


def find_problems(
    graph: Graph,
    classes: NodeClasses | None,
    uploads: Collection[tuple[str, str]] = frozenset(),
    *,
    limit: int = MOST_PROBLEMS,
) -> tuple[GraphProblem, ...]:
    """What is wrong with a graph, errors first, then by node; at most `limit`.

    `uploads` are the inputs (node, name) that a file will be uploaded for. Without classes only the graph itself is
    looked at. Faults in nodes that no output needs are warnings, as the server does not look at those. What a custom
    node's class may take although it does not say so is a warning, too.
    """
    raise NotImplementedError


def find_problems_of_json(
    api_format: Any,
    classes: NodeClasses | None,
    uploads: Collection[tuple[str, str]] = frozenset(),
    *,
    limit: int = MOST_PROBLEMS,
) -> tuple[GraphProblem, ...]:
    """As `find_problems`, of JSON that has not been looked at yet: it may be no graph at all."""
    raise NotImplementedError


def check_graph(source: RawGraph, classes: NodeClasses | None) -> tuple[Violation, ...]:
    """Checks a graph's structure, and its nodes' inputs where the classes are known."""
    try:
        api_format = json.loads(source.json)
    except (ValueError, RecursionError) as error:
        return (Violation("graph.json", f"is no JSON: {error}"),)
    faults = _format_faults(api_format) or _graph_faults(source, api_format, classes)
    return tuple(fault for _, fault in zip(range(_MOST_VIOLATIONS), faults, strict=False))


def _format_faults(api_format: Any) -> list[Violation]:
    if not isinstance(api_format, dict):
        return [Violation("graph.json", "must be a JSON object of nodes by id")]
    if isinstance(api_format.get("nodes"), list):
        description = "is a workflow of the ComfyUI page, not a graph: export it with 'Export (API)'"
        return [Violation("graph.json", description)]
    if not api_format:
        return [Violation("graph.json", "has no node")]
    return [
        Violation(node_path(node_id), "must be an object with class_type and inputs")
        for node_id, entry in api_format.items()
        if not isinstance(entry, dict)
        or not isinstance(entry.get("class_type"), str)
        or not isinstance(entry.get("inputs", {}), dict)
    ]


def _graph_faults(source: RawGraph, api_format: Mapping[str, Any], classes: NodeClasses | None) -> Iterator[Violation]:
    graph = Graph(api_format)
    uploads = {upload_target(key) for key in source.images}
    for node_id, input_name in sorted(uploads):
        if node_id not in graph.nodes:
            yield Violation(f'graph.images["{node_id}.{input_name}"]', f"the graph has no node {node_id!r}")
    for node in graph.nodes.values():
        yield from _link_faults(node, graph, classes)
        if classes is not None:
            yield from _input_faults(node, classes, uploads)
    if graph.cycle:
        yield Violation("graph.json", f"has a cycle: {' -> '.join(graph.cycle)}")
    if classes is not None and not graph.outputs(classes):
        yield Violation("graph.json", "has no output node: add one that saves, as SaveImage")


def _link_faults(node: Node, graph: Graph, classes: NodeClasses | None) -> Iterator[Violation]:
    for link in node.links:
        path = input_path(node.node_id, link.input_name)
        source = graph.nodes.get(link.source)
        if source is None:
            yield Violation(path, f"is linked to node {link.source!r}, which the graph does not have")
            continue
        source_class = classes.find(source.class_type) if classes is not None else None
        if source_class is not None and not 0 <= link.slot < source_class.output_count:
            count = source_class.output_count
            yield Violation(path, f"is linked to output {link.slot} of {link.source!r}, which has {count} of them")


def _input_faults(node: Node, classes: NodeClasses, uploads: set[tuple[str, str]]) -> Iterator[Violation]:
    node_class = classes.find(node.class_type)
    if node_class is None:
        description = unknown_name("node class", node.class_type, _nearest_classes(node.class_type, classes))
        yield Violation(f"{node_path(node.node_id)}.class_type", description)
        return
    for name, kind in node_class.inputs.items():
        path = input_path(node.node_id, name)
        if (node.node_id, name) in uploads:
            if not takes_value(kind):
                yield Violation(path, f"takes {kind.type}, no file")
        elif name in node.inputs:
            description = _value_fault(node.inputs[name], kind)
            if description:
                yield Violation(path, description)
        elif kind.is_required:
            yield Violation(path, f"is missing; {node.class_type} needs it")


def _nearest_classes(name: str, classes: NodeClasses) -> Sequence[str]:
    # Servers have hundreds of classes: only the alike are of any help.
    return get_close_matches(name, list(classes.by_name), n=5, cutoff=0.5) or ["(nothing alike)"]


def _value_fault(value: Any, kind: InputKind) -> str:
    """What is wrong with the value of an input; empty: nothing."""
    if is_link(value):
        return ""
    if not takes_value(kind):
        # Other types are links, but custom nodes may take values there: only what cannot be a link is certain.
        return "must be a link: [node id, output number]" if isinstance(value, list) else ""
    if kind.type in {"INT", "FLOAT"}:
        return _number_fault(value, kind)
    # Uploaded files may lie in subfolders, which the list leaves out; a list of choices is another input's business.
    options = None if kind.is_upload or isinstance(value, list) else kind.options
    if options is not None and value not in options:
        return unknown_name("choice", value, [str(option) for option in options])
    return ""


def _number_fault(value: Any, kind: InputKind) -> str:
    try:
        number = int(value) if kind.type == "INT" else float(value)  # as the server converts it
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        return f"must be {'a whole number' if kind.type == 'INT' else 'a number'}, not {value!r:.40}"
    if kind.minimum is not None and number < kind.minimum:
        return f"{number} is below the smallest value {kind.minimum}"
    if kind.maximum is not None and number > kind.maximum:
        return f"{number} is above the largest value {kind.maximum}"
    return ""
