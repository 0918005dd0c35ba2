"""Numbers over the picture's area: coordinates, noise and resampling.

A picture must be the same on every machine, so that a seed can be passed on. Floating point gives this only for
+ - * / sqrt and comparisons, each of which IEEE 754 rounds in exactly one way. Nothing here or in the painter calls
sin, exp, pow, a matrix product or a float sum over an axis, whose last bits depend on the processor; waves come from a
table.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.floating[Any]]
"""One number per pixel, (height, width); an axis of length 1 stands for "the same along it"."""
Picture: TypeAlias = NDArray[np.floating[Any]]
"""(height, width, 3), red, green, blue, 0..1 as displayed (not linear light)."""

_WAVE_SIZE = 4096
# Rounded far above the last bit of any libm, so that the table is the same everywhere.
_WAVE = np.array(
    [round(math.sin(2 * math.pi * i / _WAVE_SIZE) * 2**20) / 2**20 for i in range(_WAVE_SIZE + 1)], dtype=np.float32
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture's area. Lengths are shares of its shorter side, so that a scene looks alike at every size."""

    width: int
    height: int

    @property
    def scale(self) -> int:
        """Pixels per unit of length."""
        return min(self.width, self.height)

    @property
    def right(self) -> float:
        return self.width / self.scale

    @property
    def bottom(self) -> float:
        return self.height / self.scale

    @property
    def x(self) -> Field:
        """Of each pixel's centre, (1, width)."""
        return centers(self.width, self.scale)[None, :]

    @property
    def y(self) -> Field:
        """Of each pixel's centre, downwards, (height, 1)."""
        return centers(self.height, self.scale)[:, None]


def centers(pixels: int, scale: int = 1) -> Field:
    """Of a row of pixels, `scale` of them to a unit."""
    return (np.arange(pixels, dtype=np.float32) + 0.5) / scale


class Dice:
    """A stream of random numbers that depends on its key only."""

    def __init__(self, *key: object) -> None:
        self._bits = np.random.PCG64(_number("dice", *key))

    def many(self, count: int) -> Field:
        """Numbers from 0 up to, but not including, 1."""
        # The raw stream is what numpy promises to keep; its distributions may change between versions.
        return (self._bits.random_raw(count) >> np.uint64(40)).astype(np.float32) * (2**-24)

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.many(1)[0])

    def choice(self, count: int) -> int:
        """0..count-1."""
        return int(self.between(0, count))


def _number(*key: object) -> int:
    text = "\x1f".join(str(part) for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def key_of(*parts: object) -> int:
    """A 32-bit key for noise."""
    return _number("noise", *parts) & 0xFFFFFFFF


def clamp(value: Field, low: float | Field = 0, high: float | Field = 1) -> Field:
    """`value`, nowhere below `low` nor above `high`."""
    limited: Field = np.clip(value, low, high)
    return limited


def only(condition: NDArray[np.bool_], value: Field | float) -> Field:
    """`value` where the condition holds, else 0."""
    return np.where(condition, np.asarray(value, np.float32), np.float32(0))


def length(x: Field, y: Field) -> Field:
    """Of the vector (x, y)."""
    root: Field = np.sqrt(x * x + y * y)
    return root


def ramp(value: Field, low: float, high: float) -> Field:
    """0 up to `low`, 1 from `high`, smooth between; `high` below `low` falls instead."""
    t = clamp((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def split(value: Field) -> tuple[NDArray[np.int64], Field]:
    """The whole number below each value, and what is above it."""
    whole = np.floor(value)
    return whole.astype(np.int64), value - whole


def wave(turns: Field) -> Field:
    """Sine of a whole turn per unit."""
    index, fraction = split((turns - np.floor(turns)) * _WAVE_SIZE)
    low = _WAVE.take(index, mode="clip")
    return low + (_WAVE.take(index + 1, mode="clip") - low) * fraction


def hashed(key: int, i: NDArray[np.int64], j: NDArray[np.int64]) -> Field:
    """A number 0..1 for every pair of whole numbers."""
    bits = i.astype(np.uint32) * np.uint32(0x9E3779B1) ^ j.astype(np.uint32) * np.uint32(0x85EBCA77) ^ np.uint32(key)
    for shift, factor in ((15, 0x2C1B3C6D), (12, 0x297A2D39)):
        bits ^= bits >> np.uint32(shift)
        bits *= np.uint32(factor)
    bits ^= bits >> np.uint32(15)
    return (bits >> np.uint32(8)).astype(np.float32) * (2**-24)


def noise(key: int, x: Field, y: Field) -> Field:
    """Smooth noise, mostly within -1..1, with one bump per unit; `x` is (1, width), `y` (height, 1).

    Random values on a lattice, smoothed by a cubic B-spline. The axes are independent, which makes it cheap.
    """
    column, x_weights = _spline(x.ravel())
    row, y_weights = _spline(y.ravel())
    left, top = int(column[0]), int(row[0])
    i = np.arange(left, int(column[-1]) + 4)[None, :]
    j = np.arange(top, int(row[-1]) + 4)[:, None]
    lattice = (hashed(key, i, j) - 0.5) * 3.8
    rows = _weighted(lattice, row - top, y_weights[:, :, None], axis=0)
    return _weighted(rows, column - left, x_weights[:, None, :], axis=1)


def _weighted(lattice: Field, first: NDArray[np.int64], weights: Field, *, axis: int) -> Field:
    total: Field = lattice.take(first, axis=axis) * weights[0]
    for k in range(1, 4):
        total += lattice.take(first + k, axis=axis) * weights[k]
    return total


def _spline(position: Field) -> tuple[NDArray[np.int64], Field]:
    """The first of the four lattice points around each position, and the weights of the four."""
    base, t = split(position)
    s = 1 - t
    sixth = 1 / 6
    weights = np.stack(
        [
            s * s * s * sixth,
            (3 * t * t * t - 6 * t * t + 4) * sixth,
            (3 * s * s * s - 6 * s * s + 4) * sixth,
            t * t * t * sixth,
        ]
    )
    return base - 1, weights


def fractal(key: int, x: Field, y: Field, *, octaves: int, gain: float = 0.5) -> Field:
    """Noise with ever finer detail on top, mostly within -1..1."""
    total: Field = 0 * x * y
    amplitude, power = 1.0, 0.0
    for octave in range(octaves):
        factor = 2**octave
        total += noise(key + octave * 7919 & 0xFFFFFFFF, x * factor + octave * 17, y * factor + octave * 31) * amplitude
        power += amplitude * amplitude
        amplitude *= gain
    return total * (1 / math.sqrt(power))


def sample(image: Field, x: Field, y: Field) -> Field:
    """`image` (height, width[, channels]) at pixel positions, linearly between pixels, clamped at the edges."""
    height, width = image.shape[:2]
    x = clamp(x, 0, (width - 1.001))
    y = clamp(y, 0, (height - 1.001))
    (column, a), (row, b) = split(x), split(y)
    right, down = np.minimum(column + 1, width - 1), np.minimum(row + 1, height - 1)
    if image.ndim == 3:
        a, b = a[..., None], b[..., None]
    flat = image.reshape(height * width, *image.shape[2:])
    upper = _blend(flat.take(row * width + column, axis=0), flat.take(row * width + right, axis=0), a)
    lower = _blend(flat.take(down * width + column, axis=0), flat.take(down * width + right, axis=0), a)
    return _blend(upper, lower, b)


def _blend(first: Field, second: Field, share: Field) -> Field:
    blend: Field = first + (second - first) * share
    return blend


def resized(image: Field, width: int, height: int) -> Field:
    """`image` at another size, linearly between pixels."""
    source_height, source_width = image.shape[:2]
    x = (np.arange(width, dtype=np.float32) + 0.5) * (source_width / width) - 0.5
    y = (np.arange(height, dtype=np.float32) + 0.5) * (source_height / height) - 0.5
    return _stretched(_stretched(image, y, axis=0), x, axis=1)


def _stretched(image: Field, position: Field, *, axis: int) -> Field:
    size = image.shape[axis]
    position = clamp(position, 0, size - 1)
    low, share = split(position)
    shape = [1] * image.ndim
    shape[axis] = -1
    first: Field = image.take(low, axis=axis)
    return _blend(first, image.take(np.minimum(low + 1, size - 1), axis=axis), share.reshape(shape))


def shrunk(image: Field, longest: int) -> Field:
    """`image` with no side above `longest`, each pixel the mean of a square block."""
    factor = -(-max(image.shape[:2]) // longest)
    if factor < 2:
        return image
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = [image[i:height:factor, j:width:factor] for i in range(factor) for j in range(factor)]
    total: Field = blocks[0].copy()
    for block in blocks[1:]:
        total += block
    mean: Field = total / (factor * factor)
    return mean


def closed(image: Field, known: Field) -> Field:
    """`image` (height, width, channels) with smooth colours where `known` is 0, taken from around the hole."""
    height, width = known.shape
    if min(height, width) < 4 or not (known < 1).any():
        return image
    weight = known[..., None] + 1e-6
    half = (max(2, width // 2), max(2, height // 2))
    coarse_weight = resized(weight, *half)
    coarse = closed(resized(image * weight, *half) / coarse_weight, np.minimum(coarse_weight[..., 0] * 2, 1))
    filled = resized(coarse, width, height)
    return filled + (image - filled) * known[..., None]


def blurred(image: Field, radius: int) -> Field:
    """Two passes of a box of `radius` pixels to each side, per axis."""
    for _ in range(2):
        image = _box(_box(image, radius, axis=0), radius, axis=1)
    return image


def _box(image: Field, radius: int, *, axis: int) -> Field:
    radius = min(radius, image.shape[axis] - 1)
    if radius < 1:
        return image
    total = image.copy()
    length = image.shape[axis]
    index = np.arange(length)
    # Added in a fixed order: a running sum would round differently for every radius, a convolution by processor.
    for offset in range(1, radius + 1):
        total += image.take(np.abs(index - offset), axis=axis)
        total += image.take(length - 1 - np.abs(length - 1 - index - offset), axis=axis)
    return total / (2 * radius + 1)


def grain(width: int, height: int, key: int) -> Field:
    """Independent numbers 0..1 for every pixel."""
    return hashed(key, np.arange(width)[None, :], np.arange(height)[:, None])
