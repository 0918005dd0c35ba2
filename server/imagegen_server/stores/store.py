"""What lasts: jobs, their events, and the descriptions of assets.

SQLAlchemy Core on SQLite in WAL mode, and nothing that PostgreSQL would not understand. One thread writes, a few read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from imagegen_server.gallery import AssetSource, Facets, GalleryEntry
from imagegen_server.history import Record, Scope
from imagegen_server.jobs import Asset, Job
from imagegen_server.stores import (
    asset_rows,
    backend_rows,
    gallery_rows,
    history_rows,
    job_rows,
    key_rows,
    meta_rows,
    named_values,
    settings_rows,
    totals,
    workflow_rows,
)
from imagegen_server.stores.database import open_database
from imagegen_server.stores.model import (
    AssetFilter,
    EndedJob,
    JobCodec,
    JobFilter,
    JobWrite,
    KeptAsset,
    StoredBackend,
    StoredChange,
    StoredJob,
    StoredKey,
    StoredRevision,
    StoreError,
    Totals,
)
from imagegen_server.stores.writer import Writer

__all__ = [
    "AssetFilter",
    "EndedJob",
    "JobCodec",
    "JobFilter",
    "JobWrite",
    "KeptAsset",
    "Store",
    "StoreError",
    "StoredBackend",
    "StoredChange",
    "StoredJob",
    "StoredKey",
    "StoredRevision",
    "open_store",
]

_READERS = 4

T = TypeVar("T")


class Store:
    """One database. Made by `open_store`. Every method raises StoreError when the database fails."""

    def __init__(
        self,
        engine: Engine,
        writer: Writer,
        readers: ThreadPoolExecutor,
        codec: JobCodec,
        *,
        identity: tuple[int, bytes],
        last_position: int,
    ) -> None:
        self._engine = engine
        self._writer = writer
        self._readers = readers
        self._codec = codec
        self.epoch, self.token_key = identity
        """For TokenCodec; the key is secret."""
        self.last_position = last_position
        """The newest position that was given out before the store was opened; 0: none was."""

    def submit(self, write: JobWrite, on_done: Callable[[StoreError | None], None]) -> None:
        """Queues a write and calls `on_done` in the event loop after its commit, in order of submission.

        When a write fails, so do all that were submitted until then, each with the error, in order.
        `on_done` must not raise.
        """
        self._writer.submit(write, lambda _, error: on_done(error))

    async def unfinished_jobs(self) -> list[StoredJob]:
        """In order of creation."""
        return await self._read(lambda c: job_rows.unfinished_jobs(c, self._codec))

    async def get_job(self, job_id: str) -> StoredJob | None:
        return await self._read(lambda c: job_rows.get_job(c, self._codec, job_id))

    async def find_request(self, owner: str, request_id: str) -> StoredJob | None:
        """The job that was made with this idempotency key."""
        return await self._read(lambda c: job_rows.find_request(c, self._codec, owner, request_id))

    async def list_jobs(
        self, wanted: JobFilter, *, limit: int, before: int | None = None
    ) -> tuple[list[Job], int | None]:
        """A page of jobs, newest first, and what to give as `before` for the next one; None: this is the last."""
        return await self._read(lambda c: job_rows.list_jobs(c, self._codec, wanted, limit, before))

    async def find_alike(self, keys: Sequence[bytes], *, limit: int) -> list[Job]:
        """The newest jobs that have made what has one of these keys (`reuse.key_of`), all of it."""
        return await self._read(lambda c: job_rows.find_alike(c, self._codec, keys, limit))

    async def count_ended(self) -> int:
        """How many jobs there are that have ended."""
        return await self._read(history_rows.count_ended)

    async def oldest_ended(self, *, limit: int) -> list[EndedJob]:
        """The jobs that ended first, in the order of their ends."""
        return await self._read(lambda c: history_rows.oldest_ended(c, limit))

    async def delete_ended(self, job_ids: Sequence[str]) -> int:
        """Removes those of the jobs that have ended, with their events. Gives how many."""
        return await self._write(lambda c: history_rows.delete_ended(c, job_ids))

    async def events_after(
        self, position: int, scope: Scope, *, until: int | None = None, limit: int = 500
    ) -> list[Record]:
        """The first `limit` records of the scope with positions above `position`, up to `until`, in order."""
        return await self._read(lambda c: job_rows.events_after(c, position, scope, until, limit))

    async def horizon(self, scope: Scope) -> int:
        """Records of the scope up to this position may be gone; 0: none is.

        What was deleted counts only where no jobs are named.
        """
        return await self._read(lambda c: history_rows.horizon(c, scope))

    async def oldest_uncompacted(self, *, limit: int) -> list[EndedJob]:
        """The jobs that ended first among those whose events are all there, in the order of their ends."""
        return await self._read(lambda c: history_rows.oldest_uncompacted(c, limit))

    async def compact(self, going: Sequence[EndedJob]) -> int:
        """Removes the events, but the last, of the first of `oldest_uncompacted`. Gives how many events."""
        return await self._write(lambda c: history_rows.compact(c, going))

    async def put_asset(self, asset: Asset, source: AssetSource | None = None) -> Asset:
        """Adds a description, and gives the one that counts: the first that was put for this digest.

        The age of the asset is counted anew. One that was deleted is there again; if a job has made it, as a new one.
        """
        return await self._write(lambda c: asset_rows.put_asset(c, asset, source))

    async def get_asset(self, digest: str, *, include_deleted: bool = False) -> GalleryEntry | None:
        return await self._read(lambda c: asset_rows.get_entry(c, digest, include_deleted=include_deleted))

    async def list_assets(
        self, wanted: AssetFilter, *, limit: int, before: int | None = None
    ) -> tuple[list[GalleryEntry], int | None]:
        """A page of assets, newest first, as `list_jobs`."""
        return await self._read(lambda c: gallery_rows.list_entries(c, wanted, limit, before))

    async def count_assets(self, wanted: AssetFilter) -> int:
        """How many there are on all pages."""
        return await self._read(lambda c: gallery_rows.count_entries(c, wanted))

    async def asset_facets(self) -> Facets:
        return await self._read(gallery_rows.facets)

    async def set_favorite(self, digest: str, *, favorite: bool) -> GalleryEntry | None:
        """None: there is no such asset."""
        return await self._write(lambda c: asset_rows.set_favorite(c, digest, favorite=favorite))

    async def mark_deleted(self, digest: str, *, time: float) -> GalleryEntry | None:
        """Hides a description unless a job that has not ended needs it; None: nothing was hidden."""
        return await self._write(lambda c: asset_rows.mark_deleted(c, digest, time))

    async def undelete_asset(self, digest: str, *, time: float) -> GalleryEntry | None:
        """Shows a description again, and counts its age from `time`; None: there is none."""
        return await self._write(lambda c: asset_rows.undelete(c, digest, time))

    async def delete_asset(self, digest: str) -> bool:
        """Removes a description unless a job that has not ended needs it; False: nothing was removed."""
        return await self._write(lambda c: asset_rows.delete_asset(c, digest))

    async def is_asset_in_use(self, digest: str) -> bool:
        """Whether a job that has not ended needs it."""
        return await self._read(lambda c: asset_rows.is_in_use(c, digest))

    async def total_asset_bytes(self) -> int:
        return await self._read(asset_rows.total_bytes)

    async def oldest_assets(self, *, limit: int, after: KeptAsset | None = None) -> list[KeptAsset]:
        """The assets that were put first, in order, but for favorites and inputs of jobs that have not ended."""
        return await self._read(lambda c: asset_rows.oldest_assets(c, limit, after))

    async def deleted_assets(self, *, limit: int, after: KeptAsset | None = None) -> list[KeptAsset]:
        """Those that can be brought back, the first deleted first."""
        return await self._read(lambda c: asset_rows.deleted_assets(c, limit, after))

    async def retire_assets(self, going: Sequence[KeptAsset]) -> list[str]:
        """Removes those with which nothing has happened meanwhile. Gives the digests of the removed."""
        return await self._write(lambda c: asset_rows.retire_assets(c, going))

    async def unknown_digests(self, digests: Sequence[str]) -> set[str]:
        """Those of the digests that no asset has."""
        return await self._read(lambda c: asset_rows.unknown_digests(c, digests))

    async def is_described(self, digest: str) -> bool:
        """Whether there is an asset with this digest, deleted or not, also one whose write is still queued."""
        return await self._write(lambda c: asset_rows.is_described(c, digest))

    async def newest_revisions(self) -> dict[str, int]:
        """Of the workflows that were not deleted, by id."""
        return await self._read(workflow_rows.newest_revisions)

    async def get_revision(self, workflow_id: str, revision: int) -> StoredRevision | None:
        """A revision, also of a workflow that was deleted."""
        return await self._read(lambda c: workflow_rows.get_revision(c, workflow_id, revision))

    async def revision_numbers(self, workflow_id: str) -> list[int]:
        """Newest first, also of a workflow that was deleted."""
        return await self._read(lambda c: workflow_rows.revision_numbers(c, workflow_id))

    async def add_revision(
        self, workflow_id: str, expected: int, *, time: float, owner: str, document: bytes
    ) -> int | None:
        """The number of the new revision; None: `expected` is not the newest. 0 expects that there is no such workflow.

        A workflow that was deleted goes on counting.
        """
        return await self._write(
            lambda c: workflow_rows.add_revision(c, workflow_id, expected, time=time, owner=owner, document=document)
        )

    async def delete_workflow(self, workflow_id: str) -> bool:
        """Takes a workflow out of `newest_revisions`; whether there was one. Its revisions stay."""
        return await self._write(lambda c: workflow_rows.delete_workflow(c, workflow_id))

    async def totals(self) -> Totals:
        """How much is kept."""
        return await self._read(totals.get_totals)

    async def get_value(self, key: str) -> bytes | None:
        """What was kept under this name; None: nothing was."""
        return await self._read(lambda c: named_values.get_value(c, key))

    async def set_value(self, key: str, value: bytes) -> None:
        """Keeps a value under a name, in place of what was there. Too large a one raises StoreError."""
        if len(value) > named_values.MAX_VALUE_BYTES:
            raise StoreError(f"{key!r} is too large to be kept: {len(value)} bytes")
        await self._write(lambda c: named_values.set_value(c, key, value))

    async def settings(self) -> bytes | None:
        """The document that `change_settings` stored last; None: none was."""
        return await self._read(lambda c: named_values.get_value(c, settings_rows.NAME))

    async def change_settings(self, document: bytes, change: StoredChange, *, keep: int) -> None:
        """Stores both together, and forgets the changes before the newest `keep`."""
        await self._write(lambda c: settings_rows.change_settings(c, document, change, keep))

    async def settings_changes(self, *, limit: int) -> list[StoredChange]:
        """The newest first."""
        return await self._read(lambda c: settings_rows.newest_changes(c, limit))

    async def backends(self) -> list[StoredBackend]:
        """Those that were added, in that order."""
        return await self._read(backend_rows.list_backends)

    async def put_backend(self, backend: StoredBackend) -> None:
        """Adds one that was added, as the last."""
        await self._write(lambda c: backend_rows.put_backend(c, backend))

    async def delete_backend(self, name: str) -> None:
        await self._write(lambda c: backend_rows.delete_backend(c, name))

    async def keys(self) -> list[StoredKey]:
        """By name."""
        return await self._read(key_rows.list_keys)

    async def add_key(self, key: StoredKey) -> bool:
        """Whether its name was free."""
        return await self._write(lambda c: key_rows.add_key(c, key))

    async def delete_key(self, name: str) -> bool:
        """Whether there was one."""
        return await self._write(lambda c: key_rows.delete_key(c, name))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._engine.connect() as connection:
                return query(connection)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, run)
        except SQLAlchemyError as exc:
            raise StoreError(f"could not read from the database: {type(exc).__name__}") from exc

    async def _write(self, operation: Callable[[Connection], T]) -> T:
        result: T = await self._writer.call(operation)
        return result


@asynccontextmanager
async def open_store(url: str, codec: JobCodec) -> AsyncIterator[Store]:
    """The database at an SQLAlchemy URL, made or migrated as needed. Closing it writes what is queued.

    Raises CannotStart.
    """
    engine = await asyncio.to_thread(open_database, url)
    readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
    writer = Writer(engine, lambda connection, writes: job_rows.write_jobs(connection, codec, writes))
    writer.start()
    try:
        identity = await writer.call(meta_rows.get_identity)
        last_position = await writer.call(job_rows.newest_position)
        yield Store(engine, writer, readers, codec, identity=identity, last_position=last_position)
    finally:
        await writer.close()
        readers.shutdown()
        engine.dispose()
