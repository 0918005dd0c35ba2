"""Fans events out to watchers.

`publish` and `publish_ephemeral` neither wait nor fail because of a watcher: for each one they note a reference and set
a flag. What a watcher is owed, and what happens when it is slow, is decided in `history.Backlog`.

All of it belongs to one event loop.
"""

import asyncio
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from imagegen_server.errors import Refused
from imagegen_server.history import ENDS, Backlog, Ephemeral, HeldUntil, Payload, Record, Scope, Value
from imagegen_server.tokens import TokenCodec

MAX_WATCHERS = 5000


class ShuttingDown(Refused):
    """The server goes down."""

    def __init__(self) -> None:
        super().__init__("SHUTTING_DOWN", "the server is going down; resume with the newest token", retry_after_s=1.0)


class TooManyWatchers(Refused):
    """The limit of open streams is reached."""

    def __init__(self) -> None:
        super().__init__("TOO_MANY_WATCHERS", "too many streams are open; try again later", retry_after_s=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """An ephemeral value on its way to a watcher that has every durable event up to `position`."""

    value: Value
    position: int
    sequence: int
    token: str
    """Resume token of `position`."""

    def bytes_for(self, variant: Hashable = None) -> bytes:
        """The event as a serialized WatchJobResponse; encoded once for all watchers that are equally far."""
        return self.value.encoded(position=self.position, sequence=self.sequence, token=self.token, variant=variant)


@dataclass(slots=True)
class _LiveJob:
    owner: str
    sequence: int
    values: dict[Ephemeral, Value] = field(default_factory=dict)


class Hub:
    """Knows the watchers, and the newest ephemeral values of every job that has not ended."""

    def __init__(self, tokens: TokenCodec, *, position: int, max_watchers: int = MAX_WATCHERS) -> None:
        """`position` is that of the newest stored record."""
        self._tokens = tokens
        self._position = position
        self._token = tokens.encode(position)
        self._max_watchers = max_watchers
        self._jobs: dict[str, _LiveJob] = {}
        self._watchers: set[Watcher] = set()
        self._of_all: set[Watcher] = set()
        self._of_job: dict[str, set[Watcher]] = {}
        self._is_draining = False

    @property
    def position(self) -> int:
        """Position of the newest published record."""
        return self._position

    @property
    def token(self) -> str:
        """Resume token of `position`."""
        return self._token

    def token_at(self, position: int) -> str:
        return self._token if position == self._position else self._tokens.encode(position)

    @property
    def is_draining(self) -> bool:
        """Whether the server goes down."""
        return self._is_draining

    @property
    def watcher_count(self) -> int:
        return len(self._watchers)

    def adopt(self, job_id: str, *, owner: str, sequence: int) -> None:
        """Makes a job known whose newest record was published by an earlier process."""
        self._jobs[job_id] = _LiveJob(owner, sequence)

    def publish(self, record: Record) -> None:
        """Tells about a record that is stored. Positions must grow."""
        assert record.position > self._position
        self._position = record.position
        self._token = self._tokens.encode(record.position)
        self._note(record)
        for watcher in self._watchers_of(record.job_id, record.owner):
            watcher.offer_durable(record)

    def publish_ephemeral(self, job_id: str, kind: Ephemeral, payload: Payload) -> None:
        """Replaces the job's value of this kind. Ignored once the job has ended."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        value = Value(job_id=job_id, owner=job.owner, kind=kind, payload=payload)
        job.values[kind] = value
        for watcher in self._watchers_of(job_id, job.owner):
            watcher.offer_ephemeral(value)

    def newest(self, job_id: str) -> Mapping[Ephemeral, Payload]:
        """The newest values of a job; none when it has ended."""
        job = self._jobs.get(job_id)
        return {} if job is None else {kind: value.payload for kind, value in job.values.items()}

    @contextmanager
    def watch(self, scope: Scope, *, max_rate_hz: float = 0.0) -> "Iterator[Watcher]":
        """A watcher of what is published from now on, with the newest values waiting already.

        Raises ShuttingDown or TooManyWatchers.
        """
        if self._is_draining:
            raise ShuttingDown
        if len(self._watchers) >= self._max_watchers:
            raise TooManyWatchers
        watcher = Watcher(self, scope, Backlog(cursor=self._position, max_rate_hz=max_rate_hz))
        for job_id, job in self._jobs.items() if scope.job_ids is None else self._known(scope.job_ids):
            if scope.includes(job_id, job.owner):
                for value in job.values.values():
                    watcher.offer_ephemeral(value)
        self._add(watcher)
        try:
            yield watcher
        finally:
            self._remove(watcher)

    def drain(self) -> None:
        """Ends every watcher, and lets no new one in: they get ShuttingDown."""
        self._is_draining = True
        for watcher in self._watchers:
            watcher.end()

    def latest(self, value: Value) -> Latest:
        """The value as it goes to a watcher that has every record that was published."""
        job = self._jobs[value.job_id]
        return Latest(value=value, position=self._position, sequence=job.sequence, token=self._token)

    def _note(self, record: Record) -> None:
        if record.is_last:
            self._jobs.pop(record.job_id, None)
            return
        job = self._jobs.setdefault(record.job_id, _LiveJob(record.owner, 0))
        job.sequence = record.sequence
        for kind in ENDS.get(record.kind, ()):
            job.values.pop(kind, None)

    def _watchers_of(self, job_id: str, owner: str) -> "Iterator[Watcher]":
        for watcher in self._of_all:
            if watcher.scope.includes(job_id, owner):
                yield watcher
        for watcher in self._of_job.get(job_id, ()):
            if watcher.scope.includes(job_id, owner):
                yield watcher

    def _known(self, job_ids: frozenset[str]) -> "Iterator[tuple[str, _LiveJob]]":
        for job_id in job_ids:
            if job_id in self._jobs:
                yield job_id, self._jobs[job_id]

    def _add(self, watcher: "Watcher") -> None:
        self._watchers.add(watcher)
        if watcher.scope.job_ids is None:
            self._of_all.add(watcher)
        for job_id in watcher.scope.job_ids or ():
            self._of_job.setdefault(job_id, set()).add(watcher)

    def _remove(self, watcher: "Watcher") -> None:
        self._watchers.discard(watcher)
        self._of_all.discard(watcher)
        for job_id in watcher.scope.job_ids or ():
            self._of_job[job_id].discard(watcher)
            if not self._of_job[job_id]:
                del self._of_job[job_id]


class Watcher:
    """One watcher's end of the hub. For one consumer."""

    def __init__(self, hub: Hub, scope: Scope, backlog: Backlog) -> None:
        self.scope = scope
        self.position = hub.position
        """Position when it was registered: what was published later comes from here, the rest from the store."""
        self._hub = hub
        self._backlog = backlog
        self._wake = asyncio.Event()
        self._has_ended = False

    @property
    def token(self) -> str:
        """Resume token of all that was taken, for whoever has what the store holds up to `self.position`."""
        waiting = self._backlog.next_record_position
        return self._hub.token if waiting is None else self._hub.token_at(waiting - 1)

    @property
    def values_waiting(self) -> int:
        """How many ephemeral values wait."""
        return self._backlog.values_waiting

    def take(self) -> Record | Latest | None:
        """What to send next, if there is anything. Raises ShuttingDown or WatcherTooSlow."""
        item = self._take()
        return None if isinstance(item, HeldUntil) else item

    async def next(self) -> Record | Latest:
        """Waits for what to send next. Nothing is lost when it is cancelled. Raises as `take`."""
        loop = asyncio.get_running_loop()
        while True:
            # Cleared before looking: what is offered in between sets it again.
            self._wake.clear()
            item = self._take()
            if isinstance(item, HeldUntil):
                alarm = loop.call_at(item.time, self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    alarm.cancel()
            elif item is None:
                await self._wake.wait()
            else:
                return item

    def offer_durable(self, record: Record) -> None:
        self._backlog.offer_durable(record)
        self._wake.set()

    def offer_ephemeral(self, value: Value) -> None:
        self._backlog.offer_ephemeral(value)
        self._wake.set()

    def end(self) -> None:
        """From now on the watcher gets ShuttingDown."""
        self._has_ended = True
        self._wake.set()

    def _take(self) -> Record | Latest | HeldUntil | None:
        if self._has_ended:
            raise ShuttingDown
        item = self._backlog.take(asyncio.get_running_loop().time())
        return self._hub.latest(item) if isinstance(item, Value) else item
