"""What goes over everything: birds, weather, the frame's dark corners."""

import numpy as np

from imagegen_adapters.demo.colors import brightness, lit, mixed, over
from imagegen_adapters.demo.fields import Dice, Picture, clamp, hashed, only, ramp, split
from imagegen_adapters.demo.scenery.view import Layer, View


class Air:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette

    def layers(self) -> list[Layer]:
        weather = {"birds": self.birds, "fog": self.fog, "snowfall": self.snowfall, "rain": self.rain}
        return [*(layer for extra, layer in weather.items() if extra in self._scene.extras), self.vignette]

    def birds(self, picture: Picture) -> Picture:
        dice = Dice("birds", self._scene.key)
        x, y = dice.between(0.2, 0.7) * self._view.frame.right, dice.between(0.16, 0.4) * self._scene.horizon
        for _ in range(4 + dice.choice(5)):
            size = dice.between(0.012, 0.026)
            picture = self._bird(picture, x + dice.between(-0.2, 0.2), y + dice.between(-0.09, 0.09), size)
        return picture

    def _bird(self, picture: Picture, x: float, y: float, size: float) -> Picture:
        """Two arcs."""
        view = self._view
        out, down = np.abs(view.x - x) / size, (view.y - y) / size
        arc = (0.45 - out) * (0.45 - out) * 1.5 - 0.32
        distance = np.abs(down - arc) * size - (1 - np.minimum(out, 1)) * 0.0028
        color = mixed(self._palette.near, self._palette.sky, 0.15)
        return over(picture, color, only(out < 1, view.inside(-distance)))

    def fog(self, picture: Picture) -> Picture:
        view, p = self._view, self._palette
        swirl = clamp(0.62 + view.fractal("fog", 1.4, 5, octaves=4) * 0.3)
        depth = ramp(view.y, 0.15 * view.frame.bottom, 0.85 * view.frame.bottom)
        return over(picture, mixed(p.horizon, p.cloud, 0.5), swirl * depth * 0.72)

    def snowfall(self, picture: Picture) -> Picture:
        for per_unit, radius in ((30, 0.0028), (17, 0.0048), (8, 0.0085)):
            picture = over(picture, (1.0, 1.0, 1.0), self._view.dots("flake", per_unit, 0.5, radius) * 0.85)
        return picture

    def rain(self, picture: Picture) -> Picture:
        view, p = self._view, self._palette
        column, across = split(view.x * 90 + view.y * 22)
        start = hashed(view.key("rain"), column, np.zeros_like(column)) * 40
        row, along = split(view.y * 7 + start)
        streak = ramp(np.abs(across - 0.5), 0.22, 0.02) * ramp(along, 0.0, 0.5) * ramp(along, 0.95, 0.6)
        drops = only(hashed(view.key("drop"), column, row) < 0.28, streak)
        return lit(picture, mixed(p.cloud, p.horizon, 0.5), drops * 0.42)

    def vignette(self, picture: Picture) -> Picture:
        frame = self._view.frame
        away = self._view.spot(frame.right / 2, frame.bottom / 2, frame.right, frame.bottom)
        strength = 0.42 if brightness(self._palette.sky) > 0.3 else 0.3
        return over(picture, mixed(self._palette.near, (0, 0, 0), 0.4), ramp(away, 0.42, 0.85) * strength)
