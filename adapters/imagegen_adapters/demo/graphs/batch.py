"""What goes along the links of a graph: pictures. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from imagegen_adapters.demo.fields import Field, Frame, Picture, shrunk
from imagegen_adapters.demo.painter import enlarged
from imagegen_adapters.demo.requests import MAX_PIXELS, MIN_SIDE, area

MAX_HELD_PIXELS: Final = 32 * 1024 * 1024
"""Of all pictures of a graph at a time: 400 MB."""
_GRAY: Final = 0.5


class Impossible(Exception):
    """A node cannot do what its inputs ask for. `input_name` is the one at fault."""

    def __init__(self, input_name: str, message: str) -> None:
        super().__init__(message)
        self.input_name = input_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What goes along links of type MODEL."""

    style: str
    looks: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What a picture was painted from. The same at another size is the same picture again."""

    prompt: str
    negative_prompt: str
    model: Model
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Pictures of one size. A latent is kept as the pictures that it stands for."""

    frame: Frame
    count: int
    pictures: tuple[Picture, ...] = ()
    """`count` of them, or none: an empty latent."""
    mask: Field | None = None
    """1 where the next sampling repaints; of any size."""
    theme: Theme | None = None
    """Of the first picture, while nothing but its size was changed since it was painted."""

    @property
    def pixels(self) -> int:
        return len(self.pictures) * area(self.frame)


def batch_of(pictures: Sequence[Picture]) -> Batch:
    """At least one picture, all of one size."""
    height, width = pictures[0].shape[:2]
    return Batch(frame=Frame(width, height), count=len(pictures), pictures=tuple(pictures))


def decoded(batch: Batch) -> Batch:
    """A latent as pictures: gray where nothing was painted."""
    if batch.pictures:
        return replace(batch, mask=None)
    gray = np.full((batch.frame.height, batch.frame.width, 3), _GRAY, np.float32)
    return replace(batch, pictures=(gray,) * batch.count, mask=None)


def encoded(batch: Batch) -> Batch:
    """Pictures as a latent: its sides are multiples of 8, what is beyond is cut off on both sides, as in ComfyUI."""
    width, height = batch.frame.width // 8 * 8, batch.frame.height // 8 * 8
    if not width or not height:
        raise Impossible("pixels", f"is only {batch.frame.width} x {batch.frame.height} pixels")
    return _cut(batch, Frame(width, height))


def scaled(batch: Batch, frame: Frame, *, is_smooth: bool, keeps_shape: bool = False) -> Batch:
    """At another size. With `keeps_shape` what does not fit is cut off, otherwise it is stretched."""
    if area(frame) * batch.count > MAX_HELD_PIXELS:
        raise Impossible("", f"{batch.count} x {frame.width} x {frame.height} pixels are too many")
    if keeps_shape:
        batch = _cut(batch, _shaped(batch.frame, frame))
    pictures = tuple(_resized(picture, frame, is_smooth=is_smooth) for picture in batch.pictures)
    return replace(batch, frame=frame, pictures=pictures)


def sized(frame: Frame, width: int, height: int) -> Frame:
    """The size that was asked for; a side of 0 follows from the other one."""
    if not width and not height:
        return frame
    return Frame(
        width or max(1, round(frame.width * height / frame.height)),
        height or max(1, round(frame.height * width / frame.width)),
    )


def latent_sized(frame: Frame) -> Frame:
    """The nearest size below that a latent can have."""
    return Frame(max(MIN_SIDE, frame.width // 8 * 8), max(MIN_SIDE, frame.height // 8 * 8))


def multiplied(frame: Frame, factor: float) -> Frame:
    return Frame(max(1, round(frame.width * factor)), max(1, round(frame.height * factor)))


def composed(below: Picture, above: Picture, mask: Field, left: int, top: int) -> Picture:
    """`above` laid over `below` where its mask, which is of its size, is white."""
    height, width = below.shape[:2]
    covered = (
        slice(max(0, top), min(height, top + above.shape[0])),
        slice(max(0, left), min(width, left + above.shape[1])),
    )
    if covered[0].start >= covered[0].stop or covered[1].start >= covered[1].stop:
        return below
    shown = slice(covered[0].start - top, covered[0].stop - top), slice(covered[1].start - left, covered[1].stop - left)
    result = below.copy()
    result[covered] += (above[shown] - result[covered]) * mask[shown][..., None]
    return result


def grown(mask: Field, pixels: int) -> Field:
    """With its white parts larger by so many pixels on every side."""
    for axis in (0, 1):
        lines = np.moveaxis(mask, axis, 0)
        larger = lines.copy()
        for offset in range(1, min(pixels, len(lines) - 1) + 1):
            np.maximum(larger[offset:], lines[:-offset], out=larger[offset:])
            np.maximum(larger[:-offset], lines[offset:], out=larger[:-offset])
        mask = np.moveaxis(larger, 0, axis)
    return mask


def check_paintable(batch: Batch) -> None:
    """Raises Impossible for what the painter does not take."""
    width, height = batch.frame.width, batch.frame.height
    if min(width, height) < MIN_SIDE:
        raise Impossible("latent_image", f"{width} x {height} is too small; no side may be below {MIN_SIDE} pixels")
    if area(batch.frame) > MAX_PIXELS:
        raise Impossible("latent_image", f"{width} x {height} is too large; at most {MAX_PIXELS} pixels")


def _resized(picture: Picture, frame: Frame, *, is_smooth: bool) -> Picture:
    height, width = picture.shape[:2]
    factor = min(width // frame.width, height // frame.height)
    if is_smooth and factor > 1:  # otherwise most of the pixels would be left out
        picture = shrunk(picture, -(-max(width, height) // factor))
    return enlarged(picture, frame, is_smooth=is_smooth)


def _shaped(frame: Frame, other: Frame) -> Frame:
    """The largest part of `frame` that has the shape of `other`."""
    if frame.width * other.height > frame.height * other.width:
        return Frame(max(1, round(frame.height * other.width / other.height)), frame.height)
    return Frame(frame.width, max(1, round(frame.width * other.height / other.width)))


def _cut(batch: Batch, frame: Frame) -> Batch:
    """The middle of the pictures. Its theme is another one, as the picture is not whole."""
    if frame == batch.frame:
        return batch
    left, top = (batch.frame.width - frame.width) // 2, (batch.frame.height - frame.height) // 2
    pictures = tuple(picture[top : top + frame.height, left : left + frame.width] for picture in batch.pictures)
    return replace(batch, frame=frame, pictures=pictures, theme=None)
