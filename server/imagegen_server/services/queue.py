"""QueueService."""

from collections.abc import Callable
from dataclasses import dataclass

from imagegen.v1 import queue_pb2 as pb
from imagegen_adapters.errors import Violation
from imagegen_server.errors import invalid, job_not_queued
from imagegen_server.jobs import JobState
from imagegen_server.ledger import Ledger
from imagegen_server.lifecycle import InvalidHappening
from imagegen_server.running.runner import Runner
from imagegen_server.services.present import Present
from imagegen_server.services.rpc import Context
from imagegen_server.services.views import JobViews
from imagegen_server.tokens import TokenCodec
from imagegen_server.wire.queue import decode_move, encode_entry

DEFAULT_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueService:
    ledger: Ledger
    runner: Runner
    present: Present
    views: JobViews
    tokens: TokenCodec
    clock: Callable[[], float]

    async def get_queue(self, _request: pb.GetQueueRequest, _: Context) -> pb.GetQueueResponse:
        return pb.GetQueueResponse(queue=self.present.queue())

    async def list_queue_entries(self, request: pb.ListQueueEntriesRequest, _: Context) -> pb.ListQueueEntriesResponse:
        owner = request.owner.strip()
        scope = f"queue {owner!r}"
        first = self.tokens.decode_page(request.page_token, scope) if request.page_token else 0
        jobs = [job for job in map(self.ledger.committed, self.runner.order()) if job is not None]
        if owner:
            jobs = [job for job in jobs if job.owner == owner]
        behind = first + (request.page_size or DEFAULT_PAGE_SIZE)
        places = self.runner.places()
        return pb.ListQueueEntriesResponse(
            entries=[encode_entry(job, places.get(job.job_id)) for job in jobs[first:behind]],
            next_page_token=self.tokens.encode_page(behind, scope) if behind < len(jobs) else "",
        )

    async def pause_queue(self, request: pb.PauseQueueRequest, _: Context) -> pb.PauseQueueResponse:
        await self.runner.control.pause(request.owner.strip())
        return pb.PauseQueueResponse(queue=self.present.queue())

    async def resume_queue(self, request: pb.ResumeQueueRequest, _: Context) -> pb.ResumeQueueResponse:
        await self.runner.control.resume(request.owner.strip())
        return pb.ResumeQueueResponse(queue=self.present.queue())

    async def move_job(self, request: pb.MoveJobRequest, _: Context) -> pb.MoveJobResponse:
        move = decode_move(request, self.clock())
        if move is not None and move.anchor:
            if move.anchor == request.job_id:
                raise invalid([Violation(str(request.WhichOneof("to")), "must name another job")])
            anchor = await self.ledger.get(move.anchor)
            if anchor.state is not JobState.QUEUED:
                raise job_not_queued(move.anchor)
        try:
            await self.runner.move(request.job_id, move)
        except InvalidHappening as error:
            raise job_not_queued(request.job_id) from error
        return pb.MoveJobResponse(job=await self.views.by_id(request.job_id))
