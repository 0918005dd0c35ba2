"""Files by the SHA-256 of their bytes: folder/ab/cdef..., and a row in the store for each.

A file is written under a temporary name and gets its real one when it is complete and on the disk; so under a real name
there are always the right bytes. The folder belongs to one process.
"""

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO
from weakref import WeakValueDictionary

from imagegen_server.errors import Refused, asset_not_found, bad_field
from imagegen_server.gallery import AssetSource, GalleryEntry
from imagegen_server.image_headers import Kind, UnreadableImage, read_image, sniff
from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.store import KeptAsset, Store, StoreError

CHUNK_BYTES = 256 * 1024
_READ_BYTES = 4 * CHUNK_BYTES
"""Going to a thread and back takes longer than reading a chunk there: several are read at once."""

_SWEEP_PAGE = 500

_DIGEST = re.compile(r"[0-9a-f]{64}")


class AssetWriter:
    """An asset in the making. Given by `AssetStore.writer`."""

    def __init__(self, assets: "AssetStore", path: Path, file: BinaryIO, max_bytes: int) -> None:
        self._assets = assets
        self._path = path
        self._file = file
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self._size = 0

    async def write(self, chunk: bytes) -> None:
        """Adds bytes. Refused: ASSET_TOO_LARGE."""
        self._size += len(chunk)
        _check_size(self._size, self._max_bytes, "chunk")
        await asyncio.to_thread(self._append, chunk)

    async def commit(
        self,
        *,
        origin: AssetOrigin,
        job_id: str = "",
        expected_digest: str = "",
        expected_size: int = 0,
        require_image: bool = True,
        source: AssetSource | None = None,
    ) -> Asset:
        """Keeps what was written; `source` of what a job made. Refused: DIGEST_MISMATCH, INVALID_IMAGE.

        Bytes that are stored already give the asset that is there. If it was deleted, it is there again.
        """
        digest = self._sha256.hexdigest()
        if expected_size and expected_size != self._size:
            message = f"{self._size} bytes arrived, {expected_size} were announced"
            raise bad_field("DIGEST_MISMATCH", "header.size_bytes", message)
        if expected_digest and expected_digest != digest:
            message = f"the bytes that arrived have the digest {digest}"
            raise bad_field("DIGEST_MISMATCH", "header.digest", message)
        kind = await asyncio.to_thread(self._finish, require_image=require_image)
        asset = Asset(
            digest=digest,
            size_bytes=self._size,
            media_type=kind.media_type,
            width=kind.width,
            height=kind.height,
            create_time=self._assets.now(),
            origin=origin,
            job_id=job_id,
        )
        return await self._assets.keep(self._path, asset, source)

    def _append(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self._file.write(chunk)

    def _finish(self, *, require_image: bool) -> Kind:
        self._file.flush()
        os.fsync(self._file.fileno())
        if not require_image:
            return sniff(self._path)
        try:
            return read_image(self._path)
        except UnreadableImage as exc:
            raise bad_field("INVALID_IMAGE", "chunk", f"the file cannot be used: {exc}") from exc


class AssetStore:
    """The files of one data folder."""

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
        on_change: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Makes the folder and removes what an earlier process left unfinished.

        `clock` gives seconds since the Unix epoch. `on_change` is called with the digest of each asset that changed,
        came or went, but for those that jobs have just made.
        """
        self._folder = folder
        self._store = store
        self._max_bytes = max_bytes
        self._clock = clock
        self._on_change = on_change
        self._unfinished = folder / "unfinished"
        self._unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in self._unfinished.iterdir():
            leftover.unlink()
        # Keeping and deleting are two steps each, file and row; for one digest they must not interleave.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._held = Counter[str]()

    def check_announced(self, size_bytes: int) -> None:
        """Of a file that is going to be written. Refused: ASSET_TOO_LARGE."""
        _check_size(size_bytes, self._max_bytes, "header.size_bytes")

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[AssetWriter]:
        """A new asset, piece by piece. Nothing is left of it unless it was committed.

        The block raises StoreError when the disk does not take it.
        """
        path = self._unfinished / uuid.uuid4().hex
        try:
            # Neither is done in a thread: both are quick, and a thread would go on when this task is cancelled.
            with _disk_faults("write"), path.open("xb") as file:
                yield AssetWriter(self, path, file, self._max_bytes)
        finally:
            path.unlink(missing_ok=True)

    async def put(
        self,
        data: bytes,
        *,
        origin: AssetOrigin,
        job_id: str = "",
        require_image: bool = True,
        source: AssetSource | None = None,
    ) -> Asset:
        """A new asset at once. Refused as an AssetWriter. Raises StoreError."""
        async with self.writer() as writer:
            await writer.write(data)
            return await writer.commit(origin=origin, job_id=job_id, require_image=require_image, source=source)

    async def get(self, digest: str) -> Asset:
        """The description. Refused: ASSET_NOT_FOUND, also for what was deleted, and for what is no digest."""
        return (await self.entry(digest)).asset

    async def entry(self, digest: str, *, include_deleted: bool = False) -> GalleryEntry:
        """The description, and what is kept beside it. Refused as `get`."""
        if not _DIGEST.fullmatch(digest):
            raise asset_not_found(digest)
        return _found(digest, await self._store.get_asset(digest, include_deleted=include_deleted))

    async def read(
        self, digest: str, *, offset: int = 0, limit: int = 0, include_deleted: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Its bytes in chunks of CHUNK_BYTES; `limit` 0: to the end. Refused: ASSET_NOT_FOUND, INVALID_RANGE."""
        asset = (await self.entry(digest, include_deleted=include_deleted)).asset
        _check_offset(offset, asset.size_bytes)
        left = min(limit or asset.size_bytes, asset.size_bytes - offset)
        file = self._open(digest)
        try:
            await asyncio.to_thread(file.seek, offset)
            while left > 0 and (block := await asyncio.to_thread(file.read, min(left, _READ_BYTES))):
                left -= len(block)
                for start in range(0, len(block), CHUNK_BYTES):
                    yield block[start : start + CHUNK_BYTES]
        finally:
            file.close()

    async def bytes(self, digest: str) -> bytes:
        """All of its bytes. Refused: ASSET_NOT_FOUND."""
        await self.get(digest)
        with self._open(digest) as file:
            return await asyncio.to_thread(file.read)

    async def mark(self, digest: str, *, favorite: bool) -> GalleryEntry:
        """Makes it a favorite, or no longer. Refused: ASSET_NOT_FOUND."""
        entry = _found(digest, await self._store.set_favorite(digest, favorite=favorite))
        self._on_change(digest)
        return entry

    async def delete(self, digest: str) -> GalleryEntry:
        """Hides it, so that `undelete` can bring it back. Refused: ASSET_NOT_FOUND, ASSET_IN_USE."""
        await self.get(digest)
        async with self._lock(digest):
            is_held = digest in self._held
            entry = None if is_held else await self._store.mark_deleted(digest, time=self.now())
        if entry is None:
            raise await self._refusal(digest, is_held=is_held)
        self._on_change(digest)
        return entry

    async def undelete(self, digest: str) -> GalleryEntry:
        """Brings it back, unless it is there. Refused: ASSET_NOT_FOUND."""
        entry = _found(digest, await self._store.undelete_asset(digest, time=self.now()))
        self._on_change(digest)
        return entry

    async def remove(self, digest: str) -> None:
        """Removes it for good, deleted or not. Refused: ASSET_NOT_FOUND, ASSET_IN_USE."""
        await self.entry(digest, include_deleted=True)
        async with self._lock(digest):
            is_held = digest in self._held
            is_gone = not is_held and await self._store.delete_asset(digest)
            if is_gone:
                # The row first: a file without a row is waste, a row without a file would be a broken promise.
                self._unlink(digest)
        if not is_gone:
            raise await self._refusal(digest, is_held=is_held)
        self._on_change(digest)

    async def _refusal(self, digest: str, *, is_held: bool) -> Refused:
        """Why it stays."""
        if is_held or await self._store.is_asset_in_use(digest):
            message = f"a job that has not ended needs asset {digest}"
            return Refused("ASSET_IN_USE", message, metadata={"digest": digest})
        return asset_not_found(digest)

    @property
    def held(self) -> frozenset[str]:
        """The digests that `holding` is entered for."""
        return frozenset(self._held)

    async def retire(self, going: Sequence[KeptAsset]) -> list[KeptAsset]:
        """Removes those that nobody needs and with which nothing has happened meanwhile. Gives the removed.

        Raises StoreError, also when a file cannot be removed: `sweep` finds it later.
        """
        async with AsyncExitStack() as locks:
            for asset in going:
                await locks.enter_async_context(self._lock(asset.digest))
            free = [asset for asset in going if asset.digest not in self._held]
            gone = set(await self._store.retire_assets(free))
            for digest in gone:
                self._unlink(digest)
                self._on_change(digest)
                await asyncio.sleep(0)
            return [asset for asset in free if asset.digest in gone]

    async def sweep(self) -> int:
        """Removes the files that no row describes, as a crash between the two steps leaves them. Gives how many.

        Raises StoreError.
        """
        removed = 0
        for folder in range(256):
            with _disk_faults("look for"):
                digests = await asyncio.to_thread(self._digests_in, f"{folder:02x}")
            for start in range(0, len(digests), _SWEEP_PAGE):
                for digest in await self._store.unknown_digests(digests[start : start + _SWEEP_PAGE]):
                    removed += await self._sweep_one(digest)
        return removed

    async def _sweep_one(self, digest: str) -> bool:
        async with self._lock(digest):
            # Whoever was keeping it has the lock, or has gone and left its row to the store's queue.
            is_left = not await self._store.is_described(digest)
            if is_left:
                self._unlink(digest)
            return is_left

    @asynccontextmanager
    async def holding(self, digests: Iterable[str]) -> AsyncIterator[None]:
        """Meanwhile none of them is deleted: what is found stays until the job that needs it is stored."""
        held = Counter[str]()
        try:
            for digest in digests:
                async with self._lock(digest):  # a delete that is under way comes first
                    held[digest] += 1
                    self._held[digest] += 1
            yield
        finally:
            self._held -= held

    def now(self) -> float:
        return self._clock()

    async def keep(self, path: Path, asset: Asset, source: AssetSource | None) -> Asset:
        """Takes over a complete file, for AssetWriter."""
        async with self._lock(asset.digest):
            await asyncio.to_thread(self._rename, path, self._path(asset.digest))
            kept = await self._store.put_asset(asset, source)
        if source is None:
            self._on_change(asset.digest)
        return kept

    def _lock(self, digest: str) -> asyncio.Lock:
        return self._locks.setdefault(digest, asyncio.Lock())

    def _open(self, digest: str) -> BinaryIO:
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError as exc:
            raise asset_not_found(digest) from exc

    def _rename(self, source: Path, target: Path) -> None:
        # Of the same bytes the newer file wins, in case that the older one came to harm.
        target.parent.mkdir(exist_ok=True)
        source.replace(target)
        # Only a synchronized folder holds the new name when the power fails; so does that of a new subfolder.
        for folder in (target.parent, self._folder):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _digests_in(self, name: str) -> list[str]:
        folder = self._folder / name
        found = [name + path.name for path in folder.iterdir()] if folder.exists() else []
        return [digest for digest in found if _DIGEST.fullmatch(digest)]

    def _unlink(self, digest: str) -> None:
        # Not in a thread, which would go on when its task is cancelled and somebody else has the lock.
        with _disk_faults("remove"):
            self._path(digest).unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        assert _DIGEST.fullmatch(digest)
        return self._folder / digest[:2] / digest[2:]


async def slices(data: bytes, *, offset: int = 0, limit: int = 0) -> AsyncGenerator[bytes, None]:
    """Bytes that are in memory in chunks, as AssetStore.read gives those of a file. Refused: INVALID_RANGE."""
    _check_offset(offset, len(data))
    end = min(offset + limit, len(data)) if limit else len(data)
    for start in range(offset, end, CHUNK_BYTES):
        yield data[start : min(start + CHUNK_BYTES, end)]


def _found(digest: str, entry: GalleryEntry | None) -> GalleryEntry:
    if entry is None:
        raise asset_not_found(digest)
    return entry


def _check_offset(offset: int, size_bytes: int) -> None:
    if offset > size_bytes:
        raise Refused("INVALID_RANGE", f"offset {offset} lies behind the end at {size_bytes}")


def _check_size(size_bytes: int, max_bytes: int, field: str) -> None:
    if size_bytes > max_bytes:
        raise bad_field("ASSET_TOO_LARGE", field, f"the file is larger than the {max_bytes} bytes that are taken")


@contextmanager
def _disk_faults(verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreError(f"could not {verb} a file: {exc.strerror or type(exc).__name__}") from exc
