"""Glowing gas and stars over dark land."""

from dataclasses import replace

import numpy as np

from imagegen_adapters.demo.colors import Color, brightness, gradient, lit, luma, mixed, over, vivid
from imagegen_adapters.demo.fields import Dice, Field, Frame, Picture, blurred, clamp, ramp, resized, sample
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery import ground_layers
from imagegen_adapters.demo.scenery.view import Layer, View

_SPACE = (0.012, 0.014, 0.035)


def adapted(scene: Scene) -> Scene:
    """The scene at night, with the nebula for its only light."""
    return replace(
        scene, dimness=0.25, extras=scene.extras - {"birds"}, has_sun=False, has_moon=False, has_aurora=False
    )


def layers(scene: Scene, frame: Frame) -> list[Layer]:
    sky = _Nebula(View(scene, frame))
    return [sky.gas, sky.filaments, sky.dust, sky.stars, *ground_layers(_darkened(scene), frame)]


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    return [_Nebula(View(scene, frame)).bloom]


def _darkened(scene: Scene) -> Scene:
    p = scene.palette
    colors = {name: mixed(color, _SPACE, 0.72) for name, color in p.colors().items()}
    colors |= {"accent": p.accent, "light": mixed(p.light, _SPACE, 0.35), "near": (0.006, 0.007, 0.02)}
    colors |= {"horizon": mixed(vivid(p.glow, 1.4), _SPACE, 0.62)}
    return replace(scene, palette=replace(p, **colors))


class _Nebula:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette

    def _stirred(self, name: str, per_unit: float, reach: float, octaves: int) -> Field:
        """Noise that is displaced by other noise: it curls."""
        view, frame = self._view, self._view.frame
        dx = view.fractal(f"{name} across", 1.6, 1.6, octaves=4) * (frame.scale * reach)
        dy = view.fractal(f"{name} down", 1.6, 1.6, octaves=4) * (frame.scale * reach)
        calm = view.fractal(name, per_unit, per_unit, octaves=octaves, gain=0.58)
        return sample(calm, _folded(view.columns + dx, frame.width), _folded(view.rows + dy, frame.height))

    def _band(self) -> Field:
        """Where the gas gathers: 1 along a line across the sky, falling to both sides."""
        dice = Dice("band", self._scene.key)
        slope = dice.between(0.35, 0.9) * (1 if dice.between(0, 1) < 0.5 else -1)
        center = self._scene.horizon * dice.between(0.42, 0.6)
        return 1 - np.abs(self._view.y - center + (self._view.x - self._view.frame.right / 2) * slope) * 2.6

    def gas(self, _: Picture) -> Picture:
        p = self._palette
        density = ramp(self._stirred("gas", 2.2, 0.16, 6) * 0.75 + self._band() * 0.75, -0.7, 1.4)
        cold, warm = gradient(density, _glowing(p.zenith, p.sky)), gradient(density, _glowing(p.glow, p.light))
        return over(cold, warm, ramp(self._stirred("tint", 1.3, 0.12, 3), -0.35, 0.55))

    def filaments(self, picture: Picture) -> Picture:
        """Thin bright sheets, as at shock fronts."""
        near = ramp(self._band(), -0.4, 0.9)
        for per_unit, color in ((1.9, self._palette.light), (2.9, vivid(self._palette.accent, 1.3))):
            sheet = ramp(np.abs(self._stirred(f"sheet {per_unit}", per_unit, 0.22, 5)), 0.42, 0.0)
            picture = lit(picture, color, sheet * sheet * near * 0.24)
        return picture

    def dust(self, picture: Picture) -> Picture:
        lanes = ramp(self._stirred("lane", 2.6, 0.2, 6), 0.25, 0.95) * ramp(self._band(), -0.2, 0.7)
        return over(picture, (0.03, 0.015, 0.03), lanes * 0.78)

    def stars(self, picture: Picture) -> Picture:
        picture = lit(picture, (0.94, 0.96, 1.0), self._view.stars(1.0))
        dice = Dice("bright", self._scene.key)
        for _ in range(5 + dice.choice(4)):
            picture = self._bright_star(picture, dice)
        return picture

    def _bright_star(self, picture: Picture, dice: Dice) -> Picture:
        """With the spikes that a telescope adds."""
        view = self._view
        x, y = dice.between(0.04, 0.96) * view.frame.right, dice.between(0.03, 0.85) * self._scene.horizon
        size, tint = dice.between(0.35, 1.0), self._palette.accent if dice.between(0, 1) < 0.3 else self._palette.cloud
        core = 0.0035 * size / (view.distance(x, y) + 0.003)
        spikes = np.maximum(_spike(view.x - x, view.y - y, 0.075 * size), _spike(view.y - y, view.x - x, 0.075 * size))
        return lit(picture, mixed((1.0, 1.0, 1.0), tint, 0.25), clamp(core * core + spikes * 0.85))

    def bloom(self, picture: Picture) -> Picture:
        """Light spills over, with a little film grain."""
        frame = self._view.frame
        small = resized(picture, max(8, frame.width // 8), max(8, frame.height // 8))
        bright = small * ramp(luma(small), 0.45, 0.95)[..., None]
        halo = resized(blurred(bright, max(1, frame.scale // 160)), frame.width, frame.height)
        return clamp(1 - (1 - picture) * (1 - halo * 0.45) + self._view.grain("film")[..., None] * 0.022)


def _spike(along: Field, across: Field, length: float) -> Field:
    return np.maximum(1 - np.abs(along) / length, 0) * 0.0013 / (np.abs(across) + 0.0013)


def _glowing(color: Color, bright: Color) -> tuple[tuple[float, Color], ...]:
    """From black to bright; between them the hue is as strong as it can be."""
    hue = _strong(color)
    brightest = mixed(mixed(hue, bright, 0.6), (1, 1, 1), 0.25)
    return ((0.0, _SPACE), (0.42, mixed(hue, _SPACE, 0.62)), (0.78, hue), (1.15, brightest))


def _strong(color: Color) -> Color:
    """The same hue, neither pale nor dark."""
    rich = vivid(color, 2.6)
    light = brightness(rich)
    return mixed(rich, (0, 0, 0), 1 - 0.36 / light) if light > 0.36 else mixed(rich, (1, 1, 1), 0.3 * (0.36 - light))


def _folded(position: Field, size: int) -> Field:
    """Positions beyond the edge, mirrored back."""
    position = np.abs(position)
    return np.where(position > size - 1, np.maximum(2 * (size - 1) - position, 0), position)
