"""The calls of QueueService."""

from collections.abc import AsyncIterator

from imagegen.v1.job_pb2 import Job
from imagegen.v1.queue_pb2 import (
    GetQueueRequest,
    ListQueueEntriesRequest,
    MoveJobRequest,
    PauseQueueRequest,
    Queue,
    QueueEnd,
    QueueEntry,
    ResumeQueueRequest,
)
from imagegen_client.calls.connection import Connection


class QueueCalls(Connection):
    """What waits, and in which order."""

    async def queue(self) -> Queue:
        """The queue in numbers."""
        return (await self._call(self._queue.GetQueue, GetQueueRequest())).queue

    async def queue_entries(self, *, owner: str = "", page_size: int = 0) -> AsyncIterator[QueueEntry]:
        """The jobs that wait, next one first; pages are fetched as the iteration gets there.

        The order changes meanwhile: between pages a job may come twice, or not at all.
        """
        request = ListQueueEntriesRequest(owner=owner, page_size=page_size)
        while True:
            page = await self._call(self._queue.ListQueueEntries, request)
            for entry in page.entries:
                yield entry
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def pause_queue(self, *, owner: str = "") -> Queue:
        """Starts no more jobs, of one owner or at all; what runs goes on."""
        return (await self._call(self._queue.PauseQueue, PauseQueueRequest(owner=owner))).queue

    async def resume_queue(self, *, owner: str = "") -> Queue:
        """Starts jobs again. An owner that was paused by name stays so until it is resumed by name."""
        return (await self._call(self._queue.ResumeQueue, ResumeQueueRequest(owner=owner))).queue

    async def move_job(
        self, job_id: str, *, first: bool = False, last: bool = False, before: str = "", after: str = ""
    ) -> Job:
        """Moves a job that waits: to an end of the queue, or right before or after another job that waits.

        Raises ValueError unless exactly one place is given, and NotPossible for a job that does not wait.
        """
        if sum(map(bool, (first, last, before, after))) != 1:
            raise ValueError("say one place: first, last, before or after")
        request = MoveJobRequest(job_id=job_id)
        if before:
            request.before_job_id = before
        elif after:
            request.after_job_id = after
        else:
            request.end = QueueEnd.QUEUE_END_FIRST if first else QueueEnd.QUEUE_END_LAST
        return (await self._call(self._queue.MoveJob, request)).job
