"""Turns a request into the graph that is handed over, and tells what its nodes mean. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagegen_adapters.comfyui.built_in.drawing import Pass
from imagegen_adapters.comfyui.built_in.pictures import draw
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.graphs.graph import Graph, input_path, node_path, upload_target
from imagegen_adapters.graphs.node_classes import NodeClasses


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


def build_any(source: ImageParameters | RawGraph, *, prefix: str, uploads: Mapping[str, str]) -> Workflow:
    """As `build` or `build_raw`."""
    match source:
        case ImageParameters():
            return build(source, prefix=prefix, uploads=uploads)
        case RawGraph():
            return build_raw(source, uploads=uploads)


def digests_of(source: ImageParameters | RawGraph) -> tuple[str, ...]:
    """The files that a source names."""
    match source:
        case ImageParameters():
            return tuple(digest for digest in (source.init_image, source.mask) if digest)
        case RawGraph():
            return tuple(dict.fromkeys(source.images.values()))


def render(source: ImageParameters | RawGraph) -> RawGraph:
    """The graph of a source whose names are complete, with files named by their digests."""
    workflow = build_any(source, prefix="imagegen", uploads={digest: digest for digest in digests_of(source)})
    images = source.images if isinstance(source, RawGraph) else _images(source, workflow)
    return RawGraph(json=json.dumps(workflow.graph.api_format), images=images)


def build_loading(parameters: ImageParameters, classes: NodeClasses) -> RawGraph:
    """A graph that makes a picture and keeps it nowhere, so that the model is loaded."""
    # Without it, the picture lies in the server's temporary folder until its end.
    output = "SaveImageWebsocket" if classes.find("SaveImageWebsocket") else "PreviewImage"
    api_format = dict(build(parameters, prefix="", uploads={}).graph.api_format)
    api_format["save-0"] = {"class_type": output, "inputs": {"images": api_format["save-0"]["inputs"]["images"]}}
    return RawGraph(json=json.dumps(api_format))


def _images(parameters: ImageParameters, workflow: Workflow) -> dict[str, str]:
    digests = {"image.init_image": parameters.init_image, "image.mask": parameters.mask}
    return {
        f"{node_id}.{input_name}": digests[field]
        for (node_id, input_name), field in workflow.fields.items()
        if field in digests
    }


def build_raw(source: RawGraph, *, uploads: Mapping[str, str]) -> Workflow:
    """A checked graph as it is, with the names of uploaded files (by digest) put in."""
    api_format = json.loads(source.json)
    for entry in api_format.values():
        entry.setdefault("inputs", {})  # without it ComfyUI refuses the graph over a KeyError
    for key, digest in source.images.items():
        node_id, input_name = upload_target(key)
        api_format[node_id]["inputs"][input_name] = uploads[digest]
    return Workflow(graph=Graph(api_format))


def build(parameters: ImageParameters, *, prefix: str, uploads: Mapping[str, str]) -> Workflow:
    """The graph for a request whose names are complete.

    `prefix` begins the names of the files at the backend, `uploads` gives theirs for the digests of the request.
    """
    drawing = draw(parameters, prefix=prefix, uploads=uploads)
    return Workflow(graph=Graph(drawing.nodes), images=parameters.count, passes=drawing.passes, fields=drawing.fields)
