"""EXIF: the little of it that pictures need, and what A1111 and ComfyUI say in it. Pure.

ComfyUI says "prompt:{...}" in Model and "workflow:{...}" in Make, and what else there is in the tags before. A1111 has
its text in UserComment, as UTF-16 behind the word UNICODE.
"""

import struct
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

PREFIX: Final = b"Exif\0\0"
"""Stands before the data in JPEG, and by mistake in some files of other formats."""

_ORIENTATION, _EXIF_IFD, _USER_COMMENT = 0x0112, 0x8769, 0x9286
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_UNIT_BYTES: Final = {1: 1, 2: 1, _SHORT: 2, _LONG: 4, _UNDEFINED: 1}
"""Size of a value by its type; the others are of no interest."""
_ENTRY: Final = "HHI4s"
_MAX_ENTRIES: Final = 512
_MAX_KEY_BYTES: Final = 16
_UNICODE: Final = b"UNICODE\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A tag whose value lies at `start` .. `start + size`."""

    tag: int
    kind: int
    start: int
    size: int


def orientation(data: bytes) -> int:
    """How the picture is to be turned, 1 (not at all) to 8."""
    data = data.removeprefix(PREFIX)
    with suppress(struct.error):
        order, first = _header(data)
        for entry in _entries(data, order, first):
            if entry.tag == _ORIENTATION and entry.kind == _SHORT:
                (value,) = struct.unpack_from(f"{order}H", data, entry.start)
                return int(value) if 1 <= value <= 8 else 1
    return 1


def texts(data: bytes, wanted: Collection[str], *, max_bytes: int) -> Iterator[tuple[str, str]]:
    """What is said under the wanted keys, each once: "parameters" is A1111's. Longer texts are left out.

    Of data that is no EXIF, or broken, what can be read.
    """
    data = data.removeprefix(PREFIX)
    left = set(wanted)
    with suppress(struct.error):
        for key, decode, start, end in _said(data):
            if key in left and end - start <= max_bytes:
                # Once, because a thousand tags may have one and the same long text.
                left.remove(key)
                yield key, decode(data[start:end])


def write(*, orientation: int = 1, comment: str = "") -> bytes:
    """EXIF that says no more than this; empty: there is nothing to say."""
    entries = []
    if orientation != 1:
        entries.append(struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0))
    if not comment and not entries:
        return b""
    head = struct.pack(">2sHI", b"MM", 42, 8)
    if comment:
        text = _UNICODE + comment.encode("utf-16-be", "surrogatepass")
        second = 8 + 2 + 12 * (len(entries) + 1) + 4
        entries.append(struct.pack(">HHII", _EXIF_IFD, _LONG, 1, second))
        comments = struct.pack(">HHHIII", 1, _USER_COMMENT, _UNDEFINED, len(text), second + 2 + 12 + 4, 0) + text
    else:
        comments = b""
    return head + struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4) + comments


def decode_text(text: bytes) -> str:
    """Text that should be Latin-1, and often is UTF-8; without zeros at its ends."""
    text = text.strip(b"\0")
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _header(data: bytes) -> tuple[str, int]:
    """The order of bytes, and where the first directory is. Raises struct.error for what is no EXIF."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise struct.error("no TIFF header")
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    return order, first


def _entries(data: bytes, order: str, start: int) -> Iterator[Entry]:
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for number in range(min(count, _MAX_ENTRIES)):
        position = start + 2 + 12 * number
        tag, kind, values, _ = struct.unpack_from(order + _ENTRY, data, position)
        size = values * _UNIT_BYTES.get(kind, 0)
        value = position + 8
        if size > 4:
            (value,) = struct.unpack_from(f"{order}I", data, value)
        if size and value + size <= len(data):
            yield Entry(tag=tag, kind=kind, start=value, size=size)


def _said(data: bytes) -> Iterator[tuple[str, Callable[[bytes], str], int, int]]:
    """The key of each text, how to decode it, and where it is."""
    order, first = _header(data)
    for entry in _entries(data, order, first):
        end = entry.start + entry.size
        if entry.tag == _EXIF_IFD and entry.kind == _LONG:
            (second,) = struct.unpack_from(f"{order}I", data, entry.start)
            for inner in _entries(data, order, second):
                if inner.tag == _USER_COMMENT:
                    yield "parameters", _decode_comment, inner.start, inner.start + inner.size
        else:
            key, colon, _ = data[entry.start : min(end, entry.start + _MAX_KEY_BYTES)].partition(b":")
            if colon and key.isalpha():
                yield key.decode(), decode_text, entry.start + len(key) + 1, end


def _decode_comment(comment: bytes) -> str:
    code, text = comment[: len(_UNICODE)], comment[len(_UNICODE) :]
    if code != _UNICODE:
        return decode_text(text)
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace")
    # Nobody says in which order the bytes are. Of what people write, most has a zero in one of two.
    is_big = text[0::2].count(0) >= text[1::2].count(0)
    return text.decode("utf-16-be" if is_big else "utf-16-le", "replace").rstrip("\0")
