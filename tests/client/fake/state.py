"""What the services of the fake server share."""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

import grpc

from imagegen.v1 import asset_pb2
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import Job, JobState, Output, OutputKind
from tests.client.fake.faults import SHUTTING_DOWN, Fault
from tests.client.fake.stories import NOW, png, story_of


@dataclass
class Record:
    """A job, the whole of its story, and how much of it has happened."""

    job: Job
    story: list[JobEvent]
    happened: int = 0
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


class FakeServer:
    """The state that all services share, and the faults that they are told to have."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.order: list[str] = []
        """Ids of jobs as the queue has them; those that have begun are passed over."""
        self.is_paused = False
        self.paused_owners: set[str] = set()
        self.assets: dict[str, tuple[asset_pb2.Asset, bytes]] = {}
        self.requests: list[Any] = []
        """Every request, in the order of arrival."""
        self.owners: list[str] = []
        """Who asked, for every request."""
        self.faults: dict[str, list[Fault | None]] = {}
        """By method: how the next calls fail; None: not at all."""
        self.has_accepted = asyncio.Event()
        """Set when a job was accepted."""
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
        self.owners.append(owner_of(context))
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

    @property
    def waiting(self) -> list[Job]:
        """The jobs that have not begun, next one first."""
        records = [self.records[job_id] for job_id in self.order if job_id in self.records]
        return [each.job for each in records if not each.happened and each.job.state == JobState.JOB_STATE_QUEUED]

    def accept(self, job: Job) -> tuple[Job, bool]:
        """The job as it is stored, and whether an earlier call with its request id has done that."""
        for record in self.records.values():
            if job.request_id and (record.job.owner, record.job.request_id) == (job.owner, job.request_id):
                return record.job, True
        job.job_id, job.state = str(uuid.uuid4()), JobState.JOB_STATE_QUEUED
        job.create_time.CopyFrom(NOW)
        if job.spec.HasField("image"):
            job.spec.image.count = job.spec.image.count or 1
        self.records[job.job_id] = Record(job, story_of(job, self._outputs(job)))
        self.order.append(job.job_id)
        self.has_accepted.set()
        return job, False

    def _outputs(self, job: Job) -> list[Output]:
        return [self._output(job, index) for index in range(job.spec.image.count or 1)]

    def _output(self, job: Job, index: int) -> Output:
        content = png(f"{job.spec.image.prompt} {job.spec.image.seed + index}")
        return Output(
            index=index,
            image_index=index,
            asset=self.store(content, job_id=job.job_id),
            kind=OutputKind.OUTPUT_KIND_FINAL,
            seed=job.spec.image.seed + index,
        )


def owner_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    return str(dict(context.invocation_metadata() or ()).get("imagegen-owner", ""))
