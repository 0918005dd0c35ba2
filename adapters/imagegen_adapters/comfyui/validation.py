"""What is wrong with a request for images, before the backend sees it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from imagegen_adapters.comfyui.built_in.pictures import draw, is_latent_upscaler
from imagegen_adapters.comfyui.completing import is_diffusion_model, names_of
from imagegen_adapters.contract import Capabilities, Catalog, ImageParameters, NamedModel
from imagegen_adapters.errors import Violation
from imagegen_adapters.families import Family, Part, family_of, known_families
from imagegen_adapters.graphs.naming import LISTED_NAMES, unknown_name
from imagegen_adapters.graphs.node_classes import NodeClasses


def check_parameters(
    parameters: ImageParameters, capabilities: Capabilities, catalog: Catalog | None, classes: NodeClasses | None
) -> tuple[Violation, ...]:
    """Checks a request whose names are complete; without a catalogue, only what the request alone tells."""
    faults = list(_own_faults(parameters, capabilities))
    if catalog is not None:
        faults += [*_name_faults(parameters, catalog), *_part_faults(parameters, catalog)]
    if not faults and classes is not None:
        faults += _class_faults(parameters, classes)
    return tuple(faults)


def _own_faults(parameters: ImageParameters, capabilities: Capabilities) -> Iterator[Violation]:
    if parameters.mask and not parameters.init_image:
        yield Violation("image.mask", "needs init_image: give the picture that is to be repainted")
    if parameters.hires is not None and parameters.init_image:
        yield Violation("image.hires", "applies to text-to-image only: leave out init_image or hires")
    if parameters.batch_size > capabilities.max_batch_size:
        yield Violation("image.batch_size", f"at most {capabilities.max_batch_size} images in one pass")


def _name_faults(parameters: ImageParameters, catalog: Catalog) -> Iterator[Violation]:
    """Names that the backend does not have."""
    upscaler = parameters.hires.upscaler if parameters.hires is not None else ""
    models = (*catalog.checkpoints, *catalog.diffusion_models)
    named: list[tuple[str, str, str, Sequence[NamedModel]]] = [
        ("image.model", "model", parameters.model, models),
        ("image.vae", "VAE", parameters.vae, catalog.vaes),
        ("image.sampler", "sampler", parameters.sampler, catalog.samplers),
        ("image.scheduler", "scheduler", parameters.scheduler, catalog.schedulers),
        ("image.hires.upscaler", "upscaler", "" if is_latent_upscaler(upscaler) else upscaler, catalog.upscalers),
    ]
    for index, lora in enumerate(parameters.loras):
        named.append((f"image.loras[{index}].name", "LoRA", lora.name, catalog.loras))
    for index, encoder in enumerate(parameters.text_encoders):
        named.append((f"image.text_encoders[{index}]", "text encoder", encoder, catalog.text_encoders))
    for path, what, name, allowed in named:
        if name and all(name != model.name for model in allowed):
            yield Violation(path, unknown_name(what, name, names_of(allowed)))
    if not parameters.model and not models:
        yield Violation("image.model", "the backend has no checkpoint")


def _part_faults(parameters: ImageParameters, catalog: Catalog) -> Iterator[Violation]:
    """What the model needs beside it, or has no use for."""
    family = family_of(parameters.model)
    if parameters.distilled_cfg_scale is not None and family.distilled_cfg_scale is None:
        yield Violation("image.distilled_cfg_scale", "is for models that were distilled with guidance, as Flux dev")
    if not is_diffusion_model(parameters.model, catalog):
        if parameters.text_encoders:
            yield Violation("image.text_encoders", "is for diffusion models that come without; leave it out")
    elif family.parts is None:
        known = ", ".join(known_families())
        description = f"there is no recipe for this diffusion model: use a workflow, or a model of {known}"
        yield Violation("image.model", description)
    else:
        yield from _encoder_faults(parameters, family, family.parts.text_encoders, catalog)
        if not parameters.vae:
            yield Violation("image.vae", _missing(family, family.parts.vae, catalog.vaes))


def _encoder_faults(
    parameters: ImageParameters, family: Family, parts: Sequence[Part], catalog: Catalog
) -> Iterator[Violation]:
    if len(parameters.text_encoders) != len(parts):
        needed = ", ".join(part.what for part in parts)
        yield Violation("image.text_encoders", f"{family.name} takes {len(parts)}, in this order: {needed}")
        return
    for index, (name, part) in enumerate(zip(parameters.text_encoders, parts, strict=True)):
        if not name:
            yield Violation(f"image.text_encoders[{index}]", _missing(family, part, catalog.text_encoders))


def _missing(family: Family, part: Part, models: Sequence[NamedModel]) -> str:
    names = names_of(models)
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    listed = ", ".join(names[:LISTED_NAMES]) or "none"
    return f"{family.name} needs a {part.what}, and no name looks like one; the backend has: {listed}{more}"


def _class_faults(parameters: ImageParameters, classes: NodeClasses) -> Iterator[Violation]:
    """What the request's graph needs and the server is too old for."""
    uploads = {digest: digest for digest in (parameters.init_image, parameters.mask)}
    drawing = draw(replace(parameters, count=1, batch_size=1), prefix="", uploads=uploads)
    for node in drawing.nodes.values():
        class_type, kind = node["class_type"], node["inputs"].get("type")
        if classes.find(class_type) is None:
            yield Violation(_field_of(class_type), f"the backend has no node class {class_type!r}: update ComfyUI")
        elif kind is not None and kind not in classes.options(class_type, "type"):
            yield Violation("image.model", f"the backend's {class_type} knows no {kind!r}: update ComfyUI")


def _field_of(class_type: str) -> str:
    """Which field of a request asks for a node."""
    match class_type:
        case "LoraLoader":
            return "image.loras"
        case "LoadImageMask" | "SetLatentNoiseMask" | "InpaintModelConditioning" | "ImageCompositeMasked":
            return "image.mask"
        case "LoadImage":
            return "image.init_image"
        case "LatentUpscale" | "UpscaleModelLoader" | "ImageUpscaleWithModel":
            return "image.hires"
        case _ if class_type.endswith("CLIPLoaderGGUF"):
            return "image.text_encoders"
    return "image.model"
