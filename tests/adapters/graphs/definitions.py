"""Node classes of a real ComfyUI 0.3.64, those that example graphs use, with model files as people have them.

The recorded server had next to no models: `MODELS` are added here, so that the recording stays what was recorded.
"""

import json
from pathlib import Path
from typing import Any, Final

from imagegen_adapters.graphs.node_classes import NodeClasses, read_node_classes

_RECORDING = Path(__file__).parents[2] / "recordings" / "comfyui" / "object_info.json"

MODELS: Final = {
    "ckpt_name": (
        "sd15/dreamshaper_8.safetensors",
        "sd_xl_base_1.0.safetensors",
        "sd_xl_refiner_1.0.safetensors",
        "v1-5-pruned-emaonly-fp16.safetensors",
    ),
    "vae_name": ("ae.safetensors", "pixel_space", "vae-ft-mse-840000-ema-pruned.safetensors"),
    "lora_name": ("Style/Watercolour.safetensors", "blueprint.safetensors", "pixel-art-xl.safetensors"),
    "unet_name": ("flux1-dev.safetensors", "flux1-schnell-fp8.safetensors"),
    "clip_name": ("clip_l.safetensors", "t5xxl_fp16.safetensors", "t5xxl_fp8_e4m3fn.safetensors"),
    "control_net_name": ("control_v11p_sd15_scribble_fp16.safetensors", "diffusion_pytorch_model.safetensors"),
    "model_name": ("4x-UltraSharp.pth", "RealESRGAN_x4plus.pth"),
    "style_model_name": ("flux1-redux-dev.safetensors",),
    "gligen_name": ("gligen_sd14_textbox_pruned.safetensors",),
}
"""By the name of the input; a number at its end does not count."""


def recorded_object_info() -> dict[str, Any]:
    """As it was recorded, with the three tiny checkpoints of that server and no other model."""
    content: dict[str, Any] = json.loads(_RECORDING.read_text())
    return content


def object_info() -> dict[str, Any]:
    """With `MODELS`. Each call gives a new one, to be changed at will."""
    content = recorded_object_info()
    for entry in content.values():
        for section in ("required", "optional"):
            for name, spec in entry["input"].get(section, {}).items():
                _add_models(name.rstrip("0123456789"), spec)
    return content


def node_classes() -> NodeClasses:
    """Of `object_info`."""
    return read_node_classes(object_info())


def _add_models(name: str, spec: list[Any]) -> None:
    if name not in MODELS:
        return
    if isinstance(spec[0], list):
        spec[0] = list(MODELS[name])
    elif spec[0] == "COMBO":
        spec[1]["options"] = list(MODELS[name])
