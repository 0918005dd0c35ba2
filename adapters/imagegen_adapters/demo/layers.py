"""Paints a scene, from back to front. Each layer takes the picture so far and gives a new one."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.colors import Color, array, brightness, gradient, lit, mixed, over, rgb, tinted
from imagegen_adapters.demo.fields import (
    Dice,
    Field,
    Frame,
    Picture,
    clamp,
    fractal,
    hashed,
    key_of,
    noise,
    ramp,
    sample,
    split,
    wave,
)
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.subjects import SUBJECT_TABLE, Placement, painted

Layer: TypeAlias = Callable[[Picture], Picture]

WATER = frozenset({"sea", "lake"})


def layers(scene: Scene, frame: Frame) -> list[Layer]:
    """The scene's layers without its subject, in the order in which they are painted. The first ignores its input."""
    painter = _Painter(scene, frame)
    chosen: list[Layer] = [painter.sky, painter.stars, painter.aurora, painter.sun, painter.clouds]
    if scene.place not in {"sea", "desert"}:
        chosen += [painter.range(i) for i in range(scene.ranges)]
    chosen += {
        "sea": [painter.islands, painter.water, painter.shore],
        "lake": [painter.water, painter.shore],
        "forest": [
            painter.fog_bank,
            painter.trees(0),
            painter.trees(1),
            painter.hills(1),
            painter.ground,
            painter.trees(2),
        ],
        "meadow": [painter.hills(0), painter.hills(1), painter.ground],
        "mountains": [painter.fog_bank, painter.hills(0), painter.trees(0), painter.hills(1), painter.ground],
        "snow": [painter.fog_bank, painter.hills(0), painter.trees(0), painter.hills(1), painter.ground],
        "desert": [painter.dunes(0), painter.dunes(1), painter.dunes(2), painter.dunes(3)],
        "city": [painter.skyline(0), painter.skyline(1), painter.skyline(2)],
    }[scene.place]
    return chosen


def finish(scene: Scene, frame: Frame) -> list[Layer]:
    """What goes over everything: flying things, weather, the frame's dark corners."""
    painter = _Painter(scene, frame)
    return [painter.birds, painter.weather, painter.vignette]


def subject(scene: Scene, frame: Frame) -> Layer:
    """Paints the scene's subject, if there is one."""
    return _Painter(scene, frame).subject


class Scattered:
    """Dots all over the frame."""

    def __init__(self, scene: Scene, frame: Frame) -> None:
        self._scene = scene
        self._frame = frame
        self._x = frame.x
        self._y = frame.y

    def stars(self) -> Field:
        """How bright the stars are, 0..1."""
        total: Field = np.float32(0) * self._x * self._y
        for per_unit, share, radius in ((34, 0.20, 0.0021), (16, 0.22, 0.0034), (6, 0.30, 0.0052)):
            total = np.maximum(total, self.dots("star", per_unit, share * self._scene.starriness, radius))
        return total

    def dots(self, name: str, per_unit: int, share: float, radius: float) -> Field:
        """Soft dots scattered over the frame: in each cell of a grid at most one."""
        cx, cy = self._x * per_unit, self._y * per_unit
        (i, u), (j, v) = split(cx), split(cy)
        here = hashed(key_of(self._scene.key, name, per_unit, "here"), i, j)
        # Away from the cell's edge, so that no dot is cut off.
        px = np.float32(0.25) + np.float32(0.5) * hashed(key_of(self._scene.key, name, per_unit, "x"), i, j)
        py = np.float32(0.25) + np.float32(0.5) * hashed(key_of(self._scene.key, name, per_unit, "y"), i, j)
        dx, dy = u - px, v - py
        distance = np.sqrt(dx * dx + dy * dy) / np.float32(per_unit)
        size = np.float32(max(radius, 0.8 / self._frame.scale)) * (
            np.float32(0.6) + here / np.float32(max(share, 0.01))
        )
        core = ramp(distance / size, 1.0, 0.15)
        return np.where(
            here < np.float32(share),
            core * (np.float32(0.4) + np.float32(0.6) * here / np.float32(max(share, 0.01))),
            np.float32(0),
        )


class _Painter:
    def __init__(self, scene: Scene, frame: Frame) -> None:
        self._scene = scene
        self._frame = frame
        self._palette = scene.palette
        self._x = frame.x
        self._y = frame.y
        self._height = scene.horizon
        self._scattered = Scattered(scene, frame)

    def _key(self, *parts: object) -> int:
        return key_of(self._scene.key, *parts)

    # --- the sky -----------------------------------------------------------------------------------------------

    def sky(self, _: Picture) -> Picture:
        p = self._palette
        position = self._y / np.float32(self._height) + np.float32(0) * self._x
        picture = gradient(position, ((0.0, p.zenith), (0.45, p.sky), (0.82, p.glow), (1.0, p.horizon)))
        distance = self._distance(self._scene.sun_x, self._scene.sun_y)
        warm = ramp(distance, 0.95, 0.0)
        return lit(picture, mixed(p.glow, p.light, 0.4), warm * warm * np.float32(0.42))

    def _distance(self, x: float, y: float) -> Field:
        dx, dy = self._x - np.float32(x), self._y - np.float32(y)
        return np.sqrt(dx * dx + dy * dy)

    def stars(self, picture: Picture) -> Picture:
        if not self._scene.starriness:
            return picture
        fade = ramp(self._y, self._height * 0.98, self._height * 0.35)
        band = ramp(self._milky_way(), 0.35, 1.1)
        pale = tinted((0.75, 0.78, 0.9), self._palette.glow, 0.5)
        picture = lit(picture, pale, band * fade * np.float32(0.20 * self._scene.starriness))
        return lit(picture, (1.0, 0.98, 0.93), self._scattered.stars() * fade)

    def _milky_way(self) -> Field:
        slant = self._x * np.float32(0.5) + self._y - np.float32(0.55)
        spread = 1 - np.abs(slant + noise(self._key("way"), self._x * 2, self._y * 2) * np.float32(0.08)) * np.float32(
            3.2
        )
        return spread + fractal(self._key("dust"), self._x * 5, self._y * 5, octaves=4) * np.float32(0.55)

    def aurora(self, picture: Picture) -> Picture:
        if not self._scene.has_aurora:
            return picture
        for i, color in enumerate(
            (self._palette.accent, tinted(rgb("7d5fe0"), self._palette.accent, 0.25), self._palette.accent)
        ):
            bend = fractal(self._key("aurora", i), self._x * np.float32(1.3), self._y * np.float32(0.35), octaves=3)
            low = np.float32(self._height * (0.42 + 0.17 * i)) + bend * np.float32(0.13)
            above = (low - self._y) / np.float32(0.34 + 0.06 * i)
            curtain = ramp(above, -0.06, 0.04) * ramp(above, 1.0, 0.0)
            picture = lit(picture, color, clamp(curtain * self._rays(i)) * np.float32(0.62 - 0.12 * i))
        return picture

    def _rays(self, i: int) -> Field:
        fine = noise(self._key("rays", i), self._x * 22, self._y * np.float32(0.6))
        broad = noise(self._key("folds", i), self._x * 5, self._y * np.float32(0.4))
        return clamp(np.float32(0.6) + fine * np.float32(0.28) + broad * np.float32(0.4))

    def sun(self, picture: Picture) -> Picture:
        s = self._scene
        if not (s.has_sun or s.has_moon):
            return picture
        distance = self._distance(s.sun_x, s.sun_y)
        near = np.float32(s.sun_size) / (np.float32(s.sun_size) * np.float32(0.6) + distance)
        picture = lit(
            picture, self._palette.light, clamp(near * near * np.float32(0.16 if s.has_moon else 0.26), 0, 0.8)
        )
        disc = clamp((np.float32(s.sun_size) - distance) * self._frame.scale + np.float32(0.5), 0, 1)
        if not s.has_moon:
            return over(picture, mixed(self._palette.light, (1, 1, 1), 0.35), disc)
        return over(picture, self._moon(distance), disc)

    def _moon(self, distance: Field) -> Picture:
        scale = np.float32(0.35 / self._scene.sun_size)
        spots = fractal(self._key("moon"), self._x * scale * 6, self._y * scale * 6, octaves=3)
        pale = mixed(self._palette.light, (1, 1, 0.97), 0.4)
        base = np.broadcast_to(array(pale), (*distance.shape, 3))
        return over(base, mixed(pale, self._palette.sky, 0.35), ramp(spots, 0.1, 0.75) * np.float32(0.55))

    def clouds(self, picture: Picture) -> Picture:
        amount = self._scene.cloudiness
        if amount < 0.05:
            return picture
        # Perspective: towards the horizon clouds are flatter and closer together.
        depth = 1 / (np.float32(1.15) - np.minimum(self._y / np.float32(self._height), 1))
        warp = noise(self._key("drift"), self._x * np.float32(2.2), self._y * np.float32(4)) * np.float32(
            0.05 * self._frame.scale
        )
        shape = fractal(
            self._key("clouds"),
            self._x * np.float32(1.5),
            self._y * np.float32(4.2) + depth * np.float32(0.4),
            octaves=6,
            gain=0.55,
        )
        rows, columns = (
            np.arange(self._frame.height, dtype=np.float32)[:, None],
            np.arange(self._frame.width, dtype=np.float32)[None, :],
        )
        shape = sample(shape, columns + warp, rows + warp * np.float32(0.4))
        density = ramp(shape, 0.75 - 1.05 * amount, 1.35 - 0.75 * amount)
        fade = ramp(self._y, self._height * 1.02, self._height * 0.72)
        below = np.float32(0.028 * self._frame.scale)
        # What lies between a point and the sun makes it dark.
        toward_x = clamp((np.float32(self._scene.sun_x) - self._x) * 3, -1, 1)
        toward_y = clamp((np.float32(self._scene.sun_y) - self._y) * 3, -1, 1)
        blocked = sample(density, columns + toward_x * below, rows + toward_y * below)
        light = clamp(np.float32(0.62) + (density - blocked) * np.float32(1.3) - density * np.float32(0.25))
        tone = over(np.broadcast_to(array(self._palette.shade), (*shape.shape, 3)), self._palette.cloud, light)
        return over(picture, tone, density * fade * np.float32(0.92))

    # --- the land ----------------------------------------------------------------------------------------------

    def range(self, i: int) -> Layer:
        """The i-th range of mountains from the back."""
        return lambda picture: self._mountains(picture, i)

    def _mountains(self, picture: Picture, i: int) -> Picture:
        near = (i + 0.5) / self._scene.ranges
        ridge, offset = self._ridge(i)
        below = self._y - ridge
        color = mixed(
            mixed(self._palette.far, self._palette.horizon, 0.35), self._palette.near, near * near * 0.75 + 0.1 * near
        )
        relief = self._relief(i, offset, below)
        tone = self._faces(color, relief, near)
        if self._scene.place in ("mountains", "snow", "lake") and self._scene.roughness > 0.45:
            tone = self._snowcap(tone, i, below, relief, near)
        haze = ramp(below, 0.03, 0.34 - 0.1 * near) * np.float32(0.72 * (1 - near * 0.5))
        tone = over(tone, mixed(self._palette.horizon, color, 0.25 + 0.45 * near), haze)
        return over(picture, tone, clamp(below * self._frame.scale + np.float32(0.5)))

    def _ridge(self, i: int) -> tuple[Field, Field]:
        """The skyline, and how far right of its peak each column is; both (1, width)."""
        s, near = self._scene, (i + 0.5) / self._scene.ranges
        is_rugged = s.place in ("mountains", "snow", "lake")
        rough = s.roughness if is_rugged else s.roughness * 0.3
        amplitude = (0.30 if is_rugged else 0.17) * (1.1 - 0.75 * near)
        height, offset = self._peaks(i, amplitude)
        zero = np.zeros((1, 1), np.float32)
        rolling = noise(self._key("swell", i), self._x * np.float32(1.3 + i), zero) * np.float32(0.5) + np.float32(0.5)
        height = height * np.float32(rough) + rolling * np.float32(amplitude * (1 - rough) * 0.7)
        detail = fractal(self._key("crag", i), self._x * np.float32(9), zero, octaves=5, gain=0.55)
        height = height + detail * np.float32(0.008 + 0.016 * rough)
        return np.float32(s.horizon - 0.03 + 0.07 * near) - height, offset

    def _peaks(self, i: int, amplitude: float) -> tuple[Field, Field]:
        dice = Dice("peaks", self._scene.key, i)
        spacing = 0.34 + 0.06 * i
        best: Field = np.full_like(self._x, -1)
        offset: Field = np.zeros_like(self._x)
        for k in range(-1, int(self._frame.right / spacing) + 2):
            dx = self._x - np.float32((k + dice.between(0.1, 0.9)) * spacing)
            tall, wide = amplitude * dice.between(0.45, 1.0), spacing * dice.between(0.75, 1.15)
            share = np.maximum(1 - np.abs(dx) / np.float32(wide), 0)
            peak = share * (np.float32(0.72) + share * np.float32(0.28)) * np.float32(tall)
            offset = np.where(peak > best, dx, offset)
            best = np.maximum(best, peak)
        return best, offset

    def _relief(self, i: int, offset: Field, below: Field) -> Field:
        """Light and shadow on slopes, -1..1: each rugged peak has a bright and a dark face."""
        toward = np.float32(1 if self._scene.sun_x > self._frame.right / 2 else -1)
        spur = fractal(self._key("spur", i), self._x * 6, self._y * 9, octaves=5, gain=0.6)
        if self._scene.place not in ("mountains", "snow", "lake"):
            return spur * np.float32(0.3)
        # Spurs wind down from the peak, and so do the borders between peaks.
        wind = spur * np.float32(0.045) * ramp(below, -0.02, 0.12)
        column = clamp((self._x + wind) * self._frame.scale, 0, self._frame.width - 1)
        face = (offset[0].take(split(column)[0]) * toward + wind) * np.float32(22)
        strength = np.float32(0.35 + 0.65 * self._scene.roughness)
        return clamp(clamp(face, -1, 1) * np.float32(0.8) + spur * np.float32(0.35), -1, 1) * strength

    def _faces(self, color: Color, relief: Field, near: float) -> Picture:
        tone = np.broadcast_to(array(color), (*relief.shape, 3))
        tone = over(tone, mixed(color, self._palette.light, 0.36 - 0.18 * near), clamp(relief))
        dark = mixed(color, mixed(self._palette.near, self._palette.zenith, 0.4), 0.42)
        return over(tone, dark, clamp(-relief) * np.float32(0.85))

    def _snowcap(self, base: Picture, i: int, below: Field, relief: Field, near: float) -> Picture:
        edge = fractal(self._key("cap", i), self._x * 14, self._y * 5, octaves=4, gain=0.6) * np.float32(0.035)
        depth = 0.085 * (1.2 - near) * (1.8 if self._scene.place == "snow" else 1.0)
        cap = ramp(below + edge, depth, depth * 0.75)
        white = mixed(self._palette.cloud, self._palette.light, 0.5)
        shaded = mixed(self._palette.far, white, 0.35)
        tone = over(
            np.broadcast_to(array(white), base.shape),
            shaded,
            clamp(np.float32(0.15) - relief) * np.float32(0.85),
        )
        return over(base, tone, cap * np.float32(0.92 - 0.35 * near))

    def fog_bank(self, picture: Picture) -> Picture:
        swirl = fractal(self._key("bank"), self._x * np.float32(1.6), self._y * 6, octaves=4)
        at = (self._y - np.float32(self._height + 0.02)) / np.float32(0.09)
        band = ramp(np.abs(at + swirl * np.float32(0.5)), 1.2, 0.0)
        return over(picture, mixed(self._palette.horizon, self._palette.cloud, 0.4), band * np.float32(0.5))

    def trees(self, row: int) -> Layer:
        """A row of conifers; 0 is the most distant."""
        return lambda picture: self._conifers(picture, row)

    def _conifers(self, picture: Picture, row: int) -> Picture:
        far = self._scene.place != "forest"
        height = (0.10, 0.19, 0.42)[row] * (0.85 if far else 1.0)
        spacing = height * (0.30 if row < 2 else 0.42)
        base = self._height + (self._frame.bottom - self._height) * (0.10, 0.26, 0.98)[row]
        color = mixed(
            mixed(self._palette.far, self._palette.near, (0.45, 0.72, 1.0)[row]),
            self._palette.horizon,
            (0.22, 0.08, 0.0)[row],
        )
        ground = np.float32(base) + noise(
            self._key("treeline", row), self._x * 2, np.zeros((1, 1), np.float32)
        ) * np.float32(0.02)
        covered = (
            clamp((self._y - ground) * self._frame.scale + np.float32(0.5))
            if row < 2
            else np.float32(0) * self._x * self._y
        )
        for shift in (-1, 0, 1):
            covered = np.maximum(covered, self._conifer(row, shift, spacing, height, ground))
        tone = over(
            np.broadcast_to(array(color), picture.shape),
            mixed(color, self._palette.horizon, 0.55),
            ramp(self._y, base - height * 0.35, base + 0.05) * np.float32((0.55, 0.45, 0.12)[row]),
        )
        return over(picture, tone, covered)

    def _conifer(self, row: int, shift: int, spacing: float, height: float, ground: Field) -> Field:
        """The tree of the cell `shift` cells away from each column's own."""
        cell = split(self._x / np.float32(spacing))[0] + shift
        zero = np.zeros((1, 1), np.int64)
        size = hashed(self._key("tree size", row), cell, zero)
        center = (
            cell.astype(np.float32)
            + np.float32(0.5)
            + (hashed(self._key("tree at", row), cell, zero) - np.float32(0.5)) * np.float32(0.7)
        ) * np.float32(spacing)
        tall = np.float32(height) * (np.float32(0.55) + np.float32(0.45) * size)
        if row == 2:
            # The nearest trees frame the view: none in the middle.
            aside = np.abs(center / np.float32(self._frame.right) - np.float32(0.5)) * 2
            tall = tall * ramp(aside, 0.55, 0.95) * np.float32(1.9)
        q = (self._y - (ground - tall)) / np.maximum(tall, np.float32(1e-3))
        tiers = q * np.float32(7)
        jag = tiers - np.floor(tiers)
        lean = noise(
            self._key("twig", row), self._x * np.float32(40 / height * 0.2), self._y * np.float32(60 / height * 0.2)
        ) * np.float32(0.10)
        half = (
            tall
            * np.float32(0.19)
            * (q * np.float32(0.72) + jag * np.float32(0.28) * np.minimum(q * 3, 1))
            * (1 + lean)
        )
        inside = (half - np.abs(self._x - center)) * self._frame.scale + np.float32(0.5)
        return np.where((q > 0) & (q < np.float32(1.06)), clamp(inside), np.float32(0))

    def hills(self, row: int) -> Layer:
        return lambda picture: self._hill(picture, row)

    def _hill(self, picture: Picture, row: int) -> Picture:
        top = self._height + (self._frame.bottom - self._height) * (0.05 + 0.20 * row)
        line = np.float32(top) - fractal(
            self._key("roll", row),
            self._x * np.float32(1.1 + 0.4 * row),
            np.zeros((1, 1), np.float32),
            octaves=3,
            gain=0.3,
        ) * np.float32(0.06)
        color = mixed(self._land(), self._palette.far, 0.45 - 0.25 * row)
        return self._slope(picture, line, color, f"hill {row}", 0.26)

    def _land(self) -> Color:
        if self._scene.place == "snow":
            return mixed(self._palette.cloud, self._palette.sky, 0.25)
        return self._palette.land

    def _slope(self, picture: Picture, line: Field, color: Color, name: str, contrast: float) -> Picture:
        """Ground below a line, in light and shadow."""
        below = self._y - line
        alpha = clamp(below * self._frame.scale + np.float32(0.5))
        shape = fractal(self._key(name, "turf"), self._x * 3, self._y * 17, octaves=4, gain=0.55)
        tone = np.broadcast_to(array(color), picture.shape)
        tone = over(
            tone,
            mixed(color, self._palette.light, 0.6),
            clamp(shape) * np.float32(contrast) + ramp(below, 0.035, 0.0) * np.float32(0.30),
        )
        tone = over(
            tone,
            mixed(color, self._palette.near, 0.75),
            clamp(-shape) * np.float32(contrast * 1.5) + ramp(below, 0.02, 0.55) * np.float32(0.42),
        )
        return over(picture, tone, alpha)

    def ground(self, picture: Picture) -> Picture:
        """The foreground, on which a subject stands."""
        line = np.float32(self._frame.bottom * 0.835) - fractal(
            self._key("knoll"), self._x * np.float32(1.2), np.zeros((1, 1), np.float32), octaves=3, gain=0.35
        ) * np.float32(0.04)
        mix = {"forest": 0.62, "mountains": 0.5, "meadow": 0.12, "snow": 0.0}.get(self._scene.place, 0.4)
        color = mixed(self._land(), self._palette.near, mix)
        picture = self._slope(picture, line, color, "ground", 0.3)
        if self._scene.place != "snow":
            picture = self._grass(picture, line, color)
        return self._flowers(picture, line) if "flowers" in self._scene.extras else picture

    def _grass(self, picture: Picture, line: Field, color: Color) -> Picture:
        blades = noise(self._key("blade"), self._x * 120, self._y * 38)
        tall = noise(self._key("tuft"), self._x * 150, np.zeros((1, 1), np.float32)) * np.float32(0.011) + np.float32(
            0.006
        )
        edge = clamp((self._y - (line - np.maximum(tall, 0))) * self._frame.scale + np.float32(0.5), 0, 1)
        inside = clamp((self._y - line) * self._frame.scale + np.float32(0.5))
        picture = over(picture, mixed(color, self._palette.light, 0.25), (edge - inside) * np.float32(0.9))
        picture = over(
            picture,
            mixed(color, self._palette.light, 0.5),
            clamp(blades - np.float32(0.25)) * inside * np.float32(0.22),
        )
        return over(
            picture,
            mixed(color, self._palette.near, 0.8),
            clamp(-blades - np.float32(0.2)) * inside * np.float32(0.3),
        )

    def _flowers(self, picture: Picture, line: Field) -> Picture:
        inside = ramp(self._y - line, -0.05, 0.02)
        colors = (
            self._palette.accent,
            mixed(self._palette.accent, self._palette.light, 0.6),
            tinted(rgb("f6d34a"), self._palette.accent, 0.25),
        )
        for i, (per_unit, radius) in enumerate(((34, 0.0085), (24, 0.012), (15, 0.016))):
            depth = ramp(self._y, self._frame.bottom * (0.76 + 0.05 * i), self._frame.bottom * (0.84 + 0.05 * i))
            dots = self._scattered.dots(f"flower{i}", per_unit, 0.30, radius)
            picture = over(picture, colors[i], np.minimum(dots * 2, 1) * inside * depth)
        return picture

    def dunes(self, row: int) -> Layer:
        return lambda picture: self._dune(picture, row)

    def _dune(self, picture: Picture, row: int) -> Picture:
        top = self._height + (self._frame.bottom - self._height) * (0.0, 0.16, 0.36, 0.62)[row]
        swing = noise(self._key("dune", row), self._x * np.float32(1.5 + 0.2 * row), np.zeros((1, 1), np.float32))
        line = np.float32(top) - (np.float32(0.55) - np.abs(swing)) * np.float32(0.11 + 0.02 * row)
        below = self._y - line
        alpha = clamp(below * self._frame.scale + np.float32(0.5))
        sand = mixed(mixed(self._palette.land, self._palette.glow, 0.62), self._palette.near, 0.10 + 0.14 * row)
        shadow = mixed(sand, mixed(self._palette.near, self._palette.sky, 0.25), 0.62)
        bright = mixed(sand, self._palette.light, 0.55)
        tone = np.broadcast_to(array(sand), picture.shape)
        # One face of a dune is lit, the other lies in shadow; a winding crest divides them.
        face = swing * np.float32(1.0 if self._scene.sun_x < self._frame.right / 2 else -1.0) + below * np.float32(1.4)
        tone = over(tone, shadow, ramp(face, 0.02, 0.10) * ramp(below, 0.40, 0.0) * np.float32(0.72))
        tone = over(tone, bright, ramp(below, 0.05, 0.0) * ramp(face, 0.1, -0.05) * np.float32(0.65))
        ripple = wave(
            self._y * np.float32(58 - 9 * row)
            + noise(self._key("ripple", row), self._x * 4, self._y * 9) * np.float32(1.1)
        )
        tone = over(tone, shadow, clamp(ripple) * ramp(below, 0.0, 0.2) * np.float32(0.10 + 0.03 * row))
        return over(picture, tone, alpha)

    def skyline(self, row: int) -> Layer:
        return lambda picture: self._buildings(picture, row)

    def _buildings(self, picture: Picture, row: int) -> Picture:
        width = (0.045, 0.065, 0.10)[row]
        cell, local = split(self._x / np.float32(width))
        zero = np.zeros((1, 1), np.int64)
        size = hashed(self._key("tower", row), cell, zero)
        base = self._height + (0.02, 0.08, 0.26)[row] * self._frame.bottom
        top = np.float32(base) - (np.float32(0.09) + size * size * np.float32(0.42)) * np.float32(
            (1.0, 0.95, 0.72)[row]
        )
        setback = np.where(
            (hashed(self._key("step", row), cell, zero) > np.float32(0.5))
            & (np.abs(local - np.float32(0.5)) > np.float32(0.3)),
            np.float32(0.035),
            np.float32(0),
        )
        spire = np.where(
            (size > np.float32(0.8)) & (np.abs(local - np.float32(0.5)) < np.float32(0.035)),
            np.float32(-0.055),
            np.float32(0),
        )
        alpha = clamp((self._y - top - setback - spire) * self._frame.scale + np.float32(0.5))
        color = mixed(
            mixed(self._palette.far, self._palette.near, (0.35, 0.68, 1.0)[row]),
            self._palette.horizon,
            (0.3, 0.1, 0.0)[row],
        )
        tone = over(
            np.broadcast_to(array(color), picture.shape),
            mixed(color, self._palette.horizon, 0.6),
            ramp(self._y, base - 0.16, base + 0.1) * np.float32((0.6, 0.4, 0.18)[row]),
        )
        picture = over(picture, tone, alpha)
        return over(picture, self._palette.accent, self._windows(row, local, cell, top + setback, width))

    def _windows(
        self, row: int, local: Field, cell: np.ndarray[tuple[int, ...], np.dtype[np.int64]], top: Field, width: float
    ) -> Field:
        columns, tall = (3, 4, 5)[row], width / (3, 4, 5)[row] * 1.35
        u, v = local * columns, (self._y - top - np.float32(0.012)) / np.float32(tall)
        (i, across), (j, down) = split(u), split(v)
        here = hashed(self._key("window", row), i + cell * 16, j)
        frame = (
            (np.abs(across - np.float32(0.5)) < np.float32(0.27))
            & (np.abs(down - np.float32(0.5)) < np.float32(0.3))
            & (v > 0)
        )
        share = 0.42 if self._scene.dimness > 0.2 else 0.22
        return np.where(
            frame & (here < np.float32(share)),
            (np.float32(0.35) + here) * np.float32((0.45, 0.75, 1.0)[row]),
            np.float32(0),
        ).clip(0, 1)

    # --- the water ---------------------------------------------------------------------------------------------

    def islands(self, picture: Picture) -> Picture:
        line = np.float32(self._height + 0.012) - np.maximum(
            fractal(self._key("isle"), self._x * np.float32(1.7), np.zeros((1, 1), np.float32), octaves=5, gain=0.45)
            - np.float32(0.25),
            -0.1,
        ) * np.float32(0.10)
        alpha = clamp((self._y - line) * self._frame.scale + np.float32(0.5))
        color = mixed(self._palette.far, self._palette.horizon, 0.25)
        tone = over(
            np.broadcast_to(array(color), picture.shape),
            mixed(color, self._palette.horizon, 0.7),
            ramp(self._y, self._height - 0.06, self._height + 0.01),
        )
        return over(picture, tone, alpha)

    def water(self, picture: Picture) -> Picture:
        """Mirrors what is above the waterline."""
        line = self._height + 0.012
        below = np.maximum(self._y - np.float32(line), 0)
        depth = below / np.float32(max(self._frame.bottom - line, 0.05))
        chop = self._chop(depth)
        rows = (
            np.float32(line) - below * np.float32(0.92) + chop * (np.float32(0.006) + depth * np.float32(0.035))
        ) * self._frame.scale
        columns = self._x * self._frame.scale + chop * (np.float32(1.0) + depth * 5) * np.float32(
            self._frame.scale / 512
        )
        mirrored = sample(picture, np.broadcast_to(columns, chop.shape), np.maximum(rows, 0))
        deep = mixed(self._palette.zenith, self._palette.near, 0.45)
        tone = over(mirrored, deep, clamp(np.float32(0.16) + depth * np.float32(0.55) - chop * np.float32(0.10)))
        path = ramp(
            np.abs(self._x - np.float32(self._scene.sun_x)) / (np.float32(0.05) + depth * np.float32(0.26)), 1.0, 0.0
        )
        glitter = clamp(chop * np.float32(1.7) - np.float32(0.15)) * path
        if self._scene.has_sun or self._scene.has_moon:
            tone = lit(tone, self._palette.light, glitter * np.float32(0.75))
        crest = clamp(chop - np.float32(0.72)) * depth
        tone = lit(tone, self._palette.horizon, crest * np.float32(0.5) + ramp(below, 0.012, 0.0) * np.float32(0.28))
        return over(
            picture,
            tone,
            clamp((self._y - np.float32(line)) * self._frame.scale + np.float32(0.5), 0, 1) + np.float32(0) * chop,
        )

    def _chop(self, depth: Field) -> Field:
        """Waves, -1..1, flatter and finer towards the horizon."""
        calm = 0.55 if self._scene.place == "lake" else 1.0
        total: Field = np.float32(0) * self._x * self._y
        for octave, (stretch, weight) in enumerate(((5.0, 0.5), (12.0, 0.36), (30.0, 0.28))):
            position = np.sqrt(depth + np.float32(0.002)) * np.float32(stretch * 5.5)
            layer = noise(self._key("wave", octave), self._x * np.float32(stretch), position)
            total += layer * np.float32(weight)
        return clamp(total * np.float32(1.5), -1, 1) * np.float32(calm) + np.float32(0)

    def shore(self, picture: Picture) -> Picture:
        """A dark bank in a corner, so that the view has a foreground."""
        if (
            self._scene.subject
            and not SUBJECT_TABLE[self._scene.subject].is_afloat
            and not SUBJECT_TABLE[self._scene.subject].is_flying
        ):
            return self.ground(picture)
        side = self._x / np.float32(self._frame.right)
        if self._scene.sun_x < self._frame.right / 2:
            side = 1 - side
        bank = fractal(self._key("bank"), self._x * 3, np.zeros((1, 1), np.float32), octaves=4) * np.float32(0.03)
        line = np.float32(self._frame.bottom * 0.93) + side * np.float32(0.16) - bank
        color = mixed(self._palette.near, self._land(), 0.12)
        picture = self._slope(picture, line, color, "shore", 0.16)
        reeds = (
            noise(self._key("reed"), self._x * 75, np.zeros((1, 1), np.float32))
            * np.float32(0.05)
            * ramp(side, 0.75, 0.1)
        )
        alpha = clamp((self._y - line + np.maximum(reeds, 0)) * self._frame.scale + np.float32(0.5), 0, 1)
        return over(picture, color, alpha * np.float32(0.95) * (self._y < line + np.float32(0.01)))

    # --- what goes in front ------------------------------------------------------------------------------------

    def subject(self, picture: Picture) -> Picture:
        s = self._scene
        if not s.subject:
            return picture
        kind = SUBJECT_TABLE[s.subject]
        if not kind.is_flying:
            picture = self._shadow(picture)
        at = Placement(
            x=s.subject_x, y=s.subject_y, size=s.subject_size, faces_right=s.faces_right, light=self._palette.light,
            light_x=s.sun_x, ambient=mixed(self._palette.near, self._palette.sky, 0.35), dimness=s.dimness, color=s.subject_color,
        )  # fmt: skip
        picture = painted(picture, self._x, self._y, kind, at)
        return self._foot(picture) if kind.is_afloat else picture

    def _shadow(self, picture: Picture) -> Picture:
        s = self._scene
        away = -0.10 if s.sun_x > s.subject_x else 0.10
        dx = (self._x - np.float32(s.subject_x + away * s.subject_size)) / np.float32(s.subject_size * 0.62)
        dy = (self._y - np.float32(s.subject_y)) / np.float32(s.subject_size * 0.075)
        return over(picture, self._palette.near, ramp(np.sqrt(dx * dx + dy * dy), 1.0, 0.15) * np.float32(0.6))

    def _foot(self, picture: Picture) -> Picture:
        """Water around a hull."""
        s = self._scene
        ripples = noise(self._key("hull"), self._x * 30, self._y * 70)
        dx = (self._x - np.float32(s.subject_x)) / np.float32(s.subject_size * 0.62)
        dy = (self._y - np.float32(s.subject_y + 0.008)) / np.float32(s.subject_size * 0.045)
        foam = ramp(np.sqrt(dx * dx + dy * dy), 1.0, 0.4) * clamp(ripples * np.float32(0.8) + np.float32(0.45))
        return over(picture, mixed(self._palette.horizon, self._palette.cloud, 0.4), foam * np.float32(0.7))

    def birds(self, picture: Picture) -> Picture:
        if "birds" not in self._scene.extras:
            return picture
        dice = Dice("birds", self._scene.key)
        color = mixed(self._palette.near, self._palette.sky, 0.15)
        x, y = dice.between(0.2, 0.7) * self._frame.right, dice.between(0.16, 0.4) * self._height
        for _ in range(4 + dice.choice(5)):
            size = dice.between(0.012, 0.026)
            at_x, at_y = x + dice.between(-0.2, 0.2), y + dice.between(-0.09, 0.09)
            dx, dy = (
                np.abs(self._x - np.float32(at_x)) / np.float32(size),
                (self._y - np.float32(at_y)) / np.float32(size),
            )
            arc = np.float32(0.32) - (dx - np.float32(0.45)) * (dx - np.float32(0.45)) * np.float32(1.5)
            line = np.abs(dy + arc) * np.float32(size * self._frame.scale) - (1 - np.minimum(dx, 1)) * np.float32(
                0.0028 * self._frame.scale
            )
            picture = over(picture, color, clamp(np.float32(0.6) - line) * (dx < 1))
        return picture

    def weather(self, picture: Picture) -> Picture:
        extras = self._scene.extras
        if "fog" in extras:
            swirl = fractal(self._key("fog"), self._x * np.float32(1.4), self._y * 5, octaves=4)
            amount = ramp(self._y, 0.15 * self._frame.bottom, 0.85 * self._frame.bottom) * clamp(
                np.float32(0.62) + swirl * np.float32(0.3), 0, 1
            )
            picture = over(picture, mixed(self._palette.horizon, self._palette.cloud, 0.5), amount * np.float32(0.72))
        if "snowfall" in extras:
            for i, (per_unit, radius) in enumerate(((30, 0.0028), (17, 0.0048), (8, 0.0085))):
                picture = over(
                    picture,
                    (1.0, 1.0, 1.0),
                    self._scattered.dots(f"flake{i}", per_unit, 0.5, radius) * np.float32(0.85),
                )
        return self._rain(picture) if "rain" in extras else picture

    def _rain(self, picture: Picture) -> Picture:
        slanted = self._x * 90 + self._y * 22
        column, across = split(slanted)
        drop = self._y * 7 + hashed(self._key("rain"), column, column * 0) * 40
        row, along = split(drop)
        here = hashed(self._key("drop"), column, row) < np.float32(0.28)
        streak = ramp(np.abs(across - np.float32(0.5)), 0.22, 0.02) * ramp(along, 0.0, 0.5) * ramp(along, 0.95, 0.6)
        return lit(picture, mixed(self._palette.cloud, self._palette.horizon, 0.5), streak * here * np.float32(0.42))

    def vignette(self, picture: Picture) -> Picture:
        dx = self._x / np.float32(self._frame.right) - np.float32(0.5)
        dy = self._y / np.float32(self._frame.bottom) - np.float32(0.5)
        shade = ramp(np.sqrt(dx * dx + dy * dy), 0.42, 0.85)
        dark = mixed(self._palette.near, (0, 0, 0), 0.4)
        return over(picture, dark, shade * np.float32(0.42 if brightness(self._palette.sky) > 0.3 else 0.3))
