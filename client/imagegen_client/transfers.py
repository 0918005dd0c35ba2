"""Moves the bytes of assets: up with their digest, down with resume."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import grpc

from imagegen.v1.asset_pb2 import (
    Asset,
    AssetHeader,
    MetadataPolicy,
    ReadAssetRequest,
    ReadAssetResponse,
    WriteAssetRequest,
    WriteAssetResponse,
)
from imagegen_client.errors import Damaged, ImagegenError, translated_errors
from imagegen_client.retrying import Retry
from imagegen_client.watching import pause

if TYPE_CHECKING:  # a name that is in the stubs only
    from imagegen.v1.asset_pb2_grpc import AssetServiceAsyncStub

Metadata = tuple[tuple[str, str], ...]
"""What goes with a call besides its request."""

CHUNK_BYTES = 256 * 1024

LISTEN_S = 0.25
"""How long an upload that broke off waits, the next time, for an answer to its header alone."""


async def upload(stub: "AssetServiceAsyncStub", source: bytes | Path, retry: Retry, metadata: Metadata) -> Asset:
    """Stores a file and gives its asset. Begins anew when the connection drops: the same bytes are the same asset.

    Raises OSError for a file that cannot be read.
    """
    header = await asyncio.to_thread(_header_of, source)
    listens_first = False
    while True:
        try:
            with translated_errors():
                response = await _write(stub.WriteAsset(metadata=metadata), header, source, listens_first=listens_first)
        except ImagegenError as error:
            listens_first = True
            await pause(retry, error)
        else:
            return response.asset


async def _write(
    call: grpc.aio.StreamUnaryCall[WriteAssetRequest, WriteAssetResponse],
    header: AssetHeader,
    source: bytes | Path,
    *,
    listens_first: bool,
) -> WriteAssetResponse:
    chunks = _chunks_of(source)
    try:
        # InvalidStateError: the server has answered before the end, and its status, raised below, says why.
        with suppress(asyncio.InvalidStateError):
            await call.write(WriteAssetRequest(header=header))
            if listens_first:
                await _listen(call)
            while chunk := await asyncio.to_thread(next, chunks, b""):
                await call.write(WriteAssetRequest(chunk=chunk))
            await call.done_writing()
        return await call
    finally:
        chunks.close()
        call.cancel()


async def _listen(call: grpc.aio.StreamUnaryCall[WriteAssetRequest, WriteAssetResponse]) -> None:
    """Gives the server time to refuse a file by its header.

    A write that is under way when the server answers makes grpc.aio forget the answer ("Internal error from Core").
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(LISTEN_S):
            await call.code()


def _header_of(source: bytes | Path) -> AssetHeader:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks_of(source):
        digest.update(chunk)
        size += len(chunk)
    return AssetHeader(digest=digest.hexdigest(), size_bytes=size)


def _chunks_of(source: bytes | Path) -> Generator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK_BYTES):
            yield source[start : start + CHUNK_BYTES]
        return
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def chunks(
    stub: "AssetServiceAsyncStub",
    digest: str,
    *,
    new_retry: Callable[[], Retry],
    metadata: Metadata,
    max_bytes: int | None = None,
) -> AsyncGenerator[bytes]:
    """The bytes of an asset. A connection that drops is a pause: reading goes on at the offset that was reached.

    Raises Damaged at once when the asset is larger than `max_bytes`, and after the last chunk when the whole is not
    what the digest names.
    """
    arrived, retry = _Arrived(digest, max_bytes), new_retry()
    while not arrived.is_complete:
        call = stub.ReadAsset(ReadAssetRequest(digest=digest, offset=arrived.count), metadata=metadata)
        try:
            with translated_errors():
                while isinstance(message := await call.read(), ReadAssetResponse):
                    if chunk := arrived.take(message):
                        retry.succeeded()
                        yield chunk
            arrived.check_size()
        except ImagegenError as error:
            await pause(retry, error)
        finally:
            call.cancel()
    arrived.check_digest()


async def rewritten(
    stub: "AssetServiceAsyncStub",
    digest: str,
    policy: MetadataPolicy.ValueType,
    *,
    retry: Retry,
    metadata: Metadata,
    max_bytes: int | None = None,
) -> AsyncGenerator[bytes]:
    """The bytes of a picture with other generation metadata, all at once.

    Nobody can tell them by size and digest, so reading that was cut begins anew. Raises Damaged for more than
    `max_bytes`.
    """
    while True:
        call = stub.ReadAsset(ReadAssetRequest(digest=digest, metadata=policy), metadata=metadata)
        content = bytearray()
        try:
            with translated_errors():
                while isinstance(message := await call.read(), ReadAssetResponse):
                    content += message.chunk
                    if max_bytes is not None and len(content) > max_bytes:
                        excess = f"asset {digest} has more than the {max_bytes} bytes asked for"
                        raise Damaged(excess, code=grpc.StatusCode.DATA_LOSS)
        except ImagegenError as error:
            await pause(retry, error)
        else:
            yield bytes(content)
            return
        finally:
            call.cancel()


class _Arrived:
    """What has come of an asset so far, and whether it can be true."""

    def __init__(self, digest: str, max_bytes: int | None) -> None:
        self.count = 0
        self._size: int | None = None
        self._digest = digest
        self._seen = hashlib.sha256()
        self._max_bytes = max_bytes

    @property
    def is_complete(self) -> bool:
        return self.count == self._size

    def take(self, message: ReadAssetResponse) -> bytes:
        if message.HasField("asset"):
            self._size = message.asset.size_bytes
            if self._max_bytes is not None and self._size > self._max_bytes:
                raise self._damaged(f"has {self._size} bytes, more than the {self._max_bytes} asked for")
        self._seen.update(message.chunk)
        self.count += len(message.chunk)
        if self._size is None or self.count > self._size:
            raise self._damaged("is larger than announced")
        return message.chunk

    def check_size(self) -> None:
        if not self.is_complete:
            raise self._damaged(f"ended after {self.count} bytes")

    def check_digest(self) -> None:
        if self._seen.hexdigest() != self._digest:
            raise self._damaged(f"arrived with another digest, {self._seen.hexdigest()}")

    def _damaged(self, what: str) -> Damaged:
        return Damaged(f"asset {self._digest} {what}", code=grpc.StatusCode.DATA_LOSS)


async def save(content: AsyncIterator[bytes], path: Path, *, overwrite: bool) -> None:
    """Writes the content to a file, which appears complete or not at all.

    Raises FileExistsError, before anything is read, when the file is there and `overwrite` is not set.
    """
    with _completed_file(path, overwrite=overwrite) as file:
        async for chunk in content:
            await asyncio.to_thread(file.write, chunk)


@contextmanager
def _completed_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    if not overwrite:
        path.open("xb").close()  # claims the name, so that nobody's file is lost however long the download takes
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        if not overwrite:
            path.unlink(missing_ok=True)
        raise
