"""ImageGenService."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from imagegen.v1 import image_gen_pb2 as pb
from imagegen_server.errors import Excess, request_id_reused
from imagegen_server.history import Scope, Start
from imagegen_server.hub import Hub, ShuttingDown
from imagegen_server.jobs import Job, JobSpec, JobState
from imagegen_server.ledger import Ledger
from imagegen_server.quotas import refusal
from imagegen_server.runner import Runner
from imagegen_server.services.rpc import Context
from imagegen_server.services.streams import Streams, decode_wish
from imagegen_server.services.views import JobViews
from imagegen_server.stores.store import JobFilter, Store
from imagegen_server.tokens import TokenCodec
from imagegen_server.validation import SpecChecker
from imagegen_server.watching import parse_start
from imagegen_server.wire.jobs import decode_job_states, encode_job

DEFAULT_PAGE_SIZE = 50
# There are no keys yet, so that every job belongs to nobody.
_OWNER = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGenService:
    hub: Hub
    ledger: Ledger
    store: Store
    runner: Runner
    checker: SpecChecker
    views: JobViews
    streams: Streams
    tokens: TokenCodec
    clock: Callable[[], float]
    new_id: Callable[[], str]

    async def create_job(self, request: pb.CreateJobRequest, _: Context) -> pb.CreateJobResponse:
        if request.validate_only:
            job = self._new_job("", request.request_id, await self.checker.check(request.spec))
            return pb.CreateJobResponse(job=encode_job(job))
        job, is_replayed = await self._create(request, self.new_id())
        return pb.CreateJobResponse(job=await self.views.by_id(job.job_id), replayed=is_replayed)

    async def generate_images(self, request: pb.GenerateImagesRequest, context: Context) -> None:
        job_id = self.new_id()
        try:
            job, _ = await self._create(request, job_id)
            job_id = job.job_id
            scope = Scope(job_ids=frozenset({job_id}))
            await self.streams.write(context, scope, Start.EARLIEST, decode_wish(request.watch))
        except asyncio.CancelledError:
            # While the server goes down, streams break without anybody having gone away.
            if request.cancel_on_disconnect and not self.hub.is_draining:
                self.runner.cancel_soon(job_id)
            raise

    async def get_job(self, request: pb.GetJobRequest, _: Context) -> pb.GetJobResponse:
        return pb.GetJobResponse(job=await self.views.by_id(request.job_id))

    async def list_jobs(self, request: pb.ListJobsRequest, _: Context) -> pb.ListJobsResponse:
        wanted = JobFilter(
            states=decode_job_states(request.states), owner=request.owner, label=request.label, text=request.text
        )
        scope = (
            f"jobs {sorted(state.value for state in wanted.states)} {wanted.owner!r} {wanted.label!r} {wanted.text!r}"
        )
        before = self.tokens.decode_page(request.page_token, scope) if request.page_token else None
        jobs, next_before = await self.store.list_jobs(
            wanted, limit=request.page_size or DEFAULT_PAGE_SIZE, before=before
        )
        next_token = self.tokens.encode_page(next_before, scope) if next_before is not None else ""
        return pb.ListJobsResponse(jobs=self.views.page(jobs), next_page_token=next_token)

    async def watch_job(self, request: pb.WatchJobRequest, context: Context) -> None:
        scope = Scope(job_ids=frozenset({request.job_id}))
        start = parse_start(request.resume_token, self.tokens)
        await self.streams.write(context, scope, start, decode_wish(request.watch))

    async def watch_jobs(self, request: pb.WatchJobsRequest, context: Context) -> None:
        scope = Scope(job_ids=frozenset(request.job_ids) or None, owner=request.owner)
        start = parse_start(request.resume_token, self.tokens)
        await self.streams.write(context, scope, start, decode_wish(request.watch))

    async def cancel_job(self, request: pb.CancelJobRequest, _: Context) -> pb.CancelJobResponse:
        await self.runner.cancel(request.job_id)
        return pb.CancelJobResponse(job=await self.views.by_id(request.job_id))

    async def retry_job(self, request: pb.RetryJobRequest, _: Context) -> pb.RetryJobResponse:
        raise NotImplementedError

    async def update_job(self, request: pb.UpdateJobRequest, _: Context) -> pb.UpdateJobResponse:
        raise NotImplementedError

    async def delete_job(self, request: pb.DeleteJobRequest, _: Context) -> pb.DeleteJobResponse:
        await self.ledger.delete(request.job_id)
        return pb.DeleteJobResponse()

    async def _create(self, request: pb.CreateJobRequest | pb.GenerateImagesRequest, job_id: str) -> tuple[Job, bool]:
        """The job, and whether an earlier call with the same request_id had made it."""
        if self.hub.is_draining:
            raise ShuttingDown
        digest = hashlib.sha256(request.spec.SerializeToString(deterministic=True)).digest()
        # Asked first: what was accepted once is answered again, whatever has become of its assets and backends.
        earlier = await self._earlier(request.request_id, digest)
        if earlier is None:
            async with self.checker.holding_inputs(request.spec):
                spec = await self.checker.check(request.spec)
                if self.runner.has_room(_OWNER, request.request_id):
                    return await self.runner.submit(self._new_job(job_id, request.request_id, spec), digest)
            # A twin of this call may have taken the last place meanwhile.
            earlier = await self._earlier(request.request_id, digest)
        if earlier is None:
            raise refusal(Excess(reason="QUEUE_FULL", subject="queue", description="the queue is full"), ())
        return earlier, True

    async def _earlier(self, request_id: str, digest: bytes) -> Job | None:
        """The job that an earlier call with this request_id made. Refused: REQUEST_ID_REUSED."""
        stored = await self.store.find_request(_OWNER, request_id) if request_id else None
        if stored is not None and stored.request_digest != digest:
            raise request_id_reused(request_id)
        return stored.job if stored is not None else None

    def _new_job(self, job_id: str, request_id: str, spec: JobSpec) -> Job:
        return Job(
            job_id=job_id,
            spec=spec,
            state=JobState.QUEUED,
            create_time=self.clock(),
            request_id=request_id,
            owner=_OWNER,
        )
