"""What one stream of events sends, from its first item to its end.

Register, note the position, replay the store up to it, flush what queued meanwhile, say so, go on live: no gap and no
duplicate, at whichever item the stream breaks and is resumed with the newest token.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeAlias

from imagegen_server.history import Record, Scope, Start
from imagegen_server.hub import Hub, Latest
from imagegen_server.jobs import Job
from imagegen_server.ledger import Ledger
from imagegen_server.stores.store import Store
from imagegen_server.tokens import TokenCodec

HEARTBEAT_S = 15.0


@dataclass(frozen=True, slots=True)
class Reset:
    """What was missed cannot be replayed; snapshots follow. Has no token: resuming here means starting anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job as it is now."""

    job: Job
    token: str
    """Empty in all but the last snapshot: whoever drops before that one has not seen all, and starts anew."""


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that was missed has been sent."""

    token: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happened for a while."""

    token: str


Item: TypeAlias = Reset | Snapshot | Record | Latest | CaughtUp | Heartbeat
"""Record and Latest bring their bytes with them."""


def parse_start(resume_token: str, tokens: TokenCodec) -> Start | int:
    """Where the request wants to begin: empty, "earliest", or a token. Raises InvalidToken."""
    raise NotImplementedError


def watch(
    scope: Scope,
    start: Start | int,
    *,
    ledger: Ledger,
    hub: Hub,
    store: Store,
    max_rate_hz: float = 0.0,
    heartbeat_s: float = HEARTBEAT_S,
) -> AbstractAsyncContextManager[AsyncIterator[Item]]:
    """The items of one stream, in order.

    With `scope.job_ids` it ends after the last `completed`; a job that had ended already when the watcher came without
    a token gives its snapshot and its `completed`. Without job ids it goes on.
    Iteration is refused (JOB_NOT_FOUND) before the first item, raises TooManyWatchers before it, and WatcherTooSlow,
    ShuttingDown or StoreError at any.
    """
    raise NotImplementedError
