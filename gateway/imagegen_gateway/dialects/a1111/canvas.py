"""What A1111 does to pictures before and after the sampling, and backends of other kinds do not. Pillow; to be run in a
thread.

Before: fits the picture to the size that is to be made, makes the mask hard, turns it round, cuts out what is around
the mask ("only masked"), and paints over what is masked with the colours around it ("fill").
After: puts a part that was cut out back into its place.
"""

from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageFilter, ImageOps

from imagegen_gateway.dialects.a1111.faults import http_exception
from imagegen_gateway.pictures import UNREADABLE, opened, saved

STRETCH, CROP, FILL = 0, 1, 2
FILL_BLURS: Final = (256, 128, 64, 32, 16, 8, 4, 2)
"""From coarse to fine: near the edge of what is masked colours come from close by, in its middle from afar."""
Box = tuple[int, int, int, int]
Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """What is to be done to the initial picture and its mask."""

    width: int
    height: int
    """The size that is to be made."""
    resize_mode: int = STRETCH
    """0: stretch, 1: crop, 2: fill up with the colours of the edges; 3 is the backend's work."""
    mask_blur: int = 4
    is_mask_inverted: bool = False
    has_hard_mask: bool = True
    """Every pixel is masked or is not."""
    only_masked_padding: int | None = None
    """Make only the part around the mask, with so many pixels about it; None: the whole picture."""
    fills: bool = False
    """Whether what is masked is painted over first."""

    @property
    def size(self) -> Size:
        """Width and height."""
        return self.width, self.height


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a part belongs that was cut out. Kept while the job waits and runs, so that nothing in it is decoded."""

    picture: bytes
    """The whole, as it came."""
    mask: bytes
    """Of the whole picture, with soft edges: what is taken from the part."""
    box: Box


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the job gets."""

    picture: bytes
    mask: bytes | None = None
    frame: Frame | None = None
    """Where what comes out belongs; None: it is the whole."""


def prepare(initial: bytes, mask: bytes | None, fitting: Fitting) -> Canvas:
    """Prepares the pictures of a request. Raises Refused for what cannot be read."""
    if mask is None and fitting.resize_mode not in {CROP, FILL}:
        return Canvas(initial)  # the backend scales it
    picture = _opened(initial)
    if mask is None:
        return Canvas(saved(_fitted(picture, fitting)))
    area = _mask(_opened_mask(mask), picture.size, fitting)
    frame = _frame(initial, area, fitting) if fitting.only_masked_padding is not None else None
    if frame is not None:
        picture, area = (
            layer.crop(frame.box).resize(fitting.size, Image.Resampling.LANCZOS) for layer in (picture, area)
        )
        area = _hard(area) if fitting.has_hard_mask else area
    else:
        picture, area = _fitted(picture, fitting), _fitted(area, fitting)
    if fitting.fills:
        picture = _painted_over(picture, area)
    return Canvas(saved(picture), saved(area), frame)


def put_back(part: bytes, frame: Frame) -> bytes:
    """The whole picture with a part that was made."""
    left, top, right, bottom = frame.box
    whole = _opened(frame.picture)
    made = whole.copy()
    made.paste(_opened(part).resize((right - left, bottom - top), Image.Resampling.LANCZOS), (left, top))
    return saved(Image.composite(made, whole, opened(frame.mask)))


def _opened(data: bytes) -> Image.Image:
    picture = _load(data)
    if picture.mode in {"RGBA", "LA", "P", "PA"}:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        picture = ground
    return picture.convert("RGB")


def _opened_mask(data: bytes) -> Image.Image:
    """What is transparent counts as black, unless that is all that the picture says."""
    picture = _load(data)
    if picture.mode in {"LA", "PA"} or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if picture.mode != "RGBA":
        return picture.convert("L")
    alpha = picture.getchannel("A")
    return alpha if alpha.getextrema() != (255, 255) else picture.convert("L")


def _load(data: bytes) -> Image.Image:
    try:
        with opened(data) as picture:
            return ImageOps.exif_transpose(picture)
    except UNREADABLE as exc:
        raise http_exception(500, "Invalid encoded image") from exc


def _mask(mask: Image.Image, size: Size, fitting: Fitting) -> Image.Image:
    area = mask if mask.size == size else mask.resize(size, Image.Resampling.LANCZOS)
    area = _hard(area) if fitting.has_hard_mask else area
    return ImageOps.invert(area) if fitting.is_mask_inverted else area


def _hard(mask: Image.Image) -> Image.Image:
    return mask.point([255 if value > 127 else 0 for value in range(256)])


def _fitted(picture: Image.Image, fitting: Fitting) -> Image.Image:
    size = fitting.size
    if picture.size == size:
        return picture
    match fitting.resize_mode:
        case 1:
            return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
        case 2:
            inner = ImageOps.contain(picture, size, Image.Resampling.LANCZOS)
            left, top = (size[0] - inner.width) // 2, (size[1] - inner.height) // 2
            return _with_edges(inner, left, top, size)
        case _:
            return picture.resize(size, Image.Resampling.LANCZOS)


def _with_edges(inner: Image.Image, left: int, top: int, size: Size) -> Image.Image:
    """The picture in the middle, its outermost rows and columns stretched to the sides."""
    right, bottom = left + inner.width, top + inner.height
    filled = Image.new(inner.mode, size)
    for (x0, x1), (from_x0, from_x1) in (
        ((0, left), (0, 1)),
        ((left, right), (0, inner.width)),
        ((right, size[0]), (inner.width - 1, inner.width)),
    ):
        for (y0, y1), (from_y0, from_y1) in (
            ((0, top), (0, 1)),
            ((top, bottom), (0, inner.height)),
            ((bottom, size[1]), (inner.height - 1, inner.height)),
        ):
            if x1 > x0 and y1 > y0:
                source = inner.crop((from_x0, from_y0, from_x1, from_y1))
                filled.paste(source.resize((x1 - x0, y1 - y0)), (x0, y0))
    return filled


def _frame(initial: bytes, mask: Image.Image, fitting: Fitting) -> Frame | None:
    """None for an empty mask: there is nothing to make but the whole."""
    assert fitting.only_masked_padding is not None
    soft = mask.filter(ImageFilter.GaussianBlur(fitting.mask_blur)) if fitting.mask_blur else mask
    inner = soft.getbbox()
    if inner is None:
        return None
    return Frame(initial, saved(soft), cutout(inner, mask.size, fitting.size, fitting.only_masked_padding))


def cutout(inner: Box, whole: Size, target: Size, padding: int) -> Box:
    """The smallest part of the whole that has the shape of the target and holds `inner` with `padding` about it, as far
    as the whole reaches.
    """
    left, top = max(0, inner[0] - padding), max(0, inner[1] - padding)
    right, bottom = min(whole[0], inner[2] + padding), min(whole[1], inner[3] + padding)
    width, height = right - left, bottom - top
    ratio = target[0] / target[1]
    width, height = max(width, round(height * ratio)), max(height, round(width / ratio))
    left, right = _span((left + right) / 2, width, whole[0])
    top, bottom = _span((top + bottom) / 2, height, whole[1])
    return left, top, right, bottom


def _span(middle: float, length: int, limit: int) -> tuple[int, int]:
    length = min(length, limit)
    start = min(max(0, round(middle - length / 2)), limit - length)
    return start, start + length


def _painted_over(picture: Image.Image, mask: Image.Image) -> Image.Image:
    """The colours around flow into what is masked."""
    kept = picture.convert("RGBA")
    kept.putalpha(ImageOps.invert(mask))
    filled = picture.convert("RGBA")
    for radius in FILL_BLURS:
        # Premultiplied, so that what is masked lends no colour.
        blurred = kept.convert("RGBa").filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        strong = blurred.getchannel("A").point([min(255, value * 4) for value in range(256)])
        blurred.putalpha(ImageChops.lighter(strong, blurred.getchannel("A")))
        filled.alpha_composite(blurred)
    return Image.composite(filled.convert("RGB"), picture, mask)
