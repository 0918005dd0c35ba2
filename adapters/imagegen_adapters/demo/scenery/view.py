"""What every part of a scene is painted with."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.colors import Color, array
from imagegen_adapters.demo.fields import (
    Field,
    Frame,
    Picture,
    clamp,
    fractal,
    grain,
    hashed,
    key_of,
    length,
    noise,
    only,
    ramp,
    split,
)
from imagegen_adapters.demo.scene import Scene

Layer: TypeAlias = Callable[[Picture], Picture]

_NOWHERE: Field = np.zeros((1, 1), np.float32)


class View:
    """A scene in a frame. Noise depends on the scene and on its own name, lengths are in units of the frame."""

    def __init__(self, scene: Scene, frame: Frame) -> None:
        self.scene = scene
        self.frame = frame
        self.palette = scene.palette
        self.x = frame.x
        self.y = frame.y

    def key(self, *name: object) -> int:
        return key_of(self.scene.key, *name)

    def noise(self, name: str, across: float, down: float) -> Field:
        """With so many bumps per unit."""
        return noise(self.key(name), self.x * across, self.y * down)

    def fractal(self, name: str, across: float, down: float, *, octaves: int, gain: float = 0.5) -> Field:
        return fractal(self.key(name), self.x * across, self.y * down, octaves=octaves, gain=gain)

    def line(self, name: str, across: float, *, octaves: int = 1, gain: float = 0.5) -> Field:
        """A wavy line, (1, width)."""
        return fractal(self.key(name), self.x * across, _NOWHERE, octaves=octaves, gain=gain)

    def grain(self, name: str) -> Field:
        """Independent numbers for every pixel, -0.5..0.5."""
        return grain(self.frame.width, self.frame.height, self.key(name)) - 0.5

    def flat(self, color: Color) -> Picture:
        return np.broadcast_to(array(color), (self.frame.height, self.frame.width, 3))

    def everywhere(self, value: float = 0) -> Field:
        return np.full((self.frame.height, self.frame.width), value, np.float32)

    def inside(self, distance: Field) -> Field:
        """Opacity of a shape with a crisp edge; `distance` grows inwards from its border."""
        return clamp(distance * self.frame.scale + 0.5)

    def below(self, line: Field) -> Field:
        return self.inside(self.y - line)

    def distance(self, x: float, y: float) -> Field:
        return length(self.x - x, self.y - y)

    def spot(self, x: float, y: float, width: float, height: float) -> Field:
        """Distance from an ellipse's centre: 1 on its border."""
        return length((self.x - x) / width, (self.y - y) / height)

    @property
    def columns(self) -> Field:
        return np.arange(self.frame.width, dtype=np.float32)[None, :]

    @property
    def rows(self) -> Field:
        return np.arange(self.frame.height, dtype=np.float32)[:, None]

    def dots(self, name: str, per_unit: int, share: float, radius: float) -> Field:
        """Soft dots all over the frame: in each cell of a grid at most one, in a `share` of the cells."""
        (i, u), (j, v) = split(self.x * per_unit), split(self.y * per_unit)
        here = hashed(self.key(name, per_unit, "here"), i, j)
        # Away from the cell's edge, so that no dot is cut off.
        dx = u - 0.25 - 0.5 * hashed(self.key(name, per_unit, "x"), i, j)
        dy = v - 0.25 - 0.5 * hashed(self.key(name, per_unit, "y"), i, j)
        distance = length(dx, dy) / per_unit
        weight = here / max(share, 0.01)
        size = max(radius, 0.8 / self.frame.scale) * (0.6 + weight)
        return only(here < share, ramp(distance / size, 1.0, 0.15) * (0.4 + 0.6 * weight))

    def stars(self, starriness: float) -> Field:
        """How bright the stars are, 0..1."""
        total = self.everywhere()
        for per_unit, share, radius in ((34, 0.20, 0.0021), (16, 0.22, 0.0034), (6, 0.30, 0.0052)):
            total = np.maximum(total, self.dots("star", per_unit, share * starriness, radius))
        return total
