"""Shapes, described by their distance: negative inside, outside growing by one per unit."""

from itertools import pairwise
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.fields import Field, clamp, length

Point: TypeAlias = tuple[float, float]
Part: TypeAlias = tuple[Field, str]
"""A shape and the role of its colour: "coat", "dark", "pale", "ink", "eye" or "glow"."""


class Plane:
    """Coordinates in which a subject is about 1 high and stands on y = 0 at x = 0; it looks to the left.

    y grows downwards.
    """

    def __init__(self, x: Field, y: Field) -> None:
        self.x = x
        self.y = y

    def ball(self, at: Point, radius: float, tall: float = 1.0) -> Field:
        """A circle, or with `tall` an ellipse that many times as high as wide."""
        return length(self.x - at[0], (self.y - at[1]) / tall) - radius

    def limb(self, start: Point, end: Point, radius: float, end_radius: float) -> Field:
        """A bone that gets thinner or thicker."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        px, py = self.x - start[0], self.y - start[1]
        t = clamp((px * dx + py * dy) / (dx * dx + dy * dy))
        return length(px - dx * t, py - dy * t) - (radius + (end_radius - radius) * t)

    def chain(self, points: list[tuple[float, float, float]]) -> Field:
        """Limbs through points of (x, y, radius)."""
        return union(*(self.limb((ax, ay), (bx, by), ar, br) for (ax, ay, ar), (bx, by, br) in pairwise(points)))

    def polygon(self, points: list[Point]) -> Field:
        edges = list(zip(points, points[1:] + points[:1], strict=True))
        border = union(*(self.limb(start, end, 0, 0) for start, end in edges))
        inside = np.zeros(border.shape, dtype=bool)
        for (ax, ay), (bx, by) in edges:
            if ay != by:
                crosses = (self.y < ay) != (self.y < by)
                inside ^= crosses & (self.x < ax + (self.y - ay) * ((bx - ax) / (by - ay)))
        return np.where(inside, -border, border)

    def square(self, at: Point, half: float, tall: float = 1.0) -> Field:
        """A rectangle with sides along the axes; `half` its width, `tall` times as high."""
        distance: Field = np.maximum(np.abs(self.x - at[0]), np.abs(self.y - at[1]) / tall)
        return distance - half


def union(*shapes: Field) -> Field:
    total = shapes[0]
    for shape in shapes[1:]:
        total = np.minimum(total, shape)
    return total


def joined(softness: float, *shapes: Field) -> Field:
    """All shapes, with soft transitions."""
    total = shapes[0]
    for shape in shapes[1:]:
        h = np.maximum(softness - np.abs(total - shape), 0) / softness
        total = np.minimum(total, shape) - h * h * (softness / 4)
    return total
