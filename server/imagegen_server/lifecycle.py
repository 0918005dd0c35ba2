"""The one table of what may happen to a job.

QUEUED -> RUNNING -> SUCCEEDED | FAILED | CANCELLED | EXPIRED, with CANCELLING between the wish to stop the attempts of
a job and their end, and RUNNING -> QUEUED when nothing runs and something is missing. The rules:

1. `apply(job, happening, now)` gives the job afterwards and the durable events that tell about it; the caller stores
   both, then publishes the events.
2. What is not in the table raises InvalidHappening and changes nothing.
3. A final state is never left. Exactly one Completed is emitted, as a job's last event.
4. Every event gets the next sequence number of its job, from 1.
5. Several attempts may be under way, each with images of its own: none is made by two at a time, and none is made again
   once it was delivered.
6. A cancel is a wish: it never fails, and asked for twice, or too late, it changes nothing. The same holds for a
   deadline that passes.
7. In CANCELLING nothing begins. The first wish counts: when the last attempt has ended, the job ends as `ending` says,
   whatever was asked for meanwhile.
8. A new job that is answered with what another has made ends at once, without an attempt: QUEUED, its outputs,
   Completed.
9. What counts is what was delivered: a job that misses nothing when its last attempt ends is SUCCEEDED, even if that
   attempt broke, or was to be stopped.

Times are seconds since the Unix epoch.
"""

from dataclasses import replace

from imagegen_adapters.contract import ImageParameters, Warned
from imagegen_server.happenings import (
    AttemptAccepted,
    AttemptBegan,
    AttemptBroke,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    AttemptTold,
    CancelRequested,
    Completed,
    DeadlinePassed,
    Durable,
    DurableEvent,
    Events,
    Happening,
    JobUpdated,
    Moved,
    OutputStored,
    StateChanged,
    Updated,
)
from imagegen_server.jobs import (
    Attempt,
    AttemptState,
    Ending,
    Failure,
    Incident,
    Job,
    JobSpec,
    JobState,
    Output,
    Slice,
)

MAX_WARNINGS = 100


class InvalidHappening(Exception):
    """What happened is not in the table for this state."""

    def __init__(self, job: Job, happening: Happening) -> None:
        super().__init__(f"{type(happening).__name__} cannot happen to a job that is {job.state.value}")


def create(job: Job) -> tuple[Job, Events]:
    """The first event of a new job, which is QUEUED with sequence 0; all of them of one that has outputs already."""
    assert job.state is JobState.QUEUED
    assert job.sequence == 0
    now = job.create_time
    created, events = _emit(job, now, StateChanged(before=None, after=JobState.QUEUED))
    if not job.reused_from:
        return created, events
    for output in job.outputs:
        created, told = _emit(created, now, output)
        events += told
    ended, told = _complete(created, JobState.SUCCEEDED, now)
    return ended, events + told


def apply(job: Job, happening: Happening, now: float) -> tuple[Job, Events]:
    """The job after `happening`, and the durable events that tell about it, in order. May be none."""
    match happening:
        case CancelRequested():
            failure = Failure(reason="CANCELLED_BY_CALLER", message="the job was cancelled")
            return _stop(job, Ending(state=JobState.CANCELLED, failure=failure), now)
        case DeadlinePassed(failure=failure):
            return _stop(job, Ending(state=JobState.EXPIRED, failure=failure), now)
        case Updated() if not job.state.is_final:
            return _update(job, happening, now)
        case Moved(move=move) if job.state is JobState.QUEUED:
            return _emit_updated(replace(job, move=move, lined_up=job.lined_up if move else now), now)
        case AttemptBegan() if _can_begin(job, happening.slice):
            return _begin(job, happening, now)
        case Updated() | Moved() | AttemptBegan():
            raise InvalidHappening(job, happening)
        case _ if _running(job, happening.number) is None:
            raise InvalidHappening(job, happening)
        case AttemptAccepted(number=number, handle=handle):
            return _with_attempt(job, replace(job.attempts[number - 1], handle=handle)), ()
        case AttemptTold(number=number, update=update):
            kept = (*job.warnings, update)[:MAX_WARNINGS] if isinstance(update, Warned) else job.warnings
            return _emit(replace(job, warnings=kept), now, update, number)
        case OutputStored():
            return _store_output(job, happening, now)
        case AttemptSucceeded(number=number):
            return _settle(_end_attempt(job, number, AttemptState.SUCCEEDED, now), now)
        case AttemptBroke():
            return _break(job, happening, now)
        case AttemptCancelled(number=number) if job.state is JobState.CANCELLING:
            return _settle(_end_attempt(job, number, AttemptState.CANCELLED, now), now)
        case AttemptCancelled():
            raise InvalidHappening(job, happening)


# --- wishes ---


def _stop(job: Job, ending: Ending, now: float) -> tuple[Job, Events]:
    if job.state is JobState.QUEUED:
        return _complete(replace(job, failure=ending.failure), ending.state, now)
    if job.state is JobState.RUNNING:
        return _change_state(replace(job, ending=ending), JobState.CANCELLING, now)
    return job, ()


def _update(job: Job, updated: Updated, now: float) -> tuple[Job, Events]:
    spec = job.spec
    if updated.priority is not None:
        spec = replace(spec, priority=updated.priority)
    if updated.labels is not None:
        spec = replace(spec, labels=updated.labels)
    is_paused = job.is_paused if updated.is_paused is None else updated.is_paused
    after = replace(job, spec=spec, is_paused=is_paused)
    return (job, ()) if after == job else _emit_updated(after, now)


# --- attempts ---


def _can_begin(job: Job, wanted: Slice) -> bool:
    if job.state not in {JobState.QUEUED, JobState.RUNNING}:
        return False
    if not wanted.count:
        return wanted in job.missing
    return any(set(wanted.images) <= set(each.images) for each in job.missing)


def _begin(job: Job, began: AttemptBegan, now: float) -> tuple[Job, Events]:
    attempt = Attempt(
        number=len(job.attempts) + 1,
        attempt_id=began.attempt_id,
        backend=began.backend,
        handle=began.handle,
        state=AttemptState.RUNNING,
        start_time=now,
        slice=began.slice,
    )
    start_time = now if job.start_time is None else job.start_time
    spec = with_model(job.spec, began.model)
    # A place that somebody gave it is used up.
    begun = replace(job, spec=spec, attempts=(*job.attempts, attempt), start_time=start_time, move=None)
    begun, started = _emit(begun, now, AttemptStarted(attempt=attempt), attempt.number)
    if job.state is JobState.RUNNING:
        return begun, started
    begun, changed = _change_state(begun, JobState.RUNNING, now, attempt.number)
    return begun, started + changed


def with_model(spec: JobSpec, model: str) -> JobSpec:
    """The spec with the model that was chosen written back; of a workflow, in its inputs too."""
    if not model or not isinstance(spec.source, ImageParameters):
        return spec
    invocation = spec.invocation
    if invocation is not None:
        invocation = replace(invocation, inputs={**invocation.inputs, "model": model})
    return replace(spec, source=replace(spec.source, model=model), invocation=invocation)


def _store_output(job: Job, stored: OutputStored, now: float) -> tuple[Job, Events]:
    output = Output(
        index=len(job.outputs),
        asset=stored.asset,
        image_index=stored.image_index,
        seed=stored.seed,
        node_id=stored.node_id,
        intermediate=stored.intermediate,
        attempt=stored.number,
    )
    return _emit(replace(job, outputs=(*job.outputs, output)), now, output, stored.number)


def _break(job: Job, broke: AttemptBroke, now: float) -> tuple[Job, Events]:
    state = AttemptState.UNCERTAIN if broke.is_uncertain else AttemptState.FAILED
    ended = _end_attempt(job, broke.number, state, now, broke.failure, broke.incident)
    will_retry = broke.will_retry and job.state is JobState.RUNNING and bool(ended.missing)
    failed = AttemptFailed(attempt=ended.attempts[broke.number - 1], will_retry=will_retry)
    after, told = _emit(ended, now, failed, broke.number)
    if job.state is JobState.RUNNING and after.missing and not will_retry:
        after, rest = _give_up(after, broke.failure, now)
    else:
        after, rest = _settle(after, now)
    return after, told + rest


def _give_up(job: Job, failure: Failure, now: float) -> tuple[Job, Events]:
    """What is missing will not be made, so what runs need not go on either."""
    if job.running:
        ending = Ending(state=JobState.FAILED, failure=failure)
        return _change_state(replace(job, ending=ending), JobState.CANCELLING, now)
    return _complete(replace(job, failure=failure), JobState.FAILED, now)


def _settle(job: Job, now: float) -> tuple[Job, Events]:
    """What follows from the end of an attempt."""
    if job.running:
        return job, ()
    if not job.missing:
        return _complete(job, JobState.SUCCEEDED, now)
    if job.ending is not None:
        return _complete(replace(job, failure=job.ending.failure), job.ending.state, now)
    return _change_state(job, JobState.QUEUED, now)


def _running(job: Job, number: int) -> Attempt | None:
    attempt = job.attempts[number - 1] if 0 < number <= len(job.attempts) else None
    return attempt if attempt is not None and attempt.state is AttemptState.RUNNING else None


def _end_attempt(
    job: Job,
    number: int,
    state: AttemptState,
    now: float,
    failure: Failure | None = None,
    incident: Incident = Incident.NONE,
) -> Job:
    attempt = job.attempts[number - 1]
    return _with_attempt(job, replace(attempt, state=state, end_time=now, failure=failure, incident=incident))


def _with_attempt(job: Job, attempt: Attempt) -> Job:
    index = attempt.number - 1
    return replace(job, attempts=(*job.attempts[:index], attempt, *job.attempts[index + 1 :]))


# --- events ---


def _complete(job: Job, state: JobState, now: float) -> tuple[Job, Events]:
    # The job inside the event is the job after it, so it carries the event's own sequence number.
    ended = replace(job, state=state, end_time=now, ending=None, move=None, sequence=job.sequence + 1)
    return ended, (_envelope(ended, now, Completed(job=ended), len(job.attempts)),)


def _emit_updated(job: Job, now: float) -> tuple[Job, Events]:
    after = replace(job, sequence=job.sequence + 1)
    return after, (_envelope(after, now, JobUpdated(job=after), 0),)


def _change_state(job: Job, state: JobState, now: float, attempt: int | None = None) -> tuple[Job, Events]:
    change = StateChanged(before=job.state, after=state)
    return _emit(replace(job, state=state), now, change, len(job.attempts) if attempt is None else attempt)


def _emit(job: Job, now: float, payload: Durable, attempt: int = 0) -> tuple[Job, Events]:
    after = replace(job, sequence=job.sequence + 1)
    return after, (_envelope(after, now, payload, attempt),)


def _envelope(job: Job, now: float, payload: Durable, attempt: int) -> DurableEvent:
    return DurableEvent(job_id=job.job_id, sequence=job.sequence, time=now, attempt=attempt, payload=payload)
