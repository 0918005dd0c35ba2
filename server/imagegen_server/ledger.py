"""The one place where a job changes.

`apply` decides by the table in `jobs`, stores job and events in one transaction, and publishes the events after the
commit, in order. What others read is the job as of the last commit, so nobody sees what a crash could take back.

When a write fails, everything that was decided on top of it is taken back, those who wait get StoreError, and nothing
of it is published. Finished jobs are not kept in memory.
"""

from collections.abc import Callable

from imagegen_server.history import Scope
from imagegen_server.hub import Hub
from imagegen_server.jobs import DurableEvent, Happening, Job
from imagegen_server.stores.store import Store
from imagegen_server.tokens import TokenCodec


EncodeEvent = Callable[[DurableEvent, str], bytes]
"""(event, its resume token) to a serialized WatchJobResponse."""


class Ledger:
    """Owns every job. Belongs to one event loop. Made by `open`."""

    @classmethod
    async def open(
        cls, store: Store, hub: Hub, *, tokens: TokenCodec, encode_event: EncodeEvent, clock: Callable[[], float]
    ) -> "Ledger":
        """Loads the jobs that have not ended. `clock` gives seconds since the Unix epoch."""
        raise NotImplementedError

    async def create(self, job: Job, request_digest: bytes = b"") -> tuple[Job, bool]:
        """Stores a new job (QUEUED, sequence 0) and gives it as it is then, and False.

        If the owner has used the `request_id` before, gives that job as it is now, and True; refused as
        REQUEST_ID_REUSED if that was for another `request_digest`. Raises StoreError.
        """
        raise NotImplementedError

    async def apply(self, job_id: str, happening: Happening) -> Job:
        """What happened to the job; gives the job after it, once that is stored.

        Refused: JOB_NOT_FOUND. Raises InvalidHappening, StoreError. Cancelling the wait takes nothing back.
        """
        raise NotImplementedError

    def unfinished(self, scope: Scope | None = None) -> list[Job]:
        """The jobs that have not ended, in order of creation, as of the last commit."""
        raise NotImplementedError

    def committed(self, job_id: str) -> Job | None:
        """The job as of the last commit, if it has not ended."""
        raise NotImplementedError

    def snapshot(self, job_id: str) -> tuple[Job, str] | None:
        """Job and resume token that belong together, if the job has not ended."""
        raise NotImplementedError

    async def get(self, job_id: str) -> Job:
        """The job as of the last commit, ended or not. Refused: JOB_NOT_FOUND."""
        raise NotImplementedError

    async def delete(self, job_id: str) -> None:
        """Forgets a job that has ended, with its events. Refused: JOB_NOT_FOUND, JOB_NOT_FINISHED."""
        raise NotImplementedError
