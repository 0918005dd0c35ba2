"""What a model's name tells of how it wants to be run. Pure.

A file's name is all that a backend tells of most models, and people keep the names under which models are published.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that are run alike."""

    name: str
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
    """None: there is no such thing."""


_UNKNOWN = Family(name="")


def family_of(model: str) -> Family:  # noqa: ARG001  # to come
    """The family by the model's name; for names that tell nothing one as Stable Diffusion 1.5, without a name."""
    return _UNKNOWN
