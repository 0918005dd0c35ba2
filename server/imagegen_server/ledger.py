"""The one place where a job changes.

`apply` decides by the table in `lifecycle`, stores job and events in one transaction, and publishes the events after
the commit, in order. What others read is the job as of the last commit, so nobody sees what a crash could take back.

When a write fails, everything that was decided on top of it is taken back, those who wait get StoreError, and nothing
of it is published. Jobs that have ended are not kept in memory.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imagegen_adapters.contract import Planned, Warned
from imagegen_server import lifecycle
from imagegen_server.changes import Changes, Topic
from imagegen_server.errors import job_not_finished, job_not_found, request_id_reused
from imagegen_server.happenings import (
    AttemptFailed,
    AttemptStarted,
    Completed,
    Durable,
    DurableEvent,
    Happening,
    JobUpdated,
    StateChanged,
)
from imagegen_server.history import Record, Scope
from imagegen_server.hub import Hub
from imagegen_server.jobs import Job, Output
from imagegen_server.stores.store import JobWrite, Store, StoredJob, StoreError
from imagegen_server.tokens import TokenCodec

EncodeEvent = Callable[[DurableEvent, str], bytes]
"""(event, its resume token) to a serialized WatchJobResponse."""

KINDS: dict[type[Durable], str] = {
    StateChanged: "state_changed",
    AttemptStarted: "attempt_started",
    AttemptFailed: "attempt_failed",
    Planned: "plan",
    Output: "output_ready",
    Warned: "warning",
    JobUpdated: "updated",
    Completed: "completed",
}
"""The names of durable events in the oneof of `imagegen.v1.JobEvent`."""


@dataclass(slots=True, eq=False)
class _Entry:
    """A job that has not ended, with what is on its way."""

    request_digest: bytes
    first_position: int
    newest: Job
    """With what is on its way to the disk."""
    committed: Job | None = None
    """As of the last commit; None: not stored yet."""
    last_write: asyncio.Future[Job] | None = None
    """The newest write that is on its way."""


class Ledger:
    """Owns every job. Belongs to one event loop. Made by `open`."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        *,
        tokens: TokenCodec,
        encode_event: EncodeEvent,
        clock: Callable[[], float],
        changes: Changes | None = None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._changes = changes or Changes()
        self._tokens = tokens
        self._encode_event = encode_event
        self._clock = clock
        self._position = hub.position
        self._entries: dict[str, _Entry] = {}
        self._requests: dict[tuple[str, str], _Entry] = {}

    @classmethod
    async def open(
        cls,
        store: Store,
        hub: Hub,
        *,
        tokens: TokenCodec,
        encode_event: EncodeEvent,
        clock: Callable[[], float],
        changes: Changes | None = None,
    ) -> "Ledger":
        """Loads the jobs that have not ended. `clock` gives seconds since the Unix epoch."""
        ledger = cls(store, hub, tokens=tokens, encode_event=encode_event, clock=clock, changes=changes)
        for stored in await store.unfinished_jobs():
            ledger._adopt(stored)
        return ledger

    async def create(self, job: Job, request_digest: bytes = b"") -> tuple[Job, bool]:
        """Stores a new job (QUEUED, sequence 0) and gives it as it is then, and False.

        If the owner has used the `request_id` before, gives that job as it is now, and True; refused as
        REQUEST_ID_REUSED if that was for another `request_digest`. Raises StoreError.
        """
        if job.request_id:
            known = await self._find_request(job)
            if known is not None:
                return await self._replay(job.request_id, known, request_digest), True
        return await asyncio.shield(self._create(job, request_digest)), False

    async def apply(self, job_id: str, happening: Happening) -> Job:
        """What happened to the job; gives the job after it, once that is stored.

        Refused: JOB_NOT_FOUND. Raises InvalidHappening, StoreError. Cancelling the wait takes nothing back.
        """
        entry = self._entries.get(job_id)
        if entry is None:
            ended = await self.get(job_id)
            return lifecycle.apply(ended, happening, self._clock())[0]
        job, events = lifecycle.apply(entry.newest, happening, self._clock())
        if job is entry.newest:
            return await self._settled(entry)
        return await asyncio.shield(self._write(entry, job, events))

    def unfinished(self, scope: Scope | None = None) -> list[Job]:
        """The jobs that have not ended, in order of creation, as of the last commit."""
        jobs_now = [entry.committed for entry in self._entries.values() if entry.committed is not None]
        return [job for job in jobs_now if scope is None or scope.includes(job.job_id, job.owner)]

    def committed(self, job_id: str) -> Job | None:
        """The job as of the last commit, if it has not ended."""
        entry = self._entries.get(job_id)
        return None if entry is None else entry.committed

    def first_position(self, job_id: str) -> int:
        """Position of the first record of a job that has not ended."""
        return self._entries[job_id].first_position

    def snapshot(self, job_id: str) -> tuple[Job, str] | None:
        """Job and resume token that belong together, if the job has not ended."""
        job = self.committed(job_id)
        return None if job is None else (job, self._hub.token)

    async def get(self, job_id: str) -> Job:
        """The job as of the last commit, ended or not. Refused: JOB_NOT_FOUND."""
        job = self.committed(job_id)
        if job is not None:
            return job
        stored = await self._store.get_job(job_id)
        if stored is None:
            raise job_not_found(job_id)
        return stored.job

    async def delete(self, job_id: str) -> None:
        """Forgets a job that has ended, with its events. Refused: JOB_NOT_FOUND, JOB_NOT_FINISHED."""
        if job_id in self._entries:
            raise job_not_finished(job_id)
        if not await self.forget([job_id]):
            raise job_not_found(job_id)

    async def forget(self, job_ids: Sequence[str]) -> int:
        """Forgets those of the jobs that have ended, with their events. Gives how many."""
        forgotten = await self._store.delete_ended(job_ids)
        for job_id in job_ids if forgotten else ():
            self._changes.tell(Topic.JOBS, job_id)
        return forgotten

    # --- requests that come twice ---

    async def _find_request(self, job: Job) -> _Entry | StoredJob | None:
        key = (job.owner, job.request_id)
        known = self._requests.get(key) or await self._store.find_request(*key)
        # Another call with the same id may have come first while the store was asked.
        return known or self._requests.get(key)

    async def _replay(self, request_id: str, known: _Entry | StoredJob, request_digest: bytes) -> Job:
        if known.request_digest != request_digest:
            raise request_id_reused(request_id)
        return known.job if isinstance(known, StoredJob) else await self._settled(known)

    # --- writing ---

    def _adopt(self, stored: StoredJob) -> None:
        job = stored.job
        entry = _Entry(stored.request_digest, stored.first_position, job, committed=job)
        self._enter(entry)
        self._hub.adopt(job.job_id, owner=job.owner, sequence=job.sequence)

    def _create(self, job: Job, request_digest: bytes) -> asyncio.Future[Job]:
        job, events = lifecycle.create(job)
        entry = _Entry(request_digest, self._position + 1, job)
        future = self._write(entry, job, events, is_new=True)
        self._enter(entry)
        return future

    def _write(
        self, entry: _Entry, job: Job, events: tuple[DurableEvent, ...], *, is_new: bool = False
    ) -> asyncio.Future[Job]:
        """Submits without waiting, so that writes go out in the order of their decisions.

        Await the future through a shield: whoever stops waiting must not end it for others.
        """
        records = tuple(self._record(job, event) for event in events)
        write = JobWrite(
            job=job,
            records=records,
            is_new=is_new,
            request_digest=entry.request_digest if is_new else b"",
        )
        future: asyncio.Future[Job] = asyncio.get_running_loop().create_future()
        self._store.submit(write, lambda error: self._settle(entry, write, future, error))
        entry.newest, entry.last_write = job, future
        return future

    def _record(self, job: Job, event: DurableEvent) -> Record:
        # A position is never used twice, not even one whose write failed: its token could be known.
        self._position += 1
        return Record(
            position=self._position,
            job_id=job.job_id,
            owner=job.owner,
            sequence=event.sequence,
            kind=KINDS[type(event.payload)],
            data=self._encode_event(event, self._tokens.encode(self._position)),
        )

    def _settle(self, entry: _Entry, write: JobWrite, future: asyncio.Future[Job], error: StoreError | None) -> None:
        if error is None:
            self._commit(entry, write)
            future.set_result(write.job)
        else:
            self._take_back(entry)
            future.set_exception(error)

    def _commit(self, entry: _Entry, write: JobWrite) -> None:
        entry.committed = write.job
        if write.job.state.is_final:
            self._leave(entry)
        for record in write.records:
            self._hub.publish(record)
        self._changes.tell(Topic.QUEUE)

    def _take_back(self, entry: _Entry) -> None:
        # Every write that was on its way has failed with this one, so the last commit is where things are.
        if entry.committed is None:
            self._leave(entry)
        else:
            entry.newest = entry.committed

    async def _settled(self, entry: _Entry) -> Job:
        """The job once all that was decided is stored."""
        if entry.last_write is not None and not entry.last_write.done():
            return await asyncio.shield(entry.last_write)
        return entry.newest

    def _enter(self, entry: _Entry) -> None:
        job = entry.newest
        self._entries[job.job_id] = entry
        if job.request_id:
            self._requests[job.owner, job.request_id] = entry

    def _leave(self, entry: _Entry) -> None:
        job = entry.newest
        self._entries.pop(job.job_id, None)
        self._requests.pop((job.owner, job.request_id), None)
