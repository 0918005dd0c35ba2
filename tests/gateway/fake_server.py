"""A scripted imagegen server: real gRPC, the delivery rules of event.proto, and no work behind them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations
from grpc_health.v1 import health, health_pb2_grpc
from grpc_status import rpc_status

from imagegen.v1 import (
    asset_pb2,
    asset_pb2_grpc,
    backend_pb2_grpc,
    event_pb2,
    image_gen_pb2,
    image_gen_pb2_grpc,
    job_pb2,
    key_pb2,
    key_pb2_grpc,
    model_pb2_grpc,
    queue_pb2_grpc,
    settings_pb2_grpc,
    system_pb2,
    system_pb2_grpc,
    workflow_pb2_grpc,
)
from imagegen_gateway.descriptors import load_package

DURABLE = {
    "state_changed",
    "attempt_started",
    "attempt_failed",
    "plan",
    "output_ready",
    "warning",
    "updated",
    "completed",
}
FINAL = {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
DROP = "drop"


class FakeServer:
    """Jobs are made by `add_job`, told about by `publish`; every unary rpc answers what `answers` says."""

    def __init__(self) -> None:
        self.jobs: dict[str, job_pb2.Job] = {}
        self.log: list[event_pb2.JobEvent] = []
        self.latest: dict[tuple[str, str], event_pb2.JobEvent] = {}
        self.watchers: dict[asyncio.Queue[event_pb2.JobEvent | str], tuple[set[str], image_gen_pb2.WatchOptions]] = {}
        self.assets: dict[str, tuple[asset_pb2.Asset, bytes]] = {}
        self.requests: dict[str, Message] = {}
        self.owners: dict[str, str | None] = {}
        """What the metadata of the newest call of each rpc said in `imagegen-owner`."""
        self.answers: dict[str, Message] = {}
        self.errors: dict[str, tuple[grpc.StatusCode, str, str, tuple[Message, ...]]] = {}
        self.keys: list[key_pb2.WatchedKey] | None = []
        """What WatchKeys tells; None: the server is from before there were keys. Changed by `set_keys`."""
        self.system: dict[str, system_pb2.SystemEvent] = {}
        """What WatchSystem begins with, before `ready`."""
        self.system_watchers: list[asyncio.Queue[system_pb2.SystemEvent | str]] = []
        self.opened: list[image_gen_pb2.WatchJobRequest | image_gen_pb2.WatchJobsRequest] = []
        self.before_watching: Callable[[], Awaitable[object]] | None = None
        """Waited for by WatchJobs before it tells anything."""
        self.catches_up = True
        """Whether streams say that they have told all that was before them."""
        self.changed = asyncio.Condition()
        self.address = ""

    # --- the script

    def add_job(self, job_id: str, state: job_pb2.JobState.ValueType = job_pb2.JOB_STATE_QUEUED) -> job_pb2.Job:
        job = job_pb2.Job(job_id=job_id, state=state)
        job.spec.image.prompt = "a red fox"
        self.jobs[job_id] = job
        return job

    def publish(self, job_id: str, kind: str, message: Message) -> event_pb2.JobEvent:
        """Makes an event of a job and tells all watchers at once."""
        job = self.jobs[job_id]
        event = event_pb2.JobEvent(job_id=job_id, attempt=1)
        event.time.FromSeconds(1_700_000_000)
        if kind == "state_changed":
            job.state = message.to  # type: ignore[attr-defined]  # a StateChanged
        if kind in DURABLE:
            job.sequence += 1
        event.sequence = job.sequence
        if kind == "completed":
            job.state = message.job.state  # type: ignore[attr-defined]  # a Completed
            self.latest = {key: value for key, value in self.latest.items() if key[0] != job_id}
        getattr(event, kind).CopyFrom(message)
        if kind in DURABLE:
            self.log.append(event)
        event.resume_token = f"p{len(self.log)}"
        if kind not in DURABLE:
            self.latest[job_id, kind] = event
        for queue, (wanted, _) in self.watchers.items():
            if not wanted or job_id in wanted:
                queue.put_nowait(event)
        return event

    def run(self, job_id: str) -> None:
        """The job begins."""
        change = event_pb2.StateChanged(to=job_pb2.JOB_STATE_RUNNING)
        self.publish(job_id, "state_changed", change)

    def warn(self, job_id: str, code: str) -> None:
        """A durable event with a name that tests can recognize."""
        self.publish(job_id, "warning", job_pb2.Warning(code=code))

    def progress(self, job_id: str, fraction: float) -> None:
        self.publish(job_id, "progress", job_pb2.Progress(fraction=fraction, step=int(fraction * 100), steps=100))

    def preview(self, job_id: str, data: bytes, frame: int = 1) -> None:
        picture = event_pb2.Preview(data=data, media_type="image/jpeg", width=8, height=8, frame=frame)
        self.publish(job_id, "preview", picture)

    def complete(self, job_id: str, state: job_pb2.JobState.ValueType = job_pb2.JOB_STATE_SUCCEEDED) -> None:
        job = job_pb2.Job()
        job.CopyFrom(self.jobs[job_id])
        job.state = state
        self.publish(job_id, "completed", event_pb2.Completed(job=job))

    def add_output(self, job_id: str, data: bytes, media_type: str = "image/png") -> asset_pb2.Asset:
        asset = self.add_asset(data, media_type)
        output = self.jobs[job_id].outputs.add(kind=job_pb2.OUTPUT_KIND_FINAL, asset=asset)
        self.publish(job_id, "output_ready", output)
        return asset

    def add_asset(self, data: bytes, media_type: str = "image/png") -> asset_pb2.Asset:
        digest = hashlib.sha256(data).hexdigest()
        asset = asset_pb2.Asset(digest=digest, size_bytes=len(data), media_type=media_type)
        self.assets[digest] = (asset, data)
        return asset

    async def set_keys(self, *keys: key_pb2.WatchedKey) -> None:
        """Tells gateways of other keys."""
        self.keys = list(keys)
        await self.notify()

    def tell_system(self, event: system_pb2.SystemEvent, name: str = "") -> None:
        """Tells of what changed beside jobs; with a name, it is also what later streams begin with."""
        if name:
            self.system[name] = event
        for queue in self.system_watchers:
            queue.put_nowait(event)

    def drop(self) -> None:
        """Cuts every stream, as a server does that goes down."""
        for queue in self.watchers:
            queue.put_nowait(DROP)
        for watcher in self.system_watchers:
            watcher.put_nowait(DROP)

    def count_opened(self, job_id: str) -> int:
        """How many streams of one job were ever opened."""
        return sum(isinstance(r, image_gen_pb2.WatchJobRequest) and r.job_id == job_id for r in self.opened)

    async def until(self, condition: Any, *, timeout_s: float | None = 10) -> None:
        """Waits until `condition()` holds; looked at when streams come and go."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(condition)

    # --- the service

    async def watch(
        self,
        job_ids: set[str],
        token: str,
        options: image_gen_pb2.WatchOptions,
        context: Any,
        *,
        is_one: bool,
    ) -> AsyncIterator[event_pb2.JobEvent]:
        for job_id in job_ids:
            if job_id not in self.jobs:
                await fail(context, grpc.StatusCode.NOT_FOUND, "no such job", "JOB_NOT_FOUND")
        position = await self.parse(token, context)
        queue: asyncio.Queue[event_pb2.JobEvent | str] = asyncio.Queue()
        self.watchers[queue] = (job_ids, options)
        await self.notify()
        try:
            left = {job_id for job_id in job_ids if self.jobs[job_id].state not in FINAL}
            for event in self.begin(job_ids, position, is_one=is_one):
                yield event
            while left or not job_ids:
                item = await queue.get()
                if isinstance(item, str):
                    await fail(context, grpc.StatusCode.UNAVAILABLE, "going down", "SHUTTING_DOWN")
                if item.WhichOneof("event") == "preview":
                    if options.previews == image_gen_pb2.PREVIEW_DELIVERY_NONE:
                        continue
                    if options.previews == image_gen_pb2.PREVIEW_DELIVERY_NOTICE:
                        slim = event_pb2.JobEvent()
                        slim.CopyFrom(item)
                        slim.preview.data = b""
                        item = slim
                yield item
                if item.WhichOneof("event") == "completed":
                    left.discard(item.job_id)
        finally:
            del self.watchers[queue]
            await asyncio.shield(self.notify())

    def begin(self, job_ids: set[str], position: int | None, *, is_one: bool) -> list[event_pb2.JobEvent]:
        """What a stream says before it is live. Position None: snapshots; -1: a reset first."""
        out: list[event_pb2.JobEvent] = []
        jobs = [job for job in self.jobs.values() if job.job_id in job_ids or (not job_ids and job.state not in FINAL)]
        if position is None or position < 0:
            if position is not None:
                out.append(event_pb2.JobEvent(reset=event_pb2.Reset(reason="the token is too old")))
            out += [event_pb2.JobEvent(job_id=job.job_id, sequence=job.sequence, snapshot=job) for job in jobs]
        else:
            out += [event for event in self.log[position:] if not job_ids or event.job_id in job_ids]
        out += [event for event in self.latest.values() if not job_ids or event.job_id in job_ids]
        only = next(iter(job_ids)) if is_one else ""
        sequence = self.jobs[only].sequence if is_one else 0
        if self.catches_up:
            out.append(event_pb2.JobEvent(job_id=only, sequence=sequence, caught_up=event_pb2.CaughtUp()))
        for event in out:
            if event.WhichOneof("event") in {"reset", "snapshot", "caught_up", "progress", "preview"}:
                event.resume_token = f"p{len(self.log)}"
        return out

    async def parse(self, token: str, context: Any) -> int | None:
        if not token:
            return None
        if token == "earliest":
            return 0
        if token == "old":
            return -1
        if token[:1] != "p" or not token[1:].isdecimal():
            await fail(context, grpc.StatusCode.INVALID_ARGUMENT, "no token of ours", "INVALID_RESUME_TOKEN")
        return int(token[1:])

    async def notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()


async def fail(
    context: Any, code: grpc.StatusCode, message: str, reason: str, details: Iterable[Message] = ()
) -> NoReturn:
    """Ends a call as the server does."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in (error_details_pb2.ErrorInfo(reason=reason, domain="imagegen"), *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError


class Plain:
    """A servicer that is all script."""


class Jobs:
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def WatchJob(self, request: image_gen_pb2.WatchJobRequest, context: Any) -> Any:  # noqa: N802
        self.fake.opened.append(request)
        stream = self.fake.watch({request.job_id}, request.resume_token, request.watch, context, is_one=True)
        async for event in stream:
            yield image_gen_pb2.WatchJobResponse(event=event)

    async def WatchJobs(self, request: image_gen_pb2.WatchJobsRequest, context: Any) -> Any:  # noqa: N802
        self.fake.opened.append(request)
        if self.fake.before_watching is not None:
            await self.fake.notify()
            await self.fake.before_watching()
        stream = self.fake.watch(set(request.job_ids), request.resume_token, request.watch, context, is_one=False)
        async for event in stream:
            yield image_gen_pb2.WatchJobsResponse(event=event)


class Assets:
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def find(self, digest: str, context: Any, *, deleted: bool = False) -> tuple[asset_pb2.Asset, bytes]:
        found = self.fake.assets.get(digest)
        if found is None or (found[0].HasField("delete_time") and not deleted):
            await fail(context, grpc.StatusCode.NOT_FOUND, "no such asset", "ASSET_NOT_FOUND")
        return found

    async def GetAsset(self, request: asset_pb2.GetAssetRequest, context: Any) -> Any:  # noqa: N802
        self.fake.requests["GetAsset"] = request
        if "GetAsset" in self.fake.answers:
            return self.fake.answers["GetAsset"]
        return asset_pb2.GetAssetResponse(asset=(await self.find(request.digest, context))[0])

    async def ReadAsset(self, request: asset_pb2.ReadAssetRequest, context: Any) -> Any:  # noqa: N802
        self.fake.requests["ReadAsset"] = request
        asset, data = await self.find(request.digest, context, deleted=request.include_deleted)
        if request.metadata not in (asset_pb2.METADATA_POLICY_UNSPECIFIED, asset_pb2.METADATA_POLICY_KEEP):
            data = f"{request.metadata} ".encode() + data
        yield asset_pb2.ReadAssetResponse(asset=asset)
        end = request.offset + request.limit if request.limit else len(data)
        for start in range(request.offset, end, 1000):
            yield asset_pb2.ReadAssetResponse(chunk=data[start : min(start + 1000, end)])

    async def WriteAsset(self, requests: Any, context: Any) -> Any:  # noqa: N802
        data, wanted = b"", ""
        async for request in requests:
            data += request.chunk
            wanted = wanted or request.header.digest
        if data.startswith(b"bad"):
            await fail(context, grpc.StatusCode.INVALID_ARGUMENT, "no image", "INVALID_IMAGE")
        asset = self.fake.add_asset(data)
        if wanted and wanted != asset.digest:
            await fail(context, grpc.StatusCode.INVALID_ARGUMENT, "another digest", "DIGEST_MISMATCH")
        return asset_pb2.WriteAssetResponse(asset=asset)


class Keys:
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def WatchKeys(self, _: key_pb2.WatchKeysRequest, context: Any) -> Any:  # noqa: N802
        if self.fake.keys is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "what are keys?")
        while True:
            told = self.fake.keys
            yield key_pb2.WatchKeysResponse(keys=told)
            await self.fake.until(lambda told=told: self.fake.keys is not told, timeout_s=None)

    async def CreateKey(self, request: key_pb2.CreateKeyRequest, _: Any) -> Any:  # noqa: N802
        self.fake.requests["CreateKey"] = request
        watched = watched_key(f"the-secret-of-{request.key.name}", request.key)
        await self.fake.set_keys(*(self.fake.keys or ()), watched)
        return key_pb2.CreateKeyResponse(key=request.key, secret=f"the-secret-of-{request.key.name}")

    async def DeleteKey(self, request: key_pb2.DeleteKeyRequest, _: Any) -> Any:  # noqa: N802
        self.fake.requests["DeleteKey"] = request
        await self.fake.set_keys(*(each for each in self.fake.keys or () if each.key.name != request.name))
        return key_pb2.DeleteKeyResponse()


class System:
    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake

    async def WatchSystem(self, _: system_pb2.WatchSystemRequest, context: Any) -> Any:  # noqa: N802
        queue: asyncio.Queue[system_pb2.SystemEvent | str] = asyncio.Queue()
        for event in [*self.fake.system.values(), system_pb2.SystemEvent(ready=system_pb2.Ready())]:
            queue.put_nowait(event)
        self.fake.system_watchers.append(queue)
        try:
            while isinstance(item := await queue.get(), system_pb2.SystemEvent):
                yield system_pb2.WatchSystemResponse(event=item)
            await fail(context, grpc.StatusCode.UNAVAILABLE, "going down", "SHUTTING_DOWN")
        finally:
            self.fake.system_watchers.remove(queue)


def watched_key(secret: str, key: key_pb2.Key) -> key_pb2.WatchedKey:
    """A key as gateways are told of it."""
    return key_pb2.WatchedKey(key=key, sha256=hashlib.sha256(secret.encode()).digest())


def script_unary(fake: FakeServer, servicer: Any, service: ServiceDescriptor) -> None:
    """Gives the servicer its unary methods: they note the request and answer from the script."""
    for method in service.methods:
        if method.name not in vars(type(servicer)):
            setattr(servicer, method.name, scripted(fake, method))


def scripted(fake: FakeServer, method: MethodDescriptor) -> Any:
    async def answer(request: Message, context: Any) -> Message:
        fake.requests[method.name] = request
        fake.owners[method.name] = dict(context.invocation_metadata()).get("imagegen-owner")
        if method.name in fake.errors:
            code, message, reason, details = fake.errors[method.name]
            await fail(context, code, message, reason, details)
        if method.name == "GetJob" and method.name not in fake.answers:
            job_id = getattr(request, "job_id", "")
            if job_id not in fake.jobs:
                await fail(context, grpc.StatusCode.NOT_FOUND, "no such job", "JOB_NOT_FOUND")
            return image_gen_pb2.GetJobResponse(job=fake.jobs[job_id])
        return fake.answers.get(method.name) or GetMessageClass(method.output_type)()

    return answer


@asynccontextmanager
async def serve_fake(fake: FakeServer, address: str = "127.0.0.1:0") -> AsyncIterator[FakeServer]:
    """The fake on a real socket; its address is `fake.address`."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicers: dict[str, tuple[Any, Any]] = {
        "ImageGenService": (Jobs(fake), image_gen_pb2_grpc.add_ImageGenServiceServicer_to_server),
        "AssetService": (Assets(fake), asset_pb2_grpc.add_AssetServiceServicer_to_server),
        "BackendService": (
            Plain(),
            backend_pb2_grpc.add_BackendServiceServicer_to_server,
        ),
        "KeyService": (Keys(fake), key_pb2_grpc.add_KeyServiceServicer_to_server),
        "ModelService": (Plain(), model_pb2_grpc.add_ModelServiceServicer_to_server),
        "QueueService": (Plain(), queue_pb2_grpc.add_QueueServiceServicer_to_server),
        "SettingsService": (Plain(), settings_pb2_grpc.add_SettingsServiceServicer_to_server),
        "SystemService": (System(fake), system_pb2_grpc.add_SystemServiceServicer_to_server),
        "WorkflowService": (Plain(), workflow_pb2_grpc.add_WorkflowServiceServicer_to_server),
    }
    for service in load_package().services:
        servicer, add = servicers[service.name]
        script_unary(fake, servicer, service)
        add(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port(address)
    fake.address = f"127.0.0.1:{port}"
    await server.start()
    try:
        yield fake
    finally:
        await server.stop(None)
