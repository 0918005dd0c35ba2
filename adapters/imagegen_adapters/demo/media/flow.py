"""Thick brush strokes that follow a flow field, around the sun as around the picture's edges."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from imagegen_adapters.demo.colors import luma, mixed, over
from imagegen_adapters.demo.fields import Field, Frame, Picture, blurred, clamp, length, ramp
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery.view import Layer, View


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coat:
    """One layer of paint; lengths in units of the frame."""

    reach: float
    """Of a stroke, to either side."""
    strides: int
    """In which it is traced."""
    thickness: float
    relief: float
    """How high the paint stands."""
    fineness: int
    """0: covers everything; above: only where so much detail is."""


_COATS = (
    _Coat(reach=0.055, strides=14, thickness=0.0100, relief=3.6, fineness=0),
    _Coat(reach=0.022, strides=8, thickness=0.0065, relief=3.0, fineness=1),
    _Coat(reach=0.009, strides=5, thickness=0.0040, relief=2.4, fineness=2),
)


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    brush = _Brush(View(scene, frame))
    return [*(partial(brush.coat, coat) for coat in _COATS), brush.light]


class _Brush:
    """Remembers the scene that is painted, and how high the paint stands."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._model: Picture | None = None
        self._height = view.everywhere()

    def coat(self, coat: _Coat, picture: Picture) -> Picture:
        if self._model is None:
            self._model = picture
        paint = np.concatenate([self._model, self._bristles(coat)[..., None]], axis=-1)
        dx, dy = self._direction(self._model, coat.thickness)
        strokes = _smeared(paint, dx, dy, coat.reach * self._view.frame.scale / coat.strides, coat.strides)
        ridges = clamp(strokes[..., 3] * coat.relief, -1, 1)
        opacity = self._detail(self._model, coat.fineness)
        self._height = self._height + (ridges - self._height) * opacity
        return over(picture, self._mixed(strokes[..., :3], ridges), opacity)

    def _mixed(self, color: Picture, ridges: Field) -> Picture:
        """Paint is never one colour: warm on the ridges, cool between them."""
        p = self._view.palette
        color = over(color, mixed(p.light, p.accent, 0.4), clamp(ridges) * 0.16)
        return over(color, mixed(p.zenith, p.near, 0.5), clamp(-ridges) * 0.20)

    def _bristles(self, coat: _Coat) -> Field:
        per_unit = 0.55 / coat.thickness
        return self._view.noise(f"bristle {coat.fineness}", per_unit, per_unit) * 0.75 + self._view.grain("hair") * 0.9

    def _direction(self, picture: Picture, thickness: float) -> tuple[Field, Field]:
        """Unit vectors: along contours where there are some, else along the flow."""
        flow_x, flow_y = self._flow()
        scale = self._view.frame.scale
        light = blurred(luma(picture), max(1, round(scale * thickness)))
        edge_x, edge_y = -np.gradient(light, axis=0) * scale, np.gradient(light, axis=1) * scale
        strength = length(edge_x, edge_y)
        # A contour has no sense of direction: it takes that of the flow.
        sense = np.sign(edge_x * flow_x + edge_y * flow_y)
        share = ramp(strength, 0.6, 2.2) * sense * 3 / np.maximum(strength, 1e-4)
        return _unit(flow_x + edge_x * share, flow_y + edge_y * share)

    def _flow(self) -> tuple[Field, Field]:
        view, scene = self._view, self._view.scene
        bend = view.fractal("wind", 1.4, 2.1, octaves=2)
        dx, dy = _unit(view.x - scene.sun_x, view.y - scene.sun_y)
        swirl = ramp(view.distance(scene.sun_x, scene.sun_y), 0.42, 0.08) * 2.5
        return _unit(1 - bend * bend * 0.5 - dy * swirl, bend * 1.15 + dx * swirl)

    def _detail(self, picture: Picture, fineness: int) -> Field:
        """Where strokes of that fineness are needed, 0..1."""
        if fineness == 0:
            return self._view.everywhere(1)
        scale, light = self._view.frame.scale, luma(picture)
        lost = np.abs(light - blurred(light, max(1, round(scale * 0.012))))
        return ramp(blurred(lost, max(1, round(scale * 0.005))), 0.012 * fineness, 0.05 * fineness) * 0.95

    def light(self, picture: Picture) -> Picture:
        """Paint stands up from the canvas and catches the light."""
        slope = np.gradient(self._height, axis=1) + np.gradient(self._height, axis=0)
        relief = clamp(slope * 0.22, -0.15, 0.15)[..., None]
        return clamp(picture + relief * (0.35 + picture * 0.65))


def _unit(x: Field, y: Field) -> tuple[Field, Field]:
    size = np.maximum(length(x, y), 1e-4)
    return x / size, y / size


def _smeared(paint: Field, dx: Field, dy: Field, stride: float, strides: int) -> Field:
    """The mean of `paint` along the flow, so many strides to either side."""
    height, width = dx.shape
    flat, flat_x, flat_y = paint.reshape(height * width, -1), dx.ravel(), dy.ravel()
    total = flat.copy()
    here = np.arange(height * width)
    for sense in (stride, -stride):
        x, y = (here % width).astype(np.float32), (here // width).astype(np.float32)
        index = here
        for _ in range(strides):
            x = clamp(x + flat_x.take(index) * sense, 0, width - 1)
            y = clamp(y + flat_y.take(index) * sense, 0, height - 1)
            index = (y + 0.5).astype(np.int64) * width + (x + 0.5).astype(np.int64)
            total += flat.take(index, axis=0)
    return (total / (2 * strides + 1)).reshape(paint.shape)
