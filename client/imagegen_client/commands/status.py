"""From events to what a person wants to read about a job. Pure."""

from dataclasses import dataclass, replace

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import Job, JobState, Phase, Progress, QueueInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a job stands, as far as its events told."""

    state: JobState.ValueType = JobState.JOB_STATE_UNSPECIFIED
    backend: str = ""
    phase: Phase.ValueType = Phase.PHASE_UNSPECIFIED
    title: str = ""
    """What the backend calls what it is doing, or the model that it is loading."""
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    image: int = 0
    """Which image is being made, from 0."""
    images: int = 0
    """How many there will be; 0: not known."""
    ahead: int | None = None
    """Jobs before it in the queue; None: not known."""

    @property
    def headline(self) -> str:
        """What goes on, without the numbers that change with every step."""
        if self.state != JobState.JOB_STATE_RUNNING:
            waiting = f", {self.ahead} ahead" if self.state == JobState.JOB_STATE_QUEUED and self.ahead else ""
            return state_text(self.state) + waiting
        image = f", image {self.image + 1} of {self.images}" if self.images > 1 else ""
        place = f" on {self.backend}" if self.backend else ""
        title = f" ({self.title})" if self.title else ""
        return phase_text(self.phase) + title + image + place

    @property
    def line(self) -> str:
        """What goes on, with the step."""
        has_step = self.state == JobState.JOB_STATE_RUNNING and self.steps
        return f"{self.headline}, step {self.step}/{self.steps}" if has_step else self.headline


def next_status(status: Status, event: JobEvent) -> Status:
    """The status after an event."""
    match event.WhichOneof("event"):
        case "snapshot":
            return _of_job(event.snapshot)
        case "completed":
            is_whole = event.completed.job.state == JobState.JOB_STATE_SUCCEEDED
            return replace(_of_job(event.completed.job), fraction=1.0 if is_whole else status.fraction)
        case "state_changed":
            return replace(status, state=event.state_changed.to)
        case "queue_updated":
            return replace(status, ahead=event.queue_updated.ahead)
        case "attempt_started":
            return replace(
                Status(backend=event.attempt_started.backend, images=status.images), state=JobState.JOB_STATE_RUNNING
            )
        case "plan":
            return replace(status, images=event.plan.images)
        case "model_loading":
            return replace(status, phase=Phase.PHASE_LOADING_MODEL, title=event.model_loading.model, step=0, steps=0)
        case "phase_changed":
            return replace(status, phase=event.phase_changed.phase, title=event.phase_changed.title, step=0, steps=0)
        case "progress":
            return _with_progress(status, event.progress)
        case _:
            return status


def _of_job(job: Job) -> Status:
    status = Status(
        state=job.state,
        backend=job.attempts[-1].backend if job.attempts else "",
        images=job.spec.image.count,
        ahead=job.queue.ahead if job.HasField("queue") else None,
    )
    return _with_progress(status, job.progress) if job.HasField("progress") else status


def _with_progress(status: Status, progress: Progress) -> Status:
    return replace(
        status,
        phase=progress.phase,
        title=progress.title,
        step=progress.step,
        steps=progress.steps,
        fraction=progress.fraction,
        image=progress.image_index,
    )


def remark(event: JobEvent) -> str | None:
    """A sentence worth keeping on the screen; None for most events."""
    match event.WhichOneof("event"):
        case "attempt_failed":
            attempt = event.attempt_failed.attempt
            after = "trying again" if event.attempt_failed.will_retry else "not trying again"
            return f"attempt {attempt.number} on {attempt.backend} failed: {attempt.error.message}; {after}"
        case "warning":
            return f"warning: {event.warning.message} ({event.warning.code})"
        case "reset":
            return f"some events were missed: {event.reset.reason}"
        case _:
            return None


def state_text(state: JobState.ValueType) -> str:
    """ "queued", "running", ..."""
    if state == JobState.JOB_STATE_UNSPECIFIED:
        return "accepted"
    return _words(JobState.Name(state), "JOB_STATE_") if state in JobState.values() else f"state {state}"


def phase_text(phase: Phase.ValueType) -> str:
    """ "sampling", "loading model", ..."""
    if phase == Phase.PHASE_UNSPECIFIED:
        return "running"
    return _words(Phase.Name(phase), "PHASE_") if phase in Phase.values() else f"phase {phase}"


def _words(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ")


def queue_text(queue: QueueInfo) -> str:
    """A place in the queue."""
    return f"{queue.ahead} ahead" if queue.ahead else "next"
