"""Towers with lit windows."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imagegen_adapters.demo.colors import mixed, over
from imagegen_adapters.demo.fields import Field, Picture, clamp, hashed, only, ramp, split
from imagegen_adapters.demo.scenery.view import Layer, View

_ROW = np.zeros((1, 1), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    width: float
    """Of a tower."""
    base: float
    """Below the horizon, as a share of the frame's height."""
    tallness: float
    nearness: float
    """0: as pale as the distance; 1: dark."""
    windows: int
    """Beside each other in a tower."""
    glow: float
    """How bright they are."""


_ROWS = (
    _Row(name="far", width=0.045, base=0.02, tallness=1.0, nearness=0.35, windows=3, glow=0.45),
    _Row(name="middle", width=0.065, base=0.08, tallness=0.95, nearness=0.68, windows=4, glow=0.75),
    _Row(name="near", width=0.10, base=0.26, tallness=0.72, nearness=1.0, windows=5, glow=1.0),
)


class City:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette

    def layers(self) -> list[Layer]:
        return [partial(self._towers, row) for row in _ROWS]

    def _towers(self, row: _Row, picture: Picture) -> Picture:
        view, p = self._view, self._palette
        cell, across = split(view.x / row.width)
        size = hashed(view.key("tower", row.name), cell, _ROW)
        base = self._scene.horizon + row.base * view.frame.bottom
        side = np.abs(across - 0.5)
        has_steps = hashed(view.key("steps", row.name), cell, _ROW) > 0.5
        top = base - (0.09 + size * size * 0.42) * row.tallness + only(has_steps & (side > 0.3), 0.035)
        spires = only((size > 0.8) & (side < 0.035), 0.055)
        color = mixed(mixed(p.far, p.near, row.nearness), p.horizon, 0.42 * (1 - row.nearness))
        mist = ramp(view.y, base - 0.16, base + 0.1) * (0.75 - 0.57 * row.nearness)
        tone = over(view.flat(color), mixed(color, p.horizon, 0.6), mist)
        picture = over(picture, tone, view.below(top - spires))
        return over(picture, p.accent, self._windows(row, cell, across, top))

    def _windows(self, row: _Row, cell: NDArray[np.int64], across: Field, top: Field) -> Field:
        u, v = across * row.windows, (self._view.y - top - 0.012) / (row.width / row.windows * 1.35)
        (i, right), (j, down) = split(u), split(v)
        chance = hashed(self._view.key("window", row.name), i + cell * 16, j)
        is_pane = (np.abs(right - 0.5) < 0.27) & (np.abs(down - 0.5) < 0.3) & (v > 0)
        is_lit = chance < (0.42 if self._scene.dimness > 0.2 else 0.22)
        return only(is_pane & is_lit, clamp((0.35 + chance) * row.glow))
