"""Animals, all of them calm."""

import numpy as np

from imagegen_adapters.demo.subjects.shapes import Part, Plane, joined, union

_SPOUT = [(0.0, -0.44, 0.008), (0.03, -0.56, 0.013), (0.08, -0.62, 0.017), (0.14, -0.60, 0.014), (0.17, -0.54, 0.005)]
"""One half of a whale's, from its middle: offset, height, thickness."""


def fox(p: Plane) -> list[Part]:
    tail = joined(
        0.10,
        p.chain([(0.22, -0.07, 0.05), (0.36, -0.075, 0.075), (0.47, -0.12, 0.10)]),
        p.chain([(0.47, -0.12, 0.10), (0.56, -0.24, 0.115), (0.59, -0.36, 0.095)]),
        p.chain([(0.59, -0.36, 0.09), (0.57, -0.47, 0.05), (0.52, -0.57, 0.006)]),
    )
    torso = joined(
        0.12,
        p.limb((-0.07, -0.50), (0.10, -0.22), 0.13, 0.19),
        p.ball((0.15, -0.16), 0.17, 0.95),
        p.limb((-0.07, -0.52), (-0.12, -0.70), 0.12, 0.09),
    )
    head = joined(
        0.05,
        p.ball((-0.14, -0.76), 0.125, 0.9),
        p.limb((-0.18, -0.735), (-0.36, -0.695), 0.075, 0.02),
    )
    ears = np.minimum(
        p.polygon([(-0.235, -0.82), (-0.215, -1.02), (-0.12, -0.86)]),
        p.polygon([(-0.12, -0.86), (-0.045, -1.02), (-0.015, -0.80)]),
    )
    legs = np.minimum(
        p.chain([(-0.14, -0.45, 0.075), (-0.165, -0.20, 0.05), (-0.17, -0.035, 0.035), (-0.215, -0.025, 0.028)]),
        p.chain([(-0.05, -0.42, 0.07), (-0.075, -0.20, 0.05), (-0.08, -0.035, 0.035), (-0.125, -0.025, 0.028)]),
    )
    foot = p.limb((0.14, -0.05), (0.0, -0.03), 0.05, 0.032)
    body = joined(0.04, np.minimum(torso, foot), np.minimum(head, ears), legs)
    bib = joined(
        0.06,
        p.limb((-0.15, -0.63), (-0.175, -0.52), 0.05, 0.075),
        p.limb((-0.175, -0.52), (-0.125, -0.30), 0.075, 0.01),
    )
    chest = np.maximum(bib, body)
    cheek = np.maximum(p.limb((-0.10, -0.655), (-0.33, -0.665), 0.062, 0.02), body)
    socks = np.maximum(legs, -0.17 - p.y)
    tip = np.maximum(p.y + 0.37 + (p.x - 0.6) * 0.5, tail)
    ear_ends = np.maximum(ears, p.y + 0.955)
    eye = p.ball((-0.195, -0.775), 0.017, 1.1)
    nose = p.ball((-0.372, -0.70), 0.024)
    return [
        (tail, "coat"), (tip, "pale"), (body, "coat"), (chest, "pale"), (cheek, "pale"),
        (socks, "dark"), (ear_ends, "dark"), (eye, "ink"), (nose, "ink"),
    ]  # fmt: skip


def cat(p: Plane) -> list[Part]:
    tail = joined(
        0.08,
        p.chain([(0.20, -0.05, 0.05), (0.34, -0.045, 0.048)]),
        p.chain([(0.34, -0.045, 0.048), (0.47, -0.10, 0.045)]),
        p.chain([(0.47, -0.10, 0.045), (0.51, -0.24, 0.042)]),
        p.chain([(0.51, -0.24, 0.042), (0.46, -0.37, 0.038)]),
        p.chain([(0.46, -0.37, 0.038), (0.50, -0.47, 0.03)]),
    )
    body = joined(
        0.10,
        p.limb((-0.04, -0.48), (0.05, -0.20), 0.13, 0.20),
        p.ball((0.10, -0.16), 0.17),
        p.ball((-0.09, -0.70), 0.155, 0.86),
    )
    ears = np.minimum(
        p.polygon([(-0.235, -0.74), (-0.225, -0.93), (-0.10, -0.82)]),
        p.polygon([(-0.10, -0.82), (0.035, -0.93), (0.055, -0.72)]),
    )
    legs = np.minimum(
        p.chain([(-0.11, -0.42, 0.07), (-0.125, -0.04, 0.042), (-0.16, -0.03, 0.034)]),
        p.chain([(-0.01, -0.40, 0.07), (-0.03, -0.04, 0.042), (-0.065, -0.03, 0.034)]),
    )
    whole = joined(0.03, np.minimum(body, ears), legs)
    bib = np.maximum(p.limb((-0.13, -0.54), (-0.11, -0.40), 0.05, 0.035), whole)
    muzzle = np.maximum(p.ball((-0.165, -0.655), 0.06, 0.75), whole)
    eyes = np.minimum(p.ball((-0.165, -0.735), 0.019, 1.3), p.ball((-0.07, -0.735), 0.019, 1.3))
    pupils = union(p.ball((-0.167, -0.735), 0.008, 1.9), p.ball((-0.072, -0.735), 0.008, 1.9))
    nose = p.ball((-0.175, -0.678), 0.014)
    return [
        (tail, "coat"), (whole, "coat"), (bib, "pale"), (muzzle, "pale"), (eyes, "eye"), (pupils, "ink"), (nose, "ink"),
    ]  # fmt: skip


def rabbit(p: Plane) -> list[Part]:
    body = joined(
        0.08,
        p.ball((0.10, -0.22), 0.24, 0.92),
        p.limb((-0.02, -0.34), (-0.14, -0.50), 0.15, 0.12),
        p.ball((-0.17, -0.53), 0.125, 0.9),
        p.limb((-0.2, -0.5), (-0.27, -0.49), 0.07, 0.055),
    )
    ears = np.minimum(
        p.chain([(-0.14, -0.62, 0.035), (-0.11, -0.80, 0.052), (-0.06, -0.97, 0.012)]),
        p.chain([(-0.09, -0.62, 0.035), (-0.02, -0.78, 0.052), (0.07, -0.92, 0.012)]),
    )
    feet = np.minimum(
        p.limb((0.16, -0.045), (-0.06, -0.04), 0.055, 0.04),
        p.chain([(-0.08, -0.32, 0.06), (-0.12, -0.04, 0.035), (-0.16, -0.032, 0.03)]),
    )
    whole = joined(0.04, body, ears, feet)
    belly = np.maximum(p.ball((-0.12, -0.30), 0.085, 1.5), whole)
    inner = np.maximum(p.chain([(-0.135, -0.68, 0.012), (-0.11, -0.80, 0.024), (-0.08, -0.90, 0.004)]), whole)
    return [
        (p.ball((0.345, -0.20), 0.065), "pale"), (whole, "coat"), (belly, "pale"), (inner, "pale"),
        (p.ball((-0.205, -0.555), 0.02), "ink"), (p.ball((-0.32, -0.50), 0.014), "ink"),
    ]  # fmt: skip


def bird(p: Plane) -> list[Part]:
    branch = p.chain([(-0.62, -0.02, 0.012), (-0.1, -0.035, 0.022), (0.7, -0.10, 0.03)])
    twig = p.chain([(0.3, -0.06, 0.015), (0.48, -0.22, 0.006)])
    body = joined(
        0.10,
        p.limb((-0.10, -0.36), (0.10, -0.22), 0.17, 0.12),
        p.ball((-0.17, -0.56), 0.135),
        p.limb((0.12, -0.20), (0.42, -0.06), 0.09, 0.03),
    )
    breast = np.maximum(p.ball((-0.20, -0.32), 0.14, 1.25), body)
    wing = np.maximum(p.limb((0.0, -0.36), (0.30, -0.13), 0.10, 0.02), body + 0.01)
    beak = p.polygon([(-0.285, -0.60), (-0.40, -0.555), (-0.285, -0.535)])
    legs = np.minimum(
        p.limb((-0.06, -0.18), (-0.08, -0.03), 0.011, 0.011),
        p.limb((0.03, -0.18), (0.02, -0.04), 0.011, 0.011),
    )
    return [
        (np.minimum(branch, twig), "dark"), (legs, "dark"), (body, "coat"), (breast, "pale"), (wing, "dark"),
        (beak, "dark"), (p.ball((-0.21, -0.585), 0.02), "ink"),
    ]  # fmt: skip


def whale(p: Plane) -> list[Part]:
    body = joined(
        0.12,
        p.chain([(-0.42, -0.20, 0.20), (-0.1, -0.22, 0.25), (0.28, -0.20, 0.14), (0.56, -0.30, 0.05)]),
        p.ball((-0.48, -0.16), 0.17, 0.9),
    )
    flukes = joined(
        0.05,
        p.chain([(0.56, -0.30, 0.045), (0.70, -0.46, 0.04), (0.62, -0.60, 0.008)]),
        p.chain([(0.56, -0.30, 0.045), (0.74, -0.42, 0.04), (0.90, -0.44, 0.008)]),
    )
    fin = p.chain([(-0.12, -0.08, 0.07), (0.02, 0.06, 0.05), (0.14, 0.10, 0.012)])
    whole = joined(0.04, body, flukes)
    belly = np.maximum(p.limb((-0.52, -0.02), (0.12, -0.03), 0.13, 0.06), whole)
    grooves = np.maximum(belly, 0.006 - np.abs((p.y * 22 - np.floor(p.y * 22)) - 0.5) / 30)
    spout = union(*(p.chain([(side * dx - 0.26, y, r) for dx, y, r in _SPOUT]) for side in (-1, 1)))
    water = p.y + 0.05
    swimming = [(np.maximum(shape, water), role) for shape, role in ((whole, "coat"), (grooves, "pale"), (fin, "dark"))]
    return [(spout, "pale"), *swimming, (p.ball((-0.45, -0.19), 0.018), "ink")]
