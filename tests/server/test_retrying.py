"""Whether a broken attempt is followed by another one: cases, and what holds for all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Handle, ImageParameters, RawGraph
from imagegen_server.happenings import AttemptBroke
from imagegen_server.jobs import (
    Attempt,
    AttemptState,
    Failure,
    Incident,
    Job,
    JobSpec,
    JobState,
    Output,
    Slice,
    UncertainPolicy,
)
from imagegen_server.running.retrying import Limits, broken, failed_on, last_failure_time, pause_s
from tests.server.material import FAILURE, a_job, an_asset

LIMITS = Limits(max_attempts=3, max_takedowns=2, max_restarts=4)
RESTART, TAKEDOWN = Incident.RESTART, Incident.TAKEDOWN


def tried(number: int, **fields: object) -> Attempt:
    """A broken attempt at all of a job of four."""
    attempt = Attempt(
        number=number,
        attempt_id=f"id-{number}",
        backend="one",
        handle=Handle(remote_id=""),
        state=AttemptState.FAILED,
        start_time=1.0,
        end_time=float(number),
        failure=FAILURE,
        slice=Slice(count=4),
    )
    return replace(attempt, **fields)  # type: ignore[arg-type]  # fields of an attempt


def running(job: Job, **fields: object) -> Job:
    """The job with one more attempt, which runs."""
    number = len(job.attempts) + 1
    now = tried(number, **{"state": AttemptState.RUNNING, "end_time": None, "failure": None, **fields})
    return replace(job, state=JobState.RUNNING, attempts=(*job.attempts, now))


def job_with(*attempts: Attempt, made: tuple[int, ...] = (), **spec: object) -> Job:
    outputs = tuple(
        Output(index=i, asset=an_asset(), image_index=i, seed=i, node_id="", intermediate=False, attempt=1)
        for i in made
    )
    fields: dict[str, object] = {"source": ImageParameters(prompt="", count=4), **spec}
    return a_job(spec=JobSpec(**fields), attempts=attempts, outputs=outputs)  # type: ignore[arg-type]  # as given


def breaks(job: Job, **how: object) -> AttemptBroke:
    """What follows when the job's newest attempt, which runs, breaks."""
    known: dict[str, object] = {"limits": LIMITS, "can_retry": True, **how}
    return broken(job, len(job.attempts), FAILURE, **known)  # type: ignore[arg-type]  # as given


def test_what_may_pass_is_tried_again_and_what_cannot_is_not() -> None:
    assert breaks(running(job_with())).will_retry
    assert not breaks(running(job_with()), can_retry=False).will_retry


def test_a_job_is_tried_so_often_and_no_more() -> None:
    assert breaks(running(job_with(tried(1)))).will_retry
    last = breaks(running(job_with(tried(1), tried(2))))
    assert (last.will_retry, last.failure) == (False, FAILURE)


def test_only_attempts_at_images_that_are_still_missing_count() -> None:
    first_half, second_half = Slice(count=2), Slice(first=2, count=2)
    others = [tried(number, slice=first_half) for number in (1, 2, 3)]
    assert breaks(running(job_with(*others), slice=second_half)).will_retry
    delivered = job_with(tried(1), tried(2), made=(0, 1))
    assert not breaks(running(delivered, slice=second_half)).will_retry


def test_every_attempt_at_a_graph_counts() -> None:
    graph = RawGraph(json="{}")
    attempts = [tried(number, slice=Slice()) for number in (1, 2)]
    assert breaks(running(job_with(attempts[0], source=graph), slice=Slice())).will_retry
    assert not breaks(running(job_with(*attempts, source=graph), slice=Slice())).will_retry


def test_what_our_restarts_cost_counts_apart() -> None:
    restarts = [tried(number, incident=RESTART) for number in (1, 2, 3)]
    assert breaks(running(job_with(*restarts))).will_retry
    assert breaks(running(job_with(*restarts[:2])), incident=RESTART).will_retry
    assert not breaks(running(job_with(*restarts)), incident=RESTART).will_retry


@pytest.mark.parametrize(("policy", "will_retry"), [(UncertainPolicy.RETRY, True), (UncertainPolicy.FAIL, False)])
def test_the_job_decides_about_what_nobody_knows(policy: UncertainPolicy, will_retry: bool) -> None:
    broke = breaks(running(job_with(on_uncertain=policy)), is_uncertain=True, incident=RESTART)
    assert (broke.will_retry, broke.is_uncertain) == (will_retry, True)


def test_a_job_that_takes_backends_down_is_not_tried_again() -> None:
    job = running(job_with(tried(1, incident=TAKEDOWN, backend="big")), backend="small")
    broke = breaks(job, incident=TAKEDOWN)
    assert (broke.will_retry, broke.failure.reason) == (False, "TAKES_BACKENDS_DOWN")
    assert "(big, small): a node failed" in broke.failure.message


def test_other_failures_are_no_takedowns() -> None:
    assert breaks(running(job_with(tried(1, incident=TAKEDOWN)))).will_retry


def test_a_backend_that_was_only_silent_was_not_taken_down() -> None:
    """Its attempt was taken up again under the same id."""
    job = running(job_with(tried(1, incident=TAKEDOWN)), attempt_id="id-1")
    assert breaks(job, incident=TAKEDOWN).will_retry


def test_backends_that_failed_are_avoided_for_what_they_failed_at() -> None:
    job = job_with(
        tried(1, backend="lost", failure=Failure(reason="ATTEMPT_LOST", message="")),
        tried(2, backend="restart", incident=RESTART),
        tried(3, backend="cancelled", state=AttemptState.CANCELLED),
        tried(4, backend="done", slice=Slice(count=2)),
        tried(5, backend="uncertain", state=AttemptState.UNCERTAIN),
        tried(6, backend="full"),
        made=(0, 1),
    )
    assert failed_on(job) == {"uncertain", "full"}
    assert last_failure_time(job) == 6.0


def test_the_pause_grows_up_to_a_bound() -> None:
    jobs = [job_with(*(tried(number) for number in range(1, count + 1))) for count in (0, 1, 2, 3, 20)]
    assert [pause_s(job, 30.0) for job in jobs] == [0.0, 1.0, 2.0, 4.0, 30.0]
    assert last_failure_time(jobs[0]) == 0.0


INCIDENTS = st.sampled_from(Incident)


@given(
    history=st.lists(st.tuples(INCIDENTS, st.integers(0, 3), st.integers(1, 4)), max_size=12),
    incident=INCIDENTS,
    can_retry=st.booleans(),
    is_uncertain=st.booleans(),
)
def test_no_job_is_tried_for_ever(
    history: list[tuple[Incident, int, int]], incident: Incident, *, can_retry: bool, is_uncertain: bool
) -> None:
    attempts = [
        tried(number, incident=each, slice=Slice(first=first, count=min(count, 4 - first)))
        for number, (each, first, count) in enumerate(history, 1)
    ]
    job = running(job_with(*attempts))
    broke = breaks(job, incident=incident, can_retry=can_retry, is_uncertain=is_uncertain)
    assert (broke.number, broke.incident) == (len(job.attempts), incident)
    if broke.will_retry:
        now = [*(each for each, _, _ in history), incident]
        assert can_retry
        assert now.count(TAKEDOWN) < LIMITS.max_takedowns
        assert incident is not RESTART or now.count(RESTART) < LIMITS.max_restarts
        at_first_image = [each for each, first, _ in history if each is not RESTART and first == 0]
        assert incident is RESTART or len(at_first_image) + 1 < LIMITS.max_attempts
