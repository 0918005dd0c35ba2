"""How a picture emerges: what of it is to be seen while it is being painted.

A scheduler says how much of the noise is left after each step, a sampler what the unfinished picture looks like under
it. Neither changes the finished picture.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from imagegen_adapters.demo.colors import luma, over
from imagegen_adapters.demo.fields import (
    Field,
    Frame,
    Picture,
    blurred,
    clamp,
    fractal,
    grain,
    key_of,
    noise,
    ramp,
    resized,
)

Veil: TypeAlias = Callable[[Picture, float, str], Picture]
"""The picture as it looks while a share 0..1 of the noise is left; the text makes the noise its own."""

_PAPER = (0.97, 0.96, 0.93)


def _linear(left: float) -> float:
    return left


def _karras(left: float) -> float:
    return left * left


def _late(left: float) -> float:
    return left * (2 - left)


SCHEDULERS: dict[str, tuple[str, Callable[[float], float]]] = {
    "linear": ("as much noise goes in every step", _linear),
    "karras": ("most of the noise goes at the beginning", _karras),
    "late": ("the picture stays hidden for long", _late),
    "normal": ("linear, by the name that every workflow for ComfyUI knows", _linear),
}


def _diffuse(picture: Picture, left: float, key: str) -> Picture:
    return over(_softened(picture, left), _haze(picture, key.partition("/")[0]), _alpha(picture, left))


def _ancestral(picture: Picture, left: float, key: str) -> Picture:
    return over(_softened(picture, left * 0.6), _haze(picture, key), _alpha(picture, left))


def _mosaic(picture: Picture, left: float, key: str) -> Picture:
    height, width = picture.shape[:2]
    block = max(1, round(left * max(height, width) / 6))
    rows = np.minimum(np.arange(height) // block * block + block // 2, height - 1)
    columns = np.minimum(np.arange(width) // block * block + block // 2, width - 1)
    coarse = picture.take(rows, axis=0).take(columns, axis=1)
    flicker = (grain(width, height, key_of(key)).take(rows, axis=0).take(columns, axis=1) - 0.5) * (left * 0.35)
    return clamp(coarse + flicker[..., None])


def _sketch(picture: Picture, left: float, key: str) -> Picture:
    light = blurred(luma(picture), 1)
    slope = np.abs(np.gradient(light, axis=0)) + np.abs(np.gradient(light, axis=1))
    rough = noise(key_of(key.partition("/")[0], "pencil"), *_axes(picture, 60))
    line = ramp(slope, 0.012, 0.07) * clamp(0.75 + rough * 0.3)
    drawing = over(np.broadcast_to(np.array(_PAPER, np.float32), picture.shape), (0.2, 0.19, 0.22), line)
    # Colour is laid in from patch to patch.
    patch = fractal(key_of(key.partition("/")[0], "patch"), *_axes(picture, 3), octaves=3)
    return over(picture, drawing, ramp(patch + (left * 3 - 1.5), -0.35, 0.35))


SAMPLERS: dict[str, tuple[str, Veil]] = {
    "demo": ("out of a coloured haze, ever sharper", _diffuse),
    "demo-ancestral": ("the same with new noise in every step", _ancestral),
    "demo-mosaic": ("large tiles that become small ones", _mosaic),
    "demo-sketch": ("a pencil drawing that is coloured in", _sketch),
    "euler": ("demo, by the name that every workflow for ComfyUI knows", _diffuse),
}


def veiled(picture: Picture, *, sampler: str, scheduler: str, done: float, seed: int, step: int) -> Picture:
    """`picture` as it is to be seen when a share `done` of the steps is behind us."""
    left = SCHEDULERS[scheduler][1](1 - done)
    if left <= 0:
        return picture
    return SAMPLERS[sampler][1](picture, left, f"{seed}/{step}")


def _alpha(picture: Picture, left: float) -> Field:
    return np.full(picture.shape[:2], left, np.float32)


def _axes(picture: Picture, per_unit: float) -> tuple[Field, Field]:
    frame = Frame(picture.shape[1], picture.shape[0])
    return frame.x * per_unit, frame.y * per_unit


def _softened(picture: Picture, left: float) -> Picture:
    height, width = picture.shape[:2]
    factor = 2 ** round(left * 5)
    if factor == 1:
        return picture
    small = resized(picture, max(2, width // factor), max(2, height // factor))
    return resized(blurred(small, 1), width, height)


def _haze(picture: Picture, key: str) -> Picture:
    """What noise in a latent space looks like: soft patches of colour, with grain."""
    channels = [fractal(key_of(key, "haze", i), *_axes(picture, 9), octaves=3, gain=0.7) for i in range(3)]
    speck = grain(picture.shape[1], picture.shape[0], key_of(key, "speck")) - 0.5
    return clamp(0.5 + np.stack(channels, axis=-1) * 0.26 + speck[..., None] * 0.05)
