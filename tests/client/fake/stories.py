"""What happens to a job, all of it told beforehand."""

import hashlib
import io

from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import AttemptState, Job, JobState, Output, Phase, Progress, WaitReason
from imagegen_client.delivery import DURABLE
from tests.client.fake.faults import OUT_OF_MEMORY, SILENT

NOW = Timestamp(seconds=1_760_000_000)


def story_of(job: Job, outputs: list[Output]) -> list[JobEvent]:
    prompt = job.spec.image.prompt
    story = [state_change(JobState.JOB_STATE_UNSPECIFIED, JobState.JOB_STATE_QUEUED), JobEvent()]
    story[1].queue_updated.length, story[1].queue_updated.reason = 1, WaitReason.WAIT_REASON_TURN
    story[1].queue_updated.start_eta.seconds = 40
    if "moved" in prompt or "uncertain" in prompt:
        story += _break_down(uncertain="uncertain" in prompt)
    half = len(outputs) // 2 if "spread" in prompt else 0
    number = 2 if len(story) > 2 else 1
    story += [_attempt(number, "demo", half, len(outputs) - half)]
    story += [_attempt(number + 1, "big", 0, half)] if half else []
    story += [JobEvent(), JobEvent()]
    story[-2].plan.images = len(outputs)
    story[-1].phase_changed.phase = Phase.PHASE_SAMPLING
    if "wait" not in prompt:
        for output in outputs:
            output.attempt = number + 1 if output.index < half else number
            story += [_progress(output.index, len(outputs)), _preview(output.index), JobEvent(output_ready=output)]
    if "warn" in prompt:
        story.append(JobEvent())
        story[-1].warning.code, story[-1].warning.message = "SIZE_ADJUSTED", "the size was\x1b[31m rounded"
    if "wait" not in prompt:
        story.append(completed(job, _end_of(prompt), outputs))
    return numbered(job.job_id, story)


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


def state_change(before: JobState.ValueType, after: JobState.ValueType) -> JobEvent:
    event = JobEvent()
    setattr(event.state_changed, "from", before)
    event.state_changed.to = after
    return event


def _attempt(number: int, backend: str, first: int, count: int) -> JobEvent:
    event = JobEvent(attempt=number)
    event.attempt_started.number, event.attempt_started.backend = number, backend
    event.attempt_started.first_image, event.attempt_started.image_count = first, count
    return event


def _break_down(*, uncertain: bool) -> list[JobEvent]:
    failed = JobEvent(attempt=1)
    attempt = failed.attempt_failed.attempt
    attempt.number, attempt.backend = 1, "old"
    attempt.state = AttemptState.ATTEMPT_STATE_UNCERTAIN if uncertain else AttemptState.ATTEMPT_STATE_FAILED
    attempt.error.CopyFrom(SILENT.status())
    failed.attempt_failed.will_retry = True
    return [_attempt(1, "old", 0, 1), failed]


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


def completed(job: Job, state: JobState.ValueType, outputs: list[Output]) -> JobEvent:
    event = JobEvent()
    done = event.completed.job
    done.CopyFrom(job)
    done.state = state
    done.outputs.extend(outputs if state == JobState.JOB_STATE_SUCCEEDED else outputs[:-1])
    if state == JobState.JOB_STATE_FAILED:
        done.error.CopyFrom(OUT_OF_MEMORY.status())
    return event


def numbered(job_id: str, story: list[JobEvent], sequence: int = 0) -> list[JobEvent]:
    for event in story:
        sequence += event.WhichOneof("event") in DURABLE
        event.job_id, event.sequence, event.resume_token = job_id, sequence, f"t{sequence}"
        event.time.CopyFrom(NOW)
        if event.HasField("completed"):
            event.completed.job.sequence = sequence
    return story
