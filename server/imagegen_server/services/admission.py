"""How jobs come in: once per request_id, checked, with their inputs held, and as far as there is room."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1 import job_pb2
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.inputs import InputType
from imagegen_server import lifecycle
from imagegen_server.errors import Excess, invalid, job_not_finished, request_id_reused
from imagegen_server.hub import Hub, ShuttingDown
from imagegen_server.jobs import Invocation, Job, JobSpec, JobState
from imagegen_server.ledger import Ledger
from imagegen_server.quotas import refusal
from imagegen_server.reseeding import with_new_seeds
from imagegen_server.reuse import answered
from imagegen_server.running.runner import Runner
from imagegen_server.services.reusing import Reuse
from imagegen_server.settings.runtime import RuntimeSettings
from imagegen_server.stores.store import Store
from imagegen_server.validation import SpecChecker
from imagegen_server.wire.specs import encode_spec
from imagegen_server.workflows.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one call asks for."""

    job_id: str
    """Of the job, if the call makes one."""
    owner: str
    request_id: str
    """Empty: none."""
    digest: bytes
    """Of all that the request_id stands for."""
    retry_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The way in for every new job."""

    hub: Hub
    ledger: Ledger
    store: Store
    runner: Runner
    checker: SpecChecker
    reuse: Reuse
    library: Library
    settings: RuntimeSettings
    choose_seed: Callable[[], int]
    clock: Callable[[], float]

    async def check(self, request: pb.CreateJobRequest, job_id: str, owner: str) -> Job:
        """The job as it would be. Refused: as the spec's check."""
        wanted = Request(job_id=job_id, owner=owner, request_id=request.request_id, digest=b"")
        async with self._made(request.spec, wanted) as job:
            return lifecycle.create(job)[0] if job.reused_from else job

    async def create(
        self, request: pb.CreateJobRequest | pb.GenerateImagesRequest, job_id: str, owner: str
    ) -> tuple[Job, bool]:
        """The job, and whether an earlier call with the same request_id had made it.

        Refused: as the spec's check, REQUEST_ID_REUSED, QUEUE_FULL, QUOTA_EXCEEDED, SHUTTING_DOWN.
        """
        digest = hashlib.sha256(request.spec.SerializeToString(deterministic=True)).digest()
        wanted = Request(job_id=job_id, owner=owner, request_id=request.request_id, digest=digest)
        earlier = await self._earlier(wanted)
        return (earlier, True) if earlier is not None else await self._admit(request.spec, wanted)

    async def retry(self, request: pb.RetryJobRequest, job_id: str, owner: str) -> tuple[Job, bool]:
        """The same for a job out of one that has ended. Refused also: JOB_NOT_FOUND, JOB_NOT_FINISHED."""
        digest = hashlib.sha256(f"retry {request.new_seeds} {request.job_id}".encode()).digest()
        wanted = Request(
            job_id=job_id, owner=owner, request_id=request.request_id, digest=digest, retry_of=request.job_id
        )
        earlier = await self._earlier(wanted)
        return (earlier, True) if earlier is not None else await self._admit(await self._again(request), wanted)

    async def _again(self, request: pb.RetryJobRequest) -> job_pb2.JobSpec:
        job = await self.ledger.get(request.job_id)
        if not job.state.is_final:
            raise job_not_finished(request.job_id)
        # Whoever repeats a job wants it made, not found.
        spec = replace(job.spec, reuse=False)
        return encode_spec(await self._reseeded(spec) if request.new_seeds else spec)

    async def _reseeded(self, spec: JobSpec) -> JobSpec:
        """Refused: INVALID_REQUEST."""
        seed_inputs = await self._seed_inputs(spec.invocation) if spec.invocation is not None else ()
        # In a thread: a graph may be of 4 MB.
        new = await asyncio.to_thread(with_new_seeds, spec, self.choose_seed, seed_inputs=seed_inputs)
        if new is None:
            raise invalid([Violation("new_seeds", "the graph has no input seed or noise_seed that holds a number")])
        return new

    async def _seed_inputs(self, invocation: Invocation) -> list[str]:
        workflow = await self.library.get(invocation.workflow_id, invocation.revision)
        return [each.name for each in workflow.form if each.input.type is InputType.SEED]

    async def _earlier(self, wanted: Request) -> Job | None:
        """The job that an earlier call with this request_id made.

        Asked first: what was accepted once is answered again, whatever has become of its assets and backends.
        Refused: REQUEST_ID_REUSED, SHUTTING_DOWN.
        """
        if self.hub.is_draining:
            raise ShuttingDown
        if not wanted.request_id:
            return None
        stored = await self.store.find_request(wanted.owner, wanted.request_id)
        if stored is not None and stored.request_digest != wanted.digest:
            raise request_id_reused(wanted.request_id)
        return stored.job if stored is not None else None

    async def _admit(self, encoded: job_pb2.JobSpec, wanted: Request) -> tuple[Job, bool]:
        async with self._made(encoded, wanted) as job:
            if job.reused_from:
                await self.reuse.keep(job.outputs)
            # No await between the look at the room and its taking, so that nobody else takes it.
            excess = None if job.reused_from else self._excess(wanted)
            if excess is None:
                return await self.runner.submit(job, wanted.digest)
        # A twin of this call may have taken the last place meanwhile.
        earlier = await self._earlier(wanted)
        if earlier is None:
            raise refusal(excess, self._starts(excess, wanted.owner))
        return earlier, True

    @asynccontextmanager
    async def _made(self, encoded: job_pb2.JobSpec, wanted: Request) -> AsyncIterator[Job]:
        """The new job. Until the end of the block the assets that it needs, or is answered with, are not deleted."""
        async with AsyncExitStack() as stack:
            checking = self.checker.checking(encoded, is_repeat=bool(wanted.retry_of))
            spec = await stack.enter_async_context(checking)
            # Where the server chose a seed, nothing is found: it is a new one.
            earlier = await stack.enter_async_context(self.reuse.earlier(spec)) if spec.reuse else None
            job = self._new_job(spec, wanted)
            yield job if earlier is None else answered(job, earlier)

    def _excess(self, wanted: Request) -> Excess | None:
        if self.runner.is_submitting(wanted.owner, wanted.request_id):
            # A twin of this call is being stored: this one needs no room of its own.
            return None
        queued, of_owner = self.runner.queued_of(), self.runner.queued_of(wanted.owner)
        return self.settings.current.quotas.excess(wanted.owner, queued=queued, queued_of_owner=of_owner)

    def _starts(self, excess: Excess, owner: str) -> list[float | None]:
        """When the jobs will start of which there are too many."""
        is_everyone = excess.reason == "QUEUE_FULL"
        places = self.runner.places()
        jobs = [job for job in self.runner.queue() if is_everyone or job.owner == owner]
        return [places[job.job_id].start_s for job in jobs if job.job_id in places]

    def _new_job(self, spec: JobSpec, wanted: Request) -> Job:
        return Job(
            job_id=wanted.job_id,
            spec=spec,
            state=JobState.QUEUED,
            create_time=self.clock(),
            request_id=wanted.request_id,
            owner=wanted.owner,
            retry_of=wanted.retry_of,
        )
