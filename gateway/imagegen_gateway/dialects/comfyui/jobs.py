"""The jobs behind prompts: found, counted, ended and forgotten, each owner's own."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import TYPE_CHECKING, Final

import grpc

from imagegen.v1 import image_gen_pb2, image_gen_pb2_grpc, job_pb2, queue_pb2, queue_pb2_grpc
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.comfyui.endings import CLIENT_ID, DIALECT, PROMPT_ID, has_begun
from imagegen_gateway.errors import from_rpc
from imagegen_gateway.eventlog import FINAL_STATES

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub
    from imagegen.v1.queue_pb2_grpc import QueueServiceAsyncStub

OURS: Final = f"{DIALECT}=comfyui"
PAGE_SIZE: Final = 15
"""Graphs have up to 4 MB, and an answer of the server at most 64."""
MAX_GRAPH_CHARS: Final = 16 * 1024 * 1024
"""Graphs in one answer about history: older prompts are left out."""
MAX_ID_CHARS: Final = 64
UNFINISHED: Final = (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_CANCELLING)
AT_WORK: Final = (job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_CANCELLING)
GONE: Final = frozenset({"JOB_NOT_FOUND", "JOB_NOT_QUEUED", "JOB_NOT_FINISHED"})
"""What came to pass between our look at a job and our call: as if it had been so before."""


class Jobs:
    """The calls. All raise AioRpcError where the server does not answer."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub: ImageGenServiceAsyncStub = image_gen_pb2_grpc.ImageGenServiceStub(channel)
        self._queue: QueueServiceAsyncStub = queue_pb2_grpc.QueueServiceStub(channel)
        self._timeout_s = timeout_s

    async def find(self, prompt_id: str, caller: Caller) -> job_pb2.Job | None:
        """The caller's prompt; None: there is none of that id."""
        if len(prompt_id) <= MAX_ID_CHARS and (job := await self._get(prompt_id)) is not None:
            return job if _is_own(job, caller) else None
        return await anext(self._list(f"{PROMPT_ID}={prompt_id}", (), caller, page_size=1), None)

    async def unfinished(self, caller: Caller) -> list[job_pb2.Job]:
        """The caller's prompts that wait or run, oldest first."""
        jobs = [job async for job in self._list(OURS, UNFINISHED, caller)]
        return jobs[::-1]

    async def unfinished_of(self, client_id: str, caller: Caller) -> list[job_pb2.Job]:
        """Those of one websocket client."""
        jobs = [job async for job in self._list(f"{CLIENT_ID}={client_id}", UNFINISHED, caller)]
        return jobs[::-1]

    async def ended(self, caller: Caller, limit: int) -> list[job_pb2.Job]:
        """The caller's newest prompts that are history, oldest first: so many, and so much as fits into an answer."""
        jobs: list[job_pb2.Job] = []
        room = MAX_GRAPH_CHARS
        async for job in self._list(OURS, tuple(FINAL_STATES), caller):
            if len(jobs) == limit or room <= 0:
                break
            if has_begun(job):
                jobs.append(job)
                room -= len(job.spec.graph.json)
        return jobs[::-1]

    async def places(self, caller: Caller) -> dict[str, int]:
        """The order in which jobs wait."""
        request = queue_pb2.ListQueueEntriesRequest(page_size=500, owner=caller.owner)
        answer = await self._queue.ListQueueEntries(request, timeout=self._timeout_s, metadata=caller.metadata)
        return {entry.job_id: place for place, entry in enumerate(answer.entries)}

    async def count(self, caller: Caller) -> int:
        """How many of the caller's jobs wait or run, also those that did not come this way."""
        answer = await self._queue.GetQueue(
            queue_pb2.GetQueueRequest(), timeout=self._timeout_s, metadata=caller.metadata
        )
        owners = [each for each in answer.queue.owners if caller.owner in {"", each.owner}]
        return sum(each.queued + each.running for each in owners)

    async def move_to_front(self, job: job_pb2.Job, caller: Caller) -> None:
        """Lets a job go next, if it has not begun already."""
        request = queue_pb2.MoveJobRequest(job_id=job.job_id, end=queue_pb2.QUEUE_END_FIRST)
        await _unless_gone(self._queue.MoveJob(request, timeout=self._timeout_s, metadata=caller.metadata))

    async def cancel(self, jobs: Iterable[job_pb2.Job], caller: Caller) -> None:
        """Cancels jobs."""
        for job in jobs:
            request = image_gen_pb2.CancelJobRequest(job_id=job.job_id)
            await _unless_gone(self._stub.CancelJob(request, timeout=self._timeout_s, metadata=caller.metadata))

    async def forget(self, jobs: Iterable[job_pb2.Job], caller: Caller) -> None:
        """Forgets jobs that have ended. Their pictures stay."""
        for job in jobs:
            request = image_gen_pb2.DeleteJobRequest(job_id=job.job_id)
            await _unless_gone(self._stub.DeleteJob(request, timeout=self._timeout_s, metadata=caller.metadata))

    async def _get(self, job_id: str) -> job_pb2.Job | None:
        request = image_gen_pb2.GetJobRequest(job_id=job_id)
        try:
            return (await self._stub.GetJob(request, timeout=self._timeout_s)).job
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    async def _list(
        self, label: str, states: tuple[job_pb2.JobState.ValueType, ...], caller: Caller, *, page_size: int = PAGE_SIZE
    ) -> AsyncIterator[job_pb2.Job]:
        """Newest first."""
        request = image_gen_pb2.ListJobsRequest(page_size=page_size, states=states, owner=caller.owner, label=label)
        while True:
            answer = await self._stub.ListJobs(request, timeout=self._timeout_s, metadata=caller.metadata)
            for job in answer.jobs:
                if _is_own(job, caller):
                    yield job
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token


def _is_own(job: job_pb2.Job, caller: Caller) -> bool:
    """Whether it came this way, from this caller. Without an owner there are no keys, and everybody may see all."""
    is_prompt = job.spec.labels.get(DIALECT) == "comfyui" and job.spec.HasField("graph")
    return is_prompt and caller.owner in {"", job.owner}


async def _unless_gone(call: Awaitable[object]) -> None:
    try:
        await call
    except grpc.aio.AioRpcError as exc:
        if from_rpc(exc).reason not in GONE:
            raise
