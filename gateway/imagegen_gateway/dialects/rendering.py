"""Jobs whose caller waits for them: made, followed, and cancelled when the caller goes away.

A dialect's handler ends in one of three ways: the job has ended; the caller has closed its connection or left the
block, and the job is cancelled; or the gateway goes down, and the job lives on, to be found in the gallery.
A caller that named its request (Idempotency-Key) may come again for it, so its job is left alone.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from imagegen.v1 import event_pb2, image_gen_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_gateway.callers import Caller
from imagegen_gateway.errors import Problem, from_status, unavailable
from imagegen_gateway.eventlog import FINAL_STATES, Trimmed
from imagegen_gateway.hub import Hub, Hubs
from imagegen_gateway.records import Record

if TYPE_CHECKING:  # this name is in the stub only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub

log = structlog.get_logger(__name__)

CANCEL_TIMEOUT_S: Final = 30.0
REPEAT_TIMEOUT_S: Final = 10.0
"""How long a server that is being restarted is waited for, when a job is handed in."""
LOST_ANSWERS: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
CLOSING_S: Final = 3.0
"""How long cancels that are under way may go on when the gateway goes down."""
MAX_ANSWER_BYTES: Final = 512 * 1024 * 1024
"""Of pictures in one answer; as text, and while it is put together, they take four times as much."""
PREVIEW_PIXELS: Final = 512
"""Longest side of previews in foreign pages."""
PREVIEWS: Final = job_pb2.PreviewOptions(format=job_pb2.PREVIEW_FORMAT_JPEG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """How a job stands, and what is new since the moment before."""

    job: job_pb2.Job
    """The job as it was last told whole: its state and outputs may be behind."""
    state: job_pb2.JobState.ValueType
    queue: job_pb2.QueueInfo | None = None
    """Its place in the queue while it waits."""
    progress: job_pb2.Progress | None = None
    is_loading_model: bool = False
    preview: event_pb2.Preview | None = None
    """The newest frame, if it was not given before."""
    outputs: tuple[job_pb2.Output, ...] = ()
    """Results that were not given before."""
    events: tuple[event_pb2.JobEvent, ...] = ()
    """Every event that is new, in order; of ephemeral kinds the newest each."""

    @property
    def is_last(self) -> bool:
        """Whether the job has ended; `job` is whole then."""
        return self.state in FINAL_STATES


class Studio:
    """Makes and follows jobs for dialects. Made by `open_studio`."""

    def __init__(self, stub: "ImageGenServiceAsyncStub", hubs: Hubs, timeout_s: float) -> None:
        self._stub = stub
        self._hubs = hubs
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[Any]] = set()

    async def create(self, spec: job_pb2.JobSpec, caller: Caller, *, request_id: str = "") -> job_pb2.Job:
        """Hands in a job, and takes it back when its caller goes away meanwhile, unless named. Raises AioRpcError."""
        creating = self._spawn(self._create(spec, caller, request_id))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            if not request_id:
                self._spawn(self._take_back(creating, caller))
            raise

    async def _create(self, spec: job_pb2.JobSpec, caller: Caller, request_id: str) -> job_pb2.Job:
        request = image_gen_pb2.CreateJobRequest(spec=spec, request_id=request_id or str(uuid.uuid4()))
        if not request.spec.HasField("preview"):
            request.spec.preview.CopyFrom(PREVIEWS)
        try:
            return (await self._stub.CreateJob(request, timeout=self._timeout_s, metadata=caller.metadata)).job
        except grpc.aio.AioRpcError as exc:
            if exc.code() not in LOST_ANSWERS:
                raise
            return await self._create_again(request, caller, exc)

    async def _create_again(
        self, request: image_gen_pb2.CreateJobRequest, caller: Caller, lost: grpc.aio.AioRpcError
    ) -> job_pb2.Job:
        """The answer may be lost and not the job, which would run for nobody: its request_id finds it."""
        try:
            answer = await self._stub.CreateJob(
                request, timeout=REPEAT_TIMEOUT_S, metadata=caller.metadata, wait_for_ready=True
            )
        except grpc.aio.AioRpcError as exc:
            raise (lost if exc.code() in LOST_ANSWERS else exc) from None
        return answer.job

    async def plan(self, spec: job_pb2.JobSpec, caller: Caller) -> job_pb2.JobSpec:
        """The same with what the server would choose for what it leaves open; nothing is made. Raises AioRpcError."""
        request = image_gen_pb2.CreateJobRequest(spec=spec, validate_only=True)
        return (await self._stub.CreateJob(request, timeout=self._timeout_s, metadata=caller.metadata)).job.spec

    async def _take_back(self, creating: "asyncio.Task[job_pb2.Job]", caller: Caller) -> None:
        try:
            job = await creating
        except grpc.aio.AioRpcError:
            return  # there is nothing to take back
        if not self._hubs.is_closing:
            await self.cancel(job.job_id, caller)

    @asynccontextmanager
    async def render(
        self,
        spec: job_pb2.JobSpec,
        caller: Caller,
        *,
        request_id: str = "",
        max_pixels: int = PREVIEW_PIXELS,
    ) -> AsyncIterator["Rendering"]:
        """A new job, which is cancelled when the block is left before its end; see the module's docstring.

        With a `request_id` it is the same job as before, and is left alone. Raises AioRpcError when it is not accepted.
        """
        job = await self.create(spec, caller, request_id=request_id)
        may_leave = bool(request_id)
        try:
            async with self.follow(job.job_id, max_pixels=max_pixels) as rendering:
                try:
                    yield rendering
                finally:
                    may_leave = may_leave or rendering.is_over
        finally:
            if not may_leave and not self._hubs.is_closing:
                await asyncio.shield(self._spawn(self.cancel(job.job_id, caller)))

    @asynccontextmanager
    async def follow(self, job_id: str, *, max_pixels: int = PREVIEW_PIXELS) -> AsyncIterator["Rendering"]:
        """A job that is there already; leaving the block leaves it alone. Raises Problem when it is not there."""
        async with self._hubs.watch(job_id, max_pixels=max_pixels) as hub:
            rendering = Rendering(job_id, hub)
            with hub.listen(rendering):
                yield rendering

    async def cancel(self, job_id: str, caller: Caller) -> None:
        """Cancels a job as far as that is possible; what goes wrong is logged."""
        request = image_gen_pb2.CancelJobRequest(job_id=job_id)
        try:
            # A server that is being restarted brings the job back, and nobody would ask for the cancel again.
            await self._stub.CancelJob(request, timeout=CANCEL_TIMEOUT_S, metadata=caller.metadata, wait_for_ready=True)
        except grpc.aio.AioRpcError as exc:
            log.warning("a job whose caller went away could not be cancelled", job_id=job_id, code=exc.code().name)

    def abandon(self, job_id: str, caller: Caller) -> None:
        """Cancels a job that its caller has given up, in the background; not when the gateway goes down."""
        if not self._hubs.is_closing:
            self._spawn(self.cancel(job_id, caller))

    async def closing(self) -> None:
        """Returns when the gateway goes down: streams are to be ended then."""
        await self._hubs.closing.wait()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has it; when nobody does any more, it is of no use

    async def close(self) -> None:
        """Lets what is under way go on for a moment, then ends it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSING_S)
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)


@dataclass(slots=True, eq=False)
class Rendering:
    """A job that somebody waits for. A hub's Listener."""

    job_id: str
    _hub: Hub
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _position: int = 0
    _sent: dict[str, int] = field(default_factory=dict)
    _outputs: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the job has ended, as far as is known here."""
        return self._hub.log.state in FINAL_STATES

    async def moments(
        self, *, interval_s: float = 0.25, heartbeat_s: float | None = None
    ) -> AsyncGenerator[Moment, None]:
        """How the job stands, whenever that changed, at most once in `interval_s` but for new results and the end.

        The first comes at once, the last when the job has ended. After `heartbeat_s` without a change one comes that
        has nothing new (no `events`), so that a stream can show that it lives. Raises Problem when the job can be
        followed no more. To be closed by the caller (aclosing).
        """
        now = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            moment = self._moment()
            not_before = now() + interval_s
            yield moment
            if moment.is_last:
                return
            if not await self._wait_at_most(heartbeat_s):
                continue
            while not self._is_urgent() and (pause_s := not_before - now()) > 0:
                self._changed.clear()
                await self._wait_at_most(pause_s)
            self._raise_if_gone()

    async def ended(self) -> job_pb2.Job:
        """The job once it has ended. Raises Problem when it can be followed no more."""
        while not self.is_over:
            self._changed.clear()
            await self._wait_at_most(None)
            self._raise_if_gone()
        assert self._hub.log.job is not None
        return self._hub.log.job

    def publish(self, record: Record) -> None:  # noqa: ARG002  # the log has it
        """Notes that something happened."""
        self._changed.set()

    def wake(self) -> None:
        """Notes that the hub has ended, or failed."""
        self._changed.set()

    def pause(self) -> None:
        """The server is away: nothing to tell."""

    async def _wait_at_most(self, wait_s: float | None) -> bool:
        """Whether something changed meanwhile, or had before."""
        if self._hub.is_over:
            return True
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _raise_if_gone(self) -> None:
        if self._hub.is_over and not self.is_over:
            raise self._hub.problem or unavailable("the job's events ended before the job did")

    def _is_urgent(self) -> bool:
        newer = self._hub.log.newest > self._position
        return self.is_over or self._hub.is_over or (newer and self._has_new_output())

    def _has_new_output(self) -> bool:
        return any(record.kind == "output_ready" for record in self._lossless())

    def _lossless(self) -> list[Record]:
        try:
            return self._hub.log.after(self._position)
        except Trimmed:  # the snapshot in `job`, or the end, has what was missed
            return []

    def _moment(self) -> Moment:
        log_ = self._hub.log
        lossless = self._lossless()
        self._position = log_.newest
        events = [record.event for record in lossless]
        latest: dict[str, event_pb2.JobEvent] = {}
        for record in log_.latest():
            latest[record.kind] = record.event
            if record.position > self._sent.get(record.kind, 0):
                self._sent[record.kind] = record.position
                events.append(record.event)
        assert log_.job is not None
        preview = next((event.preview for event in events if event.HasField("preview")), None)
        return Moment(
            job=log_.job,
            state=log_.state,
            queue=_queue(log_.state, log_.job, latest),
            progress=latest["progress"].progress if "progress" in latest else None,
            is_loading_model="model_loading" in latest and "progress" not in latest,
            preview=preview if preview is not None and preview.data else None,
            outputs=self._new_outputs(events),
            events=tuple(events),
        )

    def _new_outputs(self, events: list[event_pb2.JobEvent]) -> tuple[job_pb2.Output, ...]:
        known: dict[int, job_pb2.Output] = {}
        for event in events:
            match event.WhichOneof("event"):
                case "snapshot":
                    known.update({output.index: output for output in event.snapshot.outputs})
                case "output_ready":
                    known[event.output_ready.index] = event.output_ready
                case "completed":
                    known.update({output.index: output for output in event.completed.job.outputs})
        new = [known[index] for index in sorted(known) if index >= self._outputs]
        self._outputs += len(new)
        return tuple(new)


def _queue(
    state: job_pb2.JobState.ValueType, job: job_pb2.Job, latest: dict[str, event_pb2.JobEvent]
) -> job_pb2.QueueInfo | None:
    if state != job_pb2.JOB_STATE_QUEUED:
        return None
    if "queue_updated" in latest:
        return latest["queue_updated"].queue_updated
    return job.queue if job.HasField("queue") else None


def images_of(job: job_pb2.Job) -> list[job_pb2.Output]:
    """The pictures of a job that are results, in the order of its images."""
    return sorted(
        (output for output in job.outputs if is_picture(output)), key=lambda output: (output.image_index, output.index)
    )


def is_picture(output: job_pb2.Output) -> bool:
    """Whether it is a result, and a picture."""
    return output.kind != job_pb2.OUTPUT_KIND_INTERMEDIATE and output.asset.media_type.startswith("image/")


def failure_of(job: job_pb2.Job) -> Problem | None:
    """Why an ended job has no result; None for one that succeeded."""
    if job.state == job_pb2.JOB_STATE_SUCCEEDED:
        return None
    problem = from_status(job.error)
    if job.state == job_pb2.JOB_STATE_CANCELLED:
        problem.status = 499  # not one that makes clients try again
    return problem


def finished_pictures(job: job_pb2.Job) -> list[job_pb2.Output]:
    """The pictures of an ended job. Raises Problem for one that has failed, or made none."""
    problem = failure_of(job)
    if problem is not None:
        raise problem
    pictures = images_of(job)
    if not pictures:
        raise Problem(502, "the job made no picture; its workflow may have no output that is one", reason="NO_OUTPUT")
    return pictures


def check_together(pictures: Iterable[job_pb2.Output]) -> None:
    """For answers that hold all pictures at once. Raises Problem 413 where that would be too much."""
    size = sum(picture.asset.size_bytes for picture in pictures)
    if size > MAX_ANSWER_BYTES:
        detail = f"the pictures have {size} bytes together, too many for one answer: they are in the gallery"
        raise Problem(413, f"{detail}; ask for fewer at a time", reason="ASSET_TOO_LARGE")


@asynccontextmanager
async def open_studio(channel: grpc.aio.Channel, hubs: Hubs, timeout_s: float) -> AsyncIterator[Studio]:
    """A studio; leaving the block gives cancels that are under way a moment."""
    studio = Studio(image_gen_pb2_grpc.ImageGenServiceStub(channel), hubs, timeout_s)
    try:
        yield studio
    finally:
        await studio.close()
