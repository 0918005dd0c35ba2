"""Fills in the names that a request leaves to the backend. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from imagegen_adapters.contract import Catalog, ImageParameters, NamedModel
from imagegen_adapters.families import family_of

_USUAL_SAMPLER = "euler"
_USUAL_SCHEDULER = "normal"


def complete(parameters: ImageParameters, catalog: Catalog, *, resident: str = "") -> ImageParameters:
    """The request with the model, sampler and scheduler that it will be run with, and for a diffusion model the text
    encoders and the VAE: an empty name among these is one that the backend has nothing for.
    """
    model = parameters.model or _usual_model(catalog, resident)
    family = family_of(model)
    completed = replace(
        parameters,
        model=model,
        sampler=parameters.sampler or _chosen((family.sampler, _USUAL_SAMPLER), catalog.samplers),
        scheduler=parameters.scheduler or _chosen((family.scheduler, _USUAL_SCHEDULER), catalog.schedulers),
    )
    if family.parts is None or not is_diffusion_model(model, catalog):
        return completed
    encoders = names_of(catalog.text_encoders)
    return replace(
        completed,
        text_encoders=parameters.text_encoders or tuple(part.find(encoders) for part in family.parts.text_encoders),
        vae=parameters.vae or family.parts.vae.find(names_of(catalog.vaes)),
    )


def _usual_model(catalog: Catalog, resident: str) -> str:
    """The loaded checkpoint or the first one; without any, the first diffusion model that there is a recipe for."""
    checkpoints, diffusion_models = names_of(catalog.checkpoints), names_of(catalog.diffusion_models)
    if resident in checkpoints:
        return resident
    known = (name for name in diffusion_models if family_of(name).parts is not None)
    return next(chain(checkpoints, known, diffusion_models), "")


def is_diffusion_model(model: str, catalog: Catalog) -> bool:
    """Whether the name is that of a model that comes without text encoders and VAE."""
    return model not in names_of(catalog.checkpoints) and model in names_of(catalog.diffusion_models)


def names_of(models: Sequence[NamedModel]) -> tuple[str, ...]:
    return tuple(model.name for model in models)


def _chosen(wanted: Sequence[str], models: Sequence[NamedModel]) -> str:
    """The first of these that there is, else the backend's first."""
    names = names_of(models)
    return next((name for name in (*wanted, *names) if name in names), wanted[-1])
