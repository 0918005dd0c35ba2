"""Glowing gas and stars over dark land."""

from dataclasses import replace

import numpy as np

from imagegen_adapters.demo import layers as landscape
from imagegen_adapters.demo.colors import Color, brightness, gradient, lit, luma, mixed, over, vivid
from imagegen_adapters.demo.fields import (
    Dice,
    Field,
    Frame,
    Picture,
    blurred,
    clamp,
    fractal,
    grain,
    key_of,
    ramp,
    resized,
    sample,
)
from imagegen_adapters.demo.layers import Layer
from imagegen_adapters.demo.scene import Scene

_SPACE = (0.012, 0.014, 0.035)


def layers(scene: Scene, frame: Frame) -> list[Layer]:
    """The sky is the nebula; the land below it lies in the dark."""
    sky = _Sky(scene, frame)
    land = landscape.layers(_darkened(scene), frame)[5:]
    return [sky.gas, sky.filaments, sky.dust, sky.stars, *land]


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    return [_Sky(scene, frame).bloom]


def adapted(scene: Scene) -> Scene:
    """The scene at night, with the nebula for its only light."""
    return replace(
        scene, dimness=0.25, extras=scene.extras - {"birds"}, has_sun=False, has_moon=False, has_aurora=False
    )


def _darkened(scene: Scene) -> Scene:
    colors = {name: mixed(color, _SPACE, 0.72) for name, color in scene.palette.colors().items()}
    colors |= {"accent": scene.palette.accent, "light": mixed(scene.palette.light, _SPACE, 0.35)}
    colors |= {"horizon": mixed(vivid(scene.palette.glow, 1.4), _SPACE, 0.62), "near": (0.006, 0.007, 0.02)}
    return replace(scene, palette=replace(scene.palette, **colors))


class _Sky:
    def __init__(self, scene: Scene, frame: Frame) -> None:
        self._scene = scene
        self._frame = frame
        self._x, self._y = frame.x, frame.y
        self._palette = scene.palette

    def _key(self, *parts: object) -> int:
        return key_of(self._scene.key, "nebula", *parts)

    def _warped(self, name: str, frequency: float, reach: float, octaves: int) -> Field:
        """Noise that is stirred by other noise: it curls."""
        x, y = self._x, self._y
        dx = fractal(self._key(name, "dx"), x * np.float32(1.6), y * np.float32(1.6), octaves=4)
        dy = fractal(self._key(name, "dy"), x * np.float32(1.6), y * np.float32(1.6), octaves=4)
        base = fractal(
            self._key(name), x * np.float32(frequency), y * np.float32(frequency), octaves=octaves, gain=0.58
        )
        scale = np.float32(self._frame.scale * reach)
        rows = np.arange(self._frame.height, dtype=np.float32)[:, None]
        columns = np.arange(self._frame.width, dtype=np.float32)[None, :]
        return sample(
            base, _mirrored(columns + dx * scale, self._frame.width), _mirrored(rows + dy * scale, self._frame.height)
        )

    def _arch(self) -> Field:
        """Where the gas gathers: a band across the sky, -1..1."""
        dice = Dice("arch", self._scene.key)
        slope = dice.between(0.35, 0.9) * (1 if dice.between(0, 1) < 0.5 else -1)
        center = self._scene.horizon * dice.between(0.42, 0.6)
        across = self._y - np.float32(center) + (self._x - np.float32(self._frame.right / 2)) * np.float32(slope)
        return 1 - np.abs(across) * np.float32(2.6)

    def gas(self, _: Picture) -> Picture:
        p = self._palette
        cloud = self._warped("gas", 2.2, 0.16, 6)
        density = ramp(cloud * np.float32(0.75) + self._arch() * np.float32(0.75), -0.6, 1.6)
        tint = self._warped("tint", 1.3, 0.12, 3)
        cold = gradient(density, _glowing(p.zenith, p.sky))
        warm = gradient(density, _glowing(p.glow, p.light))
        return over(cold, warm, ramp(tint, -0.35, 0.55))

    def filaments(self, picture: Picture) -> Picture:
        """Thin bright sheets where shock fronts are."""
        for i, color in enumerate((self._palette.light, vivid(self._palette.accent, 1.3))):
            sheet = self._warped(f"sheet{i}", 1.9 + i, 0.22, 5)
            line = ramp(np.abs(sheet), 0.42, 0.0)
            picture = lit(picture, color, line * line * ramp(self._arch(), -0.4, 0.9) * np.float32(0.24))
        return picture

    def dust(self, picture: Picture) -> Picture:
        lane = ramp(self._warped("lane", 2.6, 0.2, 6), 0.25, 0.95) * ramp(self._arch(), -0.2, 0.7)
        return over(picture, (0.03, 0.015, 0.03), lane * np.float32(0.78))

    def stars(self, picture: Picture) -> Picture:
        starry = replace(self._scene, starriness=1.0, horizon=self._frame.bottom * 1.6, key=f"{self._scene.key} stars")
        small = landscape.Scattered(starry, self._frame)
        picture = lit(picture, (0.94, 0.96, 1.0), small.stars())
        dice = Dice("bright", self._scene.key)
        for _ in range(5 + dice.choice(4)):
            picture = self._bright_star(picture, dice)
        return picture

    def _bright_star(self, picture: Picture, dice: Dice) -> Picture:
        at_x, at_y = dice.between(0.04, 0.96) * self._frame.right, dice.between(0.03, 0.85) * self._scene.horizon
        size = dice.between(0.35, 1.0)
        dx, dy = np.abs(self._x - np.float32(at_x)), np.abs(self._y - np.float32(at_y))
        distance = np.sqrt(dx * dx + dy * dy)
        core = np.float32(0.0035 * size) / (distance + np.float32(0.003))
        thin, long = np.float32(0.0013), np.float32(0.075 * size)
        spikes = np.maximum(
            np.maximum(1 - dx / long, 0) * thin / (dy + thin), np.maximum(1 - dy / long, 0) * thin / (dx + thin)
        )
        color = mixed((1.0, 1.0, 1.0), self._palette.accent if dice.between(0, 1) < 0.3 else self._palette.cloud, 0.25)
        return lit(picture, color, clamp(core * core + spikes * np.float32(0.85)))

    def bloom(self, picture: Picture) -> Picture:
        """Light spills over; the darkest parts keep a little film grain."""
        small = resized(picture, max(8, self._frame.width // 8), max(8, self._frame.height // 8))
        bright = small * ramp(luma(small), 0.45, 0.95)[..., None]
        halo = resized(blurred(bright, max(1, self._frame.scale // 160)), self._frame.width, self._frame.height)
        speck = (grain(self._frame.width, self._frame.height, self._key("speck")) - np.float32(0.5)) * np.float32(0.022)
        return clamp(1 - (1 - picture) * (1 - halo * np.float32(0.45)) + speck[..., None], 0, 1)


def _glowing(color: Color, bright: Color) -> tuple[tuple[float, Color], ...]:
    """From black to bright; between them the hue is as strong as it can be."""
    hue = _strong(color)
    return (
        (0.0, _SPACE),
        (0.42, mixed(hue, _SPACE, 0.62)),
        (0.78, hue),
        (1.15, mixed(mixed(hue, bright, 0.6), (1, 1, 1), 0.25)),
    )


def _strong(color: Color) -> Color:
    """The same hue, neither pale nor dark."""
    rich = vivid(color, 2.6)
    light = brightness(rich)
    return mixed(rich, (0, 0, 0), 1 - 0.36 / light) if light > 0.36 else mixed(rich, (1, 1, 1), 0.30 * (0.36 - light))


def _mirrored(position: Field, size: int) -> Field:
    """Positions beyond the edge folded back."""
    position = np.abs(position)
    return np.where(position > size - 1, np.maximum(2 * (size - 1) - position, 0), position)
