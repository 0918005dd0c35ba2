"""What lasts: jobs, their events, and the descriptions of assets."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from imagegen_server.errors import ServerError
from imagegen_server.history import Record, Scope
from imagegen_server.jobs import Asset, AssetOrigin, Job, JobState


class StoreError(ServerError):
    """The database did not take or give something, as when the disk is full."""


class JobCodec(Protocol):
    """A job as the bytes that are stored. Pure; called from other threads."""

    def encode(self, job: Job) -> bytes: ...

    def decode(self, data: bytes) -> Job: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobWrite:
    """A job as it is now, and the new events that tell about it."""

    job: Job
    records: tuple[Record, ...]
    is_new: bool = False
    request_digest: bytes = b""
    """Of a new job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    job: Job
    request_digest: bytes
    first_position: int
    last_position: int
    """Position of its newest record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list. Empty fields do not filter."""

    states: frozenset[JobState] = frozenset()
    owner: str = ""
    label: str = ""
    """ "key=value", or "key" for any value."""
    text: str = ""
    """Part of the prompt, letter case ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFilter:
    """Which assets to list. Empty fields do not filter."""

    origin: AssetOrigin | None = None
    job_id: str = ""


class Store:
    """One database. Made by `open_store`. Every method raises StoreError when the database fails."""

    epoch: int
    """For TokenCodec."""
    token_key: bytes
    """For TokenCodec; secret."""
    last_position: int
    """Position of the newest record when the store was opened."""

    def submit(self, write: JobWrite, on_done: Callable[[StoreError | None], None]) -> None:
        """Queues a write and calls `on_done` in the event loop after its commit, in order of submission.

        When a write fails, so do all that were submitted until then, each with the error, in order.
        """
        raise NotImplementedError

    async def unfinished_jobs(self) -> list[StoredJob]:
        """In order of creation."""
        raise NotImplementedError

    async def get_job(self, job_id: str) -> StoredJob | None:
        raise NotImplementedError

    async def find_request(self, owner: str, request_id: str) -> StoredJob | None:
        """The job that was made with this idempotency key."""
        raise NotImplementedError

    async def list_jobs(
        self, wanted: JobFilter, *, limit: int, before: int | None = None
    ) -> tuple[list[Job], int | None]:
        """A page of jobs, newest first, and what to give as `before` for the next one; None: this is the last."""
        raise NotImplementedError

    async def events_after(
        self, position: int, scope: Scope, *, until: int | None = None, limit: int = 500
    ) -> list[Record]:
        """The first `limit` records of the scope with positions above `position`, up to `until`, in order."""
        raise NotImplementedError

    async def horizon(self) -> int:
        """Records up to this position may have been forgotten; 0: none was."""
        raise NotImplementedError

    async def forget_events(self, *, ended_before: float) -> int:
        """Removes the events, but the last, of jobs that ended before then. Gives how many."""
        raise NotImplementedError

    async def delete_job(self, job_id: str) -> bool:
        """Removes a job and its events; False: there is none that has ended."""
        raise NotImplementedError

    async def put_asset(self, asset: Asset) -> Asset:
        """Adds a description, and gives the one that counts: the first that was put for this digest."""
        raise NotImplementedError

    async def get_asset(self, digest: str) -> Asset | None:
        raise NotImplementedError

    async def list_assets(
        self, wanted: AssetFilter, *, limit: int, before: int | None = None
    ) -> tuple[list[Asset], int | None]:
        """A page of assets, newest first, as `list_jobs`."""
        raise NotImplementedError

    async def delete_asset(self, digest: str) -> bool:
        """Removes a description unless a job that has not ended needs it; False: nothing was removed."""
        raise NotImplementedError

    async def assets_in_use(self, digests: Sequence[str]) -> frozenset[str]:
        """Those of the digests that jobs which have not ended need."""
        raise NotImplementedError


def open_store(url: str, codec: JobCodec) -> AbstractAsyncContextManager[Store]:
    """The database at an SQLAlchemy URL, made or migrated as needed. Closing it writes what is queued.

    Raises CannotStart.
    """
    raise NotImplementedError
