"""What a picture's file says about how it was made: read, taken out, and written. Pure.

Pixels are never touched. What takes metadata out keeps what it knows to be the picture, and refuses a file of which it
does not know: nothing is passed on because it was not understood.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from imagegen_server.metadata import infotext, jpeg, png, webp
from imagegen_server.metadata.errors import UnreadableFile

MAX_TEXT_BYTES: Final = 8 * 1024 * 1024
"""Longer texts are not read."""

_PARAMETERS, _GRAPH, _UI = "parameters", "prompt", "workflow"
_KEYS: Final = (_PARAMETERS, _GRAPH, _UI)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What a file holds; each is empty where it holds none."""

    parameters: str = ""
    """A1111's text, as it stands."""
    graph_json: str = ""
    """ComfyUI's `prompt`, a graph in API format: JSON text of an object."""
    ui_json: str = ""
    """ComfyUI's `workflow`, a graph in UI format: JSON text of an object."""


def read(data: bytes) -> Embedded:
    """What a PNG, WebP or JPEG says. Never raises: of other files nothing, and of broken ones what can be read."""
    found: dict[str, str] = {}
    with suppress(UnreadableFile):
        for key, text in _texts(data):
            found.setdefault(key, text)
    parameters = found.get(_PARAMETERS, "")
    return Embedded(
        # Other programs have other texts under the same key.
        parameters=parameters if infotext.read(parameters).settings else "",
        graph_json=_object(found.get(_GRAPH, "")),
        ui_json=_object(found.get(_UI, "")),
    )


def strip(data: bytes) -> bytes:
    """The same picture without text, EXIF and XMP; its colour profile and its orientation stay.

    Raises UnreadableFile.
    """
    return _rewritten(data, "")


def with_parameters(data: bytes, text: str) -> bytes:
    """The same picture, saying nothing but A1111's text, where A1111 has it. Raises UnreadableFile."""
    return _rewritten(data, text)


def _rewritten(data: bytes, text: str) -> bytes:
    if data.startswith(png.SIGNATURE):
        bare = png.without_metadata(data)
        return png.with_text(bare, _PARAMETERS, text) if text else bare
    if webp.is_webp(data):
        return webp.with_comment(data, text)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.with_comment(data, text)
    raise UnreadableFile("what a file says can be changed in PNG, WebP and JPEG only")


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    if data.startswith(png.SIGNATURE):
        yield from png.texts(data, _KEYS, max_bytes=MAX_TEXT_BYTES)
    elif webp.is_webp(data):
        yield from webp.texts(data, _KEYS, max_bytes=MAX_TEXT_BYTES)
    elif data.startswith(jpeg.SIGNATURE):
        yield from jpeg.texts(data, _KEYS, max_bytes=MAX_TEXT_BYTES)


def _object(text: str) -> str:
    """The text of a JSON object, as strict JSON; empty for what is none."""
    try:
        found = json.loads(text, parse_constant=lambda _: None) if text else None
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    # Python writes NaN and Infinity, which ComfyUI gives on; other languages do not read them.
    return json.dumps(found) if "NaN" in text or "Infinity" in text else text
