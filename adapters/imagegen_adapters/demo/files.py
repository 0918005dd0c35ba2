"""Pictures as files, and files as pictures."""

import io
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter, ImageOps, PngImagePlugin, UnidentifiedImageError

from imagegen_adapters.demo.fields import Field, Frame, Picture, clamp

MAX_INPUT_PIXELS = 64 * 1024 * 1024


class UnreadableImage(Exception):
    """The bytes are no image that can be used."""


def png(picture: Picture, text: str, *, name: str = "parameters") -> bytes:
    """With a text chunk: A1111 and its kin write "parameters", ComfyUI the graph as "prompt"."""
    info = PngImagePlugin.PngInfo()
    info.add_text(name, text)
    return _encoded(picture, "PNG", compress_level=6, pnginfo=info)


def jpeg(picture: Picture) -> bytes:
    return _encoded(picture, "JPEG", quality=80)


def _encoded(picture: Picture, kind: Literal["PNG", "JPEG"], **options: object) -> bytes:
    out = io.BytesIO()
    values = clamp(picture) * 255 + 0.5
    Image.fromarray(values.astype(np.uint8)).save(out, kind, **options)
    return out.getvalue()


def picture_of(data: bytes, frame: Frame) -> Picture:
    """An image as picture of the frame's size. Raises UnreadableImage."""
    image = _opened(data)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return _values(image.convert("RGB"), frame)


def channels_of(data: bytes, max_pixels: int) -> Field:
    """An image's red, green, blue and alpha at its own size, (height, width, 4). Raises UnreadableImage."""
    image = _opened(data, max_pixels)
    return np.asarray(image.convert("RGBA")).astype(np.float32) / 255


def mask_of(data: bytes, frame: Frame, blur: int) -> Field:
    """An image as mask of the frame's size, its edges blurred. Raises UnreadableImage."""
    image = _opened(data).convert("L").resize((frame.width, frame.height), Image.Resampling.BICUBIC)
    return _values(image.filter(ImageFilter.GaussianBlur(blur)) if blur else image, frame)


def _opened(data: bytes, max_pixels: int = MAX_INPUT_PIXELS) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        if image.width * image.height > max_pixels:
            raise UnreadableImage(f"the image is larger than {max_pixels} pixels")
        image.load()
        return ImageOps.exif_transpose(image)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise UnreadableImage("the bytes are no readable PNG, JPEG or WebP image") from exc


def _values(image: Image.Image, frame: Frame) -> Field:
    # Bicubic: computed without the sine of a Lanczos filter, so the same everywhere.
    if image.size != (frame.width, frame.height):
        image = image.resize((frame.width, frame.height), Image.Resampling.BICUBIC)
    return np.asarray(image).astype(np.float32) / 255
