"""From a sampling node's inputs to the painter's orders. Pure."""

from dataclasses import dataclass
from typing import Final

from imagegen_adapters.demo.fields import resized
from imagegen_adapters.demo.graphs.batch import Batch, Theme, check_paintable
from imagegen_adapters.demo.graphs.nodes import Inputs
from imagegen_adapters.demo.painter import Order

SAMPLERS: Final = frozenset({"KSampler", "KSamplerAdvanced"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What a node paints: one order for each picture of its latent."""

    theme: Theme
    orders: tuple[Order, ...]
    """None: the latent stays as it is."""


def sampling_of(inputs: Inputs) -> Sampling:
    """Raises Impossible for a latent that cannot be painted."""
    latent: Batch = inputs["latent_image"]
    check_paintable(latent)
    seed, steps, denoise = _extent(inputs)
    theme = Theme(prompt=inputs["positive"], negative_prompt=inputs["negative"], model=inputs["model"], seed=seed)
    mask = None
    if latent.mask is not None:
        mask = resized(latent.mask, latent.frame.width, latent.frame.height)
    orders = tuple(
        Order(
            prompt=theme.prompt,
            negative_prompt=theme.negative_prompt,
            style=theme.model.style,
            looks=theme.model.looks,
            frame=latent.frame,
            steps=steps,
            cfg_scale=inputs["cfg"],
            # ComfyUI has one seed for a pass; here each picture has its own, so that it can be made again alone.
            seed=seed + index,
            sampler=inputs["sampler_name"],
            scheduler=inputs["scheduler"],
            start=latent.pictures[index] if latent.pictures else None,
            mask=mask,
            denoise=denoise,
            is_repeat=latent.theme == theme and mask is None,
        )
        for index in range(latent.count if steps else 0)
    )
    return Sampling(theme=theme, orders=orders)


def _extent(inputs: Inputs) -> tuple[int, int, float]:
    """Seed, steps to be done, and the share of the picture that they replace."""
    if "seed" in inputs:
        return inputs["seed"], inputs["steps"], inputs["denoise"]
    first, last = inputs["start_at_step"], min(inputs["end_at_step"], inputs["steps"])
    return inputs["noise_seed"], max(0, last - first), 1 - min(first, inputs["steps"]) / inputs["steps"]
