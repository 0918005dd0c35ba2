"""What can stand, swim or fly in a scene: silhouettes of a few soft shapes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from imagegen_adapters.demo.colors import Color, array, lit, mixed, over, rgb, tinted
from imagegen_adapters.demo.fields import Field, Frame, Picture, clamp, ramp
from imagegen_adapters.demo.subjects import animals, things
from imagegen_adapters.demo.subjects.shapes import Part, Plane

Drawing: TypeAlias = Callable[[Plane], list[Part]]


_WHITE, _BLACK = rgb("faf2e6"), rgb("0d0d12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    draw: Drawing
    coat: Color
    """Its colour where the prompt names none."""
    dark: Color
    pale: Color = _WHITE
    ink: Color = _BLACK
    size: float = 0.42
    """Height, as a share of the frame's shorter side."""
    is_afloat: bool = False
    """Belongs on water."""
    is_flying: bool = False


SUBJECTS = {
    "fox": Subject(draw=animals.fox, coat=rgb("e0702a"), dark=rgb("33211d"), size=0.46),
    "cat": Subject(draw=animals.cat, coat=rgb("474a57"), dark=rgb("2a2b33")),
    "rabbit": Subject(draw=animals.rabbit, coat=rgb("b08d6a"), dark=rgb("5a4532"), size=0.38),
    "bird": Subject(draw=animals.bird, coat=rgb("4f7fb5"), pale=rgb("f0955c"), dark=rgb("2f3a4a")),
    "sailboat": Subject(draw=things.sailboat, coat=rgb("d9512c"), dark=rgb("4a2f2a"), size=0.40, is_afloat=True),
    "house": Subject(draw=things.house, coat=rgb("b5653f"), dark=rgb("3d2a2a"), size=0.34),
    "castle": Subject(draw=things.castle, coat=rgb("8f8a99"), dark=rgb("5a3550"), size=0.44),
    "lighthouse": Subject(draw=things.lighthouse, coat=rgb("c8372d"), dark=rgb("2c3038"), size=0.52),
    "balloon": Subject(
        draw=things.balloon, coat=rgb("d94a3a"), pale=rgb("f7d774"), dark=rgb("5a3526"), size=0.44, is_flying=True
    ),
    "whale": Subject(
        draw=animals.whale, coat=rgb("3f6f96"), pale=rgb("d5e3ea"), dark=rgb("27506f"), size=0.40, is_afloat=True
    ),
    "tree": Subject(draw=things.tree, coat=rgb("4f8a4a"), pale=rgb("8fbf5f"), dark=rgb("4a3527"), size=0.56),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a subject is, and in which light. Lengths in units of the frame."""

    x: float
    y: float
    """Of its foot."""
    size: float
    faces_right: bool
    light: Color
    light_x: float
    """Where the light comes from."""
    ambient: Color
    """What the shaded side is drawn towards."""
    dimness: float
    """0: full colour; 1: silhouette."""
    color: Color | None = None
    """Instead of its own."""

    @property
    def side(self) -> int:
        """1 as drawn, -1 mirrored."""
        return -1 if self.faces_right else 1


def drawn(picture: Picture, frame: Frame, subject: Subject, at: Placement) -> Picture:
    """`picture` with the subject in it."""
    x, y = (frame.x - at.x) * (at.side / at.size), (frame.y - at.y) / at.size
    rows, columns = _span(np.abs(y[:, 0] + 0.5) < 1.15), _span(np.abs(x[0]) < 1.15)
    result = picture.copy()
    region = result[rows, columns]
    if region.size:
        result[rows, columns] = _figure(region, Plane(x[:, columns], y[rows]), frame.scale * at.size, subject, at)
    return result


def _figure(region: Picture, plane: Plane, pixels: float, subject: Subject, at: Placement) -> Picture:
    """`region` with the subject over it; `pixels` to a unit of the plane."""
    covered: Field = np.zeros(region.shape[:2], np.float32)
    for shape, role in subject.draw(plane):
        color = _color(subject, at, role)
        alpha = clamp(0.5 - shape * pixels)
        if role == "coat":
            # A part throws its shadow on those behind it.
            region = over(region, mixed(color, at.ambient, 0.8), covered * ramp(shape, 0.07, 0.0) * 0.5)
        region = _laid(region, shape, alpha, plane.x, color, at, role)
        covered = np.maximum(covered, alpha)
    return region


def _span(wanted: NDArray[np.bool_]) -> slice:
    indices = np.flatnonzero(wanted)
    return slice(int(indices[0]), int(indices[-1]) + 1) if indices.size else slice(0, 0)


def _color(subject: Subject, at: Placement, role: str) -> Color:
    if role in {"glow", "eye"}:
        return mixed(at.light, rgb("ffd98a"), 0.6)
    own = {"coat": at.color or subject.coat, "dark": subject.dark, "pale": subject.pale, "ink": subject.ink}[role]
    if role in {"coat", "pale"}:
        own = mixed(own, at.light, 0.12)
    return mixed(tinted(own, at.ambient, 0.15 + 0.3 * at.dimness), at.ambient, 0.55 * at.dimness)


def _laid(region: Picture, shape: Field, alpha: Field, x: Field, color: Color, at: Placement, role: str) -> Picture:
    """`region` with one part over it, in the light that falls on it."""
    if role == "glow":
        halo = ramp(shape, 0.12, 0.0)
        return over(lit(region, color, halo * halo * (0.3 + 0.3 * at.dimness)), color, alpha)
    toward = x * (at.side if at.light_x > at.x else -at.side)
    base = np.broadcast_to(array(color), region.shape)
    shaded = over(base, mixed(color, at.ambient, 0.42), ramp(toward, 0.2, -0.45))
    rim = ramp(shape, -0.022, 0.0) * ramp(toward, -0.15, 0.3)
    return over(region, lit(shaded, at.light, rim * 0.4), alpha)
