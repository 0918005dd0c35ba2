"""What a caller wishes for, in words that all models share, and the job that it makes of a model. Pure.

A model is the server's choice, a checkpoint or diffusion model, or a stored workflow. The inputs of a workflow get what
the wish says under the names that mean the same everywhere; what it has no input for is refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_client.specs import invocation
from imagegen_gateway.decoding import bad_field

TEXT_TO_IMAGE: Final = "text-to-image"
IMAGE_TO_IMAGE: Final = "image-to-image"
INPAINT: Final = "inpaint"
OF_PICTURES: Final = frozenset({"init_image", "mask", "denoise"})
"""Inputs that image-to-image and inpainting have, and text-to-image has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller asks for; None: it said nothing."""

    prompt: str
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    seed: int | None = None
    count: int | None = None
    init_images: tuple[str, ...] = ()
    """Digests of pictures to start from."""
    mask: str | None = None
    """Digest; white is repainted."""
    denoise: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model to choose."""

    id: str
    """What requests call it."""
    name: str = ""
    """What people read; empty: the id."""
    description: str = ""
    model: str = ""
    """The checkpoint or diffusion model; empty: the server chooses, or the workflow has its own."""
    workflow_id: str = ""
    """The workflow; empty: it is none."""
    base: str = ""
    """The built-in workflow that it is a variant of; empty: none."""
    inputs: frozenset[str] = frozenset()
    """Names of the workflow's inputs."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Of a variant: its own defaults, as JSON has them."""

    @property
    def title(self) -> str:
        """What people read."""
        return self.name or self.id

    @property
    def has_own_graph(self) -> bool:
        """Whether nothing is known of it but its inputs."""
        return bool(self.workflow_id) and not self.base

    def takes(self, name: str) -> bool:
        """Whether there is an input of this name, here or when it changes pictures."""
        return not self.workflow_id or name in self.inputs or (self.base == TEXT_TO_IMAGE and name in OF_PICTURES)

    def for_pictures(self, *, has_mask: bool) -> "Offer":
        """Of a variant of text-to-image: the same style for changing a picture, which keeps its own size."""
        kept = {name for name in self.inputs if not name.startswith("hires_")}
        sizeless = kept - {"width", "height"}
        return Offer(
            id=self.id,
            name=self.name,
            workflow_id=INPAINT if has_mask else IMAGE_TO_IMAGE,
            base=self.base,
            inputs=frozenset(kept | OF_PICTURES),
            defaults={name: value for name, value in self.defaults.items() if name in sizeless},
        )


def spec_for(offer: Offer, wish: Wish) -> job_pb2.JobSpec:
    """The job that a wish makes of a model.

    Raises Problem 400, with the name of the wish's field, for what the model cannot take.
    """
    if not offer.workflow_id:
        return job_pb2.JobSpec(image=_parameters(offer, wish))
    if wish.init_images and offer.base == TEXT_TO_IMAGE:
        offer = offer.for_pictures(has_mask=wish.mask is not None)
        return job_pb2.JobSpec(workflow=invocation(offer.workflow_id, {**offer.defaults, **_inputs(offer, wish)}))
    return job_pb2.JobSpec(workflow=invocation(offer.workflow_id, _inputs(offer, wish)))


def _parameters(offer: Offer, wish: Wish) -> job_pb2.ImageParameters:
    if len(wish.init_images) > 1:
        raise bad_field("image", f"the model {offer.id} starts from one picture; {len(wish.init_images)} were given")
    return job_pb2.ImageParameters(
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt or "",
        model=offer.model,
        width=wish.width or 0,
        height=wish.height or 0,
        steps=wish.steps,
        cfg_scale=wish.cfg_scale,
        sampler=wish.sampler or "",
        scheduler=wish.scheduler or "",
        seed=wish.seed,
        count=wish.count or 1,
        init_image=wish.init_images[0] if wish.init_images else "",
        mask=wish.mask or "",
        denoise=wish.denoise if wish.init_images else None,
    )


def _inputs(offer: Offer, wish: Wish) -> dict[str, Any]:
    """What the wish says, by the names of inputs. Raises Problem 400."""
    said = {
        "prompt": wish.prompt if wish.prompt.strip() or "prompt" in offer.inputs else None,
        "negative_prompt": wish.negative_prompt,
        "width": wish.width,
        "height": wish.height,
        "steps": wish.steps,
        "cfg_scale": wish.cfg_scale,
        "sampler": wish.sampler,
        "scheduler": wish.scheduler,
        "seed": wish.seed,
        "count": wish.count if wish.count != 1 or "count" in offer.inputs else None,
        "mask": wish.mask,
        "denoise": wish.denoise,
    }
    for name, value in said.items():
        if value is not None and name not in offer.inputs:
            raise bad_field("n" if name == "count" else name, f"the model {offer.id} takes none")
    return {name: value for name, value in said.items() if value is not None} | _pictures(offer, wish)


def _pictures(offer: Offer, wish: Wish) -> dict[str, Any]:
    places = ["init_image", *(f"init_image_{number}" for number in range(2, len(wish.init_images) + 1))]
    taken = [name for name in places if name in offer.inputs]
    if len(wish.init_images) > len(taken):
        raise bad_field(
            "image", f"the model {offer.id} takes {len(taken) or 'none'}; {len(wish.init_images)} were given"
        )
    return dict(zip(taken, wish.init_images, strict=False))
