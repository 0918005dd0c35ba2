"""What goes into the store and comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from imagegen_server.errors import ServerError
from imagegen_server.history import Record
from imagegen_server.jobs import AssetOrigin, Job, JobState


class StoreError(ServerError):
    """The database or the disk did not take or give something, as when it is full."""


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
    """Position of its first record."""
    end_position: int | None
    """Position of its last record, once it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob:
    """A job that may be deleted."""

    job_id: str
    end_time: float
    end_position: int
    """Position of its last record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAsset:
    """An asset that may go."""

    number: int
    """Of the asset; growing."""
    digest: str
    size_bytes: int
    kept_since: float
    """When its bytes were stored last."""
    deletion: int | None = None
    """In the order of deletions; None: it was not deleted."""
    delete_time: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list. Empty fields do not filter."""

    states: frozenset[JobState] = frozenset()
    owner: str = ""
    label: str = ""
    """ "key=value", or "key" for any value."""
    text: str = ""
    """Part of the prompt, letter case ignored."""
    workflow_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFilter:
    """Which assets to list. Empty fields do not filter."""

    origin: AssetOrigin | None = None
    job_id: str = ""
    words: tuple[str, ...] = ()
    """All of them are in the prompt, as `gallery.words_of` gives them."""
    model: str = ""
    workflow_id: str = ""
    owner: str | None = None
    """Empty: nobody in particular."""
    created_after: float | None = None
    """At this time or later."""
    created_before: float | None = None
    """Before this time."""
    favorites: bool = False
    pictures: bool = False
    """No by-products, and nothing that is no image."""
    deleted: bool = False
    """In place of those that are there, the last deleted first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How much the store keeps."""

    assets: int
    assets_bytes: int
    jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBackend:
    """A backend that was added at run time."""

    name: str
    kind: str
    url: str = field(repr=False)
    """User and password may be in it."""
    labels: Mapping[str, str]
    max_concurrent_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredChange:
    """A change of the settings."""

    version: int
    """That it made."""
    time: float
    owner: str
    record: bytes
    """What was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """A workflow as it was stored once."""

    workflow_id: str
    revision: int
    time: float
    owner: str
    document: bytes
    create_time: float
    """When the first revision was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key that was made at run time."""

    name: str
    owner: str
    """Whose jobs are made with it; empty: its name."""
    is_admin: bool
    acts_for_users: bool
    """Whether its holder may say for whom it asks."""
    create_time: float
    sha256: bytes = field(repr=False)
    """Of its secret."""
