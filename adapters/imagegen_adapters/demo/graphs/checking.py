"""What is wrong with a graph, before it is run. Pure.

What is checked for ComfyUI is checked by the same code and told in the same words. Besides there is what a ComfyUI
server finds out by itself.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.demo.graphs.batch import MAX_HELD_PIXELS
from imagegen_adapters.demo.graphs.definitions import CLASSES, output_type
from imagegen_adapters.demo.requests import MAX_PIXELS
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.graph import Graph, Link, Node, input_path, upload_target
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_adapters.graphs.node_classes import InputKind

MAX_NODES: Final = 500


def graph_violations(source: RawGraph) -> Sequence[Violation]:
    """Why the graph cannot be run; empty if it can."""
    faults = check_graph(source, CLASSES)
    if faults:
        return faults
    graph = Graph(json.loads(source.json))
    if len(graph.nodes) > MAX_NODES:
        return (Violation("graph.json", f"has {len(graph.nodes)} nodes; this backend takes at most {MAX_NODES}"),)
    uploads = {upload_target(key) for key in source.images}
    return [fault for node in graph.nodes.values() for fault in _faults(node, graph, uploads)]


def _faults(node: Node, graph: Graph, uploads: set[tuple[str, str]]) -> Iterator[Violation]:
    found = {name: fault for name, fault in _input_faults(node, graph, uploads) if fault}
    if node.class_type == "EmptyLatentImage" and not found:
        found.update(_size_faults(node))
    for name, fault in found.items():
        yield Violation(input_path(node.node_id, name), fault)


def _input_faults(node: Node, graph: Graph, uploads: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Every input by name, with its fault; empty: none."""
    links = {link.input_name: link for link in node.links}
    for name, kind in CLASSES.by_name[node.class_type].inputs.items():
        if (node.node_id, name) in uploads:
            yield name, "" if kind.is_upload else "takes no file"
        elif name in links:
            yield name, _link_fault(links[name], kind, graph)
        else:
            yield name, _value_fault(node.inputs[name], kind)


def _link_fault(link: Link, kind: InputKind, graph: Graph) -> str:
    given = output_type(graph.nodes[link.source].class_type, link.slot)
    return "" if given == kind.type else f"takes {kind.type}, and output {link.slot} of {link.source!r} is {given}"


def _value_fault(value: Any, kind: InputKind) -> str:
    match kind.type:
        case "INT" | "FLOAT":
            return ""
        case "STRING":
            return "" if isinstance(value, str) else "must be a text"
        case "COMBO" if kind.is_upload:
            return f"no such file {value!r}: this backend has none of its own; upload it and name it in graph.images"
        case "COMBO":
            options = kind.options or ()
            return "" if value in options else unknown_name("choice", value, [str(option) for option in options])
        case _:
            return "must be a link: [node id, output number]"


def _size_faults(node: Node) -> Iterator[tuple[str, str]]:
    width, height, images = (int(node.inputs[name]) for name in ("width", "height", "batch_size"))
    if width * height > MAX_PIXELS:
        yield "width", f"{width} x {height} is too large; at most {MAX_PIXELS} pixels"
    elif width * height * images > MAX_HELD_PIXELS:
        most = MAX_HELD_PIXELS // (width * height)
        yield "batch_size", f"{images} images of {width} x {height} are too many; at most {most}"
