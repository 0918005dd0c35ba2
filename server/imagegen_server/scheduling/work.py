"""What a job is to a backend, as far as its duration goes. Pure."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from imagegen_adapters.contract import ImageParameters, RawGraph

GUESSED_UNITS: Final = 10.0
"""Of work of unknown size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What makes two runs comparable."""

    model: str = ""
    """Empty: unknown."""
    pixels: int = 0
    """Of one image; 0: unknown."""
    steps: int = 0
    """Of one image. Those of a second pass count by its pixels. 0: unknown."""
    images: int = 1
    recipe: str = ""
    """For graphs a digest of what they do apart from texts and seeds; empty for image parameters."""

    @property
    def units(self) -> float:
        """Megapixel-steps."""
        if not self.pixels:
            return GUESSED_UNITS * max(self.images, 1)
        return max(self.pixels * max(self.steps, 1) * max(self.images, 1) / 1e6, 1e-3)


def work_of(source: ImageParameters | RawGraph, images: int) -> Work:
    """The work of a run that makes so many images of the source. Of a graph, which is parsed, best asked once."""
    if isinstance(source, RawGraph):
        return _work_of_graph(source, images)
    pixels, steps = source.width * source.height, float(source.steps)
    if source.init_image:
        # The share of the picture that stays is not sampled.
        steps = max(1.0, steps * source.denoise)
    if source.hires is not None:
        second = source.steps if source.hires.steps is None else source.hires.steps
        steps += second * source.hires.denoise * source.hires.scale**2
    return Work(model=source.model, pixels=pixels, steps=round(steps), images=images)


def _work_of_graph(source: RawGraph, images: int) -> Work:
    """Texts and seeds do not change how long a graph takes; every other input may."""
    try:
        graph = json.loads(source.json)
    except (ValueError, RecursionError):
        return Work(images=images)  # its backend will say what is wrong with it
    model, parts = "", []
    for node_id, node in sorted(graph.items()) if isinstance(graph, dict) else ():
        inputs = node.get("inputs") if isinstance(node, dict) else None
        if not isinstance(inputs, dict):
            continue
        named = (inputs[name] for name in ("ckpt_name", "unet_name") if isinstance(inputs.get(name), str))
        model = model or next(named, "")
        kept = {name: value for name, value in inputs.items() if not _is_varied(name, value)}
        parts.append([node_id, node.get("class_type"), kept])
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return Work(model=model, images=images, recipe=digest[:16])


def _is_varied(name: str, value: object) -> bool:
    if "seed" in name:
        return not isinstance(value, list)
    return isinstance(value, str) and (name in {"text", "filename_prefix", "prompt"} or " " in value.strip())
