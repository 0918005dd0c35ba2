"""Text in PNG files, without touching the picture. Pure."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def has_text(data: bytes, key: str) -> bool:
    """Whether a PNG says something under this key before its pixels."""
    wanted = key.encode("latin-1") + b"\0"
    return any(
        kind in {b"tEXt", b"zTXt", b"iTXt"} and data.startswith(wanted, start) for kind, start, _ in _chunks(data)
    )


def with_text(data: bytes, key: str, text: str) -> bytes:
    """The same PNG, saying so; any other file as it is."""
    header_end = next((end for kind, _, end in _chunks(data) if kind == b"IHDR"), None)
    if header_end is None:
        return data
    name = key.encode("latin-1") + b"\0"
    try:
        chunk = _chunk(b"tEXt", name + text.encode("latin-1"))
    except UnicodeEncodeError:
        chunk = _chunk(b"iTXt", name + b"\0\0\0\0" + text.encode("utf-8", "replace"))
    return data[:header_end] + chunk + data[header_end:]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the body and end of each chunk before the pixels."""
    position = len(SIGNATURE) if data.startswith(SIGNATURE) else len(data)
    while position + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + size
        if kind == b"IDAT" or end > len(data):
            return
        yield kind, position + 8, end
        position = end
