"""The one table of what may happen to a job.

QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED | EXPIRED, with CANCELLING between a cancel and its confirmation,
and RUNNING -> QUEUED when an attempt failed and another will be made. The rules:

1. `apply(job, happening, now)` gives the job afterwards and the durable events that tell about it; the caller stores
   both, then publishes the events.
2. What is not in the table raises InvalidHappening and changes nothing.
3. A final state is never left. Exactly one Completed is emitted, as a job's last event.
4. Every event gets the next sequence number of its job, from 1.
5. A cancel is a wish: it never fails, and asked for twice, or too late, it changes nothing.
6. Once a cancel was asked for, the job never runs again: whatever ends the attempt ends the job. An attempt that
   succeeded before the backend saw the cancel makes the job SUCCEEDED.

Times are seconds since the Unix epoch.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from imagegen_adapters.contract import Handle, Planned, Warned
from imagegen_server.jobs import Asset, Attempt, AttemptState, Failure, Job, JobSpec, JobState, Output

MAX_WARNINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBegan:
    """The job is about to be handed to a backend."""

    attempt_id: str
    backend: str
    handle: Handle
    spec: JobSpec
    """The spec with what this backend resolved, as the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAccepted:
    """The backend has it, under this handle."""

    handle: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStored:
    """A result is in the asset store."""

    asset: Asset
    image_index: int = 0
    seed: int | None = None
    node_id: str = ""
    intermediate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSucceeded:
    """Every output is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBroke:
    """The attempt ended by a failure."""

    failure: Failure
    will_retry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """Somebody wants the job to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCancelled:
    """The backend confirmed a cancel."""


Happening: TypeAlias = (
    AttemptBegan
    | AttemptAccepted
    | Planned
    | OutputStored
    | Warned
    | AttemptSucceeded
    | AttemptBroke
    | CancelRequested
    | AttemptCancelled
)


# --- the durable events that tell about it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    before: JobState | None
    """None: the job was created."""
    after: JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    number: int
    backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    attempt: Attempt
    will_retry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    job: Job


Durable: TypeAlias = StateChanged | AttemptStarted | AttemptFailed | Planned | Output | Warned | Completed


@dataclass(frozen=True, slots=True, kw_only=True)
class DurableEvent:
    """A durable event in its envelope."""

    job_id: str
    sequence: int
    time: float
    attempt: int
    """Number of the attempt that it belongs to; 0: none."""
    payload: Durable


class InvalidHappening(Exception):
    """What happened is not in the table for this state."""

    def __init__(self, job: Job, happening: Happening) -> None:
        super().__init__(f"{type(happening).__name__} cannot happen to a job that is {job.state.value}")


def create(job: Job) -> tuple[Job, tuple[DurableEvent, ...]]:
    """The first event of a new job; `job` is QUEUED with sequence 0."""
    assert job.state is JobState.QUEUED
    assert job.sequence == 0
    return _emit(job, job.create_time, StateChanged(before=None, after=JobState.QUEUED))


def apply(job: Job, happening: Happening, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    """The job after `happening`, and the durable events that tell about it, in order. May be none."""
    match happening:
        case CancelRequested():
            return _cancel(job, now)
        case AttemptBegan() if job.state is JobState.QUEUED:
            return _begin(job, happening, now)
        case _ if job.attempt is None:
            raise InvalidHappening(job, happening)
        case AttemptAccepted(handle=handle):
            return _with_attempt(job, replace(job.attempts[-1], handle=handle)), ()
        case Planned():
            return _emit(job, now, happening)
        case Warned():
            kept = (*job.warnings, happening)[:MAX_WARNINGS]
            return _emit(replace(job, warnings=kept), now, happening)
        case OutputStored():
            return _store_output(job, happening, now)
        case AttemptSucceeded():
            return _complete(_end_attempt(job, AttemptState.SUCCEEDED, now), JobState.SUCCEEDED, now)
        case AttemptBroke():
            return _break(job, happening, now)
        case AttemptCancelled() if job.state is JobState.CANCELLING:
            return _complete_cancelled(_end_attempt(job, AttemptState.CANCELLED, now), now)
        case _:
            raise InvalidHappening(job, happening)


def _cancel(job: Job, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    if job.state is JobState.QUEUED:
        return _complete_cancelled(job, now)
    if job.state is JobState.RUNNING:
        return _change_state(job, JobState.CANCELLING, now)
    return job, ()


def _begin(job: Job, began: AttemptBegan, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    number = len(job.attempts) + 1
    attempt = Attempt(
        number=number,
        attempt_id=began.attempt_id,
        backend=began.backend,
        handle=began.handle,
        state=AttemptState.RUNNING,
        start_time=now,
    )
    start_time = now if job.start_time is None else job.start_time
    begun = replace(job, spec=began.spec, attempts=(*job.attempts, attempt), start_time=start_time)
    begun, started = _emit(begun, now, AttemptStarted(number=number, backend=began.backend))
    begun, changed = _change_state(begun, JobState.RUNNING, now)
    return begun, started + changed


def _store_output(job: Job, stored: OutputStored, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    output = Output(
        index=len(job.outputs),
        asset=stored.asset,
        image_index=stored.image_index,
        seed=stored.seed,
        node_id=stored.node_id,
        intermediate=stored.intermediate,
        attempt=job.attempts[-1].number,
    )
    return _emit(replace(job, outputs=(*job.outputs, output)), now, output)


def _break(job: Job, broke: AttemptBroke, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    will_retry = broke.will_retry and job.state is JobState.RUNNING
    ended = _end_attempt(job, AttemptState.FAILED, now, broke.failure)
    ended, failed = _emit(ended, now, AttemptFailed(attempt=ended.attempts[-1], will_retry=will_retry))
    if job.state is JobState.CANCELLING:
        ended, rest = _complete_cancelled(ended, now)
    elif will_retry:
        ended, rest = _change_state(ended, JobState.QUEUED, now)
    else:
        ended, rest = _complete(replace(ended, failure=broke.failure), JobState.FAILED, now)
    return ended, failed + rest


def _complete_cancelled(job: Job, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    failure = Failure(reason="CANCELLED_BY_CALLER", message="the job was cancelled")
    return _complete(replace(job, failure=failure), JobState.CANCELLED, now)


def _complete(job: Job, state: JobState, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    # The job inside the event is the job after it, so it carries the event's own sequence number.
    ended = replace(job, state=state, end_time=now, sequence=job.sequence + 1)
    return ended, (_envelope(ended, now, Completed(job=ended)),)


def _change_state(job: Job, state: JobState, now: float) -> tuple[Job, tuple[DurableEvent, ...]]:
    return _emit(replace(job, state=state), now, StateChanged(before=job.state, after=state))


def _end_attempt(job: Job, state: AttemptState, now: float, failure: Failure | None = None) -> Job:
    return _with_attempt(job, replace(job.attempts[-1], state=state, end_time=now, failure=failure))


def _with_attempt(job: Job, attempt: Attempt) -> Job:
    return replace(job, attempts=(*job.attempts[:-1], attempt))


def _emit(job: Job, now: float, payload: Durable) -> tuple[Job, tuple[DurableEvent, ...]]:
    after = replace(job, sequence=job.sequence + 1)
    return after, (_envelope(after, now, payload),)


def _envelope(job: Job, now: float, payload: Durable) -> DurableEvent:
    number = job.attempts[-1].number if job.attempts else 0
    return DurableEvent(job_id=job.job_id, sequence=job.sequence, time=now, attempt=number, payload=payload)
