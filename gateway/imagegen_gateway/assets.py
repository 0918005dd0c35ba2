"""Assets over HTTP: bytes by digest with ranges and caching, thumbnails, uploads.

Nothing is held in memory but the chunk under way, thumbnails in their cache, and what is read with other metadata than
it is stored with.
"""

import asyncio
import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import grpc
from aiohttp import BodyPartReader, web

from imagegen.v1 import asset_pb2, asset_pb2_grpc
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field, refuse_unknown
from imagegen_gateway.encoding import to_json
from imagegen_gateway.errors import Problem, from_rpc, unreadable
from imagegen_gateway.thumbnails import Thumbnails, parse_width

DIGEST = re.compile(r"[0-9a-f]{64}")
IMMUTABLE: Final = "private, max-age=31536000, immutable"
REVALIDATED: Final = "private, no-cache"
CHUNK_BYTES: Final = 256 * 1024
STALL_S: Final = 60.0
"""A transfer that moves no byte for so long is cut."""
RESTART_S: Final = 15.0
"""So long a server may be away before what it has cannot be read."""
RETRY_S: Final = 0.25
AWAY: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
"""What calls end in when the server goes away, or is not there."""
SHOWN_TYPES: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "image/avif",
        "image/bmp",
        "video/mp4",
        "video/webm",
        "audio/mpeg",
        "audio/flac",
        "audio/wav",
    },
)
"""Types that browsers show without running anything; all others are downloads (SVG and HTML run scripts)."""
KEEP: Final = asset_pb2.METADATA_POLICY_KEEP
POLICIES: Final = {
    "keep": KEEP,
    "strip": asset_pb2.METADATA_POLICY_STRIP,
    "a1111": asset_pb2.METADATA_POLICY_A1111,
}
"""What becomes of a picture's generation metadata, as the query says it."""


@dataclass(frozen=True, slots=True)
class OpenAsset:
    """An asset that is being read."""

    asset: asset_pb2.Asset
    """What it is."""
    chunks: AsyncGenerator[bytes, None]
    """Its bytes from the offset on."""


class Assets:
    """Handlers for /api/v1/assets, and reading for others."""

    def __init__(
        self,
        stub: "asset_pb2_grpc.AssetServiceAsyncStub",
        settings: GatewaySettings,
        thumbnails: Thumbnails,
    ) -> None:
        self._stub = stub
        self._settings = settings
        self._thumbnails = thumbnails

    def routes(self) -> list[web.RouteDef]:
        """aiohttp routes."""
        return [
            web.get("/api/v1/assets/{digest:[^/:]+}", self.get),
            web.post("/api/v1/assets", self.upload),
        ]

    @asynccontextmanager
    async def open(
        self,
        digest: str,
        *,
        offset: int = 0,
        limit: int = 0,
        policy: asset_pb2.MetadataPolicy.ValueType = KEEP,
        deleted: bool = False,
    ) -> AsyncIterator[OpenAsset]:
        """An asset from `offset` on, at most `limit` bytes (0: all). Raises AioRpcError when it is not there.

        `deleted`: also one that can be brought back.
        """
        wanted = asset_pb2.ReadAssetRequest(
            digest=digest, offset=offset, limit=limit, metadata=policy, include_deleted=deleted
        )
        call = self._stub.ReadAsset(wanted)
        responses = aiter(call)

        async def chunks() -> AsyncGenerator[bytes, None]:
            async for response in responses:
                yield response.chunk

        try:
            async with asyncio.timeout(self._settings.rpc_timeout_s):
                first = await anext(responses)
            async with aclosing(chunks()) as generator:
                yield OpenAsset(first.asset, generator)
        finally:
            call.cancel()

    async def read(self, digest: str, *, max_bytes: int) -> tuple[asset_pb2.Asset, bytes]:
        """A whole asset, also from a server that is just being restarted: its jobs go on, and so does who waits.

        Raises AioRpcError when it is not there, Problem 413 beyond `max_bytes`.
        """
        now = asyncio.get_running_loop().time
        give_up = now() + RESTART_S
        while True:
            try:
                return await self._read(digest, max_bytes=max_bytes)
            except grpc.aio.AioRpcError as exc:
                if exc.code() not in AWAY or now() > give_up:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _read(
        self,
        digest: str,
        *,
        max_bytes: int,
        policy: asset_pb2.MetadataPolicy.ValueType = KEEP,
        deleted: bool = False,
    ) -> tuple[asset_pb2.Asset, bytes]:
        async with self.open(digest, policy=policy, deleted=deleted) as opened:
            if opened.asset.size_bytes > max_bytes:
                raise Problem(413, f"the file has {opened.asset.size_bytes} bytes; at most {max_bytes} are read here")
            return opened.asset, b"".join([chunk async for chunk in opened.chunks])

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The bytes, a range of them, or a thumbnail; with the metadata that are wanted."""
        digest = request.match_info["digest"]
        if DIGEST.fullmatch(digest) is None:
            raise bad_field("digest", "must be 64 lower-case hexadecimal digits")
        refuse_unknown(request.query, {"w", "metadata", "deleted"})
        deleted = parse_deleted(request.query.get("deleted", "false"))
        if "w" in request.query:
            if "metadata" in request.query:
                raise bad_field("metadata", "a thumbnail has none: leave out w or this")
            return await self._thumbnail(request, digest, parse_width(request.query["w"]), deleted=deleted)
        policy = parse_policy(request.query.get("metadata", "keep"))
        if policy != KEEP:
            if deleted:
                raise bad_field("metadata", "a deleted file is given as it is stored: bring it back first")
            return await self._rewritten(request, digest, policy)
        # What was deleted may be gone the next time.
        return await self.send(request, digest, cache_control=REVALIDATED if deleted else IMMUTABLE, deleted=deleted)

    async def send(
        self, request: web.Request, digest: str, *, cache_control: str, deleted: bool = False
    ) -> web.StreamResponse:
        """Answers with the asset's bytes. Raises AioRpcError when it is not there."""
        span = None
        if request.method == "HEAD" or not request.headers.keys().isdisjoint({"Range", "If-None-Match"}):
            asset = await self._describe(digest, deleted=deleted)
            headers = self._headers(asset, cache_control)
            if is_unchanged(request, headers["ETag"]):
                return web.Response(status=304, headers=cache_headers(headers))
            if request.method == "HEAD":
                headers["Content-Length"] = str(asset.size_bytes)
                return web.Response(headers=headers)
            span = requested_span(request, headers["ETag"], asset.size_bytes)
        offset, limit = (span.start, len(span)) if span is not None else (0, 0)
        async with self.open(digest, offset=offset, limit=limit, deleted=deleted) as opened:
            headers, size = self._headers(opened.asset, cache_control), opened.asset.size_bytes
            if span is None:
                return await send_chunks(request, 200, headers, opened.chunks, size)
            headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
            return await send_chunks(request, 206, headers, opened.chunks, len(span))

    async def _describe(self, digest: str, *, deleted: bool) -> asset_pb2.Asset:
        """What it is. Raises AioRpcError when it is not there."""
        if deleted:
            async with self.open(digest, limit=1, deleted=True) as opened:
                return opened.asset
        wanted = asset_pb2.GetAssetRequest(digest=digest)
        return (await self._stub.GetAsset(wanted, timeout=self._settings.rpc_timeout_s)).asset

    async def _rewritten(
        self, request: web.Request, digest: str, policy: asset_pb2.MetadataPolicy.ValueType
    ) -> web.Response:
        # Whole in memory: only the asset as it is stored tells its size and digest beforehand.
        asset, data = await self._read(digest, max_bytes=self._settings.max_upload_bytes, policy=policy)
        sha256 = await asyncio.to_thread(hashlib.sha256, data)
        # What A1111's text says can change: with the job that made the picture goes what is known about it.
        headers = self._headers(asset, IMMUTABLE if policy == asset_pb2.METADATA_POLICY_STRIP else REVALIDATED)
        headers["ETag"] = f'"{sha256.hexdigest()}"'
        if is_unchanged(request, headers["ETag"]):
            return web.Response(status=304, headers=cache_headers(headers))
        span = requested_span(request, headers["ETag"], len(data)) if request.method == "GET" else None
        if span is None:
            return web.Response(body=data, headers=headers)
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{len(data)}"
        return web.Response(status=206, body=data[span.start : span.stop], headers=headers)

    async def _thumbnail(self, request: web.Request, digest: str, width: int, *, deleted: bool) -> web.Response:
        headers = {
            "ETag": f'"{digest}-{width}"',
            "Cache-Control": REVALIDATED if deleted else IMMUTABLE,
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        # Also of one that is in memory: it may have been deleted since.
        await self._describe(digest, deleted=deleted)
        if is_unchanged(request, headers["ETag"]):
            return web.Response(status=304, headers=headers)
        picture = await self._thumbnails.get(digest, width, partial(self._read, deleted=deleted))
        return web.Response(body=picture, content_type="image/webp", headers=headers)

    def _headers(self, asset: asset_pb2.Asset, cache_control: str) -> dict[str, str]:
        shown = "inline" if asset.media_type in SHOWN_TYPES else "attachment"
        name = asset.digest[:16] + (mimetypes.guess_extension(asset.media_type) or "")
        return {
            "Content-Type": asset.media_type if shown == "inline" else "application/octet-stream",
            "ETag": f'"{asset.digest}"',
            "Cache-Control": cache_control,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'{shown}; filename="{name}"',
            # A picture may be shown by other pages, as in a chat; they cannot read its pixels.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }

    async def upload(self, request: web.Request) -> web.Response:
        """Stores the body, or the field `file` of a form, and answers 201 with the asset."""
        digest = announced_digest(request)
        limit = self._settings.max_upload_bytes
        if request.content_type != "multipart/form-data" and (request.content_length or 0) > limit:
            raise too_large(limit)
        async with aclosing(upload_chunks(request)) as chunks:
            asset = await self._write(digest, bounded(chunks, limit))
        headers = {"Location": f"/api/v1/assets/{asset.digest}", "Cache-Control": "no-store"}
        return web.Response(status=201, body=to_json(asset), content_type="application/json", headers=headers)

    async def store(self, data: bytes, field: str = "image") -> asset_pb2.Asset:
        """Stores what a caller sent in `field`. Raises Problem 400 for what is no picture, 413; AioRpcError."""
        limit = self._settings.max_upload_bytes
        if len(data) > limit:
            raise too_large(limit)
        try:
            return await self._write("", slices(data))
        except grpc.aio.AioRpcError as exc:
            problem = from_rpc(exc)
            if problem.status != 400:
                raise
            said = problem.errors[0].description if problem.errors else problem.detail
            raise bad_field(field, said) from exc

    async def _write(self, digest: str, chunks: AsyncIterator[bytes]) -> asset_pb2.Asset:
        call = self._stub.WriteAsset()
        try:
            await call.write(asset_pb2.WriteAssetRequest(header=asset_pb2.AssetHeader(digest=digest)))
            async for chunk in chunks:
                await call.write(asset_pb2.WriteAssetRequest(chunk=chunk))
            await call.done_writing()
        except asyncio.InvalidStateError:
            pass  # the server has answered before the end, with an error that awaiting the call raises
        except BaseException:
            call.cancel()
            raise
        try:
            async with asyncio.timeout(self._settings.rpc_timeout_s):
                return (await call).asset
        finally:
            call.cancel()


async def send_chunks(
    request: web.Request,
    status: int,
    headers: dict[str, str],
    chunks: AsyncIterator[bytes],
    size: int,
) -> web.StreamResponse:
    """Relays bytes. What goes wrong after the headers can only cut the connection."""
    response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(size)})
    await response.prepare(request)
    try:
        async for chunk in chunks:
            async with asyncio.timeout(STALL_S):
                await response.write(chunk)
            size -= len(chunk)
    except (grpc.aio.AioRpcError, TimeoutError, ConnectionResetError):
        size = -1
    if size != 0 and request.transport is not None:
        request.transport.abort()
        return response
    await response.write_eof()
    return response


async def upload_chunks(request: web.Request) -> AsyncGenerator[bytes, None]:
    """The bytes of an upload. Raises Problem for what is none."""
    if request.content_type == "multipart/form-data":
        read: Callable[[int], Awaitable[bytes]] = (await file_field(request)).read_chunk
    elif request.content_type.startswith("image/") or request.content_type == "application/octet-stream":
        read = request.content.read
    else:
        raise Problem(415, f"send an image/... body or a form with the field file, not {request.content_type}")
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                chunk = await read(CHUNK_BYTES)
        except TimeoutError as exc:
            raise Problem(408, "the upload stood still") from exc
        if not chunk:
            return
        yield bytes(chunk)


def parse_policy(text: str) -> asset_pb2.MetadataPolicy.ValueType:
    """What the query says. Raises Problem 400."""
    if text not in POLICIES:
        raise bad_field("metadata", f"must be one of {', '.join(POLICIES)}")
    return POLICIES[text]


def parse_deleted(text: str) -> bool:
    """Whether a deleted file is wanted, too, as the query says it. Raises Problem 400."""
    if text not in {"true", "false"}:
        raise bad_field("deleted", "must be true or false")
    return text == "true"


def asset_address(request: web.Request, digest: str) -> str:
    """Where an asset is, on this gateway as its caller calls it."""
    return f"{request.url.origin()}/api/v1/assets/{digest}"


async def slices(data: bytes) -> AsyncGenerator[bytes, None]:
    """The bytes in chunks."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


async def file_field(request: web.Request) -> BodyPartReader:
    """The file of a form. Raises Problem 400 for another form, or none."""
    try:
        part = await anext(aiter(await request.multipart()), None)
    except ValueError as exc:  # a boundary that is missing, too long or not there
        raise Problem(400, f"the form cannot be read: {unreadable(exc)}", reason="INVALID_REQUEST") from exc
    if not isinstance(part, BodyPartReader) or part.name != "file":
        raise Problem(400, "the form must have the file as its first field, named file", reason="INVALID_REQUEST")
    return part


async def bounded(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """The same chunks. Raises Problem 413 beyond `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        yield chunk


def too_large(limit: int) -> Problem:
    """The answer to a file beyond the limit."""
    return Problem(413, f"the file is larger than {limit} bytes", reason="ASSET_TOO_LARGE")


def announced_digest(request: web.Request) -> str:
    """The SHA-256 that the caller expects, from ?digest=, Content-Digest (RFC 9530) or Digest; else empty."""
    refuse_unknown(request.query, {"digest"})
    if "digest" in request.query:
        if DIGEST.fullmatch(request.query["digest"]) is None:
            raise bad_field("digest", "must be 64 lower-case hexadecimal digits")
        return request.query["digest"]
    header = request.headers.get("Content-Digest") or request.headers.get("Digest") or ""
    match = re.search(r"sha-256=:?([A-Za-z0-9+/]+={0,2}):?", header, re.IGNORECASE)
    if match is None:
        return ""
    try:
        digest = base64.b64decode(match[1], validate=True).hex()
    except binascii.Error:
        digest = ""
    if DIGEST.fullmatch(digest) is None:
        raise bad_field("Content-Digest", "its sha-256 must be the base64 of 32 bytes")
    return digest


def is_unchanged(request: web.Request, etag: str) -> bool:
    """Whether the browser has it already."""
    wanted = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return etag in wanted or "*" in wanted


def cache_headers(headers: dict[str, str]) -> dict[str, str]:
    """What a 304 repeats."""
    return {name: headers[name] for name in ("ETag", "Cache-Control", "Cross-Origin-Resource-Policy")}


def requested_span(request: web.Request, etag: str, size: int) -> range | None:
    """The bytes that Range asks for; None: all, also for a Range that is not understood, as RFC 9110 says.

    Raises Problem 416 for bytes that are not there.
    """
    if request.headers.get("If-Range", etag) != etag:
        return None
    match = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", request.headers.get("Range", "").replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if match[1]:
        start, stop = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
        if match[2] and int(match[2]) < start:
            return None
    else:
        start, stop = max(0, size - int(match[2])), size
    if start >= stop:
        detail = f"the file has {size} bytes only"
        raise Problem(416, detail, reason="INVALID_RANGE", headers={"Content-Range": f"bytes */{size}"})
    return range(start, stop)
