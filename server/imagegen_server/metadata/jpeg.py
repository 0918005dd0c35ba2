"""What a JPEG says besides its pixels. Pure."""

import re
import struct
from collections.abc import Collection, Iterator
from typing import Final

from imagegen_server.metadata import exif
from imagegen_server.metadata.errors import UnreadableFile

SIGNATURE: Final = b"\xff\xd8\xff"
MAX_SEGMENTS: Final = 200_000

_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_START: Final = b"\xff\xd8"
_PICTURE: Final = frozenset(range(0xC0, 0xD0)) | {_SCAN, 0xDB, 0xDC, 0xDD}
"""Frames, tables and scans."""
_APPLICATION: Final = range(0xE0, 0xF0)
_EXIF: Final = 0xE1
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""Within a scan zeros are stuffed behind bytes that look like markers, and restarts belong to it."""
_MAX_SEGMENT_BYTES: Final = 65_533


def texts(data: bytes, wanted: Collection[str], *, max_bytes: int) -> Iterator[tuple[str, str]]:
    """What its EXIF says under the wanted keys. Raises UnreadableFile where the file breaks off."""
    for marker, start, end in _segments(data):
        if marker == _EXIF and data.startswith(exif.PREFIX, start):
            yield from exif.texts(data[start:end], wanted, max_bytes=max_bytes)


def with_comment(data: bytes, comment: str) -> bytes:
    """The same picture without anything that is not needed to show it, and with this comment; empty: none.

    What stands behind the end, as further pictures and films of phones, goes too. Raises UnreadableFile.
    """
    head, parts, turned = list[bytes](), list[bytes](), 1
    for marker, start, end in _segments(data):
        if marker in _PICTURE:
            parts.append(b"\xff" + bytes([marker]) + data[start - 2 : end])
        elif marker in _APPLICATION:
            head += [_segment(marker, body) for body in _needed(marker, data[start:end])]
            if marker == _EXIF and data.startswith(exif.PREFIX, start) and turned == 1:
                turned = exif.orientation(data[start:end])
        elif marker != _COMMENT:
            raise UnreadableFile("this JPEG needs what is not known here")
    said = exif.write(orientation=turned, comment=comment)
    if said:
        # Behind JFIF, which must be the first.
        place = 1 if head and head[0].startswith(b"\xff\xe0") else 0
        head.insert(place, _segment(_EXIF, exif.PREFIX + said))
    return b"".join([_START, *head, *parts, b"\xff", bytes([_END])])


def _needed(marker: int, body: bytes) -> Iterator[bytes]:
    """What is needed of an application's segment: density, colour profile, and how colours are coded."""
    if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
        yield body[:12] + bytes(2)  # without the thumbnail
    elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        yield body
    elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        yield body[:12]


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > _MAX_SEGMENT_BYTES:
        raise UnreadableFile("the settings are too long for a JPEG")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the body of each segment; that of a scan ends with its pixels."""
    position = len(_START)
    for _ in range(MAX_SEGMENTS):
        if data[position : position + 1] != b"\xff":
            raise UnreadableFile("this JPEG is damaged")
        while data[position : position + 1] == b"\xff":
            position += 1
        marker = data[position] if position < len(data) else 0
        if marker == _END:
            return
        if position + 3 > len(data):
            raise UnreadableFile("this JPEG breaks off")
        (size,) = struct.unpack_from(">H", data, position + 1)
        start, end = position + 3, position + 1 + size
        if size < 2 or end > len(data):
            raise UnreadableFile("this JPEG is damaged")
        if marker == _SCAN:
            following = _NEXT_MARKER.search(data, end)
            if following is None:
                raise UnreadableFile("this JPEG breaks off")
            end = following.start()
        yield marker, start, end
        position = end
    raise UnreadableFile("this JPEG has too many parts")
