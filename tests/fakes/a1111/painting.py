"""Small, honest pictures: the same request gives the same bytes, and some of the steps some of the picture."""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

Pixels: TypeAlias = NDArray[np.float64]
"""height x width x 3, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motif:
    """All that decides how a picture looks."""

    subject: str
    seed: int
    width: int
    height: int
    init_image: Image.Image | None = None
    mask: Image.Image | None = None
    mask_blur: int = 4
    denoise: float = 1.0


def paint(motif: Motif, share: float = 1.0) -> Image.Image:
    """The picture after this share of its steps: noise at first."""
    digest = hashlib.sha256(f"{motif.subject}\n{motif.seed}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    picture = _waves(motif, random)
    size = (motif.width, motif.height)
    if motif.init_image is not None:
        picture = _pixels(motif.init_image, size) * (1 - motif.denoise) + picture * motif.denoise
    noise = random.random((motif.height, motif.width, 3))
    picture = picture * share + noise * (1 - share)
    if motif.init_image is not None and motif.mask is not None:
        mask = motif.mask.convert("L").resize(size).filter(ImageFilter.GaussianBlur(motif.mask_blur))
        weight = np.asarray(mask, dtype=np.float64)[:, :, np.newaxis] / 255
        picture = picture * weight + _pixels(motif.init_image, size) * (1 - weight)
    return Image.fromarray(np.round(picture * 255).astype(np.uint8))


def encode(image: Image.Image, image_format: str = "png", infotext: str = "") -> bytes:
    buffer = BytesIO()
    match image_format:
        case "png":
            info = PngInfo()
            if infotext:
                info.add_text("parameters", infotext)
            image.save(buffer, "PNG", compress_level=1, pnginfo=info)
        case "jpg" | "jpeg":
            image.save(buffer, "JPEG", quality=80)
        case _:
            image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _waves(motif: Motif, random: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0 : motif.height, 0 : motif.width] / max(motif.width, motif.height)
    channels = []
    for _ in range(3):
        angle, frequency, phase = random.random(3) * (np.pi, 9.0, 2 * np.pi)
        channels.append(0.5 + 0.5 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * frequency + phase))
    return np.stack(channels, axis=2)


def _pixels(image: Image.Image, size: tuple[int, int]) -> Pixels:
    return np.asarray(image.convert("RGB").resize(size), dtype=np.float64) / 255
