"""Small pictures of large ones: made off the loop, a few at a time, kept in bounded memory.

Whoever goes away while waiting for its turn is dropped, so that nothing is made for those who have scrolled on.
"""

import asyncio
import io
import os
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Final, Protocol

from PIL import ExifTags, Image, ImageOps

from imagegen.v1 import asset_pb2
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem

WIDTHS: Final = (64, 128, 256, 512, 1024)
MAX_SOURCE_BYTES: Final = 64 * 1024 * 1024
MAX_SOURCE_PIXELS: Final = 64_000_000
"""A few kilobytes can claim to be a picture of gigabytes; what is larger than this is not decoded."""
AT_ONCE: Final = max(2, min(4, os.cpu_count() or 1))
"""Most of the work is done outside of Python's lock; more than four would need too much memory for large pictures."""
ON_THEIR_SIDE: Final = frozenset({5, 6, 7, 8})
"""Orientations of EXIF under which a picture's rows are shown as columns."""
QUALITY: Final = 80
EFFORT: Final = 2
"""WebP's default of 4 takes twice as long, for files that are a twentieth smaller."""


class ReadAsset(Protocol):
    """Reads a whole asset."""

    def __call__(self, digest: str, *, max_bytes: int) -> Awaitable[tuple[asset_pb2.Asset, bytes]]: ...


def parse_width(text: str) -> int:
    """The option `w`. Raises Problem 400."""
    if text not in {str(width) for width in WIDTHS}:
        raise bad_field("w", f"must be one of {', '.join(map(str, WIDTHS))}")
    return int(text)


class Thumbnails:
    """Makes and remembers thumbnails; at most `max_bytes` of them, the longest unused go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def get(self, digest: str, width: int, read: ReadAsset) -> bytes:
        """The thumbnail as WebP. Raises Problem 415 for what is no picture, AioRpcError for what is not there."""
        key = (digest, width)
        if key not in self._kept:
            async with self._slots:
                if key not in self._kept:  # somebody may have made it meanwhile
                    self._kept[key] = await make(digest, width, read)
                    self._bytes += len(self._kept[key])
        self._kept.move_to_end(key)
        picture = self._kept[key]
        self._trim()
        return picture

    def _trim(self) -> None:
        while self._bytes > self._max_bytes:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone)


async def make(digest: str, width: int, read: ReadAsset) -> bytes:
    """Reads and scales one picture."""
    asset, data = await read(digest, max_bytes=MAX_SOURCE_BYTES)
    if not asset.media_type.startswith("image/"):
        raise Problem(415, f"{asset.media_type} has no thumbnail: only pictures have one")
    return await asyncio.to_thread(scale, data, width)


def scale(data: bytes, width: int) -> bytes:
    """The picture as WebP, at most `width` pixels wide, never enlarged. Raises Problem 415."""
    try:
        with Image.open(io.BytesIO(data)) as source:
            if source.width * source.height > MAX_SOURCE_PIXELS:
                raise Problem(415, f"the picture has more than {MAX_SOURCE_PIXELS} pixels")
            size = _stored_size(source, width)
            # A JPEG is decoded to about this size at once, in a fraction of the time.
            source.draft("RGB", size)
            picture: Image.Image = source
            if picture.mode not in {"RGB", "RGBA"}:
                picture = picture.convert(
                    "RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB"
                )
            picture.thumbnail(size, Image.Resampling.LANCZOS)
            # When it is small: turning takes a copy.
            picture = ImageOps.exif_transpose(picture)
            out = io.BytesIO()
            picture.save(out, "WEBP", quality=QUALITY, method=EFFORT)
            return out.getvalue()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:  # what Pillow raises for bad bytes
        raise Problem(415, "the file is no picture that can be read", reason="INVALID_IMAGE") from exc


def _stored_size(source: Image.Image, width: int) -> tuple[int, int]:
    """How large the thumbnail is before it is turned as the file says: then its height becomes its width."""
    is_on_its_side = source.getexif().get(ExifTags.Base.Orientation, 1) in ON_THEIR_SIDE
    across, along = (source.height, source.width) if is_on_its_side else source.size
    length = min(16 * width, max(1, round(along * width / across)))
    return (length, width) if is_on_its_side else (width, length)
