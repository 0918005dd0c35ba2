"""Files over HTTP: uploads, masks over them, and what /view shows."""

import asyncio
from collections.abc import Mapping
from typing import Final

import grpc
import orjson
from aiohttp import web
from PIL import Image

from imagegen_gateway.assets import IMMUTABLE
from imagegen_gateway.callers import Caller, caller_of
from imagegen_gateway.dialects.bodies import Part, largest_form, read_form
from imagegen_gateway.dialects.comfyui.filenames import (
    FOLDERS,
    MAX_NAME_CHARS,
    FileName,
    Uploads,
    file_name,
    read_annotated,
)
from imagegen_gateway.dialects.comfyui.prompts import refused
from imagegen_gateway.dialects.comfyui.queueing import as_json
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem
from imagegen_gateway.pictures import DEFAULT_QUALITY, MEDIA_TYPES, UNREADABLE, Format, opened, saved

FORMATS: Final[Mapping[str, Format]] = {"webp": "webp", "jpeg": "jpeg"}
"""What `preview` can ask for."""
CHANNELS: Final = frozenset({"rgba", "rgb", "a"})


class Files:
    """The handlers."""

    def __init__(self, kit: Kit, uploads: Uploads) -> None:
        self._kit = kit
        self._uploads = uploads

    async def upload_image(self, request: web.Request) -> web.Response:
        """Stores a picture, under a name that holds for ever; the client's own holds as long as it is remembered."""
        fields = await self._read(request)
        return await self._store(caller_of(request), fields, image_in(fields).data)

    async def upload_mask(self, request: web.Request) -> web.Response:
        """Stores the picture that `original_ref` names with the transparency of the uploaded one: the mask."""
        caller = caller_of(request)
        fields = await self._read(request)
        mask = image_in(fields)
        original = await self._bytes(self._digest(original_in(fields), caller))
        return await self._store(caller, fields, await asyncio.to_thread(masked, original, mask.data))

    async def view(self, request: web.Request) -> web.StreamResponse:
        """A file, or the picture in it in another format, or one of its channels."""
        query = request.query
        name = viewed(query)
        digest = self._digest(name, caller_of(request))
        channel = query.get("channel", "rgba")
        if "preview" in query or channel in CHANNELS - {"rgba"}:
            data = await self._bytes(digest)
            shown, media_type = await asyncio.to_thread(converted, data, query.get("preview"), channel)
            return web.Response(body=shown, content_type=media_type, headers={"Cache-Control": IMMUTABLE})
        try:
            return await self._kit.assets.send(request, digest, cache_control=IMMUTABLE)
        except grpc.aio.AioRpcError as exc:
            raise missing_or(exc) from exc

    async def _read(self, request: web.Request) -> Mapping[str, Part]:
        return {part.name: part for part in await read_form(request, largest_form(self._kit.settings))}

    async def _store(self, caller: Caller, fields: Mapping[str, Part], data: bytes) -> web.Response:
        own = own_name(fields)
        asset = await self._kit.assets.store(data)
        self._uploads.remember(caller.owner, own, asset.digest)
        return as_json({"name": file_name(asset), "subfolder": own.subfolder, "type": own.folder})

    def _digest(self, name: FileName, caller: Caller) -> str:
        digest = self._uploads.find(caller.owner, name)
        if not digest:
            raise missing()
        return digest

    async def _bytes(self, digest: str) -> bytes:
        try:
            return (await self._kit.assets.read(digest, max_bytes=self._kit.settings.max_upload_bytes))[1]
        except grpc.aio.AioRpcError as exc:
            raise missing_or(exc) from exc


def missing() -> Problem:
    """The answer where no such file is."""
    return Problem(404, "there is no such file here, or no longer", reason="FILE_NOT_FOUND")


def missing_or(error: grpc.aio.AioRpcError) -> Exception:
    """The answer to a file that is not there, or what else went wrong."""
    return missing() if error.code() is grpc.StatusCode.NOT_FOUND else error


def image_in(fields: Mapping[str, Part]) -> Part:
    """The uploaded file. Raises Problem 400."""
    part = fields.get("image")
    if part is None or not part.filename:
        raise refused("INVALID_UPLOAD", "the form must have the file, with a name, in the field image")
    return part


def own_name(fields: Mapping[str, Part]) -> FileName:
    """What the client calls its upload. Raises Problem 400."""
    folder = _text(fields, "type") or "input"
    directory, _, name = (image_in(fields).filename or "").rpartition("/")
    subfolder = "/".join(part for part in (_text(fields, "subfolder"), directory) if part)
    if folder not in FOLDERS:
        raise refused("INVALID_UPLOAD", f"type must be one of {', '.join(sorted(FOLDERS))}")
    if not name or len(name) > MAX_NAME_CHARS or len(subfolder) > MAX_NAME_CHARS:
        raise refused("INVALID_UPLOAD", f"names of files and folders have 1 to {MAX_NAME_CHARS} characters")
    return FileName(folder, subfolder, name)


def original_in(fields: Mapping[str, Part]) -> FileName:
    """The picture to which a mask belongs. Raises Problem 400."""
    try:
        reference = orjson.loads(_text(fields, "original_ref"))
        return FileName(
            str(reference.get("type") or "output"), str(reference.get("subfolder") or ""), str(reference["filename"])
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError) as exc:
        raise refused("INVALID_UPLOAD", "original_ref must be an object with filename, subfolder and type") from exc


def viewed(query: Mapping[str, str]) -> FileName:
    """The file that /view is asked for. Raises Problem 400, 404."""
    if "filename" not in query:
        raise missing()
    annotated = read_annotated(query["filename"])
    is_annotated = annotated.name != query["filename"].rpartition("/")[2]
    folder = annotated.folder if is_annotated else query.get("type", "output")
    if not annotated.name or folder not in FOLDERS:
        raise refused("INVALID_REQUEST", f"filename must name a file, and type be one of {', '.join(sorted(FOLDERS))}")
    return FileName(folder, query.get("subfolder", ""), annotated.name)


def masked(original: bytes, mask: bytes) -> bytes:
    """The original with the mask's transparency: what is transparent is to be repainted. Raises Problem 415."""
    try:
        with opened(original) as below, opened(mask) as above:
            alpha = above.convert("RGBA").getchannel("A")
            if alpha.size != below.size:
                alpha = alpha.resize(below.size)
            picture = below.convert("RGBA")
            picture.putalpha(alpha)
            return saved(picture)
    except UNREADABLE as exc:
        raise _unreadable() from exc


def converted(data: bytes, preview: str | None, channel: str) -> tuple[bytes, str]:
    """The picture as /view shows it, and its media type. Raises Problem 415.

    `preview` is a format with a quality, "webp;90"; other formats become webp. None: PNG.
    """
    wanted, _, quality = (preview or "").partition(";")
    target: Format = "png" if preview is None else FORMATS.get(wanted, "webp")
    try:
        with opened(data) as source:
            if channel == "a":
                # Black with the transparency of the picture, as ComfyUI shows it; JPEG could not.
                alpha = source.convert("RGBA").getchannel("A")
                picture = Image.new("RGBA", source.size, (0, 0, 0, 0))
                picture.putalpha(alpha)
                target = "png" if preview is None else "webp"
            else:
                picture = source.convert("RGB" if channel == "rgb" else "RGBA")
            return saved(picture, target, _quality(quality)), MEDIA_TYPES[target]
    except UNREADABLE as exc:
        raise _unreadable() from exc


def _quality(text: str) -> int:
    return min(100, max(1, int(text))) if text.isascii() and text.isdecimal() and len(text) <= 3 else DEFAULT_QUALITY


def _text(fields: Mapping[str, Part], name: str) -> str:
    return fields[name].text() if name in fields else ""


def _unreadable() -> Problem:
    return Problem(415, "the file is no picture that can be read", reason="INVALID_IMAGE")
