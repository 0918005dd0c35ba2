"""Pictures as text and back: what dialects take and give. Pillow and base64 work off the loop where it takes long."""

import asyncio
import binascii
import io
import re
from typing import Final, Literal

import pybase64
from PIL import Image, ImageChops, ImageOps

from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem

LONG_TEXT: Final = 1_000_000
"""Characters from which decoding is done in a thread."""
MAX_PIXELS: Final = 64_000_000
"""A few kilobytes can claim to be a picture of gigabytes; what is larger than this is not decoded."""
DEFAULT_QUALITY: Final = 90
OPAQUE: Final = 255
PREVIEW_BYTES: Final = 60_000
"""Largest preview that is put into somebody else's page."""
PREVIEW_STEPS: Final = ((512, 80), (512, 60), (384, 60), (256, 60), (256, 30), (128, 30))
"""Longest side and quality to try, one after the other, until a preview is small enough."""
READ: Final = ("PNG", "JPEG", "WEBP", "GIF")
"""What is looked at: Pillow has readers for dozens of formats, some of which start other programs."""
UNREADABLE: Final = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for bad bytes."""

Format = Literal["png", "jpeg", "webp"]
MEDIA_TYPES: Final[dict[Format, str]] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
DATA_ADDRESS: Final = re.compile(r"data:[^,]{0,256},")


async def from_text(text: str, field: str, max_bytes: int) -> bytes:
    """The bytes in base64, bare or as a data: address. Raises Problem 400, with the caller's name for the field."""
    head = DATA_ADDRESS.match(text)
    if head is not None and not head[0].endswith(";base64,"):
        raise bad_field(field, "a data: address must be base64")
    start = head.end() if head is not None else 0
    if (len(text) - start) * 3 // 4 > max_bytes + 3:
        raise Problem(413, f"{field}: the picture is larger than {max_bytes} bytes", reason="ASSET_TOO_LARGE")
    body = text[start:]
    return await asyncio.to_thread(_decode, body, field) if len(body) > LONG_TEXT else _decode(body, field)


def _decode(body: str, field: str) -> bytes:
    try:
        data = pybase64.b64decode(body.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as exc:
        raise bad_field(field, "is no base64") from exc
    if not data:
        raise bad_field(field, "is empty")
    return data


async def to_text(data: bytes) -> str:
    """Bare base64."""
    if len(data) > LONG_TEXT:
        return await asyncio.to_thread(_encode, data)
    return _encode(data)


async def to_data_address(data: bytes, media_type: str) -> str:
    """A data: address."""
    return f"data:{media_type};base64,{await to_text(data)}"


def _encode(data: bytes) -> str:
    return pybase64.b64encode(data).decode("ascii")


async def convert(data: bytes, media_type: str, target: Format, *, quality: int | None = None) -> tuple[bytes, str]:
    """The picture in another format, and its media type; as it is when it has that format. Raises Problem 415.

    `quality` is for JPEG and WebP: with one the picture is encoded in any case, without one as DEFAULT_QUALITY.
    """
    if media_type == MEDIA_TYPES[target] and (quality is None or target == "png"):
        return data, media_type
    chosen = DEFAULT_QUALITY if quality is None else quality
    return await asyncio.to_thread(_convert, data, target, chosen), MEDIA_TYPES[target]


def _convert(data: bytes, target: Format, quality: int) -> bytes:
    try:
        with opened(data) as source:
            return saved(ImageOps.exif_transpose(source), target, quality)
    except UNREADABLE as exc:
        raise Problem(415, "the file is no picture that can be read", reason="INVALID_IMAGE") from exc


async def mask_of_transparency(data: bytes, field: str) -> bytes:
    """A mask that is white where the picture is transparent, as PNG. Raises Problem 400 for one that nowhere is."""
    return await asyncio.to_thread(_mask_of_transparency, data, field)


def _mask_of_transparency(data: bytes, field: str) -> bytes:
    try:
        with opened(data) as source:
            alpha = source.convert("RGBA").getchannel("A")
    except UNREADABLE as exc:
        raise bad_field(field, "is no picture that can be read") from exc
    if alpha.getextrema()[0] == OPAQUE:
        raise bad_field(field, "is nowhere transparent: make transparent what is to be repainted")
    return saved(ImageChops.invert(alpha))


async def small_preview(data: bytes, media_type: str, max_bytes: int = PREVIEW_BYTES) -> tuple[bytes, str] | None:
    """A preview as JPEG or WebP of at most `max_bytes`, and its media type; None for what cannot be read."""
    if len(data) <= max_bytes and media_type in {"image/jpeg", "image/webp"}:
        return data, media_type
    shrunk = await asyncio.to_thread(_shrink, data, max_bytes)
    return None if shrunk is None else (shrunk, "image/jpeg")


def _shrink(data: bytes, max_bytes: int) -> bytes | None:
    try:
        with opened(data) as source:
            source.draft("RGB", (512, 512))
            picture = source.convert("RGB")
    except UNREADABLE:
        return None
    for side, quality in PREVIEW_STEPS:
        picture.thumbnail((side, side), Image.Resampling.BILINEAR)
        shrunk = saved(picture, "jpeg", quality)
        if len(shrunk) <= max_bytes:
            return shrunk
    return None


def opened(data: bytes) -> Image.Image:
    """The picture, of which only the header was read. Raises what UNREADABLE lists, as its decoding may."""
    picture = Image.open(io.BytesIO(data), formats=READ)
    if picture.width * picture.height > MAX_PIXELS:
        raise ValueError("too many pixels")
    return picture


def saved(picture: Image.Image, target: Format = "png", quality: int = DEFAULT_QUALITY) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    match target:
        case "png":
            picture.save(out, "PNG", compress_level=4)
        case "jpeg":
            picture.convert("RGB").save(out, "JPEG", quality=quality)
        case "webp":
            with_alpha = "A" in picture.getbands() or "transparency" in picture.info
            picture.convert("RGBA" if with_alpha else "RGB").save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
