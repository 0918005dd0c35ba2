"""The settings that a client sees, and what it may change: its checkpoint and its VAE, each client for itself. Pure.

A1111 has one set for everybody. Here a client's choice holds for its own requests, in the memory of this gateway, and
every other setting is as it is: a change of one is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from imagegen_gateway.dialects.a1111.faults import exception, invalid
from imagegen_gateway.dialects.a1111.names import OWN_VAE, VAE, Stock, find_model, hash_of, title_of

CHECKPOINT_OPTION: Final = "sd_model_checkpoint"
VAE_OPTION: Final = "sd_vae"
FIXED: Final[Mapping[str, Any]] = {
    "samples_save": True,
    "samples_format": "png",
    "grid_save": False,
    "return_grid": False,
    "enable_pnginfo": True,
    "save_to_dirs": False,
    "jpeg_quality": 80,
    "sd_unet": "Automatic",
    "sd_hypernetwork": "None",
    "sd_lora": "None",
    "CLIP_stop_at_last_layers": 1,
    "emphasis": "Original",
    "face_restoration": False,
    "tiling": False,
    "img2img_color_correction": False,
    "img2img_fix_steps": False,
    "initial_noise_multiplier": 1.0,
    "upscaler_for_img2img": None,
    "eta_ancestral": 1.0,
    "eta_ddim": 0.0,
    "eta_noise_seed_delta": 0,
    "randn_source": "GPU",
    "show_progressbar": True,
    "live_previews_enable": True,
    "live_previews_image_format": "jpeg",
    "show_progress_grid": False,
    "show_progress_every_n_steps": 1,
    "show_progress_type": "Approx NN",
    "live_preview_refresh_period": 1000,
}
"""What every client is told."""
PREVIEW_OPTIONS: Final = frozenset(
    {
        "live_previews_enable",
        "live_previews_image_format",
        "show_progress_grid",
        "show_progress_every_n_steps",
        "show_progress_type",
        "live_preview_refresh_period",
    }
)
"""May be overridden in a request: they change no picture. Previews come as often as the backend makes them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a client has chosen, by the names that jobs use; empty: nothing."""

    model: str = ""
    vae: str = ""


def shown(choice: Choice, stock: Stock) -> dict[str, Any]:
    """The settings of a client."""
    model = current_model(choice, stock)
    return {
        CHECKPOINT_OPTION: title_of(model) if model is not None else None,
        "sd_checkpoint_hash": (hash_of(model) if model is not None else None) or "",
        VAE_OPTION: choice.vae or "Automatic",
        **FIXED,
    }


def current_model(choice: Choice, stock: Stock) -> Any:
    """The chosen checkpoint; else one that is loaded, or the first; None where there is none."""
    checkpoints = stock.checkpoints
    chosen = find_model(stock, choice.model) if choice.model else None
    resident = next((model for model in checkpoints if model.resident_backends), None)
    return chosen or resident or next(iter(checkpoints), None)


def changed(choice: Choice, values: Mapping[str, Any], stock: Stock) -> Choice:
    """The choice after a client has set `values`. Raises Refused, and nothing is changed then.

    Programs send back the whole set with one value changed, so values that are what they were are no change.
    """
    now = shown(choice, stock)
    for name, value in values.items():
        if name not in now:
            raise exception("KeyError", f"'{name}'")
        if name == CHECKPOINT_OPTION:
            if value != now[name]:
                choice = replace(choice, model=chosen_model(value, stock))
        elif name == VAE_OPTION:
            choice = replace(choice, vae=chosen_vae(value, stock))
        elif name != "sd_checkpoint_hash" and not is_same(value, now[name]):
            what = f"is {now[name]!r} here and cannot be changed; {CHECKPOINT_OPTION} and {VAE_OPTION} can"
            raise invalid(((name,), what, "value_error"))
    return choice


def chosen_model(value: Any, stock: Stock) -> str:
    """The name of a checkpoint that a client names; empty: the server chooses. Raises Refused for an unknown one."""
    if value in (None, ""):
        return ""
    model = find_model(stock, value) if isinstance(value, str) else None
    if model is None:
        raise exception("RuntimeError", f"model {value!r} not found")
    return model.name


def chosen_vae(value: Any, stock: Stock) -> str:
    """The name of a VAE that a client names; empty: the checkpoint's own. Raises Refused for an unknown one."""
    if value is None or (isinstance(value, str) and value.lower() in OWN_VAE):
        return ""
    if value not in [model.name for model in stock.of_type(VAE)]:
        raise exception("RuntimeError", f"VAE {value!r} not found")
    return str(value)


def is_same(value: Any, other: Any) -> bool:
    """Whether two settings are one: A1111 has floats where it is given whole numbers, but true is no 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
