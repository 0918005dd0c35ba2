"""Ranges of mountains or hills behind each other, bluer the farther away they are."""

from functools import partial

import numpy as np

from imagegen_adapters.demo.colors import Color, mixed, over
from imagegen_adapters.demo.fields import Dice, Field, Picture, clamp, ramp, split
from imagegen_adapters.demo.scenery.view import Layer, View

_RUGGED_PLACES = frozenset({"mountains", "snow", "lake"})


class Mountains:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette
        self._is_rugged = view.scene.place in _RUGGED_PLACES

    def layers(self) -> list[Layer]:
        return [partial(self._range, i) for i in range(self._scene.ranges)]

    def _range(self, i: int, picture: Picture) -> Picture:
        """The i-th range from the back."""
        p, near = self._palette, (i + 0.5) / self._scene.ranges
        ridge, offset = self._ridge(i, near)
        below = self._view.y - ridge
        color = mixed(mixed(p.far, p.horizon, 0.35), p.near, near * near * 0.75 + 0.1 * near)
        relief = self._relief(i, offset, below)
        tone = self._faces(color, relief, near)
        if self._is_rugged and self._scene.roughness > 0.45:
            tone = self._snowcap(tone, i, below, relief, near)
        haze = ramp(below, 0.03, 0.34 - 0.1 * near) * (0.72 - 0.36 * near)
        tone = over(tone, mixed(p.horizon, color, 0.25 + 0.45 * near), haze)
        return over(picture, tone, self._view.inside(below))

    def _ridge(self, i: int, near: float) -> tuple[Field, Field]:
        """The skyline, and how far right of its peak each column is; both (1, width)."""
        rough = self._scene.roughness * (1.0 if self._is_rugged else 0.3)
        amplitude = (0.30 if self._is_rugged else 0.17) * (1.1 - 0.75 * near)
        height, offset = self._peaks(i, amplitude)
        rolling = self._view.line(f"swell {i}", 1.3 + i) * 0.5 + 0.5
        crags = self._view.line(f"crag {i}", 9, octaves=5, gain=0.55) * (0.008 + 0.016 * rough)
        height = height * rough + rolling * (amplitude * (1 - rough) * 0.7) + crags
        return (self._scene.horizon - 0.03 + 0.07 * near) - height, offset

    def _peaks(self, i: int, amplitude: float) -> tuple[Field, Field]:
        """Heights, and the distance to the peak that makes each; both (1, width)."""
        dice, x = Dice("peaks", self._scene.key, i), self._view.x
        spacing = 0.34 + 0.06 * i
        best, offset = np.full_like(x, -1), np.zeros_like(x)
        for k in range(-1, int(self._view.frame.right / spacing) + 2):
            dx = x - (k + dice.between(0.1, 0.9)) * spacing
            tall, wide = amplitude * dice.between(0.45, 1.0), spacing * dice.between(0.75, 1.15)
            share = np.maximum(1 - np.abs(dx) / wide, 0)
            peak = share * (0.72 + share * 0.28) * tall
            offset = np.where(peak > best, dx, offset)
            best = np.maximum(best, peak)
        return best, offset

    def _relief(self, i: int, offset: Field, below: Field) -> Field:
        """Light and shadow on slopes, -1..1: each rugged peak has a bright and a dark face."""
        view = self._view
        spur = view.fractal(f"spur {i}", 6, 9, octaves=5, gain=0.6)
        if not self._is_rugged:
            return spur * 0.3
        toward = 1 if self._scene.sun_x > view.frame.right / 2 else -1
        # Spurs wind down from the peak, and so do the borders between peaks.
        wind = spur * 0.045 * ramp(below, -0.02, 0.12)
        column = clamp((view.x + wind) * view.frame.scale, 0, view.frame.width - 1)
        face = clamp((offset[0].take(split(column)[0]) * toward + wind) * 22, -1, 1)
        return clamp(face * 0.8 + spur * 0.35, -1, 1) * (0.35 + 0.65 * self._scene.roughness)

    def _faces(self, color: Color, relief: Field, near: float) -> Picture:
        p = self._palette
        tone = over(self._view.flat(color), mixed(color, p.light, 0.36 - 0.18 * near), clamp(relief))
        return over(tone, mixed(color, mixed(p.near, p.zenith, 0.4), 0.42), clamp(-relief) * 0.85)

    def _snowcap(self, base: Picture, i: int, below: Field, relief: Field, near: float) -> Picture:
        edge = self._view.fractal(f"cap {i}", 14, 5, octaves=4, gain=0.6) * 0.035
        depth = 0.085 * (1.2 - near) * (1.8 if self._scene.place == "snow" else 1.0)
        white = mixed(self._palette.cloud, self._palette.light, 0.5)
        shaded = mixed(self._palette.far, white, 0.35)
        tone = over(self._view.flat(white), shaded, clamp(0.15 - relief) * 0.85)
        return over(base, tone, ramp(below + edge, depth, depth * 0.75) * (0.92 - 0.35 * near))
