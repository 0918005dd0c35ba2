"""Events. The bytes serve GenerateImages, WatchJob and WatchJobs alike: all three answer one JobEvent in field 1."""

import asyncio
from collections.abc import Hashable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import assert_never

from imagegen.v1 import event_pb2, image_gen_pb2, job_pb2
from imagegen_adapters.contract import ModelLoading, Phase, PhaseChanged, Planned, Progressed, Warned
from imagegen_server.happenings import (
    AttemptFailed,
    AttemptStarted,
    Completed,
    DurableEvent,
    JobUpdated,
    StateChanged,
)
from imagegen_server.jobs import Job, Output
from imagegen_server.running.previews import Preview, PreviewVariant, scale_down
from imagegen_server.scheduling import Place, WaitReason
from imagegen_server.wire.jobs import JOB_STATES, encode_attempt, encode_job, encode_output, encode_warning
from imagegen_server.wire.scalars import to_duration, to_timestamp

_PHASES = {phase: job_pb2.Phase.Value(f"PHASE_{phase.name}") for phase in Phase}
_WAIT_REASONS = {reason: job_pb2.WaitReason.Value(f"WAIT_REASON_{reason.name}") for reason in WaitReason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where in a stream a control event stands."""

    job_id: str
    """Empty in a stream of many jobs, but for snapshots."""
    sequence: int
    """Of the newest durable event before it."""
    time: float
    token: str
    attempt: int = 0


def encode_durable(event: DurableEvent, token: str) -> bytes:
    """`token` names the event's own position."""
    encoded = event_pb2.JobEvent(
        job_id=event.job_id,
        sequence=event.sequence,
        time=to_timestamp(event.time),
        attempt=event.attempt,
        resume_token=token,
    )
    match event.payload:
        case StateChanged(before=before, after=after):
            before_pb = JOB_STATES[before] if before is not None else job_pb2.JOB_STATE_UNSPECIFIED
            encoded.state_changed.CopyFrom(event_pb2.StateChanged(**{"from": before_pb}, to=JOB_STATES[after]))
        case AttemptStarted(attempt=attempt):
            encoded.attempt_started.CopyFrom(
                event_pb2.AttemptStarted(
                    number=attempt.number,
                    backend=attempt.backend,
                    first_image=attempt.slice.first,
                    image_count=attempt.slice.count,
                )
            )
        case AttemptFailed(attempt=attempt, will_retry=will_retry):
            encoded.attempt_failed.CopyFrom(
                event_pb2.AttemptFailed(attempt=encode_attempt(attempt), will_retry=will_retry)
            )
        case Planned():
            encoded.plan.CopyFrom(_encode_plan(event.payload))
        case Output():
            encoded.output_ready.CopyFrom(encode_output(event.payload))
        case Warned():
            encoded.warning.CopyFrom(encode_warning(event.payload))
        case JobUpdated(job=job):
            encoded.updated.CopyFrom(event_pb2.JobUpdated(job=encode_job(job, resume_token=token)))
        case Completed(job=job):
            encoded.completed.CopyFrom(event_pb2.Completed(job=encode_job(job, resume_token=token)))
        case _ as never:
            assert_never(never)
    return _framed(encoded)


def encode_snapshot(job: Job, moment: Moment, *, progress: job_pb2.Progress | None, queue: Place | None) -> bytes:
    snapshot = encode_job(job, progress=progress, queue=encode_place(queue), resume_token=moment.token)
    return _framed(_at(moment, event_pb2.JobEvent(snapshot=snapshot)))


def encode_caught_up(moment: Moment) -> bytes:
    return _framed(_at(moment, event_pb2.JobEvent(caught_up=event_pb2.CaughtUp())))


def encode_reset(moment: Moment, reason: str) -> bytes:
    return _framed(_at(moment, event_pb2.JobEvent(reset=event_pb2.Reset(reason=reason))))


def encode_heartbeat(moment: Moment) -> bytes:
    return _framed(_at(moment, event_pb2.JobEvent(heartbeat=event_pb2.Heartbeat())))


class EphemeralEvent:
    """A `history.Payload`: built once, told for each position where in the stream it stands."""

    def __init__(self, job_id: str, attempt: int, time: float, event: event_pb2.JobEvent) -> None:
        event.job_id, event.attempt = job_id, attempt
        event.time.CopyFrom(to_timestamp(time))
        self._response = image_gen_pb2.WatchJobResponse(event=event)

    def encode(self, *, sequence: int, token: str, variant: Hashable) -> bytes:  # noqa: ARG002  # the same for all
        self._response.event.sequence = sequence
        self._response.event.resume_token = token
        return self._response.SerializeToString()

    @property
    def progress(self) -> job_pb2.Progress | None:
        """A copy of the progress that it tells, if it tells one."""
        if not self._response.event.HasField("progress"):
            return None
        progress = job_pb2.Progress()
        progress.CopyFrom(self._response.event.progress)
        return progress


def progress_event(
    job_id: str, attempt: int, time: float, progress: Progressed, steps_per_second: float | None
) -> EphemeralEvent:
    encoded = job_pb2.Progress(
        fraction=progress.fraction,
        phase=_PHASES[progress.phase],
        step=progress.step,
        steps=progress.steps,
        image_index=progress.image_index,
        node_id=progress.node_id,
        title=progress.title,
        steps_per_second=steps_per_second,
    )
    return EphemeralEvent(job_id, attempt, time, event_pb2.JobEvent(progress=encoded))


def phase_event(job_id: str, attempt: int, time: float, changed: PhaseChanged) -> EphemeralEvent:
    encoded = event_pb2.PhaseChanged(phase=_PHASES[changed.phase], node_id=changed.node_id, title=changed.title)
    return EphemeralEvent(job_id, attempt, time, event_pb2.JobEvent(phase_changed=encoded))


def model_loading_event(job_id: str, attempt: int, time: float, loading: ModelLoading) -> EphemeralEvent:
    encoded = event_pb2.ModelLoading(model=loading.model)
    return EphemeralEvent(job_id, attempt, time, event_pb2.JobEvent(model_loading=encoded))


def queue_event(job_id: str, time: float, place: Place) -> EphemeralEvent:
    return EphemeralEvent(job_id, 0, time, event_pb2.JobEvent(queue_updated=encode_place(place)))


class PreviewEvent:
    """A `history.Payload` in variants: without bytes, or smaller. A picture is scaled once per size, off the loop."""

    def __init__(self, job_id: str, attempt: int, time: float, preview: Preview, executor: Executor) -> None:
        self._job_id = job_id
        self._attempt = attempt
        self._time = time
        self._preview = preview
        self._executor = executor
        self._smaller: dict[int, asyncio.Future[Preview]] = {}

    async def prepare(self, variant: PreviewVariant) -> None:
        """To be awaited before `encode` is called for the variant."""
        max_pixels = variant.max_pixels
        if not variant.with_data or not max_pixels or self._preview.longest_side <= max_pixels:
            return
        if max_pixels not in self._smaller:
            loop = asyncio.get_running_loop()
            self._smaller[max_pixels] = loop.run_in_executor(self._executor, scale_down, self._preview, max_pixels)
        # Shielded: a watcher that leaves must not cancel what others wait for.
        await asyncio.shield(self._smaller[max_pixels])

    def encode(self, *, sequence: int, token: str, variant: Hashable) -> bytes:
        assert isinstance(variant, PreviewVariant)
        smaller = self._smaller.get(variant.max_pixels)
        preview = smaller.result() if smaller is not None else self._preview
        event = EphemeralEvent(self._job_id, self._attempt, self._time, _encode_preview(preview, variant.with_data))
        return event.encode(sequence=sequence, token=token, variant=None)


def _encode_preview(preview: Preview, with_data: bool) -> event_pb2.JobEvent:
    encoded = event_pb2.Preview(
        data=preview.data if with_data else b"",
        media_type=preview.media_type,
        width=preview.width,
        height=preview.height,
        image_index=preview.image_index,
        step=preview.step,
        node_id=preview.node_id,
        frame=preview.frame,
    )
    return event_pb2.JobEvent(preview=encoded)


def encode_place(place: Place | None) -> job_pb2.QueueInfo | None:
    if place is None:
        return None
    return job_pb2.QueueInfo(
        ahead=place.ahead,
        length=place.length,
        start_eta=to_duration(place.start_s),
        finish_eta=to_duration(place.finish_s),
        backend=place.backend,
        reason=_WAIT_REASONS[place.reason],
    )


def _at(moment: Moment, event: event_pb2.JobEvent) -> event_pb2.JobEvent:
    event.job_id = moment.job_id
    event.sequence = moment.sequence
    event.time.CopyFrom(to_timestamp(moment.time))
    event.attempt = moment.attempt
    event.resume_token = moment.token
    return event


def _framed(event: event_pb2.JobEvent) -> bytes:
    return image_gen_pb2.WatchJobResponse(event=event).SerializeToString()


def _encode_plan(planned: Planned) -> event_pb2.Plan:
    nodes = [
        event_pb2.PlanNode(node_id=node.node_id, class_type=node.class_type, title=node.title, cached=node.cached)
        for node in planned.nodes
    ]
    return event_pb2.Plan(nodes=nodes, images=planned.images)
