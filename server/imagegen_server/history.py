"""What one watcher is still to be sent, and where a watcher that comes back goes on.

The rules of delivery, per watcher:

1. Durable records come in the order of their positions, each exactly once; none is dropped.
2. Of ephemeral values the newest per job and kind is kept: a slow watcher gets fewer, never an older one after a
   newer one. Values of different jobs and kinds take turns; a phase stays behind the progress that came before it.
3. Durable first: a value goes out only when no record waits. So whoever gets a value has had every record before it,
   and the value can carry the newest position as its resume token.
4. A record ends the values that it makes untrue (`ENDS`): no preview after the output that it showed, nothing of an
   attempt after its failure, nothing at all after `completed`.
5. Progress and previews may be limited to a rate per job; what is held back is sent when its time comes, in its
   newest version.
6. Bounded: MAX_RECORDS records or MAX_BYTES of them; beyond that the watcher has lost, and has to resume by token.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from imagegen_server.errors import Refused

MAX_RECORDS = 1000
MAX_BYTES = 16 * 1024 * 1024


class WatcherTooSlow(Refused):
    """The watcher did not keep up with durable events."""

    def __init__(self) -> None:
        super().__init__(
            "WATCHER_TOO_SLOW", "the stream was read too slowly; resume with the newest token", retry_after_s=1.0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A durable event as it is stored and sent."""

    position: int
    """In the log of all jobs, from 1, growing; there may be holes."""
    job_id: str
    owner: str
    sequence: int
    """Within the job, from 1, without holes."""
    kind: str
    """Name in the oneof of `imagegen.v1.JobEvent`, as "output_ready"."""
    data: bytes = field(repr=False)
    """A serialized WatchJobResponse, with the resume token of `position` in it."""

    @property
    def is_last(self) -> bool:
        """Whether nothing durable follows in this job."""
        return self.kind == "completed"


class Ephemeral(Enum):
    """The kinds of ephemeral events. Names in the oneof of `imagegen.v1.JobEvent`."""

    QUEUE = "queue_updated"
    MODEL_LOADING = "model_loading"
    PHASE = "phase_changed"
    PROGRESS = "progress"
    PREVIEW = "preview"


_RATE_LIMITED = frozenset({Ephemeral.PROGRESS, Ephemeral.PREVIEW})
_ALL = frozenset(Ephemeral)

ENDS: dict[str, frozenset[Ephemeral]] = {
    "attempt_started": _ALL,
    "attempt_failed": _ALL,
    "output_ready": frozenset({Ephemeral.PREVIEW}),
    "completed": _ALL,
}
"""Which values a record of a kind makes untrue."""


class Payload(Protocol):
    """What an ephemeral event says."""

    def encode(self, *, sequence: int, token: str, variant: Hashable) -> bytes:
        """The event as a serialized WatchJobResponse.

        `sequence` and `token` are those of the newest durable event that the watcher has. `variant` is what the
        caller of `Latest.bytes_for` gave, as the size of a preview. Pure: called once per value, position and variant.
        """


class Value:
    """One ephemeral value, shared by all watchers."""

    __slots__ = ("_encoded", "job_id", "kind", "owner", "payload")

    def __init__(self, *, job_id: str, owner: str, kind: Ephemeral, payload: Payload) -> None:
        self.job_id = job_id
        self.owner = owner
        self.kind = kind
        self.payload = payload
        self._encoded: dict[Hashable, tuple[int, bytes]] = {}

    def encoded(self, *, position: int, sequence: int, token: str, variant: Hashable) -> bytes:
        """The event's bytes, made once per position and variant; only those of the last position are kept."""
        known = self._encoded.get(variant)
        if known is not None and known[0] == position:
            return known[1]
        data = self.payload.encode(sequence=sequence, token=token, variant=variant)
        self._encoded[variant] = (position, data)
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a watcher watches. The default: everything."""

    job_ids: frozenset[str] | None = None
    """None: all jobs, also those that are created later."""
    owner: str = ""
    """Only jobs of this owner; empty: of anyone."""

    def includes(self, job_id: str, owner: str) -> bool:
        return (self.job_ids is None or job_id in self.job_ids) and (not self.owner or owner == self.owner)


@dataclass(frozen=True, slots=True)
class HeldUntil:
    """Nothing may be sent before this time; then `take` is to be asked again."""

    time: float


class Backlog:
    """What one watcher is still to be sent. See the module's docstring for the rules."""

    def __init__(
        self,
        *,
        cursor: int,
        max_rate_hz: float = 0.0,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`cursor`: records up to this position are the watcher's already. `max_rate_hz` 0: no limit."""
        self._cursor = cursor
        self._interval_s = 1.0 / max_rate_hz if max_rate_hz else 0.0
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._values: dict[tuple[str, Ephemeral], Value] = {}
        self._not_before: dict[tuple[str, Ephemeral], float] = {}
        self._has_lost = False

    @property
    def next_record_position(self) -> int | None:
        return self._records[0].position if self._records else None

    @property
    def values_waiting(self) -> int:
        return len(self._values)

    def offer_durable(self, record: Record) -> None:
        """Adds a record, unless the watcher has it already. Positions come in growing order."""
        if self._has_lost or record.position <= self._cursor:
            return
        if self._records and (len(self._records) >= self._max_records or self._bytes >= self._max_bytes):
            self._lose()
            return
        self._cursor = record.position
        self._records.append(record)
        self._bytes += len(record.data)
        for kind in ENDS.get(record.kind, ()):
            self._values.pop((record.job_id, kind), None)
            if record.is_last:
                self._not_before.pop((record.job_id, kind), None)

    def offer_ephemeral(self, value: Value) -> None:
        """Puts a value in place of the one of its job and kind that waits, which keeps its turn."""
        if self._has_lost:
            return
        key = value.job_id, value.kind
        if value.kind is Ephemeral.PHASE:
            self._values.pop(key, None)  # else it would say "saving" in the turn of "sampling", before the last step
        self._values[key] = value

    def take(self, now: float) -> Record | Value | HeldUntil | None:
        """What to send next; None: nothing is left. `now` is of any clock that does not go back.

        Raises WatcherTooSlow, now and ever after, when the bound was exceeded.
        """
        if self._has_lost:
            raise WatcherTooSlow
        if self._records:
            record = self._records.popleft()
            self._bytes -= len(record.data)
            return record
        held_until: float | None = None
        for key, value in self._values.items():
            not_before = self._not_before.get(key, now)
            if not_before <= now:
                return self._take_value(key, value, now)
            held_until = not_before if held_until is None else min(held_until, not_before)
        return None if held_until is None else HeldUntil(held_until)

    def _take_value(self, key: tuple[str, Ephemeral], value: Value, now: float) -> Value:
        del self._values[key]
        if self._interval_s and value.kind in _RATE_LIMITED:
            self._not_before[key] = now + self._interval_s
        return value

    def _lose(self) -> None:
        self._has_lost = True
        self._records.clear()
        self._values.clear()
        self._not_before.clear()
        self._bytes = 0


# --- where to begin --------------------------------------------------------------------------------------------------


class Start(Enum):
    """How a watcher begins that brings no position."""

    NOW = "now"
    """It came without a token: a snapshot, then live."""
    EARLIEST = "earliest"
    """Every durable event from the first."""
    ELSEWHERE = "elsewhere"
    """Its token is of another data folder."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Send the stored records after this position."""

    after: int


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Send each job as it is now."""

    reset_reason: str | None = None
    """Why a reset comes first; None: none does."""


Plan: TypeAlias = Replay | Snapshots


def plan_replay(start: Start | int, *, first: int, horizon: int, newest: int) -> Plan:
    """How a watcher is brought up to date.

    `start` is the position that it has, or how it begins without one. `first` is the position of the first record of
    all that is watched (0: not known). Records up to `horizon` may be gone. `newest` is the newest position.
    """
    match start:
        case Start.NOW:
            return Snapshots()
        case Start.ELSEWHERE:
            return Snapshots("the token is from another data folder")
        case Start.EARLIEST:
            start = 0
        case _ if start > newest:
            # The folder was put back to an older copy: what the token names has not happened here.
            return Snapshots("the token is newer than the newest event")
    # Nothing of what is watched lies before its first record.
    after = max(start, first - 1)
    return Replay(after) if after >= horizon else Snapshots("events after the token are no longer kept")
