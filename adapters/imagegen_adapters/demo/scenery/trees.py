"""Conifers in rows."""

from dataclasses import dataclass

import numpy as np

from imagegen_adapters.demo.colors import mixed, over
from imagegen_adapters.demo.fields import Field, Picture, hashed, only, ramp, split
from imagegen_adapters.demo.scenery.view import View

_ROW = np.zeros((1, 1), np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    height: float
    spacing: float
    """Between two trees, as a share of the height."""
    base: float
    """Where they stand: 0 at the horizon, 1 at the frame's bottom."""
    nearness: float
    """0: as pale as the distance; 1: dark."""
    haze: float
    """How much of them stands in mist."""
    is_framing: bool = False
    """Only at the frame's sides, and taller there."""


_FAR = _Row(name="far", height=0.10, spacing=0.30, base=0.10, nearness=0.45, haze=0.55)
_MIDDLE = _Row(name="middle", height=0.19, spacing=0.30, base=0.26, nearness=0.72, haze=0.45)
_NEAR = _Row(name="near", height=0.42, spacing=0.42, base=0.98, nearness=1.0, haze=0.12, is_framing=True)


class Trees:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette

    def far(self, picture: Picture) -> Picture:
        return self._row(picture, _FAR)

    def middle(self, picture: Picture) -> Picture:
        return self._row(picture, _MIDDLE)

    def near(self, picture: Picture) -> Picture:
        return self._row(picture, _NEAR)

    def _row(self, picture: Picture, row: _Row) -> Picture:
        view, p = self._view, self._palette
        base = self._scene.horizon + (view.frame.bottom - self._scene.horizon) * row.base
        ground = base + view.line(f"treeline {row.name}", 2) * 0.02
        covered = view.everywhere() if row.is_framing else view.below(ground)
        for neighbour in (-1, 0, 1):
            covered = np.maximum(covered, self._conifer(row, neighbour, ground))
        color = mixed(mixed(p.far, p.near, row.nearness), p.horizon, 0.3 * (1 - row.nearness))
        mist = ramp(view.y, base - row.height * 0.35, base + 0.05) * row.haze
        return over(picture, over(view.flat(color), mixed(color, p.horizon, 0.55), mist), covered)

    def _conifer(self, row: _Row, neighbour: int, ground: Field) -> Field:
        """Opacity of the tree whose cell is that many cells right of each column's own."""
        view, spacing = self._view, row.height * row.spacing
        cell = split(view.x / spacing)[0] + neighbour
        place = hashed(view.key("tree at", row.name), cell, _ROW) * 0.7 + 0.15
        center = (cell.astype(np.float32) + place) * spacing
        tall = row.height * (0.55 + 0.45 * hashed(view.key("tree size", row.name), cell, _ROW))
        if row.is_framing:
            tall = tall * ramp(np.abs(center / view.frame.right - 0.5), 0.27, 0.48) * 1.9
        down = (view.y - (ground - tall)) / np.maximum(tall, 1e-3)
        _, tier = split(down * 7)
        twigs = 1 + view.noise(f"twig {row.name}", 8 / row.height, 12 / row.height) * 0.10
        half = tall * 0.19 * (down * 0.72 + tier * 0.28 * np.minimum(down * 3, 1)) * twigs
        return only((down > 0) & (down < 1.06), view.inside(half - np.abs(view.x - center)))
