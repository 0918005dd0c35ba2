"""ImageGenService."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from imagegen.v1 import image_gen_pb2 as pb
from imagegen_server.errors import job_finished
from imagegen_server.history import Scope, Start
from imagegen_server.hub import Hub
from imagegen_server.ledger import Ledger
from imagegen_server.lifecycle import InvalidHappening
from imagegen_server.running.runner import Runner
from imagegen_server.services.admission import Admission
from imagegen_server.services.metadata import GenerationMetadata
from imagegen_server.services.owners import owner_of
from imagegen_server.services.rpc import Context
from imagegen_server.services.streams import Streams, decode_wish
from imagegen_server.services.views import JobViews
from imagegen_server.stores.store import JobFilter, Store
from imagegen_server.tokens import TokenCodec
from imagegen_server.watching import parse_start
from imagegen_server.wire.jobs import decode_job_states, decode_update

DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageGenService:
    hub: Hub
    ledger: Ledger
    store: Store
    runner: Runner
    admission: Admission
    views: JobViews
    streams: Streams
    metadata: GenerationMetadata
    tokens: TokenCodec
    new_id: Callable[[], str]

    async def create_job(self, request: pb.CreateJobRequest, context: Context) -> pb.CreateJobResponse:
        owner = owner_of(context)
        if request.validate_only:
            job = await self.admission.check(request, self.new_id(), owner)
            return pb.CreateJobResponse(job=self.views.unborn(job))
        job, is_replayed = await self.admission.create(request, self.new_id(), owner)
        return pb.CreateJobResponse(job=await self.views.by_id(job.job_id), replayed=is_replayed)

    async def generate_images(self, request: pb.GenerateImagesRequest, context: Context) -> None:
        job_id, owner = self.new_id(), owner_of(context)
        try:
            job, _ = await self.admission.create(request, job_id, owner)
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
            states=decode_job_states(request.states),
            owner=request.owner,
            label=request.label,
            text=request.text,
            workflow_id=request.workflow_id,
        )
        states = sorted(state.value for state in wanted.states)
        scope = f"jobs {states} {wanted.owner!r} {wanted.label!r} {wanted.text!r} {wanted.workflow_id!r}"
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

    async def retry_job(self, request: pb.RetryJobRequest, context: Context) -> pb.RetryJobResponse:
        job, is_replayed = await self.admission.retry(request, self.new_id(), owner_of(context))
        return pb.RetryJobResponse(job=await self.views.by_id(job.job_id), replayed=is_replayed)

    async def update_job(self, request: pb.UpdateJobRequest, _: Context) -> pb.UpdateJobResponse:
        try:
            await self.runner.update(request.job_id, decode_update(request))
        except InvalidHappening as error:
            raise job_finished(request.job_id) from error
        return pb.UpdateJobResponse(job=await self.views.by_id(request.job_id))

    async def get_generation_metadata(
        self, request: pb.GetGenerationMetadataRequest, _: Context
    ) -> pb.GetGenerationMetadataResponse:
        return await self.metadata.describe(request.digest)

    async def delete_job(self, request: pb.DeleteJobRequest, _: Context) -> pb.DeleteJobResponse:
        await self.ledger.delete(request.job_id)
        return pb.DeleteJobResponse()
