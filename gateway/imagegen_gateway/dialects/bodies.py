"""Bodies of requests that hold pictures: read with a bound of their own, which is larger than that of other JSON.

Media types are not looked at where only one kind of body makes sense: clients of these APIs often send none, or a wrong
one. Pages of other sites are kept out by the guard.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from aiohttp import BodyPartReader, web

from imagegen_gateway.config import MIB, GatewaySettings
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem, unreadable

CHUNK_BYTES: Final = 256 * 1024
STALL_S: Final = 60.0
"""A body of which nothing comes for so long is given up."""
MAX_PARTS: Final = 64
ROOM_BYTES: Final = MIB
"""For what a body holds beside pictures."""
PLAIN_ENCODINGS: Final = frozenset({"binary", "8bit", "7bit"})
MAX_DEPTH: Final = 100
"""Levels of a JSON body: what goes deeper is nothing that a client means, and more than can be written again."""
KEY: Final = re.compile(r"[!-~]{0,128}")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of a form."""

    name: str
    """Its name; not empty."""
    filename: str | None
    """What the client calls the file; None for a field that is none. Says nothing, and is no path here."""
    data: bytes
    """Its bytes."""

    def text(self) -> str:
        """Its value. Raises Problem 400 for what is no text."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as exc:
            raise bad_field(self.name, "is no UTF-8 text") from exc


def largest_json(settings: GatewaySettings) -> int:
    """Bytes of the largest JSON body that may hold pictures: base64 makes four of three."""
    return settings.max_upload_bytes * 4 // 3 + ROOM_BYTES


def largest_form(settings: GatewaySettings) -> int:
    """Bytes of the largest form that may hold pictures."""
    return settings.max_upload_bytes + ROOM_BYTES


def idempotency_key(request: web.Request) -> str:
    """The header of that name, to be a job's request_id; empty: none. Raises Problem 400."""
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        raise bad_field("Idempotency-Key", "must be at most 128 printable ASCII characters without spaces")
    return key


async def read_json(request: web.Request, max_bytes: int) -> dict[str, Any]:
    """The JSON object in a body; no body is an empty one. Raises Problem 400, 408, 413."""
    body = await read_bytes(request, max_bytes)
    if not body.strip():
        return {}
    try:
        # Not in a thread: orjson holds the interpreter all the same, about 1.5 ms for a megabyte.
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise Problem(400, f"the body is no JSON: {exc}", reason="INVALID_REQUEST") from exc
    if not isinstance(value, dict):
        raise bad_field("", "must be a JSON object")
    if is_deeper(value, MAX_DEPTH):
        raise bad_field("", f"must have at most {MAX_DEPTH} levels")
    return value


def is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects lie in each other over more than so many levels."""
    level = [value]
    for _ in range(levels):
        level = [child for each in level for child in _children(each) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


async def read_bytes(request: web.Request, max_bytes: int) -> bytes:
    """The body. Raises Problem 408, 413."""
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    return await _read_all(request.content.read, max_bytes)


async def read_form(request: web.Request, max_bytes: int) -> list[Part]:
    """The fields of a form in their order. Raises Problem 400, 408, 413, and 415 for another body."""
    if request.content_type != "multipart/form-data":
        raise Problem(415, f"the body must be multipart/form-data, not {request.content_type}")
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    try:
        return await _read_parts(request, max_bytes)
    except ValueError as exc:  # boundaries and headers that are missing, too long or broken
        raise Problem(400, f"the form cannot be read: {unreadable(exc)}", reason="INVALID_REQUEST") from exc


async def _read_parts(request: web.Request, max_bytes: int) -> list[Part]:
    reader = await request.multipart()
    parts: list[Part] = []
    left = max_bytes
    while (part := await _soon(reader.next())) is not None:
        if len(parts) == MAX_PARTS:
            raise Problem(400, f"the form has more than {MAX_PARTS} fields", reason="INVALID_REQUEST")
        if not isinstance(part, BodyPartReader):
            raise bad_field("", "must hold fields, not forms")
        name = part.name
        if not name or not name.isprintable():
            raise Problem(400, "every part of the form must be a field with a name", reason="INVALID_REQUEST")
        if part.headers.get("Content-Transfer-Encoding", "binary").lower() not in PLAIN_ENCODINGS:
            raise bad_field(name, "must be sent as it is, without Content-Transfer-Encoding")
        data = await _read_all(part.read_chunk, left)
        left -= len(data)
        parts.append(Part(name=name, filename=part.filename, data=data))
    return parts


async def _read_all(read: Callable[[int], Awaitable[bytes]], max_bytes: int) -> bytes:
    data = bytearray()
    while chunk := await _soon(read(CHUNK_BYTES)):
        data += chunk
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(data)


async def _soon(reading: Awaitable[Result]) -> Result:
    try:
        async with asyncio.timeout(STALL_S):
            return await reading
    except TimeoutError as exc:
        raise Problem(408, "the body stood still") from exc


def _too_large(max_bytes: int) -> Problem:
    return Problem(413, f"the body is larger than {max_bytes} bytes", reason="ASSET_TOO_LARGE")
