"""Buildings, boats and the like."""

import numpy as np

from imagegen_adapters.demo.fields import clamp
from imagegen_adapters.demo.subjects.shapes import Part, Plane, joined, union


def sailboat(p: Plane) -> list[Part]:
    hull = p.polygon([(-0.44, -0.14), (0.42, -0.14), (0.30, 0.0), (-0.30, 0.0)])
    stripe = np.maximum(hull, np.abs(p.y + 0.115) - 0.014)
    mast = p.limb((0.0, -0.14), (0.0, -1.0), 0.012, 0.008)
    main = p.polygon([(0.025, -0.96), (0.06, -0.72), (0.20, -0.45), (0.38, -0.21), (0.025, -0.19)])
    jib = p.polygon([(-0.02, -0.92), (-0.14, -0.60), (-0.38, -0.20), (-0.02, -0.20)])
    flag = p.polygon([(0.0, -1.0), (0.13, -0.975), (0.0, -0.94)])
    return [(mast, "dark"), (main, "pale"), (jib, "coat"), (flag, "coat"), (hull, "dark"), (stripe, "pale")]


def house(p: Plane) -> list[Part]:
    wall = p.polygon([(-0.38, 0.02), (-0.38, -0.42), (0.38, -0.42), (0.38, 0.02)])
    gable = p.polygon([(-0.38, -0.42), (0.0, -0.74), (0.38, -0.42)])
    roof = np.minimum(
        p.limb((-0.46, -0.37), (0.0, -0.78), 0.035, 0.03), p.limb((0.46, -0.37), (0.0, -0.78), 0.035, 0.03)
    )
    chimney = p.polygon([(0.16, -0.55), (0.16, -0.86), (0.27, -0.86), (0.27, -0.50)])
    door = p.polygon([(-0.07, 0.02), (-0.07, -0.24), (0.07, -0.24), (0.07, 0.02)])
    windows = np.minimum(
        np.minimum(p.square((-0.23, -0.22), 0.065), p.square((0.23, -0.22), 0.065)),
        p.ball((0.0, -0.50), 0.065),
    )
    bars = np.maximum(windows, np.minimum(np.abs(np.abs(p.x) - 0.23), np.abs(p.y + 0.22)) - 0.007)
    return [
        (chimney, "dark"),
        (np.minimum(wall, gable), "coat"),
        (roof, "dark"),
        (door, "dark"),
        (windows, "glow"),
        (bars, "dark"),
    ]


def castle(p: Plane) -> list[Part]:
    walls = [
        p.square((0.0, -0.18), 0.40, 0.5),
        p.square((-0.40, -0.26), 0.10, 2.8),
        p.square((0.40, -0.26), 0.10, 2.8),
    ]
    keep = p.square((0.05, -0.40), 0.15, 2.8)
    slim = p.square((-0.19, -0.42), 0.07, 4.6)
    roofs = [
        p.polygon([(-0.53, -0.52), (-0.40, -0.78), (-0.27, -0.52)]),
        p.polygon([(0.27, -0.52), (0.40, -0.78), (0.53, -0.52)]),
        p.polygon([(-0.13, -0.80), (0.05, -1.08), (0.23, -0.80)]),
        p.polygon([(-0.28, -0.73), (-0.19, -0.97), (-0.10, -0.73)]),
    ]
    stone = union(*walls, keep, slim)
    gate = np.minimum(p.square((0.0, -0.04), 0.075, 1.4), p.ball((0.0, -0.14), 0.075))
    lights = [
        p.square(at, 0.018, 2.0)
        for at in ((-0.40, -0.38), (0.40, -0.38), (0.0, -0.62), (0.10, -0.62), (0.05, -0.45), (-0.19, -0.62))
    ]
    battlements = np.maximum(np.abs(p.y + 0.385) - 0.03, np.abs(p.x) - 0.32)
    teeth = np.maximum(battlements, 0.022 - np.abs((p.x * 10 - np.floor(p.x * 10)) - 0.5) / 10)
    return [(np.minimum(stone, teeth), "coat"), (union(*roofs), "dark"), (gate, "ink"), (union(*lights), "glow")]


def lighthouse(p: Plane) -> list[Part]:
    rock = joined(
        0.08,
        p.ball((0.0, 0.06), 0.30, 0.42),
        p.ball((-0.22, 0.06), 0.16, 0.5),
        p.ball((0.26, 0.07), 0.18, 0.45),
    )
    tower = p.polygon([(-0.13, -0.02), (-0.08, -0.76), (0.08, -0.76), (0.13, -0.02)])
    bands = np.maximum(tower, 0.055 - np.abs((p.y * 4 - np.floor(p.y * 4)) - 0.5) * 0.22)
    gallery = p.square((0.0, -0.77), 0.11, 0.18)
    lamp = p.square((0.0, -0.84), 0.055, 1.0)
    roof = union(p.polygon([(-0.085, -0.89), (0.0, -1.0), (0.085, -0.89)]), p.limb((0, -1.0), (0, -1.05), 0.008, 0.006))
    return [(rock, "dark"), (tower, "pale"), (bands, "coat"), (gallery, "dark"), (lamp, "glow"), (roof, "dark")]


def balloon(p: Plane) -> list[Part]:
    envelope = joined(0.10, p.ball((0.0, -0.66), 0.34), p.limb((0.0, -0.5), (0.0, -0.26), 0.26, 0.07))
    # Gores: stripes that get narrower towards the sides, as on a ball.
    width = np.sqrt(np.maximum(0.118 - (p.y + 0.66) * (p.y + 0.66) * 0.55, 0.004))
    around = clamp(p.x / width, -1, 1)
    stripes = np.maximum(
        envelope,
        np.abs(np.abs(around * (1.5 - 0.5 * around * around)) - 0.42) * 0.3 - 0.055,
    )
    belt = np.maximum(envelope, np.abs(p.y + 0.44) - 0.022)
    ropes = union(*(p.limb((s * 0.07, -0.24), (s * 0.05, -0.08), 0.005, 0.005) for s in (-1, 1)))
    basket = p.square((0.0, -0.035), 0.06, 0.75)
    return [(ropes, "dark"), (envelope, "coat"), (stripes, "pale"), (belt, "dark"), (basket, "dark")]


def tree(p: Plane) -> list[Part]:
    trunk = joined(
        0.05,
        p.chain([(0.0, 0.02, 0.075), (0.02, -0.25, 0.05), (-0.02, -0.55, 0.035)]),
        p.chain([(0.015, -0.30, 0.04), (0.18, -0.52, 0.02)]),
        p.chain([(0.01, -0.36, 0.035), (-0.17, -0.54, 0.02)]),
    )
    balls = (
        (-0.24, -0.58, 0.19),
        (0.0, -0.78, 0.23),
        (0.25, -0.60, 0.20),
        (-0.12, -0.66, 0.2),
        (0.14, -0.70, 0.2),
        (0.0, -0.56, 0.16),
    )
    crown = joined(0.05, *(p.ball((bx, by), r, 0.85) for bx, by, r in balls))
    bright = joined(0.05, *(p.ball((bx - 0.03, by - 0.05), r * 0.6, 0.8) for bx, by, r in balls[:3]))
    return [(trunk, "dark"), (crown, "coat"), (np.maximum(bright, crown), "pale")]
