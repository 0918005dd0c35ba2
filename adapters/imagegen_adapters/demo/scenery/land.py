"""Hills, meadows, dunes: the ground."""

from functools import partial

import numpy as np

from imagegen_adapters.demo.colors import Color, mixed, over, rgb, tinted
from imagegen_adapters.demo.fields import Field, Picture, clamp, only, ramp, wave
from imagegen_adapters.demo.scenery.view import Layer, View
from imagegen_adapters.demo.subjects import SUBJECTS

_DUNES = (0.0, 0.16, 0.36, 0.62)
"""Where they begin: 0 at the horizon, 1 at the frame's bottom."""
_SHADINESS = {"forest": 0.62, "mountains": 0.5, "meadow": 0.12, "snow": 0.0}


class Land:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette
        self._bottom = view.frame.bottom

    def mist(self, picture: Picture) -> Picture:
        """At the mountains' feet."""
        swirl = self._view.fractal("bank", 1.6, 6, octaves=4)
        away = np.abs((self._view.y - (self._scene.horizon + 0.02)) / 0.09 + swirl * 0.5)
        return over(picture, mixed(self._palette.horizon, self._palette.cloud, 0.4), ramp(away, 1.2, 0.0) * 0.5)

    def far_hill(self, picture: Picture) -> Picture:
        return self._hill(picture, "far hill", 0.05, 1.1, 0.45)

    def near_hill(self, picture: Picture) -> Picture:
        return self._hill(picture, "near hill", 0.25, 1.5, 0.20)

    def _hill(self, picture: Picture, name: str, down: float, bumps: float, paleness: float) -> Picture:
        top = self._scene.horizon + (self._bottom - self._scene.horizon) * down
        line = top - self._view.line(name, bumps, octaves=3, gain=0.3) * 0.06
        return self._slope(picture, line, mixed(self._color(), self._palette.far, paleness), name, 0.26)

    def _color(self) -> Color:
        if self._scene.place == "snow":
            return mixed(self._palette.cloud, self._palette.sky, 0.25)
        return self._palette.land

    def _slope(self, picture: Picture, line: Field, color: Color, name: str, contrast: float) -> Picture:
        """Ground below a line, in light and shadow."""
        view, p = self._view, self._palette
        below = view.y - line
        turf = view.fractal(f"{name} turf", 3, 17, octaves=4, gain=0.55)
        bright = clamp(turf) * contrast + ramp(below, 0.035, 0.0) * 0.30
        dark = clamp(-turf) * (contrast * 1.5) + ramp(below, 0.02, 0.55) * 0.42
        tone = over(view.flat(color), mixed(color, p.light, 0.6), bright)
        return over(picture, over(tone, mixed(color, p.near, 0.75), dark), view.inside(below))

    def ground(self, picture: Picture) -> Picture:
        """The foreground, on which a subject stands."""
        line = self._bottom * 0.835 - self._view.line("knoll", 1.2, octaves=3, gain=0.35) * 0.04
        color = mixed(self._color(), self._palette.near, _SHADINESS.get(self._scene.place, 0.4))
        picture = self._slope(picture, line, color, "ground", 0.3)
        if self._scene.place != "snow":
            picture = self._grass(picture, line, color)
        return self._flowers(picture, line) if "flowers" in self._scene.extras else picture

    def _grass(self, picture: Picture, line: Field, color: Color) -> Picture:
        view, p = self._view, self._palette
        blades = view.noise("blade", 120, 38)
        tufts = np.maximum(view.line("tuft", 150) * 0.011 + 0.006, 0)
        inside = view.below(line)
        picture = over(picture, mixed(color, p.light, 0.25), (view.below(line - tufts) - inside) * 0.9)
        picture = over(picture, mixed(color, p.light, 0.5), clamp(blades - 0.25) * inside * 0.22)
        return over(picture, mixed(color, p.near, 0.8), clamp(-blades - 0.2) * inside * 0.3)

    def _flowers(self, picture: Picture, line: Field) -> Picture:
        view, accent = self._view, self._palette.accent
        inside = ramp(view.y - line, -0.05, 0.02)
        colors = (accent, mixed(accent, self._palette.light, 0.6), tinted(rgb("f6d34a"), accent, 0.25))
        for i, (per_unit, radius) in enumerate(((34, 0.0085), (24, 0.012), (15, 0.016))):
            depth = ramp(view.y, self._bottom * (0.76 + 0.05 * i), self._bottom * (0.84 + 0.05 * i))
            petals = np.minimum(view.dots(f"flower {i}", per_unit, 0.30, radius) * 2, 1)
            picture = over(picture, colors[i], petals * inside * depth)
        return picture

    def bank(self, picture: Picture) -> Picture:
        """A dark bank in a corner of the water; ground where a subject needs to stand."""
        subject = SUBJECTS.get(self._scene.subject)
        if subject is not None and not subject.is_afloat and not subject.is_flying:
            return self.ground(picture)
        view = self._view
        side = view.x / view.frame.right
        if self._scene.sun_x < view.frame.right / 2:
            side = 1 - side
        line = self._bottom * 0.93 + side * 0.16 - view.line("shore", 3, octaves=4) * 0.03
        color = mixed(self._palette.near, self._color(), 0.12)
        picture = self._slope(picture, line, color, "shore", 0.16)
        reeds = np.maximum(view.line("reed", 75), 0) * 0.05 * ramp(side, 0.75, 0.1)
        return over(picture, color, only(view.y < line + 0.01, view.below(line - reeds)) * 0.95)

    def dunes(self) -> list[Layer]:
        return [partial(self._dune, i) for i in range(len(_DUNES))]

    def _dune(self, i: int, picture: Picture) -> Picture:
        view, p = self._view, self._palette
        top = self._scene.horizon + (self._bottom - self._scene.horizon) * _DUNES[i]
        swing = view.line(f"dune {i}", 1.5 + 0.2 * i)
        below = view.y - (top - (0.55 - np.abs(swing)) * (0.11 + 0.02 * i))
        sand = mixed(mixed(p.land, p.glow, 0.62), p.near, 0.10 + 0.14 * i)
        shadow = mixed(sand, mixed(p.near, p.sky, 0.25), 0.62)
        # One face of a dune is lit, the other lies in shadow.
        face = swing * (1.0 if self._scene.sun_x < view.frame.right / 2 else -1.0) + below * 1.4
        tone = over(view.flat(sand), shadow, ramp(face, 0.02, 0.10) * ramp(below, 0.40, 0.0) * 0.72)
        tone = over(tone, mixed(sand, p.light, 0.55), ramp(below, 0.05, 0.0) * ramp(face, 0.1, -0.05) * 0.65)
        ripples = clamp(wave(view.y * (58 - 9 * i) + view.noise(f"ripple {i}", 4, 9) * 1.1))
        tone = over(tone, shadow, ripples * ramp(below, 0.0, 0.2) * (0.10 + 0.03 * i))
        return over(picture, tone, view.inside(below))
