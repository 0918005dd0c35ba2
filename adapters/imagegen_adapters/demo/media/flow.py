"""Thick brush strokes that follow a flow field, around the sun as around the picture's edges."""

import numpy as np
from numpy.typing import NDArray

from imagegen_adapters.demo.colors import luma, mixed
from imagegen_adapters.demo.fields import Field, Frame, Picture, blurred, clamp, fractal, grain, key_of, noise, ramp
from imagegen_adapters.demo.layers import Layer
from imagegen_adapters.demo.scene import Scene

_STROKES = ((0.055, 14, 0.0100), (0.022, 8, 0.0065), (0.009, 5, 0.0040))
"""Of each coat of paint: length to either side, tracing steps, thickness; in units of the frame."""


def passes(scene: Scene, frame: Frame) -> list[Layer]:
    return _Brush(scene, frame).passes()


class _Brush:
    """Remembers the scene that is painted, and how thick the paint lies."""

    def __init__(self, scene: Scene, frame: Frame) -> None:
        self._scene = scene
        self._frame = frame
        self._original: Picture | None = None
        self._thickness: Field = np.zeros((frame.height, frame.width), np.float32)

    def passes(self) -> list[Layer]:
        return [lambda p: self._coat(p, 0), lambda p: self._coat(p, 1), lambda p: self._coat(p, 2), self._light]

    def _coat(self, picture: Picture, number: int) -> Picture:
        if self._original is None:
            self._original = picture
        length, steps, thickness = _STROKES[number]
        dx, dy = self._direction(self._original, thickness)
        bristles = self._bristles(number, thickness)
        paint = np.concatenate([self._original, bristles[..., None]], axis=-1)
        smeared = _smeared(paint, dx, dy, np.float32(length * self._frame.scale / steps), steps)
        color, ridge = smeared[..., :3], smeared[..., 3]
        ridge = clamp(ridge * np.float32((3.6, 3.0, 2.4)[number]), -1, 1)
        warm = np.array(mixed(self._scene.palette.light, self._scene.palette.accent, 0.4), np.float32)
        cool = np.array(mixed(self._scene.palette.zenith, self._scene.palette.near, 0.5), np.float32)
        color = color + (warm - color) * clamp(ridge)[..., None] * np.float32(0.16)
        color = color + (cool - color) * clamp(-ridge)[..., None] * np.float32(0.20)
        opacity = np.float32(1) if number == 0 else self._detail(number)
        self._thickness = self._thickness + (ridge - self._thickness) * opacity
        return picture + (color - picture) * (opacity if number == 0 else opacity[..., None])

    def _bristles(self, number: int, thickness: float) -> Field:
        per_unit = np.float32(0.55 / thickness)
        lines = noise(key_of(self._scene.key, "bristle", number), self._frame.x * per_unit, self._frame.y * per_unit)
        fine = grain(self._frame.width, self._frame.height, key_of(self._scene.key, "hair", number)) - np.float32(0.5)
        return lines * np.float32(0.75) + fine * np.float32(0.9)

    def _direction(self, picture: Picture, thickness: float) -> tuple[Field, Field]:
        """Unit vectors: along contours where there are some, else along the flow."""
        flow_x, flow_y = self._flow()
        light = blurred(luma(picture), max(1, round(self._frame.scale * thickness)))
        edge_x, edge_y = -np.gradient(light, axis=0), np.gradient(light, axis=1)
        strength = np.sqrt(edge_x * edge_x + edge_y * edge_y) * np.float32(self._frame.scale)
        # A contour has no sense of direction: it takes that of the flow.
        sense = np.where(edge_x * flow_x + edge_y * flow_y < 0, np.float32(-1), np.float32(1))
        share = (
            ramp(strength, 0.6, 2.2) * sense / np.maximum(strength, np.float32(1e-4)) * np.float32(self._frame.scale)
        )
        x, y = flow_x + edge_x * share * 3, flow_y + edge_y * share * 3
        size = np.maximum(np.sqrt(x * x + y * y), np.float32(1e-4))
        return x / size, y / size

    def _flow(self) -> tuple[Field, Field]:
        x, y = self._frame.x, self._frame.y
        bend = fractal(key_of(self._scene.key, "wind"), x * np.float32(1.4), y * np.float32(2.1), octaves=2)
        flow_x, flow_y = 1 - bend * bend * np.float32(0.5), bend * np.float32(1.15)
        dx, dy = x - np.float32(self._scene.sun_x), y - np.float32(self._scene.sun_y)
        distance = np.sqrt(dx * dx + dy * dy) + np.float32(1e-3)
        near = ramp(distance, 0.42, 0.08) * np.float32(2.5)
        flow_x, flow_y = flow_x - dy / distance * near, flow_y + dx / distance * near
        size = np.maximum(np.sqrt(flow_x * flow_x + flow_y * flow_y), np.float32(1e-4))
        return flow_x / size, flow_y / size

    def _detail(self, number: int) -> Field:
        """Where finer strokes are needed."""
        assert self._original is not None
        light = luma(self._original)
        soft = blurred(light, max(1, round(self._frame.scale * 0.012)))
        lost = blurred(np.abs(light - soft), max(1, round(self._frame.scale * 0.005)))
        return ramp(lost, 0.012 * number, 0.05 * number) * np.float32(0.95)

    def _light(self, picture: Picture) -> Picture:
        """Paint stands up from the canvas and catches the light."""
        relief = np.gradient(self._thickness, axis=1) + np.gradient(self._thickness, axis=0)
        relief = clamp(relief * np.float32(0.22), np.float32(-0.15), np.float32(0.15))[..., None]
        return clamp(picture + relief * (np.float32(0.35) + picture * np.float32(0.65)), 0, 1)


def _smeared(paint: Field, dx: Field, dy: Field, stride: np.float32, steps: int) -> Field:
    """The mean of `paint` along the flow, `steps` strides to either side."""
    height, width = dx.shape
    flat, flat_x, flat_y = paint.reshape(height * width, -1), dx.ravel(), dy.ravel()
    total = flat.copy()
    start_x = np.tile(np.arange(width, dtype=np.float32), height)
    start_y = np.repeat(np.arange(height, dtype=np.float32), width)
    for sense in (stride, -stride):
        x, y = start_x, start_y
        index: NDArray[np.int32] = np.arange(height * width, dtype=np.int32)
        for _ in range(steps):
            x = clamp(x + flat_x.take(index) * sense, 0, width - 1)
            y = clamp(y + flat_y.take(index) * sense, 0, height - 1)
            index = (y + np.float32(0.5)).astype(np.int32) * width + (x + np.float32(0.5)).astype(np.int32)
            total += flat.take(index, axis=0)
    return (total / np.float32(2 * steps + 1)).reshape(paint.shape)
