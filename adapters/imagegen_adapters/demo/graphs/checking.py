"""What is wrong with a graph, before it is run. Pure.

What is checked for ComfyUI is checked by the same code and told in the same words. Besides there is what a ComfyUI
server finds out as it runs a node.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.demo.graphs.batch import MAX_HELD_PIXELS
from imagegen_adapters.demo.graphs.definitions import CLASSES
from imagegen_adapters.demo.requests import MAX_PIXELS
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.graph import Graph, Node, input_path, upload_target
from imagegen_adapters.graphs.naming import shown

MAX_NODES: Final = 500


def graph_violations(source: RawGraph) -> Sequence[Violation]:
    """Why the graph cannot be run; empty if it can."""
    faults = check_graph(source, CLASSES, strict=True)
    if faults:
        return faults
    graph = Graph(json.loads(source.json))
    if len(graph.nodes) > MAX_NODES:
        return (Violation("graph.json", f"has {len(graph.nodes)} nodes; this backend takes at most {MAX_NODES}"),)
    uploads = {upload_target(key) for key in source.images}
    needed = graph.execution_order(graph.outputs(CLASSES))
    return [fault for node in needed for fault in _faults(node, uploads)]


def _faults(node: Node, uploads: set[tuple[str, str]]) -> Iterator[Violation]:
    found = dict(_input_faults(node, uploads))
    if node.class_type == "EmptyLatentImage" and not found:
        found.update(_size_faults(node))
    for name, fault in found.items():
        yield Violation(input_path(node.node_id, name), fault)


def _input_faults(node: Node, uploads: set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, kind in CLASSES.by_name[node.class_type].inputs.items():
        if (node.node_id, name) in uploads:
            if not kind.is_upload:
                yield name, "takes no file"
        elif kind.is_upload:
            value = shown(node.inputs[name])
            yield name, f"no such file {value}: this backend has none of its own; upload it with graph.images"
        elif kind.type == "STRING" and not isinstance(node.inputs[name], str):
            yield name, "must be a text"


def _size_faults(node: Node) -> Iterator[tuple[str, str]]:
    width, height, images = (int(node.inputs[name]) for name in ("width", "height", "batch_size"))
    if width * height > MAX_PIXELS:
        yield "width", f"{width} x {height} is too large; at most {MAX_PIXELS} pixels"
    elif width * height * images > MAX_HELD_PIXELS:
        most = MAX_HELD_PIXELS // (width * height)
        yield "batch_size", f"{images} images of {width} x {height} are too many; at most {most}"
