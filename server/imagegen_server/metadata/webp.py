"""What a WebP says besides its pixels. Pure."""

import struct
from collections.abc import Collection, Iterator
from typing import Final

from imagegen_server.metadata import exif
from imagegen_server.metadata.errors import UnreadableFile

MAX_CHUNKS: Final = 200_000

_FRAME: Final = b"ANMF"
_FRAME_HEAD_BYTES: Final = 16
_KEPT: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ICCP"})
_HEAD_BYTES: Final = 10
_ALPHA_FLAG, _EXIF_FLAG, _XMP_FLAG = 0x10, 0x08, 0x04


def is_webp(data: bytes) -> bool:
    """By its first bytes."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def texts(data: bytes, wanted: Collection[str], *, max_bytes: int) -> Iterator[tuple[str, str]]:
    """What its EXIF says under the wanted keys. Raises UnreadableFile where the file breaks off."""
    for kind, start, end in _file_chunks(data):
        if kind == b"EXIF":
            yield from exif.texts(data[start:end], wanted, max_bytes=max_bytes)


def with_comment(data: bytes, comment: str) -> bytes:
    """The same picture without anything that is not needed to show it, and with this comment; empty: none.

    Raises UnreadableFile.
    """
    head, parts, turned = b"", list[bytes](), 1
    for kind, start, end in _file_chunks(data):
        if kind == b"VP8X" and end - start >= _HEAD_BYTES:
            head = data[start : start + _HEAD_BYTES]
        elif kind == b"EXIF":
            turned = exif.orientation(data[start:end])
        elif kind in _KEPT:
            parts.append(_chunk(kind, data[start:end]))
        elif kind == _FRAME:
            parts.append(_frame(data, start, end))
    said = exif.write(orientation=turned, comment=comment)
    if said:
        parts.append(_chunk(b"EXIF", said))
        head = head or _head(data)
    if head:
        flags = (head[0] & ~(_EXIF_FLAG | _XMP_FLAG)) | (_EXIF_FLAG if said else 0)
        parts.insert(0, _chunk(b"VP8X", bytes([flags]) + head[1:]))
    body = b"".join([b"WEBP", *parts])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _frame(data: bytes, start: int, end: int) -> bytes:
    """A frame of an animation, which may hold chunks that nobody knows."""
    kept = [data[start : start + _FRAME_HEAD_BYTES]]
    for kind, first, last in _chunks(data, start + _FRAME_HEAD_BYTES, end):
        if kind in _KEPT:
            kept.append(_chunk(kind, data[first:last]))
    return _chunk(_FRAME, b"".join(kept))


def _head(data: bytes) -> bytes:
    """The head that a file needs which says more than its one picture."""
    kind, start, end = next(_file_chunks(data))
    if kind == b"VP8 " and end - start >= 10:
        (bits,) = struct.unpack_from("<I", data, start + 6)
        width, height, flags = bits & 0x3FFF, bits >> 16 & 0x3FFF, 0
    elif kind == b"VP8L" and end - start >= 5:
        (bits,) = struct.unpack_from("<I", data, start + 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _ALPHA_FLAG if bits >> 28 & 1 else 0
    else:
        width = height = flags = 0
    if not width or not height:
        raise UnreadableFile("this WebP is damaged")
    return b"".join([bytes([flags, 0, 0, 0]), *((side - 1).to_bytes(3, "little") for side in (width, height))])


def _file_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    (size,) = struct.unpack_from("<I", data, 4)
    if 8 + size > len(data):
        raise UnreadableFile("this WebP breaks off")
    return _chunks(data, 12, 8 + size)


def _chunks(data: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the body of each chunk."""
    position = start
    for _ in range(MAX_CHUNKS):
        if position >= stop:
            return
        if position + 8 > stop:
            raise UnreadableFile("this WebP is damaged")
        kind, size = struct.unpack_from("<4sI", data, position)
        end = position + 8 + size
        if end > stop:
            raise UnreadableFile("this WebP is damaged")
        yield kind, position + 8, end
        position = end + size % 2
    raise UnreadableFile("this WebP has too many parts")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
