"""The node classes that the demo has, as ComfyUI describes its own: the core ones, with the demo's names as choices."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from imagegen_adapters.contract import NamedModel
from imagegen_adapters.demo.requests import CATALOG, MIN_SIDE
from imagegen_adapters.graphs.node_classes import read_node_classes

MAX_SIDE: Final = 16384
MAX_BATCH: Final = 64


def _names(models: Iterable[NamedModel]) -> list[str]:
    return [model.name for model in models]


def _whole(default: int, minimum: int, maximum: int, **settings: Any) -> list[Any]:
    return ["INT", {"default": default, "min": minimum, "max": maximum, **settings}]


def _real(default: float, minimum: float, maximum: float, **settings: Any) -> list[Any]:
    return ["FLOAT", {"default": default, "min": minimum, "max": maximum, **settings}]


def _described(
    name: str,
    display_name: str,
    category: str,
    required: Mapping[str, Any],
    outputs: tuple[str, ...] = (),
    *,
    optional: Mapping[str, Any] | None = None,
    description: str = "",
    module: str = "nodes",
) -> tuple[str, dict[str, Any]]:
    # ComfyUI hands these to the nodes that save.
    hidden = {} if outputs else {"hidden": {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}}
    inputs: dict[str, Mapping[str, Any]] = {"required": required, **hidden}
    if optional:
        inputs["optional"] = optional
    return name, {
        "input": inputs,
        "input_order": {section: list(names) for section, names in inputs.items()},
        "output": list(outputs),
        "output_is_list": [False] * len(outputs),
        "output_name": list(outputs),
        "name": name,
        "display_name": display_name,
        "description": description,
        "python_module": module,
        "category": category,
        "output_node": not outputs,
    }


_SEED = _whole(0, 0, 2**64 - 1, control_after_generate=True)
_STEPS = _whole(20, 1, 10_000)
_CFG = _real(8.0, 0.0, 100.0, step=0.1, round=0.01)
_SAMPLERS, _SCHEDULERS = [_names(CATALOG.samplers)], [_names(CATALOG.schedulers)]
_CROP = [["disabled", "center"]]
_LATENT_METHODS = [["nearest-exact", "bilinear", "area", "bicubic", "bislerp"]]
_IMAGE_METHODS = [["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]]
_UPLOAD = [[], {"image_upload": True}]
_CONDITIONS = {"positive": ["CONDITIONING"], "negative": ["CONDITIONING"], "latent_image": ["LATENT"]}

DEFINITIONS: Final = dict(
    (
        _described(
            "CheckpointLoaderSimple",
            "Load Checkpoint",
            "loaders",
            {"ckpt_name": [_names(CATALOG.checkpoints)]},
            ("MODEL", "CLIP", "VAE"),
            description="Chooses a style of the demo painter, which is no model.",
        ),
        _described(
            "LoraLoader",
            "Load LoRA",
            "loaders",
            {
                "model": ["MODEL"],
                "clip": ["CLIP"],
                "lora_name": [_names(CATALOG.loras)],
                "strength_model": _real(1.0, -100.0, 100.0, step=0.01),
                "strength_clip": _real(1.0, -100.0, 100.0, step=0.01),
            },
            ("MODEL", "CLIP"),
            description="Lays a look over what is painted. There is no text encoder: strength_clip does nothing.",
        ),
        _described(
            "CLIPTextEncode",
            "CLIP Text Encode (Prompt)",
            "conditioning",
            {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP"]},
            ("CONDITIONING",),
        ),
        _described(
            "EmptyLatentImage",
            "Empty Latent Image",
            "latent",
            {
                "width": _whole(512, MIN_SIDE, MAX_SIDE, step=8),
                "height": _whole(512, MIN_SIDE, MAX_SIDE, step=8),
                "batch_size": _whole(1, 1, MAX_BATCH),
            },
            ("LATENT",),
        ),
        _described(
            "KSampler",
            "KSampler",
            "sampling",
            {
                "model": ["MODEL"],
                "seed": _SEED,
                "steps": _STEPS,
                "cfg": _CFG,
                "sampler_name": _SAMPLERS,
                "scheduler": _SCHEDULERS,
                **_CONDITIONS,
                "denoise": _real(1.0, 0.0, 1.0, step=0.01),
            },
            ("LATENT",),
            description="Paints the prompt step by step, over what is there already.",
        ),
        _described(
            "KSamplerAdvanced",
            "KSampler (Advanced)",
            "sampling",
            {
                "model": ["MODEL"],
                "add_noise": [["enable", "disable"]],
                "noise_seed": _SEED,
                "steps": _STEPS,
                "cfg": _CFG,
                "sampler_name": _SAMPLERS,
                "scheduler": _SCHEDULERS,
                **_CONDITIONS,
                "start_at_step": _whole(0, 0, 10_000),
                "end_at_step": _whole(10_000, 0, 10_000),
                "return_with_leftover_noise": [["disable", "enable"]],
            },
            ("LATENT",),
        ),
        _described("VAEDecode", "VAE Decode", "latent", {"samples": ["LATENT"], "vae": ["VAE"]}, ("IMAGE",)),
        _described("VAEEncode", "VAE Encode", "latent", {"pixels": ["IMAGE"], "vae": ["VAE"]}, ("LATENT",)),
        _described(
            "VAEEncodeForInpaint",
            "VAE Encode (for Inpainting)",
            "latent/inpaint",
            {"pixels": ["IMAGE"], "vae": ["VAE"], "mask": ["MASK"], "grow_mask_by": _whole(6, 0, 64, step=1)},
            ("LATENT",),
        ),
        _described(
            "SetLatentNoiseMask",
            "Set Latent Noise Mask",
            "latent/inpaint",
            {"samples": ["LATENT"], "mask": ["MASK"]},
            ("LATENT",),
        ),
        _described("LoadImage", "Load Image", "image", {"image": _UPLOAD}, ("IMAGE", "MASK")),
        _described(
            "LoadImageMask",
            "Load Image (as Mask)",
            "mask",
            {"image": _UPLOAD, "channel": [["alpha", "red", "green", "blue"]]},
            ("MASK",),
        ),
        _described(
            "LatentUpscale",
            "Upscale Latent",
            "latent",
            {
                "samples": ["LATENT"],
                "upscale_method": _LATENT_METHODS,
                "width": _whole(512, 0, MAX_SIDE, step=8),
                "height": _whole(512, 0, MAX_SIDE, step=8),
                "crop": _CROP,
            },
            ("LATENT",),
        ),
        _described(
            "LatentUpscaleBy",
            "Upscale Latent By",
            "latent",
            {
                "samples": ["LATENT"],
                "upscale_method": _LATENT_METHODS,
                "scale_by": _real(1.5, 0.01, 8.0, step=0.01),
            },
            ("LATENT",),
        ),
        _described(
            "ImageScale",
            "Upscale Image",
            "image/upscaling",
            {
                "image": ["IMAGE"],
                "upscale_method": _IMAGE_METHODS,
                "width": _whole(512, 0, MAX_SIDE, step=1),
                "height": _whole(512, 0, MAX_SIDE, step=1),
                "crop": _CROP,
            },
            ("IMAGE",),
        ),
        _described(
            "ImageScaleBy",
            "Upscale Image By",
            "image/upscaling",
            {"image": ["IMAGE"], "upscale_method": _IMAGE_METHODS, "scale_by": _real(1.0, 0.01, 8.0, step=0.01)},
            ("IMAGE",),
        ),
        _described(
            "ImageCompositeMasked",
            "ImageCompositeMasked",
            "image",
            {
                "destination": ["IMAGE"],
                "source": ["IMAGE"],
                "x": _whole(0, 0, MAX_SIDE),
                "y": _whole(0, 0, MAX_SIDE),
                "resize_source": ["BOOLEAN", {"default": False}],
            },
            ("IMAGE",),
            optional={"mask": ["MASK"]},
            module="comfy_extras.nodes_mask",
        ),
        _described(
            "UpscaleModelLoader",
            "Load Upscale Model",
            "loaders",
            {"model_name": ["COMBO", {"multiselect": False, "options": _names(CATALOG.upscalers)}]},
            ("UPSCALE_MODEL",),
            module="comfy_extras.nodes_upscale_model",
        ),
        _described(
            "ImageUpscaleWithModel",
            "Upscale Image (using Model)",
            "image/upscaling",
            {"upscale_model": ["UPSCALE_MODEL"], "image": ["IMAGE"]},
            ("IMAGE",),
            description="Doubles the size; the demo has no model for it.",
            module="comfy_extras.nodes_upscale_model",
        ),
        _described(
            "SaveImage",
            "Save Image",
            "image",
            {"images": ["IMAGE"], "filename_prefix": ["STRING", {"default": "ComfyUI"}]},
        ),
        _described("PreviewImage", "Preview Image", "image", {"images": ["IMAGE"]}),
    )
)

CLASSES: Final = read_node_classes(DEFINITIONS)
