# ruff: noqa: N802  # the names of rpcs are the proto's
"""A small imagegen server with real sockets: jobs are scripted stories, and calls fail on command.

As a program (`python -m tests.client.fake_server`) it prints its address and serves until it is killed.
What a job does is chosen by words of its prompt: "fail", "expire", "wait" (until it is cancelled), "stubborn" (does not
even end then), "warn"; "invalid" and "full" are refused; all others succeed.
"""

import asyncio
import hashlib
import io
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo  # type: ignore[import-untyped]  # no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # no stubs
from PIL import Image

from imagegen.v1 import asset_pb2, backend_pb2, image_gen_pb2, model_pb2
from imagegen.v1.asset_pb2_grpc import AssetServiceServicer, add_AssetServiceServicer_to_server
from imagegen.v1.backend_pb2_grpc import BackendServiceServicer, add_BackendServiceServicer_to_server
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceServicer, add_ImageGenServiceServicer_to_server
from imagegen.v1.job_pb2 import Job, JobState, Output, OutputKind, Phase, Progress
from imagegen.v1.model_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from imagegen_client.delivery import DURABLE

NOW = Timestamp(seconds=1_760_000_000)
CHUNK_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a call fails."""

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    message: str = "going down"
    reason: str = ""
    """Empty: a plain status, as the transport gives it."""
    violations: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None

    def status(self) -> Status:
        status = Status(code=self.code.value[0], message=self.message)
        if self.reason:
            status.details.add().Pack(ErrorInfo(domain="imagegen", reason=self.reason))
        if self.violations:
            bad_request = BadRequest()
            for path, description in self.violations.items():
                bad_request.field_violations.add(field=path, description=description)
            status.details.add().Pack(bad_request)
        if self.retry_after_s is not None:
            delay = Duration()
            delay.FromMicroseconds(round(self.retry_after_s * 1e6))
            status.details.add().Pack(RetryInfo(retry_delay=delay))
        return status

    async def raise_in(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        status = self.status()
        metadata = (("grpc-status-details-bin", status.SerializeToString()),) if status.details else ()
        await context.abort(self.code, self.message, trailing_metadata=metadata)


SHUTTING_DOWN = Fault(reason="SHUTTING_DOWN", retry_after_s=0.0)
TOO_SLOW = Fault(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="too slow", reason="WATCHER_TOO_SLOW", retry_after_s=0.0
)
RESET = Fault(code=grpc.StatusCode.INTERNAL, message="Received RST_STREAM with error code 2")
UNIMPLEMENTED = Fault(code=grpc.StatusCode.UNIMPLEMENTED, message="the client does not use it")
NO_JOB = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such job", reason="JOB_NOT_FOUND")
NO_ASSET = Fault(code=grpc.StatusCode.NOT_FOUND, message="no such asset", reason="ASSET_NOT_FOUND")
OUT_OF_MEMORY = Fault(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED, message="the device had too little memory", reason="BACKEND_OUT_OF_MEMORY"
)


@dataclass
class Record:
    """A job, the whole of its story, and how much of it has happened."""

    job: Job
    story: list[JobEvent]
    happened: int = 0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def next_durable(self) -> int:
        return 1 + sum(1 for event in self.story if event.WhichOneof("event") in DURABLE)


class FakeServer:
    """The state that all services share, and the faults that they are told to have."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.assets: dict[str, tuple[asset_pb2.Asset, bytes]] = {}
        self.requests: list[Any] = []
        """Every request, in the order of arrival."""
        self.faults: dict[str, list[Fault | None]] = {}
        """By method: how the next calls fail; None: not at all."""
        self.has_failed = asyncio.Event()
        """Set when a fault was met."""
        self.lost_answers: dict[str, int] = {}
        """By method: how many of the next calls are done, but their answers lost."""
        self.cuts: dict[str, list[int]] = {}
        """By streaming method: after how many messages the next streams are cut; those after them are not."""
        self.cut_by = SHUTTING_DOWN
        self.resets = 0
        """How many of the next streams find their resume token too old."""

    def requests_of(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    async def enter(self, method: str, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self.requests.append(request)
        faults = self.faults.get(method, [])
        if faults and (fault := faults.pop(0)) is not None:
            self.has_failed.set()
            await fault.raise_in(context)

    async def leave(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        if self.lost_answers.get(method, 0) > 0:
            self.lost_answers[method] -= 1
            await SHUTTING_DOWN.raise_in(context)

    def next_cut(self, method: str) -> int | None:
        cuts = self.cuts.get(method, [])
        return cuts.pop(0) if cuts else None

    def store(self, content: bytes, *, media_type: str = "image/png", job_id: str = "") -> asset_pb2.Asset:
        asset = asset_pb2.Asset(
            digest=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            media_type=media_type,
            width=8,
            height=8,
            create_time=NOW,
            origin=asset_pb2.ASSET_ORIGIN_OUTPUT if job_id else asset_pb2.ASSET_ORIGIN_UPLOAD,
            job_id=job_id,
        )
        self.assets[asset.digest] = (asset, content)
        return asset

    def create(self, request: image_gen_pb2.CreateJobRequest) -> image_gen_pb2.CreateJobResponse:
        for record in self.records.values():
            if request.request_id and record.job.request_id == request.request_id:
                return image_gen_pb2.CreateJobResponse(job=record.job, replayed=True)
        job = Job(spec=request.spec, state=JobState.JOB_STATE_QUEUED, create_time=NOW)
        if job.spec.HasField("image"):
            job.spec.image.count = job.spec.image.count or 1
        if not request.validate_only:
            job.job_id, job.request_id = str(uuid.uuid4()), request.request_id
            self.records[job.job_id] = Record(job, self._story(job))
        return image_gen_pb2.CreateJobResponse(job=job)

    def _story(self, job: Job) -> list[JobEvent]:
        outputs = [self._output(job, index) for index in range(job.spec.image.count or 1)]
        prompt = job.spec.image.prompt
        story = [_state(JobState.JOB_STATE_UNSPECIFIED, JobState.JOB_STATE_QUEUED), JobEvent()]
        story[1].queue_updated.length = 1
        story += [JobEvent(), JobEvent(), JobEvent()]
        story[2].attempt_started.number, story[2].attempt_started.backend = 1, "demo"
        story[3].plan.images = len(outputs)
        story[4].phase_changed.phase = Phase.PHASE_SAMPLING
        if "wait" not in prompt:
            for output in outputs:
                story += [_progress(output.index, len(outputs)), _preview(output.index), JobEvent(output_ready=output)]
        if "warn" in prompt:
            story.append(JobEvent())
            story[-1].warning.code, story[-1].warning.message = "SIZE_ADJUSTED", "the size was\x1b[31m rounded"
        if "wait" not in prompt:
            story.append(_completed(job, _end_of(prompt), outputs))
        return _numbered(job.job_id, story)

    def _output(self, job: Job, index: int) -> Output:
        content = png(f"{job.spec.image.prompt} {job.spec.image.seed + index}")
        return Output(
            index=index,
            image_index=index,
            asset=self.store(content, job_id=job.job_id),
            kind=OutputKind.OUTPUT_KIND_FINAL,
            seed=job.spec.image.seed + index,
        )


def png(text: str) -> bytes:
    """A small picture that depends on the text."""
    digest = hashlib.sha256(text.encode()).digest()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (digest[0], digest[1], digest[2])).save(buffer, "PNG")
    return buffer.getvalue()


def _end_of(prompt: str) -> JobState.ValueType:
    if "fail" in prompt:
        return JobState.JOB_STATE_FAILED
    return JobState.JOB_STATE_EXPIRED if "expire" in prompt else JobState.JOB_STATE_SUCCEEDED


def _state(before: JobState.ValueType, after: JobState.ValueType) -> JobEvent:
    event = JobEvent()
    setattr(event.state_changed, "from", before)
    event.state_changed.to = after
    return event


def _progress(index: int, count: int) -> JobEvent:
    progress = Progress(
        fraction=(index + 1) / count, phase=Phase.PHASE_SAMPLING, step=5, steps=5, image_index=index, title="KSampler"
    )
    return JobEvent(progress=progress)


def _preview(index: int) -> JobEvent:
    event = JobEvent()
    event.preview.data, event.preview.media_type = png(f"preview {index}"), "image/png"
    event.preview.frame = index + 1
    return event


def _completed(job: Job, state: JobState.ValueType, outputs: list[Output]) -> JobEvent:
    event = JobEvent()
    done = event.completed.job
    done.CopyFrom(job)
    done.state = state
    done.outputs.extend(outputs if state == JobState.JOB_STATE_SUCCEEDED else outputs[:-1])
    if state == JobState.JOB_STATE_FAILED:
        done.error.CopyFrom(OUT_OF_MEMORY.status())
    return event


def _numbered(job_id: str, story: list[JobEvent], sequence: int = 0) -> list[JobEvent]:
    for event in story:
        sequence += event.WhichOneof("event") in DURABLE
        event.job_id, event.sequence, event.resume_token = job_id, sequence, f"t{sequence}"
        event.time.CopyFrom(NOW)
        if event.HasField("completed"):
            event.completed.job.sequence = sequence
    return story


class FakeJobs(ImageGenServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def CreateJob(self, request: Any, context: Any) -> Any:
        server = self._server
        await server.enter("CreateJob", request, context)
        prompt = request.spec.image.prompt
        if "invalid" in prompt:
            violations = {"spec.image.width": "must be a multiple of 8"}
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
                retry_after_s=7,
            ).raise_in(context)
        response = server.create(request)
        await server.leave("CreateJob", context)
        return response

    async def GetJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetJob", request, context)
        return image_gen_pb2.GetJobResponse(job=self._now(await self._record(request.job_id, context)))

    async def ListJobs(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListJobs", request, context)
        jobs = [self._now(record) for record in reversed(self._server.records.values())]
        jobs = [job for job in jobs if not request.states or job.state in request.states]
        start, size = int(request.page_token or 0), request.page_size or 50
        more = str(start + size) if start + size < len(jobs) else ""
        return image_gen_pb2.ListJobsResponse(jobs=jobs[start : start + size], next_page_token=more)

    async def CancelJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("CancelJob", request, context)
        record = await self._record(request.job_id, context)
        if not record.story[-1].HasField("completed") and "stubborn" not in record.job.spec.image.prompt:
            end = [
                _state(JobState.JOB_STATE_RUNNING, JobState.JOB_STATE_CANCELLING),
                _completed(record.job, JobState.JOB_STATE_CANCELLED, []),
            ]
            record.story += _numbered(record.job.job_id, end, record.story[-1].sequence)
            record.job.state = JobState.JOB_STATE_CANCELLING
            record.cancelled.set()
        return image_gen_pb2.CancelJobResponse(job=self._now(record))

    async def DeleteJob(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteJob", request, context)
        record = await self._record(request.job_id, context)
        if self._now(record).state == JobState.JOB_STATE_QUEUED:
            await Fault(
                code=grpc.StatusCode.FAILED_PRECONDITION,
                message="the job has not ended: cancel it first",
                reason="JOB_NOT_FINISHED",
            ).raise_in(context)
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

    async def GenerateImages(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await UNIMPLEMENTED.raise_in(context)
        yield

    async def WatchJobs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await UNIMPLEMENTED.raise_in(context)
        yield


class FakeAssets(AssetServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def WriteAsset(self, request_iterator: Any, context: Any) -> Any:
        header, content, cut = None, b"", self._server.next_cut("WriteAsset")
        chunks = 0
        async for message in request_iterator:
            if message.HasField("header"):
                header = message.header
                await self._server.enter("WriteAsset", message, context)
            if chunks == cut:
                await self._server.cut_by.raise_in(context)
            chunks += message.HasField("chunk")
            content += message.chunk
        if cut is not None:
            await self._server.cut_by.raise_in(context)
        assert header is not None
        assert header.digest == hashlib.sha256(content).hexdigest()
        assert header.size_bytes == len(content)
        return asset_pb2.WriteAssetResponse(asset=self._server.store(content))

    async def ReadAsset(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._server.enter("ReadAsset", request, context)
        asset, content = await self._asset(request.digest, context)
        cut = self._server.next_cut("ReadAsset")
        yield asset_pb2.ReadAssetResponse(asset=asset)
        for number, start in enumerate(range(request.offset, len(content), CHUNK_BYTES)):
            if number == cut:
                break
            yield asset_pb2.ReadAssetResponse(chunk=content[start : start + CHUNK_BYTES])
        if cut is not None:
            await self._server.cut_by.raise_in(context)

    async def GetAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetAsset", request, context)
        return asset_pb2.GetAssetResponse(asset=(await self._asset(request.digest, context))[0])

    async def ListAssets(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListAssets", request, context)
        assets = [asset for asset, _ in reversed(self._server.assets.values())]
        assets = [asset for asset in assets if not request.origin or asset.origin == request.origin]
        start, size = int(request.page_token or 0), request.page_size or 50
        more = str(start + size) if start + size < len(assets) else ""
        return asset_pb2.ListAssetsResponse(assets=assets[start : start + size], next_page_token=more)

    async def DeleteAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteAsset", request, context)
        await self._asset(request.digest, context)
        del self._server.assets[request.digest]
        return asset_pb2.DeleteAssetResponse()

    async def _asset(self, digest: str, context: Any) -> tuple[asset_pb2.Asset, bytes]:
        if digest not in self._server.assets:
            await NO_ASSET.raise_in(context)
        return self._server.assets[digest]


class FakeBackends(BackendServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._backends = {
            "demo": backend_pb2.Backend(name="demo", kind="demo", health=backend_pb2.BACKEND_HEALTH_HEALTHY),
            "comfyui": backend_pb2.Backend(
                name="comfyui",
                kind="comfyui",
                url="http://127.0.0.1:8188",
                health=backend_pb2.BACKEND_HEALTH_UNHEALTHY,
                reason="refused",
            ),
        }

    async def ListBackends(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListBackends", request, context)
        return backend_pb2.ListBackendsResponse(backends=self._backends.values())

    async def GetBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetBackend", request, context)
        return backend_pb2.GetBackendResponse(backend=self._backends[request.name])

    async def RefreshBackend(self, request: Any, context: Any) -> Any:
        await self._server.enter("RefreshBackend", request, context)
        return backend_pb2.RefreshBackendResponse(backend=self._backends[request.name])


class FakeModels(ModelServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._models = [
            model_pb2.Model(name="dusk", type=model_pb2.MODEL_TYPE_CHECKPOINT, backends=["demo"]),
            model_pb2.Model(name="euler", type=model_pb2.MODEL_TYPE_SAMPLER, backends=["demo", "comfyui"]),
        ]

    async def ListModels(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListModels", request, context)
        models = [model for model in self._models if not request.type or model.type == request.type]
        return model_pb2.ListModelsResponse(models=models)

    async def GetModel(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetModel", request, context)
        return model_pb2.GetModelResponse(model=self._models[0])

    async def RefreshModels(self, request: Any, context: Any) -> Any:
        await self._server.enter("RefreshModels", request, context)
        return model_pb2.RefreshModelsResponse(models=self._models, unreachable_backends=["comfyui"])


@asynccontextmanager
async def serve_fake(server: FakeServer, port: int = 0) -> AsyncIterator[int]:
    """Serves on 127.0.0.1 and gives the port."""
    grpc_server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_ImageGenServiceServicer_to_server(FakeJobs(server), grpc_server)
    add_AssetServiceServicer_to_server(FakeAssets(server), grpc_server)
    add_BackendServiceServicer_to_server(FakeBackends(server), grpc_server)
    add_ModelServiceServicer_to_server(FakeModels(server), grpc_server)
    bound = grpc_server.add_insecure_port(f"127.0.0.1:{port}")
    await grpc_server.start()
    try:
        yield bound
    finally:
        await grpc_server.stop(None)


async def main() -> None:
    async with serve_fake(FakeServer()) as port:
        print(f"127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
