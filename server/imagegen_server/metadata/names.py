"""What samplers, schedules and files are called by A1111, and by the backends that there are. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

AUTOMATIC: Final = "Automatic"
"""A1111's name for a schedule that is not chosen."""
LATENT: Final = "Latent"
"""A1111's name for what enlarges without an upscaler."""
SAMPLERS: Final = {
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "Euler a": "euler_ancestral",
    "Euler": "euler",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral",
    "DPM fast": "dpm_fast",
    "DPM adaptive": "dpm_adaptive",
    "DDIM": "ddim",
    "DDIM CFG++": "ddim_cfgpp",
    "UniPC": "uni_pc",
    "LCM": "lcm",
}
"""ComfyUI's names by A1111's; the two mean the same."""
SCHEDULERS: Final = {
    "Uniform": "uniform",
    "Karras": "karras",
    "Exponential": "exponential",
    "Polyexponential": "polyexponential",
    "SGM Uniform": "sgm_uniform",
    "KL Optimal": "kl_optimal",
    "Align Your Steps": "align_your_steps",
    "Simple": "simple",
    "Normal": "normal",
    "DDIM": "ddim_uniform",
    "Beta": "beta",
}
"""Likewise. A1111 itself lists them under other names than it writes, most of which are ComfyUI's."""

_MODEL_FILES: Final = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".sft")


def label_of(name: str, table: Mapping[str, str]) -> str:
    """What A1111 calls a sampler or a schedule; others as they are."""
    return next((label for label, elsewhere in table.items() if elsewhere == name), name)


def split_sampler(sampler: str) -> tuple[str, str]:
    """ "DPM++ 2M Karras", as it was written before schedules had a place of their own, is a sampler and a schedule."""
    for label in SCHEDULERS:
        first = sampler.removesuffix(f" {label}")
        if first != sampler and sampler not in SAMPLERS:
            return first, label
    return sampler, ""


def find_name(name: str, known: Sequence[str], table: Mapping[str, str]) -> str:
    """The name that a backend has for a sampler or a schedule; as it is where none is known to have it."""
    names = {name.lower(), label_of(name, table).lower(), table.get(name, name).lower()}
    return name if name in known else next((one for one in known if one.lower() in names), name)


def stem(name: str) -> str:
    """A model's name as A1111 writes it: of "sd15/dream.safetensors" "dream"."""
    file = name.replace("\\", "/").rpartition("/")[2]
    ending = next((ending for ending in _MODEL_FILES if file.lower().endswith(ending)), "")
    return file[: len(file) - len(ending)] or name


def find_file(name: str, known: Iterable[str]) -> str | None:
    """The name that a backend has for a file: the same, or else one of which only folder and ending are others."""
    return next(iter(_same_files(name, tuple(known))), None)


def _same_files(name: str, known: Sequence[str]) -> Iterator[str]:
    yield from (one for one in known if one == name)
    wanted = stem(name).lower()
    yield from (one for one in known if stem(one).lower() == wanted)
