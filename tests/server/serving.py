"""A real server on a free port, with scripted backends, and a caller that speaks to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations
from grpc_status import rpc_status

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.asset_pb2 import Asset, AssetHeader, WriteAssetRequest
from imagegen.v1.asset_pb2_grpc import AssetServiceStub
from imagegen.v1.backend_pb2 import RefreshBackendRequest
from imagegen.v1.backend_pb2_grpc import BackendServiceStub
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.job_pb2 import ImageParameters, Job, JobSpec, JobState
from imagegen.v1.model_pb2 import RefreshModelsRequest
from imagegen.v1.model_pb2_grpc import ModelServiceStub
from imagegen.v1.queue_pb2_grpc import QueueServiceStub
from imagegen.v1.settings_pb2_grpc import SettingsServiceStub
from imagegen.v1.system_pb2_grpc import SystemServiceStub
from imagegen.v1.workflow_pb2_grpc import WorkflowServiceStub
from imagegen_server.app import Rhythm, serve
from imagegen_server.backend import Intervals
from imagegen_server.config import BackendSettings, ServerSettings
from imagegen_server.listening import Server
from imagegen_server.running.surroundings import Patience
from tests.server.scripted import ScriptedAdapter, opener

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.asset_pb2_grpc import AssetServiceAsyncStub
    from imagegen.v1.backend_pb2_grpc import BackendServiceAsyncStub
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub
    from imagegen.v1.queue_pb2_grpc import QueueServiceAsyncStub
    from imagegen.v1.settings_pb2_grpc import SettingsServiceAsyncStub
    from imagegen.v1.system_pb2_grpc import SystemServiceAsyncStub
    from imagegen.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

RHYTHM = Rhythm(
    intervals=Intervals(status_s=0.05),
    system_pause_s=0.0,
    patience=Patience(gpu_fault_hold_s=0.0, out_of_memory_hold_s=0.0, max_backoff_s=0.01),
)
"""Nothing to wait for that a test does not want."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The services, as a client sees them."""

    address: str
    channel: grpc.aio.Channel
    jobs: "ImageGenServiceAsyncStub"
    assets: "AssetServiceAsyncStub"
    backends: "BackendServiceAsyncStub"
    models: "ModelServiceAsyncStub"
    queue: "QueueServiceAsyncStub"
    workflows: "WorkflowServiceAsyncStub"
    settings: "SettingsServiceAsyncStub"
    system: "SystemServiceAsyncStub"

    async def create(self, spec: JobSpec | None = None, *, owner: str = "", **fields: Any) -> Job:
        request = pb.CreateJobRequest(spec=spec or text_to_image(), **fields)
        answer = await self.jobs.CreateJob(request, metadata=asking(owner))
        return answer.job

    async def get(self, job_id: str) -> Job:
        return (await self.jobs.GetJob(pb.GetJobRequest(job_id=job_id))).job

    async def events(self, job_id: str, resume_token: str = "", **options: Any) -> list[JobEvent]:
        """All events until the stream ends by itself."""
        request = pb.WatchJobRequest(job_id=job_id, resume_token=resume_token, watch=pb.WatchOptions(**options))
        async with asyncio.timeout(10):
            return [answer.event async for answer in self.jobs.WatchJob(request)]

    async def until_state(self, job_id: str, state: JobState.ValueType) -> Job:
        """The job once it has reached the state, told by its events."""
        call = self.jobs.WatchJob(pb.WatchJobRequest(job_id=job_id))
        try:
            async with asyncio.timeout(10):
                async for answer in call:
                    if state in states_in(answer.event):
                        return await self.get(job_id)
        finally:
            call.cancel()
        raise AssertionError(f"the job ended without {JobState.Name(state)}")

    async def until_event(self, job_id: str, kind: str) -> JobEvent:
        """The first event of this kind, whenever it happened."""
        call = self.jobs.WatchJob(pb.WatchJobRequest(job_id=job_id, resume_token="earliest"))
        try:
            async with asyncio.timeout(10):
                async for answer in call:
                    if answer.event.WhichOneof("event") == kind:
                        return answer.event
        finally:
            call.cancel()
        raise AssertionError(f"the stream ended without {kind}")

    async def refresh(self, *backends: str) -> None:
        """Has the backends asked for all that they have, and waits for the answers."""
        for backend in backends:
            await self.models.RefreshModels(RefreshModelsRequest(backend=backend))
            await self.backends.RefreshBackend(RefreshBackendRequest(name=backend))

    async def until_ended(self, job_id: str) -> Job:
        return (await self.events(job_id))[-1].completed.job

    async def write(self, data: bytes, *, chunk: int = 1000, **header: Any) -> Asset:
        requests = [WriteAssetRequest(header=AssetHeader(**header))]
        requests += [WriteAssetRequest(chunk=data[at : at + chunk]) for at in range(0, len(data), chunk)]
        return (await self.assets.WriteAsset(iter(requests))).asset


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error as a client reads it."""

    code: grpc.StatusCode
    reason: str
    message: str
    fields: dict[str, str]
    retry_after_s: float | None
    metadata: dict[str, str]
    quota: dict[str, str]
    """What was exceeded, by its subject."""


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """Reads an error, and checks what holds for all: one ErrorInfo of our domain."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has what is needed
    assert status is not None, f"no details: {error.code()} {error.details()}"
    return refusal_in(status, error.code())


def refusal_in(status: status_pb2.Status, code: grpc.StatusCode) -> Refusal:
    infos, fields, quota, retry_after_s = [], {}, {}, None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            infos.append(_unpacked(detail, error_details_pb2.ErrorInfo()))
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            broken = _unpacked(detail, error_details_pb2.BadRequest()).field_violations
            fields = {each.field: each.description for each in broken}
        elif detail.Is(error_details_pb2.QuotaFailure.DESCRIPTOR):
            exceeded = _unpacked(detail, error_details_pb2.QuotaFailure()).violations
            quota = {each.subject: each.description for each in exceeded}
        else:
            retry_after_s = _unpacked(detail, error_details_pb2.RetryInfo()).retry_delay.ToMilliseconds() / 1000
    (info,) = infos
    assert info.domain == "imagegen"
    return Refusal(
        code=code,
        reason=info.reason,
        message=status.message,
        fields=fields,
        retry_after_s=retry_after_s,
        metadata=dict(info.metadata),
        quota=quota,
    )


def asking(owner: str) -> tuple[tuple[str, str], ...]:
    """The metadata that names who asks."""
    return (("imagegen-owner", owner),) if owner else ()


def text_to_image(**fields: Any) -> JobSpec:
    spec_fields = {name: fields.pop(name) for name in ("backend", "labels", "preview", "priority") if name in fields}
    return JobSpec(image=ImageParameters(**{"prompt": "a red fox", **fields}), **spec_fields)


def kinds(events: Sequence[JobEvent]) -> list[str]:
    return [str(event.WhichOneof("event")) for event in events]


def states_in(event: JobEvent) -> set[JobState.ValueType]:
    """The states that an event says the job is in."""
    match event.WhichOneof("event"):
        case "snapshot":
            return {event.snapshot.state}
        case "state_changed":
            return {event.state_changed.to}
        case "completed":
            return {event.completed.job.state}
        case _:
            return set()


@asynccontextmanager
async def serving(
    folder: Path, adapters: dict[str, ScriptedAdapter], *, rhythm: Rhythm = RHYTHM, **settings: Any
) -> AsyncIterator[Caller]:
    """A server with these backends, by name, and a caller; the folder outlives them."""
    async with (
        started(folder, adapters, rhythm=rhythm, **settings) as server,
        calling(server.address) as caller,
    ):
        yield caller


def started(
    folder: Path, adapters: dict[str, ScriptedAdapter], *, rhythm: Rhythm = RHYTHM, **settings: Any
) -> AbstractAsyncContextManager[Server]:
    backends = tuple(BackendSettings(name=name, kind="demo") for name in adapters)
    configured = ServerSettings(grpc="127.0.0.1:0", data_dir=folder, backends=backends, **settings)
    return serve(configured, open_adapter=opener(adapters), rhythm=rhythm)


@asynccontextmanager
async def calling(address: str) -> AsyncIterator[Caller]:
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield Caller(
            address=address,
            channel=channel,
            jobs=ImageGenServiceStub(channel),
            assets=AssetServiceStub(channel),
            backends=BackendServiceStub(channel),
            models=ModelServiceStub(channel),
            queue=QueueServiceStub(channel),
            workflows=WorkflowServiceStub(channel),
            settings=SettingsServiceStub(channel),
            system=SystemServiceStub(channel),
        )


def _unpacked(detail: Any, message: Any) -> Any:
    assert detail.Unpack(message)
    return message
