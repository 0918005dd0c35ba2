"""Washes of transparent colour on rough paper."""

import numpy as np

from imagegen_adapters.demo.colors import array, luma, over
from imagegen_adapters.demo.fields import Frame, Picture, blurred, clamp, ramp, sample, split
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery.view import Layer, View

_PAPER = (0.985, 0.972, 0.945)


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    medium = _Watercolor(View(scene, frame))
    return [medium.bleed, medium.wash, medium.dry, medium.granulate, medium.paper]


class _Watercolor:
    def __init__(self, view: View) -> None:
        self._view = view
        self._frame = view.frame

    def bleed(self, picture: Picture) -> Picture:
        """Wet edges wander."""
        view, reach = self._view, self._frame.scale * 0.0075
        dx = view.fractal("bleed across", 9, 9, octaves=4, gain=0.6) * reach
        dy = view.fractal("bleed down", 9, 9, octaves=4, gain=0.6) * reach
        return sample(picture, view.columns + dx, view.rows + dy)

    def wash(self, picture: Picture) -> Picture:
        """Colour thins out in the light and gathers in the dark; the brush leaves blooms."""
        picture = picture * 0.55 + blurred(picture, self._pixels(0.006)) * 0.45
        density = clamp(0.80 + self._view.fractal("bloom", 2.6, 2.6, octaves=5, gain=0.6) * 0.26, 0.3, 1.2)
        # Paper shines through: light colours become paper, dark ones keep their depth.
        ink = (1 - picture) * (0.74 + (1 - luma(picture))[..., None] * 0.36)
        return clamp(1 - ink * density[..., None])

    def dry(self, picture: Picture) -> Picture:
        """Pigment gathers at the edge of each wash and leaves a darker line."""
        light = blurred(luma(picture), self._pixels(0.004))
        _, between = split(light * 5.5 + self._view.fractal("edge", 4, 4, octaves=3) * 0.3)
        line = ramp(between, 0.10, 0.0) * 0.055
        contrast = clamp((blurred(light, self._pixels(0.008)) - light) * 2.6, 0, 0.32)
        paler = ramp(between, 0.0, 1.0)[..., None] * 0.05
        return clamp(picture * (1 - (line + contrast)[..., None]) + paler * (1 - picture))

    def granulate(self, picture: Picture) -> Picture:
        """Pigment settles in the paper's hollows."""
        settled = self._view.noise("tooth", 170, 170) * 0.075 + self._view.grain("speck") * 0.06
        return clamp(picture - settled[..., None] * (1 - picture + 0.12))

    def paper(self, picture: Picture) -> Picture:
        """The sheet around the picture, which the brush did not reach everywhere."""
        x, y = self._view.x, self._view.y
        inner = np.minimum(np.minimum(x, self._frame.right - x), np.minimum(y, self._frame.bottom - y))
        edge = inner + self._view.fractal("margin", 6, 6, octaves=5, gain=0.62) * 0.017 - 0.042
        picture = picture * (1 - ramp(edge, 0.014, 0.001)[..., None] * 0.22)
        sheet = clamp(array(_PAPER) + self._view.noise("sheet", 120, 120)[..., None] * 0.012)
        return over(picture, sheet, ramp(edge, 0.0035, -0.0035))

    def _pixels(self, length: float) -> int:
        return max(1, round(self._frame.scale * length))
