"""What the demo has in place of LoRAs: looks that are laid over the whole picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from imagegen_adapters.demo.colors import luma
from imagegen_adapters.demo.fields import Picture, clamp
from imagegen_adapters.demo.scenery.view import Layer

_TONES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A change of the whole picture that requests can name as a LoRA."""

    name: str
    description: str
    changed: Callable[[Picture], Picture]
    """The picture with all of it."""


def _light(red: float, green: float, blue: float) -> Callable[[Picture], Picture]:
    tint = np.array([red, green, blue], np.float32)
    return lambda picture: picture * tint


def _faded(picture: Picture) -> Picture:
    gray = luma(picture)[..., None]
    return np.float32(0.12) + (gray + (picture - gray) * np.float32(0.35)) * np.float32(0.8)


def _posterized(picture: Picture) -> Picture:
    tones: Picture = np.floor(clamp(picture) * np.float32(_TONES)) / np.float32(_TONES)
    return tones


LOOKS: Final = (
    Look(name="demo-warm-light", description="the light of a late afternoon", changed=_light(1.18, 1.0, 0.72)),
    Look(name="demo-cold-light", description="the light before sunrise", changed=_light(0.74, 0.95, 1.2)),
    Look(name="demo-faded-film", description="less colour and less contrast", changed=_faded),
    Look(name="demo-poster", description="few tones", changed=_posterized),
)
_BY_NAME: Final = {look.name: look for look in LOOKS}


def look_layer(name: str, weight: float) -> Layer:
    """The look of that name; a weight of 0 changes nothing, a negative one does the opposite."""
    look, share = _BY_NAME[name], np.float32(weight)
    return lambda picture: clamp(picture + (look.changed(picture) - picture) * share)
