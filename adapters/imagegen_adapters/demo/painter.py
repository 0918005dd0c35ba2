"""Paints pictures in steps. Pure: an order in, pictures out; the same order gives the same pixels on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from imagegen_adapters.demo import scenery
from imagegen_adapters.demo.colors import Palette, gradient, luma
from imagegen_adapters.demo.fields import Field, Frame, Picture, closed, resized, shrunk
from imagegen_adapters.demo.looks import look_layer
from imagegen_adapters.demo.media import STYLES
from imagegen_adapters.demo.prompt import read
from imagegen_adapters.demo.refining import veiled
from imagegen_adapters.demo.scene import Box, Scene, composed
from imagegen_adapters.demo.scenery.view import Layer

STYLE_OF = {style.name: style for style in STYLES}
USUAL_CFG_SCALE = 7.0
PREVIEW_SIDE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One picture, with every choice made."""

    prompt: str
    negative_prompt: str
    style: str
    """A key of `STYLE_OF`."""
    looks: tuple[tuple[str, float], ...] = ()
    """Names and weights of what is laid over it, in this order."""
    frame: Frame
    steps: int
    cfg_scale: float
    seed: int
    sampler: str
    scheduler: str
    start: Picture | None = None
    """The initial image, of the frame's size."""
    mask: Field | None = None
    """1 where the initial image is repainted, 0 where it stays as it is."""
    denoise: float = 1.0
    is_repeat: bool = False
    """`start` is this very picture at a smaller size: the second pass of hires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The picture after a step."""

    step: int
    """1..steps."""
    picture: Picture
    order: Order

    def preview(self) -> Picture:
        """What is to be seen of it, no side above `PREVIEW_SIDE`."""
        order = self.order
        return veiled(
            shrunk(self.picture, PREVIEW_SIDE), sampler=order.sampler, scheduler=order.scheduler,
            done=self.step / order.steps, seed=order.seed, step=self.step,
        )  # fmt: skip


def paint(order: Order) -> Iterator[Stage]:
    """One stage for each of the order's steps. The last one's picture is the result."""
    touches = _touches(order)
    canvas = np.zeros((order.frame.height, order.frame.width, 3), np.float32) if order.start is None else order.start
    done = 0
    for step in range(order.steps):
        # Rounded up, so that there is something to see after the first step.
        goal = -(-len(touches) * (step + 1) // order.steps)
        for touch in touches[done:goal]:
            canvas = touch(canvas)
        done = goal
        is_last = step + 1 == order.steps
        yield Stage(step=step + 1, picture=canvas if is_last else _shown(canvas, order, step + 1), order=order)


def enlarged(picture: Picture, frame: Frame, *, is_smooth: bool) -> Picture:
    """`picture` at the size of `frame`."""
    if is_smooth:
        return resized(picture, frame.width, frame.height)
    rows = np.arange(frame.height) * picture.shape[0] // frame.height
    columns = np.arange(frame.width) * picture.shape[1] // frame.width
    larger: Picture = picture.take(rows, axis=0).take(columns, axis=1)
    return larger


def _touches(order: Order) -> list[Layer]:
    style, scene = STYLE_OF[order.style], _scene(order)
    frame = order.frame
    ground = style.layers(scene, frame)
    medium = [*style.medium(scene, frame), *(look_layer(name, weight) for name, weight in order.looks)]
    subject, finish = scenery.subject(scene, frame), scenery.finish(scene, frame)
    if order.start is None:
        return [*ground, subject, *finish, *medium]
    if order.is_repeat:
        return [*ground, subject, *finish, *medium, _blending(order.start, None, order.denoise)]
    if order.mask is None:
        under = _underpainting(order.start, scene.palette, order.denoise)
    else:
        under = _filling(order.start, order.mask, _eased(order.denoise, 0.5, 1.0) if scene.is_chosen else 0.0)
    fading = _fading(subject, _eased(order.denoise, 0.3, 0.6))
    return [*ground, under, fading, *medium, _blending(order.start, order.mask, _eased(order.denoise, 0.0, 0.45))]


def _scene(order: Order) -> Scene:
    brief = read(order.prompt, order.negative_prompt)
    inside = _bounds(order.mask, order.frame) if order.mask is not None else None
    scene = composed(brief, order.seed, order.cfg_scale / USUAL_CFG_SCALE, order.frame, inside)
    return STYLE_OF[order.style].adapted(scene)


def _bounds(mask: Field, frame: Frame) -> Box | None:
    """The part of the frame that is repainted."""
    white = mask > 0.5
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    if not rows.size:
        return None
    scale = frame.scale
    return Box(
        left=int(columns[0]) / scale, top=int(rows[0]) / scale,
        right=(int(columns[-1]) + 1) / scale, bottom=(int(rows[-1]) + 1) / scale,
    )  # fmt: skip


def _underpainting(start: Picture, palette: Palette, denoise: float) -> Layer:
    """The initial image in the scene's colours; above one half, the scene itself shows through."""
    tones = (
        (0.0, palette.near),
        (0.35, palette.zenith),
        (0.6, palette.sky),
        (0.82, palette.glow),
        (1.0, palette.light),
    )
    amount, scene_share = (0.6 * denoise), _eased(denoise, 0.5, 1.0)

    def touch(painted: Picture) -> Picture:
        recolored = start + (gradient(luma(start), tones) - start) * amount
        return recolored + (painted - recolored) * scene_share

    return touch


def _filling(start: Picture, mask: Field, scene_share: float) -> Layer:
    """The hole closed with what surrounds it, and the scene in it as far as the prompt asked for one."""
    filled = closed(start, 1 - mask)
    return lambda painted: filled + (painted - filled) * scene_share


def _fading(layer: Layer, share: float) -> Layer:
    return lambda picture: picture + (layer(picture) - picture) * share


def _blending(start: Picture, mask: Field | None, share: float) -> Layer:
    """The initial image where nothing was to be replaced."""
    alpha = share if mask is None else mask[..., None] * share
    return lambda picture: start + (picture - start) * alpha


def _shown(canvas: Picture, order: Order, step: int) -> Picture:
    """An unfinished canvas; an initial image does not vanish before it is painted over."""
    if order.start is None:
        return canvas
    share = order.denoise * step / order.steps
    return _blending(order.start, order.mask, float(share))(canvas)


def _eased(value: float, low: float, high: float) -> float:
    t = min(1.0, max(0.0, (value - low) / (high - low)))
    return t * t * (3 - 2 * t)


def second_pass(order: Order, first: Picture, frame: Frame, *, steps: int, denoise: float, is_smooth: bool) -> Order:
    """The order of hires' second pass over the first one's picture."""
    start = enlarged(first, frame, is_smooth=is_smooth)
    return replace(order, frame=frame, steps=steps, start=start, denoise=denoise, is_repeat=True)
