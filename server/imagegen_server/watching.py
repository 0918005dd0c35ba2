"""What one stream of events sends, from its first item to its end.

Register, note the position, replay the store up to it, flush what queued meanwhile, say so, go on live: no gap and no
duplicate, at whichever item the stream breaks and is resumed with its newest token.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from imagegen_server.errors import job_not_found
from imagegen_server.history import Plan, Record, Replay, Scope, Start, plan_replay
from imagegen_server.hub import Hub, Latest, Watcher
from imagegen_server.jobs import Job
from imagegen_server.ledger import Ledger
from imagegen_server.stores.store import Store, StoredJob
from imagegen_server.tokens import TokenCodec

EARLIEST = "earliest"
HEARTBEAT_S = 15.0
_REPLAY_PAGE = 200


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
    if not resume_token:
        return Start.NOW
    if resume_token == EARLIEST:
        return Start.EARLIEST
    position = tokens.decode(resume_token)
    return Start.ELSEWHERE if position is None else position


@asynccontextmanager
async def watch(
    scope: Scope,
    start: Start | int,
    *,
    ledger: Ledger,
    hub: Hub,
    store: Store,
    max_rate_hz: float = 0.0,
    heartbeat_s: float = HEARTBEAT_S,
) -> AsyncIterator[AsyncIterator[Item]]:
    """The items of one stream, in order.

    With `scope.job_ids` it ends after the last `completed`; a job that had ended already when the watcher came without
    a token gives its snapshot and its `completed`. Without job ids it goes on.
    Raises TooManyWatchers or ShuttingDown at once. Iteration is refused as JOB_NOT_FOUND before the first item, and
    raises WatcherTooSlow, ShuttingDown or StoreError at any.
    """
    with hub.watch(scope, max_rate_hz=max_rate_hz) as watcher:
        stream = _Stream(scope, watcher, ledger=ledger, hub=hub, store=store)
        async with aclosing(stream.items(start, heartbeat_s)) as items:
            yield items


class _Stream:
    """One stream. Made in the moment in which its watcher registers, so that jobs and position belong together."""

    def __init__(self, scope: Scope, watcher: Watcher, *, ledger: Ledger, hub: Hub, store: Store) -> None:
        self._scope = scope
        self._watcher = watcher
        self._hub = hub
        self._store = store
        self._live = ledger.unfinished(scope)
        self._first_position = min(
            (ledger.first_position(job.job_id) for job in self._live), default=watcher.position + 1
        )
        """Nothing of the live jobs lies before it."""
        self._open_ids = {job.job_id for job in self._live}
        """Jobs whose `completed` is still to come from the watcher."""

    async def items(self, start: Start | int, heartbeat_s: float) -> AsyncGenerator[Item, None]:
        has_completed = False
        async for item in self._missed(start):
            yield item
            has_completed = self._note(item)
        if not self._is_over:
            async for item in self._waiting():
                yield item
                has_completed = self._note(item)
        if self._is_over and has_completed:
            return
        yield CaughtUp(self._watcher.token)
        while not self._is_over:
            item = await self._next(heartbeat_s)
            yield item
            self._note(item)

    async def _missed(self, start: Start | int) -> AsyncGenerator[Item, None]:
        ended = await self._ended_jobs()
        plan = await self._plan(start, ended)
        while isinstance(plan, Replay):
            page = await self._store.events_after(
                plan.after, self._scope, until=self._watcher.position, limit=_REPLAY_PAGE
            )
            # Asked again behind the page: what it lacks has been forgotten by then.
            plan = await self._plan(plan.after, ended)
            if isinstance(plan, Replay):
                for record in page:
                    yield record
                if len(page) < _REPLAY_PAGE:
                    return
                plan = Replay(page[-1].position)
        if plan.reset_reason is not None:
            yield Reset(plan.reset_reason)
        for snapshot in self._snapshots(ended):
            yield snapshot
        async for record in self._last_records(ended):
            yield record

    async def _waiting(self) -> AsyncGenerator[Record | Latest, None]:
        """What queued meanwhile, and the newest values; bounded, so that a slow watcher gets to its caught_up."""
        values_left = self._watcher.values_waiting
        while not self._is_over and (item := self._watcher.take()) is not None:
            yield item
            if isinstance(item, Latest):
                values_left -= 1
                if values_left <= 0:
                    return

    async def _next(self, heartbeat_s: float) -> Item:
        item = self._watcher.take()
        if item is not None:
            return item
        try:
            async with asyncio.timeout(heartbeat_s):
                return await self._watcher.next()
        except TimeoutError:
            # Something may have come between the alarm and now.
            return self._watcher.take() or Heartbeat(self._watcher.token)

    # --- what was missed ---

    async def _ended_jobs(self) -> list[StoredJob]:
        """Jobs that the scope names and that had ended before the watcher came, in the order of their ends."""
        ended = []
        for job_id in (self._scope.job_ids or frozenset()) - self._open_ids:
            stored = await self._store.get_job(job_id)
            if stored is None:
                raise job_not_found(job_id)
            if not self._scope.includes(job_id, stored.job.owner):
                continue
            if stored.end_position is not None and stored.end_position <= self._watcher.position:
                ended.append(stored)
            else:
                # It was stored just now: all of its events come from the watcher.
                self._open_ids.add(job_id)
        return sorted(ended, key=_end_position)

    async def _plan(self, start: Start | int, ended: Sequence[StoredJob]) -> Plan:
        first = 0
        if self._scope.job_ids is not None:
            first = min([self._first_position, *(stored.first_position for stored in ended)])
        horizon = await self._store.horizon(self._scope)
        return plan_replay(start, first=first, horizon=horizon, newest=self._watcher.position)

    def _snapshots(self, ended: Sequence[StoredJob]) -> Iterator[Snapshot]:
        # The `completed` of ended jobs follow the snapshots, so the token names a position before all of these.
        position = min([self._watcher.position, *(_end_position(stored) - 1 for stored in ended)])
        jobs = [*(stored.job for stored in ended), *self._live]
        for number, job in enumerate(jobs, start=1):
            yield Snapshot(job, self._hub.token_at(position) if number == len(jobs) else "")

    async def _last_records(self, ended: Sequence[StoredJob]) -> AsyncGenerator[Record, None]:
        for stored in ended:
            scope = Scope(job_ids=frozenset({stored.job.job_id}))
            for record in await self._store.events_after(_end_position(stored) - 1, scope, limit=1):
                yield record

    # --- the end ---

    def _note(self, item: Item) -> bool:
        """Whether the item is a `completed`."""
        if isinstance(item, Record) and item.is_last:
            self._open_ids.discard(item.job_id)
            return True
        return False

    @property
    def _is_over(self) -> bool:
        return self._scope.job_ids is not None and not self._open_ids


def _end_position(stored: StoredJob) -> int:
    assert stored.end_position is not None
    return stored.end_position
