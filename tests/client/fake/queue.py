# ruff: noqa: N802  # the names of rpcs are the proto's
"""The jobs that have not begun, in the order in which they came or were moved."""

from typing import Any

from imagegen.v1 import queue_pb2
from imagegen.v1.job_pb2 import Job, WaitReason
from imagegen.v1.queue_pb2_grpc import QueueServiceServicer
from tests.client.fake.faults import NOT_QUEUED
from tests.client.fake.state import FakeServer


class FakeQueue(QueueServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def GetQueue(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetQueue", request, context)
        return queue_pb2.GetQueueResponse(queue=self._now())

    async def ListQueueEntries(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListQueueEntries", request, context)
        entries = [self._entry(job, place) for place, job in enumerate(self._server.waiting)]
        entries = [entry for entry in entries if not request.owner or entry.owner == request.owner]
        start, size = int(request.page_token or 0), request.page_size or 100
        more = str(start + size) if start + size < len(entries) else ""
        return queue_pb2.ListQueueEntriesResponse(entries=entries[start : start + size], next_page_token=more)

    async def PauseQueue(self, request: Any, context: Any) -> Any:
        await self._server.enter("PauseQueue", request, context)
        if request.owner:
            self._server.paused_owners.add(request.owner)
        else:
            self._server.is_paused = True
        return queue_pb2.PauseQueueResponse(queue=self._now())

    async def ResumeQueue(self, request: Any, context: Any) -> Any:
        await self._server.enter("ResumeQueue", request, context)
        if request.owner:
            self._server.paused_owners.discard(request.owner)
        else:
            self._server.is_paused = False
        return queue_pb2.ResumeQueueResponse(queue=self._now())

    async def MoveJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("MoveJob", request, context)
        order = [job.job_id for job in self._server.waiting]
        other = request.before_job_id or request.after_job_id
        if request.job_id not in order or (other and other not in order):
            await NOT_QUEUED.raise_in(context)
        order.remove(request.job_id)
        if other:
            place = order.index(other) + (1 if request.after_job_id else 0)
        else:
            place = 0 if request.end == queue_pb2.QUEUE_END_FIRST else len(order)
        order.insert(place, request.job_id)
        self._server.order = order
        job = Job()
        job.CopyFrom(self._server.records[request.job_id].job)
        job.queue.CopyFrom(self._entry(job, place).queue)
        return queue_pb2.MoveJobResponse(job=job)

    def _now(self) -> queue_pb2.Queue:
        return queue_pb2.Queue(
            paused=self._server.is_paused,
            paused_owners=sorted(self._server.paused_owners),
            queued=len(self._server.waiting),
            running=2,
        )

    def _entry(self, job: Job, place: int) -> queue_pb2.QueueEntry:
        entry = queue_pb2.QueueEntry(
            job_id=job.job_id,
            owner=job.owner,
            priority=job.spec.priority,
            model=job.spec.image.model,
            create_time=job.create_time,
            paused=job.paused,
        )
        entry.queue.ahead, entry.queue.length = place, len(self._server.waiting)
        if job.paused:
            entry.queue.reason = WaitReason.WAIT_REASON_PAUSED
        else:
            entry.queue.reason, entry.queue.backend = WaitReason.WAIT_REASON_TURN, "demo"
            entry.queue.start_eta.seconds = 40 * (place + 1)
        return entry
