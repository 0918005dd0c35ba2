"""What requests get that leave it open: first the picture's own size, then the settings, then what suits the model."""

from collections.abc import Sequence

from imagegen.v1 import job_pb2
from imagegen_adapters.families import family_of
from imagegen_server.backend import Backend
from imagegen_server.jobs import Asset
from imagegen_server.running.eligibility import default_model
from imagegen_server.settings.model import GenerationDefaults
from imagegen_server.wire.specs import Defaults
from imagegen_server.workflows.allowances import LISTS, names_in


def defaults_for(
    image: job_pb2.ImageParameters,
    settings: GenerationDefaults,
    candidates: Sequence[Backend],
    *,
    initial: Asset | None,
    seed: int,
) -> Defaults:
    """The defaults for this request. `candidates` are the backends that it may go to."""
    model = _had("model", settings.model, candidates)
    family = family_of(image.model or model or _likely_model(candidates))
    return Defaults(
        seed=seed,
        model=model,
        negative_prompt=settings.negative_prompt,
        width=initial.width if initial is not None else settings.width or family.width,
        height=initial.height if initial is not None else settings.height or family.height,
        steps=settings.steps or family.steps,
        cfg_scale=family.cfg_scale if settings.cfg_scale is None else settings.cfg_scale,
        sampler=_had("sampler", settings.sampler, candidates),
        scheduler=_had("scheduler", settings.scheduler, candidates),
    )


def _had(field: str, name: str, candidates: Sequence[Backend]) -> str:
    """The name, unless no candidate has it: nobody asked for it, so it must not be what a request fails at."""
    catalogs = [backend.health.catalog for backend in candidates]
    is_there = any(catalog is None or name in names_in(LISTS[field], [catalog]) for catalog in catalogs)
    return name if is_there else ""


def _likely_model(candidates: Sequence[Backend]) -> str:
    """What every one of them takes where no model is asked for; empty: one takes this, one that."""
    models = {default_model(backend) for backend in candidates}
    return models.pop() if len(models) == 1 else ""
