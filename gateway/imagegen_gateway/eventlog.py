"""What an upstream has said, kept for watchers that come later or read slowly.

1. Lossless records (durable events, snapshots, resets) are kept in order, at most MAX_RECORDS or MAX_BYTES of them;
   a watcher that still needs an older one has lost and must resume by its token.
2. Of ephemeral events the newest per job and kind is kept, until a durable event makes it untrue (ENDS). It is always
   stamped with the newest durable sequence and token: whoever goes on from it misses nothing and gets nothing twice.
3. A durable event is taken once: what an upstream repeats after a reconnect is dropped by its sequence.
"""

from collections import deque
from collections.abc import Iterator
from typing import TypeVar

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.records import DURABLE, EPHEMERAL, Record, kind_of

MAX_RECORDS = 1000
MAX_BYTES = 16 * 1024 * 1024
MAX_TOKENS = 4096
MAX_JOBS = 10_000
"""Jobs of one log whose sequences are remembered: repeats come soon after a reconnect or not at all."""
FINAL_STATES = frozenset(
    {
        job_pb2.JOB_STATE_SUCCEEDED,
        job_pb2.JOB_STATE_FAILED,
        job_pb2.JOB_STATE_CANCELLED,
        job_pb2.JOB_STATE_EXPIRED,
    },
)
ENDS: dict[str, frozenset[str]] = {
    "snapshot": EPHEMERAL,
    "attempt_started": EPHEMERAL,
    "attempt_failed": EPHEMERAL,
    "output_ready": frozenset({"preview"}),
    "completed": EPHEMERAL,
}
"""Which ephemeral events of its job a lossless one makes untrue."""

Value = TypeVar("Value")


class Trimmed(Exception):
    """The watcher needs records that are no longer kept."""


class EventLog:
    """The records of one upstream: of one job, or of many jobs for one watcher."""

    def __init__(
        self,
        inline_max_bytes: int,
        *,
        job_id: str = "",
        max_pixels: int = 0,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`job_id` is the only job of the log; empty: there are many."""
        self._job_id = job_id
        self._inline_max_bytes = inline_max_bytes
        self._max_pixels = max_pixels
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._latest: dict[tuple[str, str], Record] = {}
        self._sequences: dict[str, int] = {}
        self._completed: dict[str, None] = {}
        self._tokens: dict[str, int] = {}
        self._versions = 0
        self._trimmed_to = 0
        self._snapshot_start: int | None = None
        self._caught_up: Record | None = None
        self.newest = 0
        """Position of the newest lossless record."""
        self.token = ""
        """The newest resume token."""
        self.is_caught_up = False
        """Whether the upstream has said all that lay before it was opened."""
        self.job: job_pb2.Job | None = None
        """The job as it was last told whole; of a stream of many jobs any of them."""
        self.state: job_pb2.JobState.ValueType = job_pb2.JOB_STATE_UNSPECIFIED
        """State of the only job."""
        self.is_completed = False
        """Whether the job has completed; of a stream of many jobs whether any has."""

    @property
    def sequence(self) -> int:
        """Number of the newest durable event of the only job; 0 for a log of many."""
        return self._sequences.get(self._job_id, 0)

    @property
    def is_of_one_job(self) -> bool:
        """Whether there is an only job."""
        return bool(self._job_id)

    @property
    def has_final_job(self) -> bool:
        """Whether the only job has ended, as far as it was told."""
        return self.is_of_one_job and self.job is not None and self.job.state in FINAL_STATES

    def add(self, event: event_pb2.JobEvent) -> Record | None:
        """Takes an event; None when watchers need not be told."""
        kind = kind_of(event)
        if kind in DURABLE:
            return self._add_durable(event, kind)
        match kind:
            case "snapshot":
                return self._add_snapshot(event)
            case "reset":
                self._forget_tokens()
                return self._append(event, kind)
            case _ if kind in EPHEMERAL:
                self._remember_token(event.resume_token)
                return self._replace(event, kind)
            case _:  # caught_up, heartbeat, or an event of a newer server
                self._remember_token(event.resume_token)
                self.is_caught_up = self.is_caught_up or kind == "caught_up"
                return None

    def start_of(self, token: str) -> int | None:
        """The position after which a watcher with this token goes on; None when it is not known here.

        Without a token it is the position before the newest snapshot.
        """
        position = self._tokens.get(token) if token else self._snapshot_start
        return None if position is None or position < self._trimmed_to else position

    def after(self, position: int) -> list[Record]:
        """The lossless records after `position`, in order. Raises Trimmed when some of them are gone."""
        if position < self._trimmed_to:
            raise Trimmed
        if position >= self.newest:
            return []
        behind = list(self._backwards_to(position))
        behind.reverse()
        return behind

    def latest(self) -> list[Record]:
        """The newest ephemeral events, stamped with the newest durable sequence and token."""
        for key, record in self._latest.items():
            if record.event.resume_token != self.token:
                self._latest[key] = self._stamped(record)
        return list(self._latest.values())

    def latest_preview(self) -> Record | None:
        """The newest preview of a log of one job."""
        return next((record for (_, kind), record in self._latest.items() if kind == "preview"), None)

    def caught_up(self) -> Record:
        """A caught_up event for a watcher that has all up to now."""
        if self._caught_up is None or self._caught_up.event.resume_token != self.token:
            event = event_pb2.JobEvent(job_id=self._job_id, sequence=self.sequence, resume_token=self.token)
            event.time.GetCurrentTime()
            event.caught_up.SetInParent()
            self._caught_up = Record(event, "caught_up", self.newest, self._inline_max_bytes)
        return self._caught_up

    def _add_durable(self, event: event_pb2.JobEvent, kind: str) -> Record | None:
        known = self._sequences.get(event.job_id, 0)
        # A job that had ended before the snapshot may be told as completed with the snapshot's own sequence.
        is_late_end = kind == "completed" and event.sequence == known and event.job_id not in self._completed
        if event.sequence <= known and not is_late_end:
            return None
        _keep(self._sequences, event.job_id, event.sequence, MAX_JOBS)
        if kind == "completed":
            _keep(self._completed, event.job_id, None, MAX_JOBS)
            self.is_completed = True
            self.job = event.completed.job
            self.state = self.job.state
        elif kind == "state_changed":
            self.state = event.state_changed.to
        return self._append(event, kind)

    def _add_snapshot(self, event: event_pb2.JobEvent) -> Record:
        self.job = event.snapshot
        self.state = self.job.state
        _keep(self._sequences, event.job_id, event.sequence, MAX_JOBS)
        if self._snapshot_start is None:
            self._snapshot_start = self.newest
        return self._append(event, "snapshot")

    def _append(self, event: event_pb2.JobEvent, kind: str) -> Record:
        self.newest += 1
        record = Record(event, kind, self.newest, self._inline_max_bytes)
        self._records.append(record)
        self._bytes += event.ByteSize()
        self._remember_token(event.resume_token)
        for ended in ENDS.get(kind, ()):
            self._latest.pop((event.job_id, ended), None)
        while len(self._records) > 1 and (len(self._records) > self._max_records or self._bytes > self._max_bytes):
            gone = self._records.popleft()
            self._bytes -= gone.event.ByteSize()
            self._trimmed_to = gone.position
        return record

    def _replace(self, event: event_pb2.JobEvent, kind: str) -> Record:
        self._versions += 1
        record = Record(event, kind, self._versions, self._inline_max_bytes, self._max_pixels)
        self._latest[event.job_id, kind] = record
        return record

    def _stamped(self, record: Record) -> Record:
        event = event_pb2.JobEvent()
        event.CopyFrom(record.event)
        event.resume_token = self.token
        event.sequence = self._sequences.get(event.job_id, event.sequence)
        return Record(event, record.kind, record.position, self._inline_max_bytes, self._max_pixels)

    def _backwards_to(self, position: int) -> Iterator[Record]:
        for record in reversed(self._records):
            if record.position <= position:
                return
            yield record

    def _remember_token(self, token: str) -> None:
        if token:
            self.token = token
            if token not in self._tokens:
                _keep(self._tokens, token, self.newest, MAX_TOKENS)

    def _forget_tokens(self) -> None:
        self._tokens.clear()
        self._sequences.clear()
        self._completed.clear()
        self._snapshot_start = None
        self._latest.clear()


def _keep(entries: dict[str, Value], key: str, value: Value, limit: int) -> None:
    """Adds to a dictionary that forgets its oldest keys."""
    entries[key] = value
    if len(entries) > limit:
        del entries[next(iter(entries))]
