"""Folded from triangles: large ones over calm areas, small ones where there is something to see."""

from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagegen_adapters.demo.colors import luma
from imagegen_adapters.demo.fields import Field, Frame, Picture, clamp, hashed, sample, split
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery.view import Layer, View

_SIDES = (0.13, 0.068, 0.036, 0.019, 0.0105)
"""Of the triangles' cells, from coarse to fine, in units of the frame."""
_CONTRASTS = (0.045, 0.07, 0.10, 0.16)
"""Above this a triangle is split up."""

Ids: TypeAlias = NDArray[np.int64]


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    folding = _Folding(View(scene, frame))
    return [partial(folding.fold, level) for level in range(len(_SIDES))]


class _Folding:
    """Remembers the scene and, of the level before, which pixels want smaller triangles."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._model: Picture | None = None
        self._is_unfinished = np.ones((view.frame.height, view.frame.width), dtype=bool)

    def fold(self, level: int, picture: Picture) -> Picture:
        if self._model is None:
            self._model = picture
        mesh = _Mesh(self._view.key("mesh", level), _SIDES[level], self._view.frame)
        ids = mesh.triangle_of_pixels()
        colors, contrast = mesh.colors(self._model)
        result = np.where(self._is_unfinished[..., None], colors.take(ids, axis=0), picture)
        if level < len(_CONTRASTS):
            self._is_unfinished &= contrast.take(ids) > _CONTRASTS[level]
        return result


class _Mesh:
    """A grid with displaced corners; every cell is cut into two triangles."""

    def __init__(self, key: int, side: float, frame: Frame) -> None:
        self._frame = frame
        self._side = side
        self._columns = int(frame.right / side) + 4
        self._rows = int(frame.bottom / side) + 4
        i, j = np.arange(self._columns + 1)[None, :], np.arange(self._rows + 1)[:, None]
        self._corner_x = i.astype(np.float32) - 1 + (hashed(key, i, j) - 0.5) * 0.74
        self._corner_y = j.astype(np.float32) - 1 + (hashed(key ^ 0x5BD1E995, i, j) - 0.5) * 0.74
        self._tone = hashed(key ^ 0x2545F491, np.arange(self._columns * self._rows * 2), np.zeros(1, np.int64)) - 0.5

    def triangle_of_pixels(self) -> Ids:
        """The triangle in which each pixel's centre lies."""
        x, y = self._frame.x / self._side, self._frame.y / self._side
        # A corner moves by less than half a cell, so that a pixel lies in one of the four cells around it.
        left, top = split(x + 0.5)[0], split(y + 0.5)[0]
        ids = np.zeros((self._frame.height, self._frame.width), np.int64)
        for down in (0, 1):
            for right in (0, 1):
                self._claim(ids, x, y, left + right, top + down)
        return ids

    def _claim(self, ids: Ids, x: Field, y: Field, i: Ids, j: Ids) -> None:
        """Writes the cell's two triangles where a pixel lies in them."""
        corner = j * (self._columns + 1) + i
        here, right, below, far = (self._corner(corner + step) for step in (0, 1, self._columns + 1, self._columns + 2))
        diagonal = _side_of(x, y, here, far)
        is_upper = (_side_of(x, y, here, right) >= 0) & (_side_of(x, y, right, far) >= 0) & (diagonal < 0)
        is_lower = (_side_of(x, y, far, below) >= 0) & (_side_of(x, y, below, here) >= 0) & (diagonal >= 0)
        cell = (j * self._columns + i) * 2
        np.copyto(ids, cell, where=is_upper)
        np.copyto(ids, cell + 1, where=is_lower)

    def _corner(self, corner: Ids) -> tuple[Field, Field]:
        return self._corner_x.ravel().take(corner), self._corner_y.ravel().take(corner)

    def colors(self, picture: Picture) -> tuple[Picture, Field]:
        """Of each triangle: its colour, and how much the picture differs within it."""
        i, j = np.arange(self._columns)[None, :], np.arange(self._rows)[:, None]
        corner = j * (self._columns + 1) + i
        far, right, down = corner + self._columns + 2, corner + 1, corner + self._columns + 1
        triangles = np.stack([np.stack([corner, right, far]), np.stack([corner, far, down])], axis=-1).reshape(3, -1)
        xs, ys = self._corner_x.ravel().take(triangles), self._corner_y.ravel().take(triangles)
        samples = [self._at(picture, xs, ys, weights) for weights in _WITHIN]
        mean = _mean(samples)
        lights = [luma(part) for part in samples]
        contrast = np.maximum.reduce(lights) - np.minimum.reduce(lights)
        return clamp(mean * (1 + self._tone[:, None] * 0.11), 0, 1), contrast

    def _at(self, picture: Picture, xs: Field, ys: Field, weights: tuple[float, float, float]) -> Picture:
        a, b, c = (weight for weight in weights)
        x, y = xs[0] * a + xs[1] * b + xs[2] * c, ys[0] * a + ys[1] * b + ys[2] * c
        scale = self._side * self._frame.scale
        return sample(picture, x * scale, y * scale)


_WITHIN = (
    (0.34, 0.33, 0.33), (0.7, 0.15, 0.15), (0.15, 0.7, 0.15), (0.15, 0.15, 0.7), (0.46, 0.46, 0.08), (0.46, 0.08, 0.46),
    (0.08, 0.46, 0.46),
)  # fmt: skip


def _mean(samples: list[Picture]) -> Picture:
    total = samples[0]
    for part in samples[1:]:
        total = total + part
    return total / len(samples)


def _side_of(x: Field, y: Field, start: tuple[Field, Field], end: tuple[Field, Field]) -> Field:
    """Positive on the right-hand side of the line, with y downwards."""
    return (end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0])
