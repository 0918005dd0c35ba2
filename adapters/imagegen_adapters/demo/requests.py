"""From a request to orders: what the demo backend has, what it refuses, and what it writes into its files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from imagegen_adapters.contract import Capabilities, Catalog, ImageParameters, NamedModel
from imagegen_adapters.demo.fields import Frame
from imagegen_adapters.demo.looks import LOOKS
from imagegen_adapters.demo.media import STYLES
from imagegen_adapters.demo.refining import SAMPLERS, SCHEDULERS
from imagegen_adapters.errors import Violation

VERSION = "imagegen demo painter, no model"
MIN_SIDE = 64
MAX_PIXELS = 4 * 1024 * 1024
"""Of a finished picture: what can be painted in bounded memory and time."""

CAPABILITIES = Capabilities(
    graphs=True,
    image_to_image=True,
    inpainting=True,
    hires=True,
    loras=True,
    model_loading=True,
    previews=True,
)

CATALOG = Catalog(
    checkpoints=tuple(
        NamedModel(name=s.name, description=f"{s.description}; procedural painter, no neural network") for s in STYLES
    ),
    loras=tuple(NamedModel(name=look.name, description=look.description) for look in LOOKS),
    upscalers=(
        NamedModel(name="demo-smooth", description="linear between pixels"),
        NamedModel(name="demo-nearest", description="hard pixels"),
    ),
    samplers=tuple(NamedModel(name=name, description=text) for name, (text, _) in SAMPLERS.items()),
    schedulers=tuple(NamedModel(name=name, description=text) for name, (text, _) in SCHEDULERS.items()),
)


def violations(source: ImageParameters) -> Sequence[Violation]:
    """Why the request cannot be painted; empty if it can."""
    return (*_unknown_names(source), *_impossible(source))


def _unknown_names(source: ImageParameters) -> Iterator[Violation]:
    upscaler = source.hires.upscaler if source.hires else ""
    named = [
        ("image.model", "model", source.model, CATALOG.checkpoints),
        ("image.vae", "vae", source.vae, CATALOG.vaes),
        ("image.sampler", "sampler", source.sampler, CATALOG.samplers),
        ("image.scheduler", "scheduler", source.scheduler, CATALOG.schedulers),
        ("image.hires.upscaler", "upscaler", upscaler, CATALOG.upscalers),
        *((f"image.loras[{index}].name", "LoRA", lora.name, CATALOG.loras) for index, lora in enumerate(source.loras)),
    ]
    for field, kind, name, models in named:
        allowed = [model.name for model in models]
        if name and name not in allowed:
            yield Violation(field, f"no such {kind} {name!r}; allowed: {', '.join(allowed) or 'none, leave it empty'}")


def _impossible(source: ImageParameters) -> Iterator[Violation]:
    for field, pixels in (("image.width", source.width), ("image.height", source.height)):
        if pixels < MIN_SIDE or pixels % 8:
            yield Violation(field, f"{pixels} is no multiple of 8 from {MIN_SIDE}")
    if source.steps < 1 or source.count < 1:
        yield Violation("image.steps" if source.steps < 1 else "image.count", "must be at least 1")
    if source.width * source.height > MAX_PIXELS:
        yield Violation("image.width", f"{source.width} x {source.height} is too large; at most {MAX_PIXELS} pixels")
    elif source.hires and area(hires_frame(source)) > MAX_PIXELS:
        yield Violation("image.hires.scale", f"the scaled picture is too large; at most {MAX_PIXELS} pixels")
    if source.batch_size > CAPABILITIES.max_batch_size:
        yield Violation("image.batch_size", f"{source.batch_size} is above this backend's limit; allowed: 1")
    if source.mask and not source.init_image:
        yield Violation("image.mask", "a mask needs init_image, the picture that is to be repainted")
    if source.hires and source.init_image:
        yield Violation("image.hires", "applies to text-to-image only; leave out init_image or hires")
    if source.text_encoders:
        yield Violation("image.text_encoders", "this backend has none; leave it out")
    if source.distilled_cfg_scale is not None:
        yield Violation("image.distilled_cfg_scale", "this backend has no such thing; leave it out")
    for index, lora in enumerate(source.loras):
        if lora.text_encoder_weight not in (None, lora.weight):
            yield Violation(f"image.loras[{index}].text_encoder_weight", "there is one weight only; leave it out")


def completed(source: ImageParameters, resident: str) -> ImageParameters:
    """With every name filled in that the request leaves open."""
    hires = source.hires and replace(source.hires, upscaler=chosen(source.hires.upscaler, CATALOG.upscalers))
    return replace(
        source,
        model=source.model or resident or chosen("", CATALOG.checkpoints),
        sampler=chosen(source.sampler, CATALOG.samplers),
        scheduler=chosen(source.scheduler, CATALOG.schedulers),
        hires=hires,
    )


def area(frame: Frame) -> int:
    return frame.width * frame.height


def hires_frame(source: ImageParameters) -> Frame:
    """The size of the second pass; as large as the first where there is none."""
    scale = source.hires.scale if source.hires else 1.0
    return Frame(_scaled(source.width, scale), _scaled(source.height, scale))


def _scaled(pixels: int, scale: float) -> int:
    return max(8, round(pixels * scale) // 8 * 8)


def chosen(name: str, models: Iterable[NamedModel]) -> str:
    """`name`, or the first of the list where the request leaves it open."""
    return name or next(iter(models)).name


def infotext(source: ImageParameters, *, model: str, seed: int) -> str:
    """What is written into the file, in the form that A1111's tools read."""
    size = hires_frame(source)
    settings = {
        "Steps": source.steps,
        "Sampler": chosen(source.sampler, CATALOG.samplers),
        "Schedule type": chosen(source.scheduler, CATALOG.schedulers),
        "CFG scale": f"{source.cfg_scale:g}",
        "Seed": seed,
        "Size": f"{source.width}x{source.height}",
        "Model": model,
    }
    if source.init_image:
        settings["Denoising strength"] = f"{source.denoise:g}"
    if source.mask:
        settings["Mask blur"] = source.mask_blur
    if source.hires:
        settings["Denoising strength"] = f"{source.hires.denoise:g}"
        settings["Hires resize"] = f"{size.width}x{size.height}"
        settings["Hires upscaler"] = chosen(source.hires.upscaler, CATALOG.upscalers)
        settings["Hires steps"] = source.hires.steps or source.steps
    settings["Version"] = "imagegen demo"
    lines = [" ".join([source.prompt, *(f"<lora:{lora.name}:{lora.weight:g}>" for lora in source.loras)])]
    if source.negative_prompt:
        lines.append(f"Negative prompt: {source.negative_prompt}")
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in settings.items())])
