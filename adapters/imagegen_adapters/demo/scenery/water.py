"""Water mirrors what is above it."""

import numpy as np

from imagegen_adapters.demo.colors import lit, luma, mixed, over
from imagegen_adapters.demo.fields import Field, Picture, clamp, noise, ramp, sample
from imagegen_adapters.demo.scenery.view import View


class Water:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette
        self._line = view.scene.horizon + 0.012

    def islands(self, picture: Picture) -> Picture:
        """A coast far away."""
        view, p = self._view, self._palette
        rise = np.maximum(view.line("isle", 1.7, octaves=5, gain=0.45) - 0.25, -0.1) * 0.10
        color = mixed(p.far, p.horizon, 0.25)
        mist = ramp(view.y, self._scene.horizon - 0.06, self._scene.horizon + 0.01)
        tone = over(view.flat(color), mixed(color, p.horizon, 0.7), mist)
        return over(picture, tone, view.below(self._line - rise))

    def surface(self, picture: Picture) -> Picture:
        view, p = self._view, self._palette
        below = np.maximum(view.y - self._line, 0)
        depth = below / max(view.frame.bottom - self._line, 0.05)
        chop = self._chop(depth)
        deep = mixed(p.zenith, p.near, 0.45)
        mirrored = self._mirrored(picture, below, depth, chop)
        # Deep water swallows dim light, not that of the sun.
        dimness = 1 - ramp(luma(mirrored), 0.75, 0.95) * 0.6
        tone = over(mirrored, deep, clamp(0.16 + depth * 0.55 - chop * 0.10) * dimness)
        if self._scene.has_sun or self._scene.has_moon:
            path = ramp(np.abs(view.x - self._scene.sun_x) / (0.05 + depth * 0.26), 1.0, 0.0)
            tone = lit(tone, p.light, clamp(chop * 1.7 - 0.15) * path * 0.75)
        crests = clamp(chop - 0.72) * depth * 0.5 + ramp(below, 0.012, 0.0) * 0.28
        return over(picture, lit(tone, p.horizon, crests), view.below(self._line + 0 * view.x))

    def _chop(self, depth: Field) -> Field:
        """Waves, -1..1, flatter and finer towards the horizon."""
        total = self._view.everywhere()
        for stretch, weight in ((5.0, 0.5), (12.0, 0.36), (30.0, 0.28)):
            down = np.sqrt(depth + 0.002) * (stretch * 5.5)
            total = total + noise(self._view.key("wave", stretch), self._view.x * stretch, down) * weight
        return clamp(total * 1.5, -1, 1) * (0.55 if self._scene.place == "lake" else 1.0)

    def _mirrored(self, picture: Picture, below: Field, depth: Field, chop: Field) -> Picture:
        scale = self._view.frame.scale
        rows = (self._line - below * 0.92 + chop * (0.006 + depth * 0.035)) * scale
        columns = self._view.columns + chop * (0.002 + depth * 0.01) * scale
        return sample(picture, columns, np.maximum(rows, 0))
