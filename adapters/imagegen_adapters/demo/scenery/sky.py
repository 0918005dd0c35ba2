"""The sky, with all that shines in it."""

import numpy as np

from imagegen_adapters.demo.colors import gradient, lit, mixed, over, rgb, tinted
from imagegen_adapters.demo.fields import Field, Picture, clamp, ramp, sample
from imagegen_adapters.demo.scenery.view import Layer, View


class Sky:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette
        self._depth = view.scene.horizon

    def layers(self) -> list[Layer]:
        return [self.air, self.stars, self.aurora, self.sun, self.clouds]

    def air(self, _: Picture) -> Picture:
        view, p = self._view, self._palette
        height = view.y / self._depth + 0 * view.x
        picture = gradient(height, ((0.0, p.zenith), (0.45, p.sky), (0.82, p.glow), (1.0, p.horizon)))
        warm = ramp(view.distance(self._scene.sun_x, self._scene.sun_y), 0.95, 0.0)
        return lit(picture, mixed(p.glow, p.light, 0.4), warm * warm * 0.42)

    def stars(self, picture: Picture) -> Picture:
        starriness = self._scene.starriness
        if not starriness:
            return picture
        fade = ramp(self._view.y, self._depth * 0.98, self._depth * 0.35)
        band = ramp(self._milky_way(), 0.35, 1.1)
        pale = tinted((0.75, 0.78, 0.9), self._palette.glow, 0.5)
        picture = lit(picture, pale, band * fade * (0.20 * starriness))
        return lit(picture, (1.0, 0.98, 0.93), self._view.stars(starriness) * fade)

    def _milky_way(self) -> Field:
        view = self._view
        slant = view.x * 0.5 + view.y - 0.55
        spread = 1 - np.abs(slant + view.noise("way", 2, 2) * 0.08) * 3.2
        return spread + view.fractal("dust", 5, 5, octaves=4) * 0.55

    def aurora(self, picture: Picture) -> Picture:
        if not self._scene.has_aurora:
            return picture
        green = self._palette.accent
        for i, color in enumerate((green, tinted(rgb("7d5fe0"), green, 0.25), green)):
            bend = self._view.fractal(f"aurora {i}", 1.3, 0.35, octaves=3)
            low = self._depth * (0.42 + 0.17 * i) + bend * 0.13
            above = (low - self._view.y) / (0.34 + 0.06 * i)
            curtain = ramp(above, -0.06, 0.04) * ramp(above, 1.0, 0.0)
            picture = lit(picture, color, clamp(curtain * self._rays(i)) * (0.62 - 0.12 * i))
        return picture

    def _rays(self, i: int) -> Field:
        fine, broad = self._view.noise(f"rays {i}", 22, 0.6), self._view.noise(f"folds {i}", 5, 0.4)
        return clamp(0.6 + fine * 0.28 + broad * 0.4)

    def sun(self, picture: Picture) -> Picture:
        scene, light = self._scene, self._palette.light
        if not (scene.has_sun or scene.has_moon):
            return picture
        distance = self._view.distance(scene.sun_x, scene.sun_y)
        near = scene.sun_size / (scene.sun_size * 0.6 + distance)
        picture = lit(picture, light, clamp(near * near * (0.16 if scene.has_moon else 0.26), 0, 0.8))
        disc = self._moon() if scene.has_moon else mixed(light, (1, 1, 1), 0.35)
        return over(picture, disc, self._view.inside(scene.sun_size - distance))

    def _moon(self) -> Picture:
        per_unit = 2.1 / self._scene.sun_size
        seas = ramp(self._view.fractal("moon", per_unit, per_unit, octaves=3), 0.1, 0.75)
        pale = mixed(self._palette.light, (1, 1, 0.97), 0.4)
        return over(self._view.flat(pale), mixed(pale, self._palette.sky, 0.35), seas * 0.55)

    def clouds(self, picture: Picture) -> Picture:
        amount = self._scene.cloudiness
        if amount < 0.05:
            return picture
        density = ramp(self._cloud_shape(), 0.75 - 1.05 * amount, 1.35 - 0.75 * amount)
        tone = over(self._view.flat(self._palette.shade), self._palette.cloud, self._cloud_light(density))
        fade = ramp(self._view.y, self._depth * 1.02, self._depth * 0.72)
        return over(picture, tone, density * fade * 0.92)

    def _cloud_shape(self) -> Field:
        view = self._view
        shape = view.fractal("clouds", 1.5, 4.2, octaves=6, gain=0.55)
        drift = view.noise("drift", 2.2, 4) * (0.05 * view.frame.scale)
        # Perspective: towards the horizon clouds are closer together.
        depth = 1 / (1.15 - np.minimum(view.y / self._depth, 1)) - 1
        return sample(shape, view.columns + drift, view.rows + drift * 0.4 + depth * (0.02 * view.frame.scale))

    def _cloud_light(self, density: Field) -> Field:
        """What lies between a part of a cloud and the sun makes it dark."""
        view, reach = self._view, 0.028 * self._view.frame.scale
        toward_x = clamp((self._scene.sun_x - view.x) * 3, -1, 1)
        toward_y = clamp((self._scene.sun_y - view.y) * 3, -1, 1)
        blocked = sample(density, view.columns + toward_x * reach, view.rows + toward_y * reach)
        return clamp(0.62 + (density - blocked) * 1.3 - density * 0.25)
