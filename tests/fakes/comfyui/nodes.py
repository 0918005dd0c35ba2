"""What the fake's nodes do: stock ones by their names, Lab ones as those that were used for the recordings."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.fakes.comfyui.painting import Pixels, from_bytes, noise, paint, resize


class NodeError(Exception):
    """A node raised. `kind` is the exception's class there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Blocker:
    """An ExecutionBlocker: travels along links; a node that meets it does not run."""

    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """A latent is kept as the picture that it stands for."""

    pixels: Pixels
    is_empty: bool = False
    mask: NDArray[np.float32] | None = None


class NodeRun(Protocol):
    """What a running node can ask of the server."""

    step_s: float

    @property
    def is_ended_early(self) -> bool: ...

    async def step(self, value: int, maximum: int, preview: Pixels | None = None) -> None: ...
    async def send_png(self, value: int, maximum: int, picture: Pixels) -> None: ...
    def save(self, prefix: str, pictures: Pixels, *, is_temp: bool) -> list[dict[str, str]]: ...
    def read_input(self, name: str) -> bytes: ...
    def take_fault(self) -> NodeError | None: ...


Outputs: TypeAlias = tuple[tuple[Any, ...], dict[str, Any] | None]
"""Values by slot, and what is shown (`ui`)."""
Inputs: TypeAlias = Mapping[str, Any]

_FAULTS = {
    "oom": NodeError(
        "torch.OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 20.00 GiB\nThis error means you ran out of memory on your GPU.\n\n"
        "TIPS: If the workflow worked before you might have accidentally set the batch_size to a large number.",
    ),
    "gpu": NodeError(
        "torch.AcceleratorError",
        "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported\n",
    ),
    "node": NodeError("ValueError", "cannot read /srv/comfyui/models/odd.bin: something went wrong in the node\n"),
}


def fault_named(name: str) -> NodeError:
    return _FAULTS[name]


async def _sample(run: NodeRun, inputs: Inputs, *, seed: int, denoise: float) -> Outputs:
    latent: Latent = inputs["latent_image"]
    count, height, width, _ = latent.pixels.shape
    wanted = [inputs[name] for name in ("positive", "negative", "model", "cfg", "sampler_name", "scheduler")]
    key = f"{wanted}/{seed}"
    result = paint(key, count=count, width=width, height=height)
    if not latent.is_empty:
        result = latent.pixels * (1 - denoise) + result * denoise
    if latent.mask is not None:
        mask = resize(np.repeat(latent.mask[..., None], 3, axis=-1), width, height)
        result = latent.pixels * (1 - mask) + result * mask
    static = noise(key, result.shape[1:])
    steps = int(inputs["steps"])
    for step in range(1, steps + 1):
        await asyncio.sleep(run.step_s)
        error = run.take_fault()
        if error is not None:
            raise error
        share = step / steps
        await run.step(step, steps, static * (1 - share) + result[0] * share)
        if run.is_ended_early:
            break
    return (Latent(pixels=result),), None


async def _k_sampler(run: NodeRun, inputs: Inputs) -> Outputs:
    return await _sample(run, inputs, seed=inputs["seed"], denoise=float(inputs["denoise"]))


async def _k_sampler_advanced(run: NodeRun, inputs: Inputs) -> Outputs:
    first, last, steps = (int(inputs[name]) for name in ("start_at_step", "end_at_step", "steps"))
    steps = max(1, min(steps, last) - first)
    return await _sample(run, {**inputs, "steps": steps}, seed=inputs["noise_seed"], denoise=1.0)


async def _load_checkpoint(run: NodeRun, inputs: Inputs) -> Outputs:
    await asyncio.sleep(run.step_s)
    name = inputs["ckpt_name"]
    return (f"model {name}", f"clip {name}", f"vae {name}"), None


async def _load_lora(run: NodeRun, inputs: Inputs) -> Outputs:
    name, strength = inputs["lora_name"], inputs["strength_model"]
    clip = f"{inputs['clip']}+{name}*{inputs['strength_clip']}"
    return (f"{inputs['model']}+{name}*{strength}", clip), None


async def _empty_latent(run: NodeRun, inputs: Inputs) -> Outputs:
    width, height = (int(inputs[name]) // 8 * 8 for name in ("width", "height"))
    pixels = np.full((int(inputs["batch_size"]), height, width, 3), 0.5, dtype=np.float32)
    return (Latent(pixels=pixels, is_empty=True),), None


async def _load_image(run: NodeRun, inputs: Inputs) -> Outputs:
    pixels = _read_image(run, inputs["image"])
    return (pixels, np.zeros(pixels.shape[:3], dtype=np.float32)), None


async def _load_mask(run: NodeRun, inputs: Inputs) -> Outputs:
    channel = {"red": 0, "green": 1, "blue": 2}.get(inputs["channel"], 0)
    return (_read_image(run, inputs["image"])[..., channel],), None


def _read_image(run: NodeRun, name: str) -> Pixels:
    try:
        return from_bytes(run.read_input(name))
    except OSError as error:
        path = f"/srv/comfyui/input/{name}"
        raise NodeError("PIL.UnidentifiedImageError", f"cannot identify image file '{path}'") from error


async def _mask_latent(run: NodeRun, inputs: Inputs) -> Outputs:
    return (Latent(pixels=inputs["samples"].pixels, mask=inputs["mask"]),), None


async def _encode_for_inpaint(run: NodeRun, inputs: Inputs) -> Outputs:
    return (Latent(pixels=inputs["pixels"], mask=inputs["mask"]),), None


async def _condition_for_inpaint(run: NodeRun, inputs: Inputs) -> Outputs:
    latent = Latent(pixels=inputs["pixels"], mask=inputs["mask"] if inputs["noise_mask"] else None)
    return (f"{inputs['positive']} inpainted", f"{inputs['negative']} inpainted", latent), None


async def _repeat_latent(run: NodeRun, inputs: Inputs) -> Outputs:
    latent: Latent = inputs["samples"]
    pixels = np.repeat(latent.pixels, int(inputs["amount"]), axis=0)
    return (Latent(pixels=pixels, is_empty=latent.is_empty, mask=latent.mask),), None


async def _scale_latent(run: NodeRun, inputs: Inputs) -> Outputs:
    return (Latent(pixels=resize(inputs["samples"].pixels, *_target(inputs, inputs["samples"].pixels))),), None


async def _scale_image(run: NodeRun, inputs: Inputs) -> Outputs:
    return (resize(inputs["image"], *_target(inputs, inputs["image"])),), None


def _target(inputs: Inputs, pixels: Pixels) -> tuple[int, int]:
    if "scale_by" in inputs:
        return round(pixels.shape[2] * inputs["scale_by"]), round(pixels.shape[1] * inputs["scale_by"])
    return int(inputs["width"]), int(inputs["height"])


async def _load_upscaler(run: NodeRun, inputs: Inputs) -> Outputs:
    if not inputs["model_name"].startswith("fake"):  # choices of V3 nodes are found wrong only here
        message = f"Model in folder 'upscale_models' with filename '{inputs['model_name']}' not found."
        raise NodeError("FileNotFoundError", message)
    return (2,), None


async def _upscale(run: NodeRun, inputs: Inputs) -> Outputs:
    pixels, factor = inputs["image"], inputs["upscale_model"]
    await run.step(1, 1)
    return (resize(pixels, pixels.shape[2] * factor, pixels.shape[1] * factor),), None


async def _composite(run: NodeRun, inputs: Inputs) -> Outputs:
    below = inputs["destination"]
    above = np.resize(inputs["source"], below.shape)
    mask = inputs.get("mask")
    cover = np.ones_like(below) if mask is None else np.repeat(mask[..., None], 3, axis=-1)
    return (below * (1 - cover) + above * cover,), None


async def _save(run: NodeRun, inputs: Inputs) -> Outputs:
    return (), {"images": run.save(inputs["filename_prefix"], inputs["images"], is_temp=False)}


async def _preview(run: NodeRun, inputs: Inputs) -> Outputs:
    return (), {"images": run.save("ComfyUI_temp", inputs["images"], is_temp=True)}


async def _send(run: NodeRun, inputs: Inputs) -> Outputs:
    pictures = inputs["images"]
    for index, picture in enumerate(pictures):
        await run.send_png(index, len(pictures), picture)
    return (), None


async def _lab_slow(run: NodeRun, inputs: Inputs) -> Outputs:
    size, steps = int(inputs["size"]), int(inputs["steps"])
    pixels = paint(f"lab/{inputs['seed']}", count=1, width=size, height=size)
    for step in range(1, steps + 1):
        await asyncio.sleep(inputs["seconds"])
        await run.step(step, steps, pixels[0] if inputs["preview"] != "none" else None)
        if run.is_ended_early:
            break
    return (pixels,), None


async def _lab_text(run: NodeRun, inputs: Inputs) -> Outputs:
    return (), {"text": [inputs["text"]]}


async def _lab_fail(run: NodeRun, inputs: Inputs) -> Outputs:
    match inputs["mode"]:
        case "value_error":
            raise NodeError("ValueError", "lab: something went wrong in the node\n")
        case "assert_empty":
            raise NodeError("AssertionError", "\n")
        case "oom":
            raise fault_named("oom")
        case "blocker":
            return (Blocker("lab: blocked on purpose"),), None
        case _:
            return (Blocker(None),), None


def _plain(compute: Callable[[Inputs], Any]) -> Callable[[NodeRun, Inputs], Awaitable[Outputs]]:
    async def node(run: NodeRun, inputs: Inputs) -> Outputs:
        return (compute(inputs),), None

    return node


NODES: Mapping[str, Callable[[NodeRun, Inputs], Awaitable[Outputs]]] = {
    "CheckpointLoaderSimple": _load_checkpoint,
    "UNETLoader": _plain(lambda inputs: f"model {inputs['unet_name']}"),
    "CLIPLoader": _plain(lambda inputs: f"clip {inputs['clip_name']} for {inputs['type']}"),
    "DualCLIPLoader": _plain(lambda inputs: f"clip {inputs['clip_name1']}+{inputs['clip_name2']} for {inputs['type']}"),
    "FluxGuidance": _plain(lambda inputs: f"{inputs['conditioning']} guided by {inputs['guidance']}"),
    "ModelSamplingSD3": _plain(lambda inputs: f"{inputs['model']} shifted by {inputs['shift']}"),
    "ModelSamplingAuraFlow": _plain(lambda inputs: f"{inputs['model']} shifted by {inputs['shift']}"),
    "T5TokenizerOptions": _plain(lambda inputs: f"{inputs['clip']} unpadded"),
    "InpaintModelConditioning": _condition_for_inpaint,
    "VAELoader": _plain(lambda inputs: f"vae {inputs['vae_name']}"),
    "LoraLoader": _load_lora,
    "CLIPTextEncode": _plain(lambda inputs: f"{inputs['text']} by {inputs['clip']}"),
    "EmptyLatentImage": _empty_latent,
    "EmptySD3LatentImage": _empty_latent,
    "KSampler": _k_sampler,
    "KSamplerAdvanced": _k_sampler_advanced,
    "VAEDecode": _plain(lambda inputs: inputs["samples"].pixels),
    "VAEEncode": _plain(lambda inputs: Latent(pixels=inputs["pixels"])),
    "VAEEncodeForInpaint": _encode_for_inpaint,
    "LoadImage": _load_image,
    "LoadImageMask": _load_mask,
    "SaveImage": _save,
    "PreviewImage": _preview,
    "SaveImageWebsocket": _send,
    "SetLatentNoiseMask": _mask_latent,
    "LatentUpscale": _scale_latent,
    "LatentUpscaleBy": _scale_latent,
    "UpscaleModelLoader": _load_upscaler,
    "ImageUpscaleWithModel": _upscale,
    "ImageScale": _scale_image,
    "ImageScaleBy": _scale_image,
    "RepeatLatentBatch": _repeat_latent,
    "RepeatImageBatch": _plain(lambda inputs: np.repeat(inputs["image"], int(inputs["amount"]), axis=0)),
    "ImageCompositeMasked": _composite,
    "LabSlow": _lab_slow,
    "LabText": _lab_text,
    "LabFail": _lab_fail,
}

NEVER_CACHED = frozenset({"SaveImageWebsocket"})
