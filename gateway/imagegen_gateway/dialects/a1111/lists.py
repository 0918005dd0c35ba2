"""The lists of A1111, made of what the backends have. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from imagegen_gateway.dialects.a1111.names import (
    EMBEDDING,
    LORA,
    OWN_VAE,
    SAMPLER,
    SCHEDULER,
    UPSCALER,
    VAE,
    Stock,
    hash_of,
    listed_samplers,
    listed_schedulers,
    title_of,
)

LATENT: Final = "Latent"
RESIZERS: Final = ("Lanczos", "Nearest")
"""Upscalers without a model, which backends have that take graphs."""
FLAGS: Final[Mapping[str, Any]] = {
    "api": True,
    "api_log": False,
    "nowebui": False,
    "listen": False,
    "share": False,
    "ui_settings_file": "config.json",
    "ckpt": None,
    "ckpt_dir": None,
    "vae_dir": None,
    "no_half": False,
    "medvram": False,
    "lowvram": False,
    "precision": "autocast",
    "max_batch_count": 64,
    "enable_insecure_extension_access": False,
    "disable_nan_check": False,
    "loglevel": None,
}
"""What programs look at; there is no command line here."""


def sd_models(stock: Stock) -> list[dict[str, Any]]:
    """What can be chosen as checkpoint. `model_name` is the whole name, which is unique; files lie at the backends."""
    return [
        {
            "title": title_of(model),
            "model_name": model.name,
            "hash": hash_of(model),
            "sha256": model.sha256 or None,
            "filename": model.name,
            "config": None,
        }
        for model in stock.checkpoints
    ]


def sd_vae(stock: Stock) -> list[dict[str, Any]]:
    """VAEs that are files."""
    names = [model.name for model in stock.of_type(VAE) if model.name.lower() not in OWN_VAE]
    return [{"model_name": name, "filename": name} for name in names]


def samplers(stock: Stock) -> list[dict[str, Any]]:
    """Samplers, by A1111's names where it has them."""
    return list(listed_samplers(model.name for model in stock.of_type(SAMPLER)))


def schedulers(stock: Stock) -> list[dict[str, Any]]:
    """Noise schedules, by A1111's names where it has them."""
    return list(listed_schedulers(model.name for model in stock.of_type(SCHEDULER)))


def upscalers(stock: Stock) -> list[dict[str, Any]]:
    """Upscalers but latent ones."""
    resizers = RESIZERS if any(backend.capabilities.graphs for backend in stock.backends) else ()
    names = [model.name for model in stock.of_type(UPSCALER) if not model.name.startswith(LATENT)]
    return [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4.0}
        for name in dict.fromkeys(("None", *resizers, *names))
    ]


def latent_upscale_modes(stock: Stock) -> list[dict[str, Any]]:
    """Latent upscalers; every backend has the first, whatever it calls it."""
    names = [model.name for model in stock.of_type(UPSCALER) if model.name.startswith(LATENT)]
    return [{"name": name} for name in dict.fromkeys((LATENT, *names))]


def loras(stock: Stock) -> list[dict[str, Any]]:
    """LoRAs, which are asked for by words in the prompt."""
    return [
        {"name": model.name, "alias": model.description or model.name, "path": model.name, "metadata": {}}
        for model in stock.of_type(LORA)
    ]


def embeddings(stock: Stock) -> dict[str, Any]:
    """Embeddings; their sizes are not known here."""
    unknown = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 0, "vectors": 0}
    return {"loaded": {model.name: dict(unknown) for model in stock.of_type(EMBEDDING)}, "skipped": {}}


def memory(stock: Stock) -> dict[str, Any]:
    """The memory of all devices together; that of machines is not known."""
    devices = [device for backend in stock.backends for device in backend.devices if device.memory_total_bytes]
    free = sum(device.memory_free_bytes for device in devices)
    total = sum(device.memory_total_bytes for device in devices)
    unavailable = {"error": "unavailable"}
    return {
        "ram": unavailable,
        "cuda": {"system": {"free": free, "used": total - free, "total": total}} if devices else unavailable,
    }
