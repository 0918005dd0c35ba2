"""Turns a request into the graph that is handed over, and tells what its nodes mean. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.graphs.graph import Graph, input_path, node_path, upload_target

LATENT_UPSCALER = "Latent"
"""Name of the upscaler that is no model."""

_SEED_LIMIT = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One batch of a request for images: what its sampler and its saving node belong to."""

    image_index: int
    """Of its first image."""
    images: int
    seed: int


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
    """The graph for a request whose model, sampler and scheduler are named.

    `prefix` begins the names of the files at the backend, `uploads` gives theirs for the digests of the request. Each
    pass has a chain of its own from latent to SaveImage, so that the first images arrive while the last are not begun.
    """
    builder = _Builder(parameters, prefix, uploads)
    for first in range(0, parameters.count, parameters.batch_size):
        builder.add_pass(first, min(parameters.batch_size, parameters.count - first))
    return Workflow(graph=Graph(builder.nodes), images=parameters.count, passes=builder.passes, fields=builder.fields)


class _Builder:
    def __init__(self, parameters: ImageParameters, prefix: str, uploads: Mapping[str, str]) -> None:
        self.nodes: dict[str, Any] = {}
        self.passes: dict[str, Pass] = {}
        self.fields: dict[tuple[str, str], str] = {}
        self._parameters = parameters
        self._prefix = prefix
        self._uploads = uploads
        self._pass: Pass | None = None
        self._add_shared()

    def add_pass(self, first: int, images: int) -> None:
        # Image first + j of a pass comes from noise that ComfyUI derives from the pass's one seed.
        self._pass = Pass(image_index=first, images=images, seed=(self._parameters.seed + first) % _SEED_LIMIT)
        latent = self._initial_latent(images)
        denoise = self._parameters.denoise if self._parameters.init_image else 1.0
        sampled = self._sample("sample", "Sample", latent, self._parameters.steps, denoise)
        sampled = self._hires(sampled)
        picture = self._decode("decode", sampled)
        picture = self._keep_unmasked(picture, images)
        self._add("save", "SaveImage", "Save", images=picture, filename_prefix=self._prefix)

    def _add_shared(self) -> None:
        parameters = self._parameters
        checkpoint = self._add("model", "CheckpointLoaderSimple", "Load model", ckpt_name=parameters.model)
        self._mark("model", "ckpt_name", "image.model")
        self._model, self._clip, self._vae = ([checkpoint[0], slot] for slot in range(3))
        if parameters.vae:
            self._vae = self._add("vae", "VAELoader", "Load VAE", vae_name=parameters.vae)
            self._mark("vae", "vae_name", "image.vae")
        self._positive = self._add("prompt", "CLIPTextEncode", "Prompt", text=parameters.prompt, clip=self._clip)
        self._negative = self._add(
            "negative", "CLIPTextEncode", "Negative prompt", text=parameters.negative_prompt, clip=self._clip
        )
        if parameters.init_image:
            self._add_initial_image()
        if parameters.mask:
            mask = self._uploads[parameters.mask]
            self._mask = self._add("mask", "LoadImageMask", "Mask", image=mask, channel="red")
            self._mark("mask", "image", "image.mask")
        if parameters.hires is not None and not is_latent_upscaler(parameters.hires.upscaler):
            name = parameters.hires.upscaler
            self._upscaler = self._add("upscaler", "UpscaleModelLoader", "Load upscaler", model_name=name)
            self._mark("upscaler", "model_name", "image.hires.upscaler")

    def _add_initial_image(self) -> None:
        loaded = self._add("load", "LoadImage", "Initial image", image=self._uploads[self._parameters.init_image])
        self._mark("load", "image", "image.init_image")
        self._initial = self._scale("fit", loaded, self._parameters.width, self._parameters.height)
        self._initial_samples = self._add(
            "encode", "VAEEncode", "Encode initial image", pixels=self._initial, vae=self._vae
        )

    def _initial_latent(self, images: int) -> list[Any]:
        parameters = self._parameters
        if not parameters.init_image:
            size = {"width": parameters.width, "height": parameters.height}
            latent = self._add("latent", "EmptyLatentImage", "Empty latent", **size, batch_size=images)
            self._mark("latent", "width", "image.width")
            self._mark("latent", "height", "image.height")
            self._mark("latent", "batch_size", "image.batch_size")
            return latent
        latent = self._initial_samples
        if images > 1:
            latent = self._add("repeat", "RepeatLatentBatch", "Batch", samples=latent, amount=images)
        if parameters.mask:
            latent = self._add("masked", "SetLatentNoiseMask", "Apply mask", samples=latent, mask=self._mask)
        return latent

    def _sample(self, name: str, title: str, latent: list[Any], steps: int, denoise: float) -> list[Any]:
        assert self._pass is not None
        parameters = self._parameters
        inputs = {
            "seed": self._pass.seed,
            "steps": steps,
            "cfg": parameters.cfg_scale,
            "sampler_name": parameters.sampler,
            "scheduler": parameters.scheduler,
            "denoise": denoise,
        }
        links = {"model": self._model, "positive": self._positive, "negative": self._negative}
        sampled = self._add(name, "KSampler", title, **inputs, **links, latent_image=latent)
        for input_name, field_name in _SAMPLER_FIELDS.items():
            self._mark(name, input_name, f"image.{field_name}")
        return sampled

    def _hires(self, sampled: list[Any]) -> list[Any]:
        hires = self._parameters.hires
        if hires is None:
            return sampled
        width, height = (
            round(side * hires.scale) // 8 * 8 for side in (self._parameters.width, self._parameters.height)
        )
        if is_latent_upscaler(hires.upscaler):
            larger = self._add(
                "upscale",
                "LatentUpscale",
                "Scale up",
                samples=sampled,
                upscale_method="bislerp",
                crop="disabled",
                width=width,
                height=height,
            )
        else:
            picture = self._decode("first", sampled)
            picture = self._add(
                "upscale", "ImageUpscaleWithModel", "Scale up", upscale_model=self._upscaler, image=picture
            )
            picture = self._scale("resize", picture, width, height)
            larger = self._add("reencode", "VAEEncode", "Encode again", pixels=picture, vae=self._vae)
        steps = hires.steps or self._parameters.steps
        refined = self._sample("refine", "Sample again", larger, steps, hires.denoise)
        self._mark("refine", "steps", "image.hires.steps")
        self._mark("refine", "denoise", "image.hires.denoise")
        return refined

    def _keep_unmasked(self, picture: list[Any], images: int) -> list[Any]:
        # A trip through the VAE changes every pixel a little: what was not to be repainted is put back.
        if not self._parameters.mask:
            return picture
        original = self._initial
        if images > 1:  # the batch of the destination decides how many come out
            original = self._add("originals", "RepeatImageBatch", "Batch", image=original, amount=images)
        return self._add(
            "compose",
            "ImageCompositeMasked",
            "Keep the rest",
            destination=original,
            source=picture,
            mask=self._mask,
            x=0,
            y=0,
            resize_source=False,
        )

    def _scale(self, name: str, picture: list[Any], width: int, height: int) -> list[Any]:
        return self._add(
            name,
            "ImageScale",
            "Resize",
            image=picture,
            upscale_method="lanczos",
            crop="disabled",
            width=width,
            height=height,
        )

    def _decode(self, name: str, samples: list[Any]) -> list[Any]:
        return self._add(name, "VAEDecode", "Decode", samples=samples, vae=self._vae)

    def _add(self, name: str, class_type: str, title: str, **inputs: Any) -> list[Any]:
        node_id = self._node_id(name)
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}
        if self._pass is not None:
            self.passes[node_id] = self._pass
        return [node_id, 0]

    def _mark(self, name: str, input_name: str, field_name: str) -> None:
        self.fields[self._node_id(name), input_name] = field_name

    def _node_id(self, name: str) -> str:
        return name if self._pass is None else f"{name}-{self._pass.image_index}"


_SAMPLER_FIELDS = {
    "seed": "seed",
    "steps": "steps",
    "cfg": "cfg_scale",
    "sampler_name": "sampler",
    "scheduler": "scheduler",
    "denoise": "denoise",
}


def is_latent_upscaler(upscaler: str) -> bool:
    return upscaler in {"", LATENT_UPSCALER}
