"""What a model's name tells of how it wants to be run. Pure.

A file's name is all that a backend tells of most models, and people keep the names under which models are published.
Recipes are those of ComfyUI's own templates and examples.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file that a diffusion model needs beside it."""

    what: str
    """For a person, as "T5-XXL text encoder"."""
    patterns: tuple[str, ...]
    """What its usual file names match, the best first."""

    def find(self, names: Iterable[str]) -> str:
        """The first name of the best pattern; empty: none fits."""
        listed = list(names)
        for pattern in self.patterns:
            for name in listed:
                if re.search(pattern, _base(name)):
                    return name
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All that a diffusion model needs beside it."""

    text_encoders: tuple[Part, ...]
    """In the order in which ComfyUI's loader takes them: one to four."""
    clip_type: str = ""
    """`type` of ComfyUI's CLIPLoader and DualCLIPLoader; those for more have none."""
    vae: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that are run alike."""

    name: str
    """For a person; empty: not known."""
    steps: int = 20
    cfg_scale: float = 7.0
    width: int = 512
    """Pixels that it was made for."""
    height: int = 512
    sampler: str = ""
    """As ComfyUI names it; empty: the backend's default."""
    scheduler: str = ""
    """As ComfyUI names it; empty: the backend's default."""
    distilled_cfg_scale: float | None = None
    """None: it was not distilled with guidance."""
    parts: Parts | None = None
    """None: there is no recipe for the diffusion model alone."""
    latent_class: str = "EmptyLatentImage"
    """ComfyUI's node that its pictures begin with."""
    shift: tuple[str, float] | None = None
    """ComfyUI's node that shifts its noise schedule, and by how much; None: as the model says itself."""
    has_unpadded_prompt: bool = False
    """Its T5 is not to see padding."""
    is_inpainting: bool = False
    """Made for inpainting: it is told what is there already."""
    masks_noise: bool = True
    """Of an inpainting model: whether it may work inside the mask only."""


def family_of(model: str) -> Family:
    """The family by the model's name; for names that tell nothing one as Stable Diffusion 1.5, without a name.

    A file's own name says more than that of its folder.
    """
    for text in (_base(model), model.lower()):
        for pattern, family in _FAMILIES:
            if re.search(pattern, text):
                return _particular(family, text)
    return _particular(_UNKNOWN, _base(model))


def known_families() -> tuple[str, ...]:
    """Names of those whose diffusion models can be run."""
    return tuple(dict.fromkeys(family.name for _, family in _FAMILIES if family.parts is not None))


def _particular(family: Family, text: str) -> Family:
    """What names say beyond the family."""
    distilled = re.search(r"lightning\D*(\d{1,2})[ _-]?step", text)
    if distilled:
        family = replace(family, steps=max(1, int(distilled[1])), cfg_scale=1.0)
    return replace(family, is_inpainting=True) if "inpaint" in text else family


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].lower()


# Without Long CLIP, which HiDream comes with.
_CLIP_L: Final = Part(what="CLIP-L text encoder", patterns=(r"clip[_-]?l(?!.*hidream)", r"vit-l-14"))
_CLIP_G: Final = Part(what="CLIP-G text encoder", patterns=(r"clip[_-]?g(?!.*hidream)",))
_T5: Final = Part(what="T5-XXL text encoder", patterns=(r"(?<!m)t5[_-]?xxl", r"(?<!m)t5[_-]v1[_-]1[_-]xxl"))
_FLUX_VAE: Final = Part(what="VAE of Flux (ae.safetensors)", patterns=(r"^ae\.", r"flux.*(ae|vae)", r"^ae[_-]"))

_FLUX: Final = Family(
    name="Flux",
    cfg_scale=1.0,
    width=1024,
    height=1024,
    sampler="euler",
    scheduler="simple",
    distilled_cfg_scale=3.5,
    parts=Parts(text_encoders=(_CLIP_L, _T5), clip_type="flux", vae=_FLUX_VAE),
    latent_class="EmptySD3LatentImage",
)
_SDXL: Final = Family(
    name="SDXL",
    width=1024,
    height=1024,
    parts=Parts(
        text_encoders=(_CLIP_L, _CLIP_G),
        clip_type="sdxl",
        vae=Part(what="VAE of SDXL", patterns=(r"sd_?xl.*vae", r"vae.*xl", r"xl.*vae")),
    ),
)
_SD3: Final = Family(
    name="Stable Diffusion 3",
    cfg_scale=4.0,
    width=1024,
    height=1024,
    sampler="euler",
    scheduler="sgm_uniform",
    parts=Parts(
        text_encoders=(_CLIP_L, _CLIP_G, _T5), vae=Part(what="VAE of Stable Diffusion 3", patterns=(r"sd_?3.*vae",))
    ),
    latent_class="EmptySD3LatentImage",
)
_HIDREAM: Final = Family(
    name="HiDream",
    steps=50,
    cfg_scale=5.0,
    width=1024,
    height=1024,
    sampler="uni_pc",
    scheduler="simple",
    parts=Parts(
        text_encoders=(
            Part(what="CLIP-L text encoder", patterns=(r"clip[_-]?l.*hidream", *_CLIP_L.patterns)),
            Part(what="CLIP-G text encoder", patterns=(r"clip[_-]?g.*hidream", *_CLIP_G.patterns)),
            _T5,
            Part(what="Llama 3.1 8B text encoder", patterns=(r"llama[_-]?3",)),
        ),
        vae=_FLUX_VAE,
    ),
    latent_class="EmptySD3LatentImage",
    shift=("ModelSamplingSD3", 3.0),
)
_QWEN_IMAGE: Final = Family(
    name="Qwen-Image",
    cfg_scale=2.5,
    width=1328,
    height=1328,
    sampler="euler",
    scheduler="simple",
    parts=Parts(
        text_encoders=(Part(what="Qwen 2.5 VL text encoder", patterns=(r"qwen[_-]?2\.?5[_-]?vl",)),),
        clip_type="qwen_image",
        vae=Part(what="VAE of Qwen-Image", patterns=(r"qwen[_-]?image.*vae",)),
    ),
    latent_class="EmptySD3LatentImage",
    shift=("ModelSamplingAuraFlow", 3.1),
)
_LUMINA: Final = Family(
    name="Lumina 2",
    steps=30,
    cfg_scale=4.0,
    width=1024,
    height=1024,
    sampler="res_multistep",
    scheduler="simple",
    parts=Parts(
        text_encoders=(Part(what="Gemma 2 2B text encoder", patterns=(r"gemma[_-]?2[_-]?2b",)),),
        clip_type="lumina2",
        vae=_FLUX_VAE,
    ),
    latent_class="EmptySD3LatentImage",
    shift=("ModelSamplingAuraFlow", 4.0),
)
_Z_IMAGE: Final = replace(
    _LUMINA,
    name="Z-Image",
    steps=50,
    parts=Parts(
        text_encoders=(Part(what="Qwen 3 4B text encoder", patterns=(r"qwen[_-]?3[_-]?4b",)),),
        clip_type="lumina2",
        vae=_FLUX_VAE,
    ),
    shift=("ModelSamplingAuraFlow", 3.0),
)
_CHROMA: Final = Family(
    name="Chroma",
    steps=26,
    cfg_scale=3.5,
    width=1024,
    height=1024,
    sampler="euler",
    scheduler="beta",
    parts=Parts(text_encoders=(_T5,), clip_type="chroma", vae=_FLUX_VAE),
    latent_class="EmptySD3LatentImage",
    shift=("ModelSamplingAuraFlow", 1.0),
    has_unpadded_prompt=True,
)
_UNKNOWN: Final = Family(name="")

_FAMILIES: Final[tuple[tuple[str, Family], ...]] = (
    # Kin that is run in another way: no recipe is better than a wrong one.
    (r"flux[._ -]?2|klein", Family(name="Flux 2", cfg_scale=1.0, width=1024, height=1024)),
    (r"kontext|flux.*(canny|depth|redux)", replace(_FLUX, parts=None)),
    (r"qwen.?image.?(edit|layered)|qwen.*edit", replace(_QWEN_IMAGE, parts=None)),
    (r"hidream.?e1", replace(_HIDREAM, parts=None)),
    (r"radiance", replace(_CHROMA, parts=None)),
    (r"pixart|aura.?flow|omnigen|cascade|hunyuan|wan2|ltx", _UNKNOWN),
    (
        r"flux.*fill",
        replace(
            _FLUX,
            name="Flux Fill",
            scheduler="normal",
            distilled_cfg_scale=30.0,
            is_inpainting=True,
            masks_noise=False,
        ),
    ),
    (r"schnell", replace(_FLUX, name="Flux Schnell", steps=4, distilled_cfg_scale=None)),
    (r"chroma", _CHROMA),
    (r"flux", _FLUX),
    (r"(sd.?3|stable.?diffusion.?3).*turbo", replace(_SD3, steps=4, cfg_scale=1.0)),
    (r"sd.?3|stable.?diffusion.?3", _SD3),
    (
        r"hidream.*dev",
        replace(_HIDREAM, steps=28, cfg_scale=1.0, sampler="lcm", scheduler="normal", shift=("ModelSamplingSD3", 6.0)),
    ),
    (r"hidream.*fast", replace(_HIDREAM, steps=16, cfg_scale=1.0, sampler="lcm", scheduler="normal")),
    (r"hidream", _HIDREAM),
    (r"qwen.?image.*distill", replace(_QWEN_IMAGE, steps=10, cfg_scale=1.0)),
    (r"qwen.?image", _QWEN_IMAGE),
    (r"z.?image.*turbo", replace(_Z_IMAGE, steps=8, cfg_scale=1.0)),
    (r"z.?image", _Z_IMAGE),
    (r"lumina|neta.?yume", _LUMINA),
    (r"(sd_?)?xl.*lightning", replace(_SDXL, steps=4, cfg_scale=1.0, sampler="euler", scheduler="sgm_uniform")),
    (
        r"sd[._-]?(xl[._-]?)?turbo",
        replace(_SDXL, steps=1, cfg_scale=1.0, width=512, height=512, sampler="euler_ancestral", parts=None),
    ),
    # As their makers say, who agree.
    (
        r"xl.*turbo|turbo.*xl",
        replace(_SDXL, steps=8, cfg_scale=2.0, sampler="dpmpp_sde", scheduler="karras"),
    ),
    (r"xl|pony|illustrious|noobai|playground.?v2|ssd.?1b|bigasp", _SDXL),
    (r"v2-1_768|768-v", Family(name="Stable Diffusion 2", width=768, height=768)),
)
"""Patterns of names in lower case; the first that matches counts."""
