# ruff: noqa: N802  # the names of rpcs are the proto's
"""Jobs, and watching them."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from imagegen.v1 import image_gen_pb2
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceServicer
from imagegen.v1.job_pb2 import Job, JobState
from imagegen_client.delivery import DURABLE, FINAL
from imagegen_client.specs import input_of
from tests.client.fake.faults import FINISHED, NO_JOB, NOT_FINISHED, UNIMPLEMENTED, Fault
from tests.client.fake.state import FakeServer, Record, owner_of
from tests.client.fake.stories import completed, numbered, state_change


class FakeJobs(ImageGenServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def CreateJob(self, request: Any, context: Any) -> Any:
        server = self._server
        await server.enter("CreateJob", request, context)
        prompt = str(input_of(request.spec, "prompt") or "")
        if "invalid" in prompt:
            place = "image" if request.spec.HasField("image") else "workflow.inputs"
            violations = {f"spec.{place}.width": "must be a multiple of 8"}
            await Fault(
                code=grpc.StatusCode.INVALID_ARGUMENT,
                message="the request breaks a rule",
                reason="INVALID_REQUEST",
                violations=violations,
            ).raise_in(context)
        if "full" in prompt:
            await Fault(
                code=grpc.StatusCode.RESOURCE_EXHAUSTED,
                message="the queue is full",
                reason="QUEUE_FULL",
                quotas={"queue": "at most 5 jobs may wait, and 5 do"},
                retry_after_s=7,
            ).raise_in(context)
        job = Job(spec=request.spec, owner=owner_of(context), request_id=request.request_id)
        job, replayed = (job, False) if request.validate_only else server.accept(job)
        await server.leave("CreateJob", context)
        return image_gen_pb2.CreateJobResponse(job=job, replayed=replayed)

    async def GetJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetJob", request, context)
        return image_gen_pb2.GetJobResponse(job=self._now(await self._record(request.job_id, context)))

    async def ListJobs(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListJobs", request, context)
        jobs = [self._now(record) for record in reversed(self._server.records.values())]
        jobs = [job for job in jobs if not request.states or job.state in request.states]
        jobs = [job for job in jobs if not request.owner or job.owner == request.owner]
        start, size = int(request.page_token or 0), request.page_size or 50
        more = str(start + size) if start + size < len(jobs) else ""
        return image_gen_pb2.ListJobsResponse(jobs=jobs[start : start + size], next_page_token=more)

    async def CancelJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("CancelJob", request, context)
        record = await self._record(request.job_id, context)
        if not record.story[-1].HasField("completed") and "stubborn" not in record.job.spec.image.prompt:
            end = [
                state_change(JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_CANCELLING),
                completed(record.job, JobState.JOB_STATE_CANCELLED, []),
            ]
            record.story += numbered(record.job.job_id, end, record.story[-1].sequence)
            record.job.state = JobState.JOB_STATE_CANCELLING
            record.cancelled.set()
        return image_gen_pb2.CancelJobResponse(job=self._now(record))

    async def RetryJob(self, request: Any, context: Any) -> Any:
        server = self._server
        await server.enter("RetryJob", request, context)
        first = self._now(await self._record(request.job_id, context))
        if first.state not in FINAL:
            await NOT_FINISHED.raise_in(context)
        job = Job(spec=first.spec, owner=owner_of(context), request_id=request.request_id, retry_of=first.job_id)
        if request.new_seeds:
            job.spec.image.seed += 1000
        job, replayed = server.accept(job)
        await server.leave("RetryJob", context)
        return image_gen_pb2.RetryJobResponse(job=job, replayed=replayed)

    async def UpdateJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("UpdateJob", request, context)
        job = self._now(await self._record(request.job_id, context))
        if job.state in FINAL:
            await FINISHED.raise_in(context)
        if request.HasField("priority"):
            job.spec.priority = request.priority
        if request.HasField("labels"):
            job.spec.labels.clear()
            job.spec.labels.update(request.labels.labels)
        if request.HasField("paused"):
            job.paused = request.paused
        return image_gen_pb2.UpdateJobResponse(job=job)

    async def DeleteJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteJob", request, context)
        record = await self._record(request.job_id, context)
        if self._now(record).state == JobState.JOB_STATE_QUEUED:
            await NOT_FINISHED.raise_in(context)
        del self._server.records[request.job_id]
        return image_gen_pb2.DeleteJobResponse()

    async def WatchJob(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._server.enter("WatchJob", request, context)
        record = await self._record(request.job_id, context)
        cut, sent = self._server.next_cut("WatchJob"), 0
        async for event in self._events(record, request.resume_token):
            if sent == cut:
                break
            if event.HasField("preview") and request.watch.previews == image_gen_pb2.PREVIEW_DELIVERY_NONE:
                continue
            yield image_gen_pb2.WatchJobResponse(event=event)
            sent += 1
        if cut is not None and sent <= cut:
            await self._server.cut_by.raise_in(context)

    async def _events(self, record: Record, token: str) -> AsyncIterator[JobEvent]:
        if token.startswith("t") and self._server.resets:
            self._server.resets -= 1
            reset = JobEvent()
            reset.reset.reason = "the token is too old"
            yield reset
            token = ""
        past = record.story[: record.happened]
        if not token:
            sequence = past[-1].sequence if past else 0
            yield JobEvent(
                job_id=record.job.job_id, sequence=sequence, resume_token=f"t{sequence}", snapshot=self._now(record)
            )
        else:
            after = int(token.removeprefix("t")) if token != "earliest" else 0
            for event in past:
                if event.WhichOneof("event") in DURABLE and event.sequence > after:
                    yield event
        caught_up, heartbeat = JobEvent(), JobEvent()
        caught_up.caught_up.SetInParent()
        heartbeat.heartbeat.SetInParent()
        yield caught_up
        yield heartbeat
        position = len(past)
        while position < len(record.story) or not record.story[-1].HasField("completed"):
            if position == len(record.story):
                await record.cancelled.wait()
            record.happened = max(record.happened, position + 1)
            yield record.story[position]
            position += 1

    async def _record(self, job_id: str, context: Any) -> Record:
        if job_id not in self._server.records:
            await NO_JOB.raise_in(context)
        return self._server.records[job_id]

    def _now(self, record: Record) -> Job:
        last = record.story[record.happened - 1] if record.happened else JobEvent()
        return last.completed.job if last.HasField("completed") else record.job

    async def GetGenerationMetadata(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetGenerationMetadata", request, context)
        return image_gen_pb2.GetGenerationMetadataResponse(parameters="a red fox")

    async def GenerateImages(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await UNIMPLEMENTED.raise_in(context)
        yield

    async def WatchJobs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await UNIMPLEMENTED.raise_in(context)
        yield
