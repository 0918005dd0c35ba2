"""Small pictures that depend on everything that they should depend on."""

import hashlib
import io
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

Pixels: TypeAlias = NDArray[np.float32]
"""Batch, height, width, 3; 0..1."""


def paint(key: str, *, count: int, width: int, height: int) -> Pixels:
    """Waves of colour; another key gives another picture."""
    return np.stack([_picture(f"{key}/{index}", width, height) for index in range(count)])


def noise(key: str, shape: tuple[int, ...]) -> Pixels:
    return np.asarray(_random(key).random(shape), dtype=np.float32)


def to_image(picture: Pixels) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8), "RGB")


def from_bytes(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), dtype=np.float32)[None] / np.float32(255)


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    if pixels.shape[1:3] == (height, width):
        return pixels
    size = width, height
    images = [to_image(picture).resize(size, Image.Resampling.LANCZOS) for picture in pixels]
    return np.stack([np.asarray(image, dtype=np.float32) / 255 for image in images])


def to_png(picture: Pixels, **texts: str) -> bytes:
    about = PngInfo()
    for name, text in texts.items():
        about.add_text(name, text)
    out = io.BytesIO()
    to_image(picture).save(out, "PNG", pnginfo=about, compress_level=1)
    return out.getvalue()


def to_preview(picture: Pixels, size: int) -> bytes:
    """Scaled to fit, up as well as down, as the server does."""
    image = to_image(picture)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    out = io.BytesIO()
    image.resize((width, height)).save(out, "JPEG", quality=95)
    return out.getvalue()


def _picture(key: str, width: int, height: int) -> Pixels:
    random = _random(key)
    colours = random.random((3, 3), dtype=np.float32)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    waves = [np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in random.uniform(0.3, 1.5, (3, 3))]
    mixed = np.stack(waves, axis=-1) @ colours
    return np.asarray((mixed + 2) / 4, dtype=np.float32)


def _random(key: str) -> Any:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))
