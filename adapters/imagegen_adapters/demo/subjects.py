"""Silhouettes: each is a few soft shapes, described by their distance.

A shape is a function of coordinates that is negative inside and grows outside by one per unit. Units: the subject is
about 1 high, stands on y = 0 at x = 0, y grows downwards, and it looks to the left.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.colors import Color, lit, mixed, over, rgb, tinted
from imagegen_adapters.demo.fields import Field, Picture, clamp, ramp

Point: TypeAlias = tuple[float, float]
Part: TypeAlias = tuple[Field, str]
"""A shape and the role of its colour: "coat", "dark", "pale", "ink", "eye" or "glow"."""
Drawing: TypeAlias = Callable[[Field, Field], list[Part]]

_FAR = np.float32(1e3)


def _ball(x: Field, y: Field, at: Point, radius: float, tall: float = 1.0) -> Field:
    """A circle, or with `tall` an ellipse that many times as high as wide."""
    dx, dy = x - np.float32(at[0]), (y - np.float32(at[1])) / np.float32(tall)
    return np.sqrt(dx * dx + dy * dy) - np.float32(radius)


def _limb(x: Field, y: Field, start: Point, end: Point, radius: float, end_radius: float) -> Field:
    """A bone that gets thinner or thicker."""
    dx, dy = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    px, py = x - np.float32(start[0]), y - np.float32(start[1])
    t = clamp((px * dx + py * dy) / (dx * dx + dy * dy))
    qx, qy = px - dx * t, py - dy * t
    return np.sqrt(qx * qx + qy * qy) - (np.float32(radius) + np.float32(end_radius - radius) * t)


def _chain(x: Field, y: Field, points: list[tuple[float, float, float]]) -> Field:
    """Limbs through points of (x, y, radius)."""
    total: Field = np.broadcast_to(_FAR, np.broadcast(x, y).shape)
    for (ax, ay, ar), (bx, by, br) in itertools.pairwise(points):
        total = np.minimum(total, _limb(x, y, (ax, ay), (bx, by), ar, br))
    return total


def _shape(x: Field, y: Field, points: list[Point]) -> Field:
    """A polygon."""
    nearest: Field = np.broadcast_to(_FAR, np.broadcast(x, y).shape)
    inside = np.zeros(nearest.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        nearest = np.minimum(nearest, _limb(x, y, (ax, ay), (bx, by), 0, 0))
        if ay != by:
            crosses = (y < np.float32(ay)) != (y < np.float32(by))
            inside ^= crosses & (x < np.float32(ax) + (y - np.float32(ay)) * np.float32((bx - ax) / (by - ay)))
    return np.where(inside, -nearest, nearest)


def _joined(softness: float, *shapes: Field) -> Field:
    """All shapes, with soft transitions."""
    total = shapes[0]
    for shape in shapes[1:]:
        h = np.maximum(np.float32(softness) - np.abs(total - shape), 0) / np.float32(softness)
        total = np.minimum(total, shape) - h * h * np.float32(softness / 4)
    return total


def _fox(x: Field, y: Field) -> list[Part]:
    tail = _joined(
        0.10,
        _chain(x, y, [(0.22, -0.07, 0.05), (0.36, -0.075, 0.075), (0.47, -0.12, 0.10)]),
        _chain(x, y, [(0.47, -0.12, 0.10), (0.56, -0.24, 0.115), (0.59, -0.36, 0.095)]),
        _chain(x, y, [(0.59, -0.36, 0.09), (0.57, -0.47, 0.05), (0.52, -0.57, 0.006)]),
    )
    torso = _joined(
        0.12,
        _limb(x, y, (-0.07, -0.50), (0.10, -0.22), 0.13, 0.19),
        _ball(x, y, (0.15, -0.16), 0.17, 0.95),
        _limb(x, y, (-0.07, -0.52), (-0.12, -0.70), 0.12, 0.09),
    )
    head = _joined(
        0.05,
        _ball(x, y, (-0.14, -0.76), 0.125, 0.9),
        _limb(x, y, (-0.18, -0.735), (-0.36, -0.695), 0.075, 0.02),
    )
    ears = np.minimum(
        _shape(x, y, [(-0.235, -0.82), (-0.215, -1.02), (-0.12, -0.86)]),
        _shape(x, y, [(-0.12, -0.86), (-0.045, -1.02), (-0.015, -0.80)]),
    )
    legs = np.minimum(
        _chain(x, y, [(-0.14, -0.45, 0.075), (-0.165, -0.20, 0.05), (-0.17, -0.035, 0.035), (-0.215, -0.025, 0.028)]),
        _chain(x, y, [(-0.05, -0.42, 0.07), (-0.075, -0.20, 0.05), (-0.08, -0.035, 0.035), (-0.125, -0.025, 0.028)]),
    )
    foot = _limb(x, y, (0.14, -0.05), (0.0, -0.03), 0.05, 0.032)
    body = _joined(0.04, np.minimum(torso, foot), np.minimum(head, ears), legs)
    bib = _joined(
        0.06,
        _limb(x, y, (-0.15, -0.63), (-0.175, -0.52), 0.05, 0.075),
        _limb(x, y, (-0.175, -0.52), (-0.125, -0.30), 0.075, 0.01),
    )
    chest = np.maximum(bib, body)
    cheek = np.maximum(_limb(x, y, (-0.10, -0.655), (-0.33, -0.665), 0.062, 0.02), body)
    socks = np.maximum(legs, np.float32(-0.17) - y)
    tip = np.maximum(y + np.float32(0.37) + (x - np.float32(0.6)) * np.float32(0.5), tail)
    ear_ends = np.maximum(ears, y + np.float32(0.955))
    eye = _ball(x, y, (-0.195, -0.775), 0.017, 1.1)
    nose = _ball(x, y, (-0.372, -0.70), 0.024)
    return [
        (tail, "coat"), (tip, "pale"), (body, "coat"), (chest, "pale"), (cheek, "pale"),
        (socks, "dark"), (ear_ends, "dark"), (eye, "ink"), (nose, "ink"),
    ]  # fmt: skip


def _cat(x: Field, y: Field) -> list[Part]:
    tail = _chain(
        x,
        y,
        [
            (0.20, -0.05, 0.05),
            (0.38, -0.045, 0.05),
            (0.50, -0.12, 0.048),
            (0.50, -0.26, 0.045),
            (0.44, -0.36, 0.04),
            (0.47, -0.46, 0.035),
        ],
    )
    body = _joined(
        0.10,
        _limb(x, y, (-0.04, -0.48), (0.05, -0.20), 0.13, 0.20),
        _ball(x, y, (0.10, -0.16), 0.17),
        _ball(x, y, (-0.09, -0.70), 0.155, 0.86),
    )
    ears = np.minimum(
        _shape(x, y, [(-0.235, -0.74), (-0.225, -0.93), (-0.10, -0.82)]),
        _shape(x, y, [(-0.10, -0.82), (0.035, -0.93), (0.055, -0.72)]),
    )
    legs = np.minimum(
        _chain(x, y, [(-0.11, -0.42, 0.07), (-0.125, -0.04, 0.042), (-0.16, -0.03, 0.034)]),
        _chain(x, y, [(-0.01, -0.40, 0.07), (-0.03, -0.04, 0.042), (-0.065, -0.03, 0.034)]),
    )
    whole = _joined(0.03, np.minimum(body, ears), legs)
    bib = np.maximum(_limb(x, y, (-0.13, -0.54), (-0.11, -0.40), 0.05, 0.035), whole)
    muzzle = np.maximum(_ball(x, y, (-0.165, -0.655), 0.06, 0.75), whole)
    eyes = np.minimum(_ball(x, y, (-0.165, -0.735), 0.019, 1.3), _ball(x, y, (-0.07, -0.735), 0.019, 1.3))
    return [
        (tail, "coat"),
        (whole, "coat"),
        (bib, "pale"),
        (muzzle, "pale"),
        (eyes, "eye"),
        (_ball(x, y, (-0.175, -0.678), 0.014), "ink"),
    ]


def _rabbit(x: Field, y: Field) -> list[Part]:
    body = _joined(
        0.08,
        _ball(x, y, (0.10, -0.22), 0.24, 0.92),
        _limb(x, y, (-0.02, -0.34), (-0.14, -0.50), 0.15, 0.12),
        _ball(x, y, (-0.17, -0.53), 0.125, 0.9),
        _limb(x, y, (-0.2, -0.5), (-0.27, -0.49), 0.07, 0.055),
    )
    ears = np.minimum(
        _chain(x, y, [(-0.14, -0.62, 0.035), (-0.11, -0.80, 0.052), (-0.06, -0.97, 0.012)]),
        _chain(x, y, [(-0.09, -0.62, 0.035), (-0.02, -0.78, 0.052), (0.07, -0.92, 0.012)]),
    )
    feet = np.minimum(
        _limb(x, y, (0.16, -0.045), (-0.06, -0.04), 0.055, 0.04),
        _chain(x, y, [(-0.08, -0.32, 0.06), (-0.12, -0.04, 0.035), (-0.16, -0.032, 0.03)]),
    )
    whole = _joined(0.04, body, ears, feet)
    belly = np.maximum(_ball(x, y, (-0.12, -0.30), 0.085, 1.5), whole)
    inner = np.maximum(_chain(x, y, [(-0.135, -0.68, 0.012), (-0.11, -0.80, 0.024), (-0.08, -0.90, 0.004)]), whole)
    return [
        (_ball(x, y, (0.345, -0.20), 0.065), "pale"), (whole, "coat"), (belly, "pale"), (inner, "pale"),
        (_ball(x, y, (-0.205, -0.555), 0.02), "ink"), (_ball(x, y, (-0.32, -0.50), 0.014), "ink"),
    ]  # fmt: skip


def _bird(x: Field, y: Field) -> list[Part]:
    branch = _chain(x, y, [(-0.62, -0.02, 0.012), (-0.1, -0.035, 0.022), (0.7, -0.10, 0.03)])
    twig = _chain(x, y, [(0.3, -0.06, 0.015), (0.48, -0.22, 0.006)])
    body = _joined(
        0.10,
        _limb(x, y, (-0.10, -0.36), (0.10, -0.22), 0.17, 0.12),
        _ball(x, y, (-0.17, -0.56), 0.135),
        _limb(x, y, (0.12, -0.20), (0.42, -0.06), 0.09, 0.03),
    )
    breast = np.maximum(_ball(x, y, (-0.20, -0.32), 0.14, 1.25), body)
    wing = np.maximum(_limb(x, y, (0.0, -0.36), (0.30, -0.13), 0.10, 0.02), body + np.float32(0.01))
    beak = _shape(x, y, [(-0.285, -0.60), (-0.40, -0.555), (-0.285, -0.535)])
    legs = np.minimum(
        _limb(x, y, (-0.06, -0.18), (-0.08, -0.03), 0.011, 0.011),
        _limb(x, y, (0.03, -0.18), (0.02, -0.04), 0.011, 0.011),
    )
    return [
        (np.minimum(branch, twig), "dark"), (legs, "dark"), (body, "coat"), (breast, "pale"), (wing, "dark"),
        (beak, "dark"), (_ball(x, y, (-0.21, -0.585), 0.02), "ink"),
    ]  # fmt: skip


def _sailboat(x: Field, y: Field) -> list[Part]:
    hull = _shape(x, y, [(-0.44, -0.14), (0.42, -0.14), (0.30, 0.0), (-0.30, 0.0)])
    stripe = np.maximum(hull, np.abs(y + np.float32(0.115)) - np.float32(0.014))
    mast = _limb(x, y, (0.0, -0.14), (0.0, -1.0), 0.012, 0.008)
    main = _shape(x, y, [(0.025, -0.96), (0.06, -0.72), (0.20, -0.45), (0.38, -0.21), (0.025, -0.19)])
    jib = _shape(x, y, [(-0.02, -0.92), (-0.14, -0.60), (-0.38, -0.20), (-0.02, -0.20)])
    flag = _shape(x, y, [(0.0, -1.0), (0.13, -0.975), (0.0, -0.94)])
    return [(mast, "dark"), (main, "pale"), (jib, "coat"), (flag, "coat"), (hull, "dark"), (stripe, "pale")]


def _house(x: Field, y: Field) -> list[Part]:
    wall = _shape(x, y, [(-0.38, 0.02), (-0.38, -0.42), (0.38, -0.42), (0.38, 0.02)])
    gable = _shape(x, y, [(-0.38, -0.42), (0.0, -0.74), (0.38, -0.42)])
    roof = np.minimum(
        _limb(x, y, (-0.46, -0.37), (0.0, -0.78), 0.035, 0.03), _limb(x, y, (0.46, -0.37), (0.0, -0.78), 0.035, 0.03)
    )
    chimney = _shape(x, y, [(0.16, -0.55), (0.16, -0.86), (0.27, -0.86), (0.27, -0.50)])
    door = _shape(x, y, [(-0.07, 0.02), (-0.07, -0.24), (0.07, -0.24), (0.07, 0.02)])
    windows = np.minimum(
        np.minimum(_square(x, y, (-0.23, -0.22), 0.065), _square(x, y, (0.23, -0.22), 0.065)),
        _ball(x, y, (0.0, -0.50), 0.065),
    )
    bars = np.maximum(
        windows, np.minimum(np.abs(np.abs(x) - np.float32(0.23)), np.abs(y + np.float32(0.22))) - np.float32(0.007)
    )
    return [
        (chimney, "dark"),
        (np.minimum(wall, gable), "coat"),
        (roof, "dark"),
        (door, "dark"),
        (windows, "glow"),
        (bars, "dark"),
    ]


def _square(x: Field, y: Field, at: Point, half: float, tall: float = 1.0) -> Field:
    return np.maximum(np.abs(x - np.float32(at[0])), np.abs(y - np.float32(at[1])) / np.float32(tall)) - np.float32(
        half
    )


def _castle(x: Field, y: Field) -> list[Part]:
    walls = [
        _square(x, y, (0.0, -0.18), 0.40, 0.5),
        _square(x, y, (-0.40, -0.26), 0.10, 2.8),
        _square(x, y, (0.40, -0.26), 0.10, 2.8),
    ]
    keep = _square(x, y, (0.05, -0.40), 0.15, 2.8)
    slim = _square(x, y, (-0.19, -0.42), 0.07, 4.6)
    roofs = [
        _shape(x, y, [(-0.53, -0.52), (-0.40, -0.78), (-0.27, -0.52)]),
        _shape(x, y, [(0.27, -0.52), (0.40, -0.78), (0.53, -0.52)]),
        _shape(x, y, [(-0.13, -0.80), (0.05, -1.08), (0.23, -0.80)]),
        _shape(x, y, [(-0.28, -0.73), (-0.19, -0.97), (-0.10, -0.73)]),
    ]
    stone = _union(*walls, keep, slim)
    gate = np.minimum(_square(x, y, (0.0, -0.04), 0.075, 1.4), _ball(x, y, (0.0, -0.14), 0.075))
    lights = [
        _square(x, y, at, 0.018, 2.0)
        for at in ((-0.40, -0.38), (0.40, -0.38), (0.0, -0.62), (0.10, -0.62), (0.05, -0.45), (-0.19, -0.62))
    ]
    battlements = np.maximum(np.abs(y + np.float32(0.385)) - np.float32(0.03), np.abs(x) - np.float32(0.32))
    teeth = np.maximum(battlements, np.float32(0.022) - np.abs((x * 10 - np.floor(x * 10)) - np.float32(0.5)) / 10)
    return [(np.minimum(stone, teeth), "coat"), (_union(*roofs), "dark"), (gate, "ink"), (_union(*lights), "glow")]


def _union(*shapes: Field) -> Field:
    total = shapes[0]
    for shape in shapes[1:]:
        total = np.minimum(total, shape)
    return total


def _lighthouse(x: Field, y: Field) -> list[Part]:
    rock = _joined(
        0.08,
        _ball(x, y, (0.0, 0.06), 0.30, 0.42),
        _ball(x, y, (-0.22, 0.06), 0.16, 0.5),
        _ball(x, y, (0.26, 0.07), 0.18, 0.45),
    )
    tower = _shape(x, y, [(-0.13, -0.02), (-0.08, -0.76), (0.08, -0.76), (0.13, -0.02)])
    bands = np.maximum(
        tower, np.float32(0.055) - np.abs((y * 4 - np.floor(y * 4)) - np.float32(0.5)) * np.float32(0.22)
    )
    gallery = _square(x, y, (0.0, -0.77), 0.11, 0.18)
    lamp = _square(x, y, (0.0, -0.84), 0.055, 1.0)
    roof = _union(
        _shape(x, y, [(-0.085, -0.89), (0.0, -1.0), (0.085, -0.89)]), _limb(x, y, (0, -1.0), (0, -1.05), 0.008, 0.006)
    )
    return [(rock, "dark"), (tower, "pale"), (bands, "coat"), (gallery, "dark"), (lamp, "glow"), (roof, "dark")]


def _balloon(x: Field, y: Field) -> list[Part]:
    envelope = _joined(0.10, _ball(x, y, (0.0, -0.66), 0.34), _limb(x, y, (0.0, -0.5), (0.0, -0.26), 0.26, 0.07))
    # Gores: stripes that get narrower towards the sides, as on a ball.
    width = np.sqrt(
        np.maximum(
            np.float32(0.118) - (y + np.float32(0.66)) * (y + np.float32(0.66)) * np.float32(0.55), np.float32(0.004)
        )
    )
    around = clamp(x / width, -1, 1)
    stripes = np.maximum(
        envelope,
        np.abs(np.abs(around * (1.5 - 0.5 * around * around)) - np.float32(0.42)) * np.float32(0.3) - np.float32(0.055),
    )
    belt = np.maximum(envelope, np.abs(y + np.float32(0.44)) - np.float32(0.022))
    ropes = _union(*(_limb(x, y, (s * 0.07, -0.24), (s * 0.05, -0.08), 0.005, 0.005) for s in (-1, 1)))
    basket = _square(x, y, (0.0, -0.035), 0.06, 0.75)
    return [(ropes, "dark"), (envelope, "coat"), (stripes, "pale"), (belt, "dark"), (basket, "dark")]


def _whale(x: Field, y: Field) -> list[Part]:
    body = _joined(
        0.12,
        _chain(x, y, [(-0.42, -0.20, 0.20), (-0.1, -0.22, 0.25), (0.28, -0.20, 0.14), (0.56, -0.30, 0.05)]),
        _ball(x, y, (-0.48, -0.16), 0.17, 0.9),
    )
    flukes = _joined(
        0.05,
        _chain(x, y, [(0.56, -0.30, 0.045), (0.70, -0.46, 0.04), (0.62, -0.60, 0.008)]),
        _chain(x, y, [(0.56, -0.30, 0.045), (0.74, -0.42, 0.04), (0.90, -0.44, 0.008)]),
    )
    fin = _chain(x, y, [(-0.12, -0.08, 0.07), (0.02, 0.06, 0.05), (0.14, 0.10, 0.012)])
    whole = _joined(0.04, body, flukes)
    belly = np.maximum(_limb(x, y, (-0.52, -0.02), (0.12, -0.03), 0.13, 0.06), whole)
    grooves = np.maximum(belly, np.float32(0.006) - np.abs((y * 22 - np.floor(y * 22)) - np.float32(0.5)) / 30)
    spout = _union(
        *(
            _chain(x, y, [(-0.26, -0.44, 0.012), (-0.26 + s, -0.66, 0.02), (-0.26 + 2.4 * s, -0.62, 0.012)])
            for s in (-0.05, 0.05)
        )
    )
    water = y + np.float32(0.05)
    swimming = [(np.maximum(shape, water), role) for shape, role in ((whole, "coat"), (grooves, "pale"), (fin, "dark"))]
    return [(spout, "pale"), *swimming, (_ball(x, y, (-0.45, -0.19), 0.018), "ink")]


def _tree(x: Field, y: Field) -> list[Part]:
    trunk = _joined(
        0.05,
        _chain(x, y, [(0.0, 0.02, 0.075), (0.02, -0.25, 0.05), (-0.02, -0.55, 0.035)]),
        _chain(x, y, [(0.015, -0.30, 0.04), (0.18, -0.52, 0.02)]),
        _chain(x, y, [(0.01, -0.36, 0.035), (-0.17, -0.54, 0.02)]),
    )
    balls = (
        (-0.24, -0.58, 0.19),
        (0.0, -0.78, 0.23),
        (0.25, -0.60, 0.20),
        (-0.12, -0.66, 0.2),
        (0.14, -0.70, 0.2),
        (0.0, -0.56, 0.16),
    )
    crown = _joined(0.05, *(_ball(x, y, (bx, by), r, 0.85) for bx, by, r in balls))
    bright = _joined(0.05, *(_ball(x, y, (bx - 0.03, by - 0.05), r * 0.6, 0.8) for bx, by, r in balls[:3]))
    return [(trunk, "dark"), (crown, "coat"), (np.maximum(bright, crown), "pale")]


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that stands, swims or flies in the scene."""

    draw: Drawing
    coat: Color
    """Its colour where the prompt names none."""
    ink: Color = (0.05, 0.05, 0.07)
    pale: Color = (0.98, 0.95, 0.9)
    dark: Color = (0.13, 0.10, 0.13)
    size: float = 0.42
    """Height, as a share of the frame's shorter side."""
    is_afloat: bool = False
    """Belongs on water."""
    is_flying: bool = False


SUBJECT_TABLE = {
    "fox": Subject(_fox, rgb("e0702a"), dark=rgb("33211d"), size=0.46),
    "cat": Subject(_cat, rgb("474a57"), dark=rgb("2a2b33"), size=0.42),
    "rabbit": Subject(_rabbit, rgb("b08d6a"), dark=rgb("5a4532"), size=0.38),
    "bird": Subject(_bird, rgb("4f7fb5"), pale=rgb("f0955c"), dark=rgb("2f3a4a"), size=0.42),
    "sailboat": Subject(_sailboat, rgb("d9512c"), dark=rgb("4a2f2a"), size=0.40, is_afloat=True),
    "house": Subject(_house, rgb("b5653f"), dark=rgb("3d2a2a"), size=0.34),
    "castle": Subject(_castle, rgb("8f8a99"), dark=rgb("5a3550"), size=0.44),
    "lighthouse": Subject(_lighthouse, rgb("c8372d"), dark=rgb("2c3038"), size=0.52),
    "balloon": Subject(_balloon, rgb("d94a3a"), pale=rgb("f7d774"), dark=rgb("5a3526"), size=0.44, is_flying=True),
    "whale": Subject(_whale, rgb("3f6f96"), pale=rgb("d5e3ea"), dark=rgb("27506f"), size=0.40, is_afloat=True),
    "tree": Subject(_tree, rgb("4f8a4a"), pale=rgb("8fbf5f"), dark=rgb("4a3527"), size=0.56),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and in which light a subject is."""

    x: float
    y: float
    """Of its foot, in frame units."""
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


def painted(picture: Picture, x: Field, y: Field, subject: Subject, at: Placement) -> Picture:
    """`picture` with the subject in it."""
    rows, columns = _window(x, y, at)
    side = -1.0 if at.faces_right else 1.0
    local_x = (x[:, columns] - np.float32(at.x)) * np.float32(side / at.size)
    local_y = (y[rows] - np.float32(at.y)) / np.float32(at.size)
    if local_x.size == 0 or local_y.size == 0:
        return picture
    pixels = np.float32(at.size / float(x[0, 1] - x[0, 0]))
    region = picture[rows, columns]
    for distance, role in subject.draw(local_x, local_y):
        region = _laid(region, distance, local_x, pixels, _role_color(subject, at, role), at, side, role)
    result = picture.copy()
    result[rows, columns] = region
    return result


def _window(x: Field, y: Field, at: Placement) -> tuple[slice, slice]:
    reach = np.float32(at.size * 1.15)
    columns = np.flatnonzero(np.abs(x[0] - np.float32(at.x)) < reach)
    rows = np.flatnonzero(np.abs(y[:, 0] - np.float32(at.y - at.size / 2)) < reach)
    return slice(*_span(rows)), slice(*_span(columns))


def _span(indices: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int]:
    return (int(indices[0]), int(indices[-1]) + 1) if indices.size else (0, 0)


def _role_color(subject: Subject, at: Placement, role: str) -> Color:
    if role in ("glow", "eye"):
        return mixed(at.light, rgb("ffd98a"), 0.6)
    base = {"coat": at.color or subject.coat, "dark": subject.dark, "pale": subject.pale, "ink": subject.ink}[role]
    if role in {"coat", "pale"}:
        base = mixed(base, mixed(base, at.light, 0.3), 0.4)
    return mixed(tinted(base, at.ambient, 0.25 + 0.3 * at.dimness), at.ambient, 0.62 * at.dimness)


def _laid(
    region: Picture, distance: Field, x: Field, pixels: np.float32, color: Color, at: Placement, side: float, role: str
) -> Picture:
    alpha = clamp(np.float32(0.5) - distance * pixels)
    if role == "glow":
        halo = ramp(distance, 0.12, 0.0)
        return over(lit(region, color, halo * halo * np.float32(0.3 + 0.3 * at.dimness)), color, alpha)
    toward = np.float32(side if at.light_x > at.x else -side)
    base = np.broadcast_to(np.array(color, np.float32), region.shape)
    shaded = over(
        base, mixed(color, at.ambient, 0.5), ramp(x * toward, 0.15, -0.4) * ramp(distance, 0.0, -0.05) * np.float32(0.8)
    )
    rim = ramp(distance, -0.022, 0.0) * ramp(x * toward, -0.15, 0.3)
    return over(region, lit(shaded, at.light, rim * np.float32(0.4)), alpha)
