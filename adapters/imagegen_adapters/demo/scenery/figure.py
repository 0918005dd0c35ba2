"""The scene's subject."""

import numpy as np

from imagegen_adapters.demo.colors import mixed, over
from imagegen_adapters.demo.fields import Picture, clamp, ramp
from imagegen_adapters.demo.scenery.view import View
from imagegen_adapters.demo.subjects import SUBJECTS, Placement, drawn


class Figure:
    def __init__(self, view: View) -> None:
        self._view = view
        self._scene = view.scene
        self._palette = view.palette

    def paint(self, picture: Picture) -> Picture:
        subject = SUBJECTS.get(self._scene.subject)
        if subject is None:
            return picture
        if not subject.is_flying:
            picture = self._shadow(picture)
        picture = drawn(picture, self._view.frame, subject, self._placement())
        return self._wake(picture) if subject.is_afloat else picture

    def _placement(self) -> Placement:
        scene, p = self._scene, self._palette
        return Placement(
            x=scene.subject_x,
            y=scene.subject_y,
            size=scene.subject_size,
            faces_right=scene.faces_right,
            light=p.light,
            light_x=scene.sun_x,
            ambient=mixed(p.near, p.sky, 0.35),
            dimness=scene.dimness,
            color=scene.subject_color,
        )

    def _shadow(self, picture: Picture) -> Picture:
        """On the ground, away from the light."""
        scene, size = self._scene, self._scene.subject_size
        away = -0.10 if scene.sun_x > scene.subject_x else 0.10
        spot = self._view.spot(scene.subject_x + away * size, scene.subject_y, size * 0.62, size * 0.075)
        return over(picture, self._palette.near, ramp(spot, 1.0, 0.15) * 0.6)

    def _wake(self, picture: Picture) -> Picture:
        """Foam around what floats."""
        scene, size = self._scene, self._scene.subject_size
        spot = self._view.spot(scene.subject_x, scene.subject_y + 0.008, size * 0.62, size * 0.045)
        foam = ramp(spot, 1.0, 0.4) * clamp(self._view.noise("hull", 30, 70) * 0.8 + 0.45)
        return over(picture, mixed(self._palette.horizon, self._palette.cloud, 0.4), np.minimum(foam, 1) * 0.7)
