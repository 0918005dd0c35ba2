"""Turns a request into the graph that is handed over, and tells what its nodes mean. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagegen_adapters.comfyui.built_in.drawing import Pass
from imagegen_adapters.comfyui.built_in.pictures import draw
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.graphs.graph import Graph, input_path, node_path, upload_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A graph and what it means to the request."""

    graph: Graph
    images: int = 0
    """How many results there must be; 0: whatever comes."""
    passes: Mapping[str, Pass] = field(default_factory=dict)
    """By node, for nodes that work for one pass only."""
    fields: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Which field of the request a node's input comes from; inputs of raw graphs stand for themselves."""

    def field_of(self, node_id: str, input_name: str) -> str:
        """The path within JobSpec that a fault of this input is reported at."""
        if self.passes:
            return self.fields.get((node_id, input_name), "image")
        return input_path(node_id, input_name) if input_name else node_path(node_id)


def build_raw(source: RawGraph, *, uploads: Mapping[str, str]) -> Workflow:
    """A checked graph as it is, with the names of uploaded files (by digest) put in."""
    api_format = json.loads(source.json)
    for key, digest in source.images.items():
        node_id, input_name = upload_target(key)
        api_format[node_id].setdefault("inputs", {})[input_name] = uploads[digest]
    return Workflow(graph=Graph(api_format))


def build(parameters: ImageParameters, *, prefix: str, uploads: Mapping[str, str]) -> Workflow:
    """The graph for a request whose names are complete.

    `prefix` begins the names of the files at the backend, `uploads` gives theirs for the digests of the request.
    """
    drawing = draw(parameters, prefix=prefix, uploads=uploads)
    return Workflow(graph=Graph(drawing.nodes), images=parameters.count, passes=drawing.passes, fields=drawing.fields)
