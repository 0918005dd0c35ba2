"""Colours, and the palettes that they form."""

import itertools
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.fields import Field, Picture, clamp

Color: TypeAlias = tuple[float, float, float]
"""Red, green, blue, 0..1 as displayed."""


def rgb(code: str) -> Color:
    """From six hexadecimal digits."""
    return (int(code[0:2], 16) / 255, int(code[2:4], 16) / 255, int(code[4:6], 16) / 255)


def mixed(first: Color, second: Color, share: float) -> Color:
    a, b = first, second
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def brightness(color: Color) -> float:
    return 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2]


def tinted(color: Color, tint: Color, amount: float) -> Color:
    """`color` drawn towards the hue of `tint`, about as bright as before."""
    light, own = brightness(color), brightness(tint)
    if light <= own:
        target = mixed((0, 0, 0), tint, light / max(own, 0.05))
    else:
        target = mixed(tint, (1, 1, 1), (light - own) / max(1 - own, 0.05))
    return mixed(color, target, amount)


def turned(color: Color, share: float) -> Color:
    """`color` with its hue turned by a share of the circle, approximately as bright as before."""
    share %= 1.0
    position = share * 3
    whole, part = int(position), position - int(position)
    ring = (color, (color[2], color[0], color[1]), (color[1], color[2], color[0]), color)
    moved = mixed(ring[whole], ring[whole + 1], part)
    return tinted(color, moved, 0.9)


def vivid(color: Color, factor: float) -> Color:
    """More (factor above 1) or less colourful."""
    light = brightness(color)
    return tuple(min(1.0, max(0.0, light + (part - light) * factor)) for part in color)  # type: ignore[return-value]  # three parts in, three out


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of a scene."""

    zenith: Color
    """The sky's top."""
    sky: Color
    """Between top and horizon."""
    glow: Color
    """Above the horizon."""
    horizon: Color
    light: Color
    """Of sun or moon, and of what they shine on."""
    cloud: Color
    shade: Color
    """The dark side of clouds."""
    far: Color
    """The most distant range."""
    near: Color
    """The nearest silhouettes."""
    land: Color
    """Ground in the light."""
    accent: Color
    """Flowers, windows, sails."""

    def colors(self) -> dict[str, Color]:
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def tinted(self, tint: Color, amount: float, names: tuple[str, ...] = ()) -> "Palette":
        """All colours, or those of `names`, drawn towards a hue."""
        chosen = {k: tinted(v, tint, amount) for k, v in self.colors().items() if not names or k in names}
        return replace(self, **chosen)

    def turned(self, share: float) -> "Palette":
        return replace(self, **{k: turned(v, share) for k, v in self.colors().items()})

    def vivid(self, factor: float) -> "Palette":
        return replace(self, **{k: vivid(v, factor) for k, v in self.colors().items()})


def _palette(codes: str) -> Palette:
    names = [part.name for part in fields(Palette)]
    return Palette(**dict(zip(names, map(rgb, codes.split()), strict=True)))


# zenith sky glow horizon light cloud shade far near land accent
PALETTES = {
    "day": _palette("2f74b8 6fb1de bfe0ea fdf1d3 fff6d8 ffffff a9c3d8 9db9cf 1f4a44 7da453 e8604c"),
    "dawn": _palette("5573b5 a9a3cf f6c3bd ffe9c9 fff0d0 ffe4dc b59cc0 b7a5c8 33406a 7f8fae f4a0a0"),
    "sunset": _palette("262a63 84407f f0705c ffc879 fff0b8 ff9f78 6b3a70 b76583 22173a 6a3a55 ffb35c"),
    "golden": _palette("4d7ea8 c8b58f f7c873 ffe9ad fff4c8 fff0cf c79f78 c9a06d 3a2c26 a8803f d9542f"),
    "dusk": _palette("141c40 3a3f77 8f5f92 e79a8b ffe3c4 9a78a6 333660 5b5487 10122b 343a63 ffcf8a"),
    "night": _palette("060b22 0f2149 20406f 4a7396 f4f1dc 4a628c 16264b 2a4770 050a1a 13294a ffd27a"),
    "aurora": _palette("050a20 0b1f3c 12405a 2c7a80 eaf7ef 2f5a70 0d2740 22516a 040b18 0f3046 7df0c0"),
    "storm": _palette("2c3440 55606c 8d979b c9c8b8 f3f0dc b4babd 454e59 7b8790 1c252b 4d5c54 d8b24a"),
    "candy": _palette("6a5acd b98be0 f7a8d0 ffe0d6 fffbe6 ffeaf6 a982cf a58ad6 3c2f74 7b6fc4 ffd166"),
    "mint": _palette("1f6f78 4fa89b a5dcc0 f6f3cf fffbd9 f4fff0 7fb9ac 7fbcae 123c44 5a9a74 ff8a5c"),
}

COLORS = {
    "red": rgb("d9352b"),
    "orange": rgb("ee7b22"),
    "yellow": rgb("f6cf3a"),
    "green": rgb("3f9b4f"),
    "teal": rgb("2a9d8f"),
    "blue": rgb("2f6fd0"),
    "purple": rgb("7a45b8"),
    "pink": rgb("ef7fae"),
    "brown": rgb("85542f"),
    "black": rgb("16171c"),
    "white": rgb("f6f4ee"),
    "gray": rgb("8b9097"),
    "gold": rgb("e0a92e"),
    "silver": rgb("c3cad2"),
}


def array(color: Color) -> Picture:
    return np.array(color, dtype=np.float32)


def over(picture: Picture, color: Color | Picture, alpha: Field) -> Picture:
    """`color` laid over `picture` with the opacity `alpha`."""
    layer = array(color) if isinstance(color, tuple) else color
    return picture + (layer - picture) * alpha[..., None]


def lit(picture: Picture, color: Color | Picture, alpha: Field) -> Picture:
    """`picture` with light of `color` added, never brighter than white."""
    layer = array(color) if isinstance(color, tuple) else color
    return 1 - (1 - picture) * (1 - layer * alpha[..., None])


def luma(picture: Picture) -> Field:
    """How bright each pixel is."""
    light: Field = picture[..., 0] * 0.3 + picture[..., 1] * 0.59 + picture[..., 2] * 0.11
    return light


def gradient(position: Field, stops: tuple[tuple[float, Color], ...]) -> Picture:
    """Colours along `position`; between two stops smooth, clamped outside."""
    picture = np.broadcast_to(array(stops[0][1]), (*position.shape, 3))
    for (low, _), (high, color) in itertools.pairwise(stops):
        t = clamp((position - low) / (high - low), 0, 1)
        picture = over(picture, color, t * t * (3 - 2 * t))
    return picture
