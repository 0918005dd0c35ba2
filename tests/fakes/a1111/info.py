"""What an answer says about how its pictures were made, and the lists that the server chooses from."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).parents[2] / "recordings" / "a1111" / "catalog"
VERSION = "1.10.1"
FALLBACK = ("DPM++ 2M", "Karras")
"""What stands in for a sampler that does not exist."""


@cache
def _text(name: str) -> str:
    return (CATALOG / f"{name}.json").read_text()


def recorded(name: str) -> Any:
    """A fresh copy of a recorded list."""
    return json.loads(_text(name))


def build_info(
    kind: str, request: Mapping[str, Any], model: Mapping[str, Any], vae: object, timestamp: str
) -> dict[str, Any]:
    total = request["n_iter"] * request["batch_size"]
    seed = request["seed"] if request["seed"] >= 0 else 1234567
    sampler, schedule = resolve_sampler(request)
    prompt, negative = apply_styles(request)
    has_vae = vae in [item["model_name"] for item in recorded("sd-vae")]
    extra = {} if schedule == "Automatic" else {"Schedule type": schedule}
    if kind == "img2img" or request.get("enable_hr"):
        extra["Denoising strength"] = request["denoising_strength"]
    infotexts = [
        f"{prompt}\n"
        + (f"Negative prompt: {negative}\n" if negative else "")
        + f"Steps: {request['steps']}, Sampler: {sampler}, Schedule type: {schedule}, "
        f"CFG scale: {request['cfg_scale']}, Seed: {seed + i}, Size: {request['width']}x{request['height']}, "
        f"Model hash: {model.get('hash')}, Model: {model.get('model_name')}, Version: {VERSION}"
        for i in range(total)
    ]
    return {
        "prompt": prompt, "all_prompts": [prompt] * total,
        "negative_prompt": negative, "all_negative_prompts": [negative] * total,
        "seed": seed, "all_seeds": [seed + i for i in range(total)],
        "subseed": 1, "all_subseeds": [1 + i for i in range(total)], "subseed_strength": 0,
        "width": request["width"], "height": request["height"], "sampler_name": sampler,
        "cfg_scale": request["cfg_scale"], "steps": request["steps"], "batch_size": request["batch_size"],
        "restore_faces": False, "face_restoration_model": None,
        "sd_model_name": model.get("model_name"), "sd_model_hash": model.get("hash"),
        "sd_vae_name": vae if has_vae else None, "sd_vae_hash": "14ca0bb108" if has_vae else None,
        "seed_resize_from_w": -1, "seed_resize_from_h": -1, "denoising_strength": request["denoising_strength"],
        "extra_generation_params": extra, "index_of_first_image": 0, "infotexts": infotexts,
        "styles": request["styles"] or [], "job_timestamp": timestamp, "clip_skip": 1,
        "is_using_inpainting_conditioning": False, "version": VERSION,
    }  # fmt: skip


def resolve_sampler(request: Mapping[str, Any]) -> tuple[str, str]:
    """Sampler and schedule. Unknown names, aliases included, are replaced without a word."""
    wanted = request["sampler_name"] or request["sampler_index"]
    if wanted not in [sampler["name"] for sampler in recorded("samplers")]:
        return FALLBACK
    for scheduler in recorded("schedulers"):
        if request["scheduler"] in (scheduler["name"], scheduler["label"]):
            return wanted, str(scheduler["label"])
    return wanted, "Automatic"


def apply_styles(request: Mapping[str, Any]) -> tuple[str, str]:
    """Prompt and negative prompt; unknown styles are left out without a word."""
    prompt, negative = request["prompt"], request["negative_prompt"]
    for style in recorded("prompt-styles"):
        if style["name"] in (request["styles"] or []):
            prompt = style["prompt"].replace("{prompt}", prompt) if "{prompt}" in style["prompt"] else prompt
            negative = ", ".join(text for text in (negative, style["negative_prompt"]) if text)
    return prompt, negative
