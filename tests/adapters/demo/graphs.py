"""Graphs of the classes that the demo has, and what they make."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from imagegen_adapters.contract import ImageReady, RawGraph, Update
from imagegen_adapters.demo.attempt import Wish
from imagegen_adapters.demo.graphs.attempt import graph_pieces
from imagegen_adapters.demo.graphs.checking import graph_violations
from tests.adapters.conformance.observing import digest_of

Graph = dict[str, dict[str, Any]]
_U = TypeVar("_U")


@dataclass(slots=True)
class Made:
    """What a graph reported."""

    updates: list[Update] = field(default_factory=list)

    def of(self, kind: type[_U]) -> list[_U]:
        return [update for update in self.updates if isinstance(update, kind)]

    @property
    def images(self) -> list[ImageReady]:
        return self.of(ImageReady)


def raw(graph: Graph, images: Mapping[str, str] = MappingProxyType({})) -> RawGraph:
    return RawGraph(json=json.dumps(graph), images=images)


def run(
    graph: Graph,
    *,
    resident: str = "demo-landscape",
    wants_preview: bool = False,
    max_held_pixels: int = 2**20,
    **uploads: bytes,
) -> Made:
    """Runs a graph that must be good. Uploads are for input "image" of the node that is named."""
    source = raw(graph, {f"{name}.image": digest_of(data) for name, data in uploads.items()})
    assert not graph_violations(source)
    files = {digest_of(data): data for data in uploads.values()}
    wish = Wish(wants_preview=wants_preview)
    made = Made()
    for piece in graph_pieces(source, resident, files, wish, max_held_pixels=max_held_pixels):
        made.updates += piece
    return made


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def text_to_image(**sampler: Any) -> Graph:
    """The graph that ComfyUI itself begins with, small, and with other inputs of the sampler where they are given."""
    graph = {
        "4": node("CheckpointLoaderSimple", ckpt_name="demo-landscape"),
        "5": node("EmptyLatentImage", width=128, height=128, batch_size=1),
        "6": node("CLIPTextEncode", text="a red fox", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "3": node(
            "KSampler",
            seed=7,
            steps=4,
            cfg=7.0,
            sampler_name="demo",
            scheduler="linear",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }
    graph["3"]["inputs"].update(sampler)
    return graph


def changed(node_id: str, **inputs: Any) -> Graph:
    """Text-to-image with other inputs of a node."""
    graph = text_to_image()
    graph[node_id]["inputs"].update(inputs)
    return graph


def image_to_image(*, denoise: float = 0.5, **nodes: dict[str, Any]) -> Graph:
    """Over the picture that is uploaded to node "load", with other nodes where they are given."""
    return {
        **text_to_image(latent_image=["encode", 0], denoise=denoise),
        "load": node("LoadImage", image="photo.png"),
        "encode": node("VAEEncode", pixels=["load", 0], vae=["4", 2]),
        **nodes,
    }


def picture_only(**nodes: dict[str, Any]) -> Graph:
    """Nothing is sampled: what "last" makes of the picture that is uploaded to node "load" is saved."""
    return {
        "load": node("LoadImage", image="photo.png"),
        **nodes,
        "save": node("SaveImage", filename_prefix="x", images=["last", 0]),
    }


def scale(**inputs: Any) -> dict[str, Any]:
    return node("ImageScale", image=["load", 0], **{"upscale_method": "lanczos", "crop": "disabled", **inputs})
