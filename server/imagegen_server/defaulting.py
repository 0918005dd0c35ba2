"""What requests get that leave it open: first the picture's own size, then the settings, then what suits the model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import Catalog, NamedModel
from imagegen_adapters.families import family_of
from imagegen_server.fleet import Backend
from imagegen_server.jobs import Asset
from imagegen_server.running.eligibility import default_model
from imagegen_server.settings.model import GenerationDefaults
from imagegen_server.wire.specs import Defaults

Lists = Callable[[Catalog], Sequence[Sequence[NamedModel]]]

NAMED: Final[Mapping[str, Lists]] = {
    "model": lambda catalog: (catalog.checkpoints, catalog.diffusion_models),
    "sampler": lambda catalog: (catalog.samplers,),
    "scheduler": lambda catalog: (catalog.schedulers,),
}
"""From which lists of a catalogue the names in these fields of ImageParameters are."""


def defaults_for(
    image: job_pb2.ImageParameters,
    settings: GenerationDefaults,
    candidates: Sequence[Backend],
    *,
    initial: Asset | None,
    seed: int,
) -> Defaults:
    """The defaults for this request. `candidates` are the backends that it may go to."""
    model = _had(settings.model, candidates, NAMED["model"])
    family = family_of(image.model or model or _likely_model(candidates))
    return Defaults(
        seed=seed,
        model=model,
        negative_prompt=settings.negative_prompt,
        width=initial.width if initial is not None else settings.width or family.width,
        height=initial.height if initial is not None else settings.height or family.height,
        steps=settings.steps or family.steps,
        cfg_scale=family.cfg_scale if settings.cfg_scale is None else settings.cfg_scale,
        sampler=_had(settings.sampler, candidates, NAMED["sampler"]),
        scheduler=_had(settings.scheduler, candidates, NAMED["scheduler"]),
    )


def _had(name: str, candidates: Sequence[Backend], lists: Lists) -> str:
    """The name, unless no candidate has it: nobody asked for it, so it must not be what a request fails at."""
    catalogs = [backend.health.catalog for backend in candidates]
    is_there = any(catalog is None or name in names_in(catalog, lists) for catalog in catalogs)
    return name if is_there else ""


def names_in(catalog: Catalog, lists: Lists) -> dict[str, None]:
    """The names of these lists of a catalogue, in their order."""
    return {model.name: None for models in lists(catalog) for model in models}


def _likely_model(candidates: Sequence[Backend]) -> str:
    """What every one of them takes where no model is asked for; empty: one takes this, one that."""
    models = {default_model(backend) for backend in candidates}
    return models.pop() if len(models) == 1 else ""
