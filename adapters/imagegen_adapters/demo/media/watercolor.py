"""Washes of transparent colour on rough paper."""

import numpy as np

from imagegen_adapters.demo.colors import luma, over
from imagegen_adapters.demo.fields import (
    Frame,
    Picture,
    blurred,
    clamp,
    fractal,
    grain,
    key_of,
    noise,
    ramp,
    sample,
    split,
)
from imagegen_adapters.demo.layers import Layer
from imagegen_adapters.demo.scene import Scene

_PAPER = (0.985, 0.972, 0.945)


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    medium = _Watercolor(scene, frame)
    return [medium.bleed, medium.wash, medium.dry, medium.granulate, medium.paper]


class _Watercolor:
    def __init__(self, scene: Scene, frame: Frame) -> None:
        self._key = scene.key
        self._frame = frame
        self._x, self._y = frame.x, frame.y

    def bleed(self, picture: Picture) -> Picture:
        """Wet edges wander."""
        rows = np.arange(self._frame.height, dtype=np.float32)[:, None]
        columns = np.arange(self._frame.width, dtype=np.float32)[None, :]
        reach = np.float32(self._frame.scale * 0.0075)
        dx = fractal(key_of(self._key, "bleed x"), self._x * 9, self._y * 9, octaves=4, gain=0.6) * reach
        dy = fractal(key_of(self._key, "bleed y"), self._x * 9, self._y * 9, octaves=4, gain=0.6) * reach
        return sample(picture, columns + dx, rows + dy)

    def wash(self, picture: Picture) -> Picture:
        """Colour thins out in the light and gathers in the dark; the brush leaves blooms."""
        soft = blurred(picture, max(1, round(self._frame.scale * 0.006)))
        picture = picture * np.float32(0.55) + soft * np.float32(0.45)
        bloom = fractal(
            key_of(self._key, "bloom"), self._x * np.float32(2.6), self._y * np.float32(2.6), octaves=5, gain=0.6
        )
        density = clamp(np.float32(0.80) + bloom * np.float32(0.26), np.float32(0.3), np.float32(1.2))
        # Paper shines through: light colours become paper, dark ones keep their depth.
        ink = (1 - picture) * (np.float32(0.74) + (1 - luma(picture))[..., None] * np.float32(0.36))
        return clamp(1 - ink * density[..., None])

    def dry(self, picture: Picture) -> Picture:
        """Pigment gathers at the edge of each wash and leaves a darker line."""
        light = blurred(luma(picture), max(1, round(self._frame.scale * 0.004)))
        wander = fractal(key_of(self._key, "edge"), self._x * 4, self._y * 4, octaves=3)
        _, between = split(light * np.float32(5.5) + wander * np.float32(0.3))
        line = ramp(between, 0.10, 0.0) * np.float32(0.055)
        contrast = clamp(
            (blurred(light, max(1, round(self._frame.scale * 0.008))) - light) * np.float32(2.6), 0, np.float32(0.32)
        )
        step = ramp(between, 0.0, 1.0) * np.float32(0.05)
        return clamp(picture * (1 - (line + contrast)[..., None]) + step[..., None] * (1 - picture), 0, 1)

    def granulate(self, picture: Picture) -> Picture:
        """Pigment settles in the paper's hollows."""
        fine = noise(key_of(self._key, "tooth"), self._x * 170, self._y * 170)
        speck = grain(self._frame.width, self._frame.height, key_of(self._key, "speck")) - np.float32(0.5)
        settled = (fine * np.float32(0.075) + speck * np.float32(0.06))[..., None] * (1 - picture + np.float32(0.12))
        return clamp(picture - settled)

    def paper(self, picture: Picture) -> Picture:
        """The sheet around the picture, which the brush did not reach everywhere."""
        x, y = self._x, self._y
        inner = np.minimum(np.minimum(x, self._frame.right - x), np.minimum(y, self._frame.bottom - y))
        rough = fractal(key_of(self._key, "margin"), x * 6, y * 6, octaves=5, gain=0.62) * np.float32(0.017)
        edge = inner + rough - np.float32(0.042)
        picture = picture * (1 - (ramp(edge, 0.014, 0.001) * np.float32(0.22))[..., None])
        speck = noise(key_of(self._key, "sheet"), x * 120, y * 120) * np.float32(0.012)
        sheet = clamp(np.array(_PAPER, np.float32) + speck[..., None])
        return over(picture, sheet, ramp(edge, 0.0035, -0.0035))
