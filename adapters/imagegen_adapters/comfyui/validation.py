"""What is wrong with a request for images, before the backend sees it. Pure."""

from collections.abc import Iterator

from imagegen_adapters.comfyui.workflow import is_latent_upscaler
from imagegen_adapters.contract import Capabilities, Catalog, ImageParameters, NamedModel
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.naming import unknown_name


def check_parameters(
    parameters: ImageParameters, capabilities: Capabilities, catalog: Catalog | None
) -> tuple[Violation, ...]:
    """Checks names against the catalogue; without one, only what the request alone tells."""
    return tuple(_parameter_faults(parameters, capabilities, catalog))


def _parameter_faults(
    parameters: ImageParameters, capabilities: Capabilities, catalog: Catalog | None
) -> Iterator[Violation]:
    if parameters.mask and not parameters.init_image:
        yield Violation("image.mask", "needs init_image: give the picture that is to be repainted")
    if parameters.hires is not None and parameters.init_image:
        yield Violation("image.hires", "applies to text-to-image only: leave out init_image or hires")
    if parameters.batch_size > capabilities.max_batch_size:
        yield Violation("image.batch_size", f"at most {capabilities.max_batch_size} images in one pass")
    if catalog is None:
        return
    upscaler = parameters.hires.upscaler if parameters.hires is not None else ""
    names: tuple[tuple[str, str, str, tuple[NamedModel, ...]], ...] = (
        ("image.model", "checkpoint", parameters.model, catalog.checkpoints),
        ("image.vae", "VAE", parameters.vae, catalog.vaes),
        ("image.sampler", "sampler", parameters.sampler, catalog.samplers),
        ("image.scheduler", "scheduler", parameters.scheduler, catalog.schedulers),
        ("image.hires.upscaler", "upscaler", "" if is_latent_upscaler(upscaler) else upscaler, catalog.upscalers),
    )
    for path, what, name, allowed in names:
        if name and all(name != model.name for model in allowed):
            yield Violation(path, unknown_name(what, name, [model.name for model in allowed]))
    if not parameters.model and not catalog.checkpoints:
        yield Violation("image.model", "the backend has no checkpoint")
