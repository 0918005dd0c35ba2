"""The calls of ImageGenService."""

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Unpack

from imagegen.v1.image_gen_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    Labels,
    ListJobsRequest,
    PreviewDelivery,
    RetryJobRequest,
    UpdateJobRequest,
    WatchOptions,
)
from imagegen.v1.job_pb2 import Job, JobState
from imagegen_client.calls.connection import Connection
from imagegen_client.retrying import Retry
from imagegen_client.specs import JobOptions, Source, spec_of
from imagegen_client.watching import Watch


class JobCalls(Connection):
    """Jobs, and watching them."""

    async def create_job(
        self, source: Source, *, request_id: str = "", validate_only: bool = False, **options: Unpack[JobOptions]
    ) -> Job:
        """Hands in a job; once this returns, the server never loses it.

        The request id makes the call idempotent: the same owner, id and request give the first job again. Without one
        a fresh id is made, so that our own repetitions never make a second job. With `validate_only` nothing is
        accepted, and the job is what it would be, without id.

        Raises Overloaded when the queue is full or the owner has as many jobs waiting as it may (QUOTA_EXCEEDED):
        at once, with `retry_after_s`, because whoever asks may want to do something else than wait.
        """
        request = CreateJobRequest(
            spec=spec_of(source, **options),
            request_id=request_id or str(uuid.uuid4()),
            validate_only=validate_only,
        )
        return (await self._call(self._jobs.CreateJob, request)).job

    async def retry_job(self, job_id: str, *, new_seeds: bool = False, request_id: str = "") -> Job:
        """Makes a new job out of one that has ended: the same specification, with the same seeds or new ones.

        As safe to repeat as `create_job`, by the request id, and raises what it raises.
        """
        request = RetryJobRequest(job_id=job_id, new_seeds=new_seeds, request_id=request_id or str(uuid.uuid4()))
        return (await self._call(self._jobs.RetryJob, request)).job

    @asynccontextmanager
    async def generate(
        self,
        source: Source,
        *,
        request_id: str = "",
        previews: PreviewDelivery.ValueType = PreviewDelivery.PREVIEW_DELIVERY_INLINE,
        max_rate_hz: float = 0.0,
        max_pixels: int = 0,
        give_up_after_s: float | None = None,
        **options: Unpack[JobOptions],
    ) -> AsyncIterator[Watch]:
        """Hands in a job as `create_job` does, and watches it from its first event as `watch` does.

        Leaving the block leaves the job running: `cancel` stops it.
        """
        job = await self.create_job(source, request_id=request_id, **options)
        async with self.watch(
            job.job_id,
            resume_token="earliest",  # noqa: S106  # a word of the protocol, no secret
            previews=previews,
            max_rate_hz=max_rate_hz,
            max_pixels=max_pixels,
            give_up_after_s=give_up_after_s,
        ) as watch:
            yield watch

    @asynccontextmanager
    async def watch(
        self,
        job_id: str,
        *,
        resume_token: str = "",
        previews: PreviewDelivery.ValueType = PreviewDelivery.PREVIEW_DELIVERY_INLINE,
        max_rate_hz: float = 0.0,
        max_pixels: int = 0,
        give_up_after_s: float | None = None,
    ) -> AsyncIterator[Watch]:
        """Streams a job's events; see Watch for what is guaranteed.

        Without a token it begins with a snapshot; "earliest" replays every durable event. Iteration raises the last
        error when the server stays away for `give_up_after_s` (None: for ever), and at once when it is not there for a
        reason that does not pass, as a job that does not exist. Leaving the block leaves the job alone.
        """
        watch = Watch(
            partial(self._jobs.WatchJob, metadata=self._metadata),
            job_id,
            resume_token=resume_token,
            options=WatchOptions(previews=previews, max_rate_hz=max_rate_hz, max_pixels=max_pixels),
            retry=Retry(self._backoff, give_up_after_s=give_up_after_s, is_stream=True),
        )
        try:
            yield watch
        finally:
            watch.close()

    async def get_job(self, job_id: str) -> Job:
        """A job as it is now."""
        return (await self._call(self._jobs.GetJob, GetJobRequest(job_id=job_id))).job

    async def list_jobs(
        self,
        *,
        states: Iterable[JobState.ValueType] = (),
        owner: str = "",
        label: str = "",
        text: str = "",
        workflow_id: str = "",
        page_size: int = 0,
    ) -> AsyncIterator[Job]:
        """Jobs, newest first; pages are fetched as the iteration gets there."""
        request = ListJobsRequest(
            states=states, owner=owner, label=label, text=text, workflow_id=workflow_id, page_size=page_size
        )
        while True:
            page = await self._call(self._jobs.ListJobs, request)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job and gives it as it is then: a running one is CANCELLING until its backend has confirmed.

        A job that has ended is left as it is.
        """
        return (await self._call(self._jobs.CancelJob, CancelJobRequest(job_id=job_id))).job

    async def update_job(
        self,
        job_id: str,
        *,
        priority: int | None = None,
        labels: Mapping[str, str] | None = None,
        paused: bool | None = None,
    ) -> Job:
        """Changes what is given of a job that has not ended; `labels` replace all that it had.

        A paused job keeps its place in the queue and is not started.
        """
        request = UpdateJobRequest(
            job_id=job_id,
            priority=priority,
            labels=Labels(labels=labels) if labels is not None else None,
            paused=paused,
        )
        return (await self._call(self._jobs.UpdateJob, request)).job

    async def delete(self, job_id: str) -> None:
        """Forgets a job that has ended. Its outputs stay.

        Raises NotFound also when a first try had worked and only its answer was lost.
        """
        await self._call(self._jobs.DeleteJob, DeleteJobRequest(job_id=job_id))
