"""What a PNG says besides its pixels. Pure."""

import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Final

from imagegen_server.metadata import exif
from imagegen_server.metadata.errors import UnreadableFile

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS: Final = 200_000

_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"}
    | {b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs"}
)
"""The picture, its animation, and what its colours and pixels mean."""
_ANCILLARY_BIT: Final = 0x20


def texts(data: bytes, wanted: Collection[str], *, max_bytes: int) -> Iterator[tuple[str, str]]:
    """What stands under the wanted keys, and in EXIF. Longer texts are left out.

    Raises UnreadableFile where the file breaks off.
    """
    left = {key.encode("latin-1"): key for key in wanted}
    for kind, start, end in _chunks(data):
        if kind in {b"tEXt", b"zTXt", b"iTXt"}:
            key = data[start : min(end, start + 80)].partition(b"\0")[0]
            if key in left:
                found = _text(kind, data[start + len(key) + 1 : end], max_bytes)
                if found is not None:
                    yield left.pop(key), found
        elif kind == b"eXIf":
            yield from exif.texts(data[start:end], wanted, max_bytes=max_bytes)


def without_metadata(data: bytes) -> bytes:
    """The same picture without anything that is not needed to show it. Raises UnreadableFile."""
    kept, turned = [SIGNATURE], b""
    for kind, start, end in _chunks(data):
        if kind in _KEPT:
            kept.append(data[start - 8 : end + 4])
        elif kind == b"eXIf":
            turned = exif.write(orientation=exif.orientation(data[start:end]))
        elif not kind[0] & _ANCILLARY_BIT:
            raise UnreadableFile(f"this PNG needs what is not known here: {kind.decode()}")
    return b"".join([*kept[:2], _chunk(b"eXIf", turned) if turned else b"", *kept[2:]])


def with_text(data: bytes, key: str, text: str) -> bytes:
    """The same PNG, saying so. Raises UnreadableFile."""
    _, _, end = next(_chunks(data))
    head = end + 4
    name = key.encode("latin-1") + b"\0"
    try:
        chunk = _chunk(b"tEXt", name + text.encode("latin-1"))
    except UnicodeEncodeError:
        chunk = _chunk(b"iTXt", name + b"\0\0\0\0" + text.encode("utf-8", "replace"))
    return data[:head] + chunk + data[head:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the body of each chunk. What stands behind the last is none."""
    position = len(SIGNATURE)
    for number in range(MAX_CHUNKS):
        if position + 12 > len(data):
            raise UnreadableFile("this PNG breaks off")
        size, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + size
        if end + 4 > len(data) or not kind.isalpha() or (kind == b"IHDR") != (number == 0):
            raise UnreadableFile("this PNG is damaged")
        yield kind, position + 8, end
        if kind == b"IEND":
            return
        position = end + 4
    raise UnreadableFile("this PNG has too many parts")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _text(kind: bytes, body: bytes, max_bytes: int) -> str | None:
    """The text behind the key; None for one that is too long or damaged."""
    is_packed = kind == b"zTXt"
    if kind == b"zTXt":
        body = body[1:]
    elif kind == b"iTXt":
        is_packed = body[:1] == b"\1"
        _, _, rest = body[2:].partition(b"\0")
        _, _, body = rest.partition(b"\0")
    text = _unpacked(body, max_bytes) if is_packed else body
    return exif.decode_text(text) if text is not None and len(text) <= max_bytes else None


def _unpacked(body: bytes, max_bytes: int) -> bytes | None:
    """A few kilobytes can unpack to gigabytes: no more is unpacked than is wanted."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(body, max_bytes + 1)
    except zlib.error:
        return None
    return text if unpacking.eof else None
