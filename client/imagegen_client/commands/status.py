"""From events to what a person wants to read about a job. Pure."""

from dataclasses import dataclass, replace

from imagegen.v1.event_pb2 import AttemptStarted, JobEvent
from imagegen.v1.job_pb2 import AttemptState, Job, JobState, Output, OutputKind, Phase, Progress, QueueInfo
from imagegen_client.commands.wording import broken_text, listed, phase_text, queue_text, state_text, warning_text
from imagegen_client.specs import count_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An attempt, as far as it was not said to have failed."""

    number: int
    backend: str
    images: int
    """How many it makes; 0: not known."""
    delivered: int = 0

    @property
    def is_under_way(self) -> bool:
        # No event tells that an attempt succeeded: that all of its images are there does.
        return not self.images or self.delivered < self.images


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a job stands, as far as its events told."""

    state: JobState.ValueType = JobState.JOB_STATE_UNSPECIFIED
    runs: tuple[Run, ...] = ()
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
    delivered: int = 0
    """How many there are."""
    queue: QueueInfo | None = None
    """Its place; None: not known."""

    @property
    def headline(self) -> str:
        """What goes on, without the numbers that change all the time."""
        return self._text(has_eta=False)

    @property
    def news(self) -> str:
        """The headline, with what is foreseen at this moment."""
        return self._text(has_eta=True)

    @property
    def line(self) -> str:
        """All of it, with the step."""
        has_step = self.state == JobState.JOB_STATE_RUNNING and self.steps and not self._is_spread
        return f"{self.news}, step {self.step}/{self.steps}" if has_step else self.news

    @property
    def under_way(self) -> tuple[Run, ...]:
        """The attempts that still have something to make."""
        return tuple(run for run in self.runs if run.is_under_way)

    def _text(self, *, has_eta: bool) -> str:
        if self.state == JobState.JOB_STATE_QUEUED and self.queue is not None:
            return f"queued, {queue_text(self.queue, has_eta=has_eta)}"
        if self.state != JobState.JOB_STATE_RUNNING:
            return state_text(self.state)
        return self._text_of_several if self._is_spread else self._text_of_one

    @property
    def _is_spread(self) -> bool:
        return len(self.under_way) > 1

    @property
    def _text_of_one(self) -> str:
        image = f", image {self.image + 1} of {self.images}" if self.images > 1 else ""
        runs = self.under_way or self.runs
        place = f" on {runs[-1].backend}" if runs else ""
        title = f" ({self.title})" if self.title else ""
        return phase_text(self.phase) + title + image + place

    @property
    def _text_of_several(self) -> str:
        # What each of them is doing would change with every event: what counts is what they have made.
        return f"running on {listed([run.backend for run in self.under_way])}, {self.delivered} of {self.images} made"


def next_status(status: Status, event: JobEvent) -> Status:
    """The status after an event."""
    match event.WhichOneof("event"):
        case "snapshot":
            return _of_job(event.snapshot)
        case "completed":
            is_whole = event.completed.job.state == JobState.JOB_STATE_SUCCEEDED
            return replace(_of_job(event.completed.job), fraction=1.0 if is_whole else status.fraction)
        case "state_changed":
            is_waiting = event.state_changed.to == JobState.JOB_STATE_QUEUED
            return replace(status, state=event.state_changed.to, queue=None, runs=() if is_waiting else status.runs)
        case "queue_updated":
            return replace(status, queue=event.queue_updated)
        case "attempt_started":
            return _with_attempt(status, event.attempt_started)
        case "attempt_failed":
            number = event.attempt_failed.attempt.number
            return replace(status, runs=tuple(run for run in status.runs if run.number != number))
        case "plan" if not any(run.images for run in status.runs):
            return replace(status, images=event.plan.images)
        case "output_ready" if event.output_ready.kind != OutputKind.OUTPUT_KIND_INTERMEDIATE:
            return _with_output(status, event.output_ready)
        case "model_loading":
            return replace(status, phase=Phase.PHASE_LOADING_MODEL, title=event.model_loading.model, step=0, steps=0)
        case "phase_changed":
            return replace(status, phase=event.phase_changed.phase, title=event.phase_changed.title, step=0, steps=0)
        case "progress":
            return _with_progress(status, event.progress)
        case _:
            return status


def _of_job(job: Job) -> Status:
    results = [output for output in job.outputs if output.kind != OutputKind.OUTPUT_KIND_INTERMEDIATE]
    status = Status(
        state=job.state,
        runs=tuple(
            Run(
                number=each.number,
                backend=each.backend,
                images=each.image_count,
                delivered=sum(output.attempt == each.number for output in results),
            )
            for each in job.attempts
            if each.state == AttemptState.ATTEMPT_STATE_RUNNING
        ),
        images=count_of(job.spec),
        delivered=len(results),
        queue=job.queue if job.HasField("queue") else None,
    )
    return _with_progress(status, job.progress) if job.HasField("progress") else status


def _with_attempt(status: Status, started: AttemptStarted) -> Status:
    run = Run(number=started.number, backend=started.backend, images=started.image_count)
    images = max(status.images, started.first_image + started.image_count)
    if status.under_way:
        return replace(status, runs=(*status.under_way, run), images=images)
    return Status(
        state=JobState.JOB_STATE_RUNNING,
        runs=(run,),
        images=images,
        delivered=status.delivered,
        fraction=status.delivered / images if images else 0.0,
    )


def _with_output(status: Status, output: Output) -> Status:
    runs = (replace(run, delivered=run.delivered + (run.number == output.attempt)) for run in status.runs)
    return replace(status, runs=tuple(runs), delivered=status.delivered + 1)


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


def remarks(event: JobEvent) -> list[str]:
    """Sentences worth keeping on the screen; none for most events."""
    match event.WhichOneof("event"):
        case "snapshot":
            broken = [broken_text(attempt) for attempt in event.snapshot.attempts if attempt.HasField("error")]
            return broken + [warning_text(warning) for warning in event.snapshot.warnings]
        case "attempt_failed":
            after = "trying again" if event.attempt_failed.will_retry else "not trying again"
            return [f"{broken_text(event.attempt_failed.attempt)}; {after}"]
        case "warning":
            return [warning_text(event.warning)]
        case "updated":
            return ["somebody changed or moved the job" + ("; it is paused" if event.updated.job.paused else "")]
        case "reset":
            return [f"some events were missed: {event.reset.reason}"]
        case _:
            return []
