"""The checks find what they are for: each test spoils sound evidence in one way."""

from dataclasses import replace

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]  # ships no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

from imagegen.v1.event_pb2 import AttemptFailed, AttemptStarted, Completed, JobEvent, StateChanged
from imagegen.v1.job_pb2 import Attempt, AttemptState, ImageParameters, Job, JobSpec, JobState, Output, OutputKind
from tests.chaos.checks import violations
from tests.chaos.evidence import Accepted, Evidence, Hold, HoldKind, Incident, Watched, marks_of
from tests.chaos.plan import ENDLESS_STEPS, JobKind, Owner, PlannedJob, TroubleKind, Way

BEGUN = 1_000_000
QUEUED, RUNNING = JobState.JOB_STATE_QUEUED, JobState.JOB_STATE_RUNNING


def failure(reason: str) -> Status:
    detail = Any()
    detail.Pack(ErrorInfo(reason=reason))
    return Status(details=[detail])


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=BEGUN + seconds)


def sound() -> Evidence:
    """One job of two images: one was made on a backend that died then, the other on another."""
    planned = PlannedJob(
        number=0,
        at_s=0.0,
        owner=Owner.DUMPER,
        turn=0,
        kind=JobKind.BATCH,
        steps=4,
        count=2,
        batch_size=1,
        seed=7,
        way=Way.GRPC,
        watch=Way.HTTP,
    )
    lost = Attempt(
        number=1,
        backend="new-comfyui",
        remote_id="a",
        state=AttemptState.ATTEMPT_STATE_FAILED,
        start_time=at(0),
        end_time=at(1),
        image_count=2,
        error=failure("ATTEMPT_LOST"),
    )
    made = Attempt(
        number=2,
        backend="old-comfyui",
        remote_id="b",
        state=AttemptState.ATTEMPT_STATE_SUCCEEDED,
        start_time=at(2),
        end_time=at(3),
        first_image=1,
        image_count=1,
    )
    outputs = [
        Output(index=index, image_index=index, kind=OutputKind.OUTPUT_KIND_FINAL, attempt=index + 1)
        for index in range(2)
    ]
    job = Job(
        job_id="j",
        owner="dumper",
        spec=JobSpec(image=ImageParameters(seed=7)),
        state=JobState.JOB_STATE_SUCCEEDED,
        create_time=at(0),
        start_time=at(0),
        end_time=at(3),
        attempts=[lost, made],
        outputs=outputs,
        sequence=9,
    )
    history = [
        JobEvent(time=at(0), state_changed=StateChanged(to=QUEUED)),
        JobEvent(time=at(0), attempt=1, attempt_started=AttemptStarted()),
        JobEvent(time=at(0), attempt=1, state_changed=StateChanged(to=RUNNING)),
        JobEvent(time=at(1), attempt=1, output_ready=outputs[0]),
        JobEvent(time=at(1), attempt=1, attempt_failed=AttemptFailed()),
        JobEvent(time=at(2), attempt=2, attempt_started=AttemptStarted()),
        JobEvent(time=at(2), attempt=2, state_changed=StateChanged(to=RUNNING)),
        JobEvent(time=at(3), attempt=2, output_ready=outputs[1]),
        JobEvent(time=at(3), completed=Completed()),
    ]
    for sequence, event in enumerate(history, start=1):
        event.job_id, event.sequence = "j", sequence
    return Evidence(
        accepted=[Accepted(planned=planned, job_id="j", repeated_as=["j"])],
        jobs={"j": job},
        jobs_of={"dumper": {"j"}, "anna": set()},
        histories={"j": history},
        completed=["j"],
        watched=[Watched(job_id="j", way=Way.HTTP, marks=marks_of(history), frames=[(1, 1), (1, 1), (2, 1), (1, 2)])],
        seeds={("j", 0): 7, ("j", 1): 8},
        handed_over={"new-comfyui": [["a"], []], "old-comfyui": [["b"]]},
        left_over={"new-comfyui": [], "old-comfyui": []},
        lines={"server": ['{"event": "attempt started", "level": "info"}']},
        incidents=[Incident(kind=TroubleKind.KILL, target="new-comfyui", begin=BEGUN, end=BEGUN + 2)],
    )


def plan(evidence: Evidence, **changes: object) -> None:
    """Asks for something else than was asked for."""
    evidence.accepted[0].planned = replace(evidence.accepted[0].planned, **changes)  # type: ignore[arg-type]  # by name


def as_if_undisturbed(evidence: Evidence) -> None:
    job = evidence.jobs["j"]
    job.attempts[0].state = AttemptState.ATTEMPT_STATE_SUCCEEDED
    job.attempts[0].ClearField("error")
    evidence.incidents.clear()


def the_only_violation(evidence: Evidence) -> str:
    (violation,) = violations(evidence)
    return violation


def test_sound_evidence_has_no_violation() -> None:
    assert violations(sound()) == []


def test_a_lost_job() -> None:
    evidence = sound()
    evidence.accepted.append(Accepted(planned=evidence.accepted[0].planned, job_id="k"))
    assert "k was accepted and is not there" in the_only_violation(evidence)


def test_a_job_too_many() -> None:
    evidence = sound()
    evidence.accepted.clear()
    assert "nobody was told" in the_only_violation(evidence)


def test_a_job_that_ends_otherwise_than_asked() -> None:
    evidence = sound()
    evidence.jobs["j"].state = JobState.JOB_STATE_CANCELLED
    assert "(batch, not cancelled) is JOB_STATE_CANCELLED" in the_only_violation(evidence)
    evidence.accepted[0].is_cancel_accepted = True
    assert violations(evidence) == []


def test_a_gap_in_the_history() -> None:
    evidence = sound()
    del evidence.histories["j"][6]
    evidence.watched.clear()
    assert "are not 1..9" in the_only_violation(evidence)


def test_a_job_that_is_completed_twice() -> None:
    evidence = sound()
    evidence.completed.append("j")
    assert "2 `completed`" in the_only_violation(evidence)


def test_two_attempts_that_make_the_same_image() -> None:
    evidence = sound()
    history = evidence.histories["j"]
    history[4].CopyFrom(JobEvent(job_id="j", sequence=5, time=at(1), state_changed=StateChanged(to=RUNNING)))
    evidence.watched.clear()
    assert "attempt 2 began while 1 made the same" in the_only_violation(evidence)


def test_an_image_that_is_made_again() -> None:
    evidence = sound()
    evidence.jobs["j"].attempts[1].first_image = 0
    evidence.jobs["j"].attempts[1].image_count = 2
    assert "attempt 2 makes the passes from [0] again" in the_only_violation(evidence)
    plan(evidence, batch_size=2)  # of which one image was there
    evidence.seeds["j", 1] = 7
    assert violations(evidence) == []


def test_an_attempt_that_makes_what_is_not_its_own() -> None:
    evidence = sound()
    evidence.jobs["j"].outputs[0].attempt = 2
    assert "attempt 2 is for images range(1, 2), and gave image 0" in the_only_violation(evidence)


def test_an_attempt_where_the_job_must_not_go() -> None:
    evidence = sound()
    plan(evidence, backend="new-comfyui")
    assert "is for new-comfyui, and was tried on old-comfyui" in the_only_violation(evidence)


def test_a_picture_with_another_seed() -> None:
    evidence = sound()
    evidence.seeds["j", 1] = 7
    assert "image 1 of job j was made with seed 7, and not 8" in the_only_violation(evidence)


def test_a_job_with_another_seed() -> None:
    evidence = sound()
    plan(evidence, seed=6)
    assert "was asked for with seed 6, and has 7" in the_only_violation(evidence)
    evidence.accepted[0].has_new_seeds = True
    assert violations(evidence) == []


def test_a_job_of_somebody_else() -> None:
    evidence = sound()
    evidence.jobs["j"].owner = "anna"
    assert "was handed in by dumper, and belongs to 'anna'" in the_only_violation(evidence)
    evidence.jobs["j"].owner = "dumper"
    evidence.jobs_of["anna"].add("j")
    assert "is listed for ['dumper', 'anna']" in the_only_violation(evidence)


def test_a_retry_of_another_job() -> None:
    evidence = sound()
    evidence.accepted[0].retry_of = "i"
    assert "is a retry of '', and should be of 'i'" in the_only_violation(evidence)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(HoldKind.JOB, "j"), (HoldKind.OWNER, "dumper"), (HoldKind.OWNER, ""), (HoldKind.BACKEND, "old-comfyui")],
)
def test_an_attempt_that_begins_while_it_is_held(kind: HoldKind, name: str) -> None:
    evidence = sound()
    evidence.holds = [Hold(kind=kind, name=name, begin=BEGUN + 1, end=BEGUN + 4)]
    assert "attempt 2 on old-comfyui began 1.0 s after" in the_only_violation(evidence)
    evidence.holds = [Hold(kind=kind, name="another", begin=BEGUN + 1, end=BEGUN + 4)]
    assert violations(evidence) == []


def test_more_jobs_at_a_time_than_their_owner_may_run() -> None:
    evidence = sound()
    for number in range(3):
        evidence.histories[f"k{number}"] = [
            JobEvent(job_id=f"k{number}", sequence=1, time=at(2), state_changed=StateChanged(to=RUNNING))
        ]
        evidence.jobs[f"k{number}"] = Job(job_id=f"k{number}", owner="dumper", sequence=1)
    assert any("4 jobs of dumper ran at a time, and 3 may" in each for each in violations(evidence))


def test_a_job_that_expires_before_its_time() -> None:
    evidence = sound()
    plan(evidence, execution_deadline_s=3.5)
    evidence.jobs["j"].state = JobState.JOB_STATE_EXPIRED
    evidence.jobs["j"].error.CopyFrom(failure("EXECUTION_DEADLINE_PASSED"))
    assert "expired after 3.00 s, and had 3.50 s" in the_only_violation(evidence)
    plan(evidence, execution_deadline_s=2.5)
    assert violations(evidence) == []


def test_a_job_that_began_and_expired_for_want_of_a_begin() -> None:
    evidence = sound()
    plan(evidence, start_deadline_s=1.0)
    evidence.jobs["j"].state = JobState.JOB_STATE_EXPIRED
    evidence.jobs["j"].error.CopyFrom(failure("START_DEADLINE_PASSED"))
    assert "expired for want of a begin, and has begun" in the_only_violation(evidence)


def test_a_deadline_that_nobody_kept() -> None:
    evidence = sound()
    plan(evidence, execution_deadline_s=1.0)
    evidence.jobs["j"].end_time.CopyFrom(at(30))
    assert violations(evidence) == []
    as_if_undisturbed(evidence)
    assert "ended 30.0 s after its begin, and had 1.0 s" in the_only_violation(evidence)


def test_an_uncertain_attempt_that_is_followed_by_another() -> None:
    evidence = sound()
    evidence.jobs["j"].attempts[0].state = AttemptState.ATTEMPT_STATE_UNCERTAIN
    assert violations(evidence) == []
    plan(evidence, fails_if_uncertain=True)
    assert "attempt 2 began after another had become uncertain" in the_only_violation(evidence)


def test_an_attempt_that_runs_after_the_end() -> None:
    evidence = sound()
    evidence.jobs["j"].attempts[1].state = AttemptState.ATTEMPT_STATE_RUNNING
    assert "its attempts [2] run" in the_only_violation(evidence)


def test_an_event_that_comes_twice() -> None:
    evidence = sound()
    evidence.watched[0].marks.insert(3, evidence.watched[0].marks[2])
    assert "watcher of job j over http saw" in the_only_violation(evidence)


def test_a_watcher_that_was_reset() -> None:
    evidence = sound()
    evidence.watched[0].resets = 1
    assert "was reset" in the_only_violation(evidence)


def test_a_preview_after_a_newer_one() -> None:
    evidence = sound()
    evidence.watched[0].frames = [(1, 5), (2, 1), (1, 4)]
    assert "saw preview 4 of attempt 1 after 5" in the_only_violation(evidence)


def test_progress_that_falls() -> None:
    evidence = sound()
    evidence.watched[0].fractions = [0.1, 0.6, 0.5]
    assert violations(evidence) == []  # an attempt had failed
    as_if_undisturbed(evidence)
    assert "saw progress fall from 0.6 to 0.5" in the_only_violation(evidence)


def test_an_output_that_is_missing() -> None:
    evidence = sound()
    del evidence.jobs["j"].outputs[:]
    assert "has images [], asked for were 2" in the_only_violation(evidence)


def test_an_image_that_is_there_twice() -> None:
    evidence = sound()
    evidence.jobs["j"].outputs.append(evidence.jobs["j"].outputs[0])
    assert "images [0] more than once" in violations(evidence)[0]


def test_a_request_id_that_made_two_jobs() -> None:
    evidence = sound()
    evidence.accepted[0].repeated_as.append("k")
    assert "which gave job k" in the_only_violation(evidence)


def test_an_attempt_that_was_lost_though_its_backend_has_it() -> None:
    evidence = sound()
    evidence.incidents.clear()
    assert "failed without a cause: ATTEMPT_LOST" in the_only_violation(evidence)


def test_an_attempt_that_never_reached_its_backend_because_the_server_died() -> None:
    evidence = sound()
    evidence.incidents = [Incident(kind=TroubleKind.KILL, target="server", begin=BEGUN, end=BEGUN + 2)]
    assert "failed without a cause" in the_only_violation(evidence)
    evidence.handed_over["new-comfyui"] = [[]]
    assert violations(evidence) == []


def test_an_attempt_that_was_made_twice() -> None:
    evidence = sound()
    evidence.handed_over["old-comfyui"] = [["b", "b"]]
    assert "attempt b was handed over 2 times" in the_only_violation(evidence)


def test_a_cancelled_job_that_was_made_to_the_end() -> None:
    evidence = sound()
    evidence.accepted[0].is_cancel_accepted = True
    plan(evidence, steps=ENDLESS_STEPS)
    evidence.jobs["j"].state = JobState.JOB_STATE_CANCELLED
    evidence.succeeded["old-comfyui"] = {"b"}
    assert "old-comfyui did attempt 2 to its end" in the_only_violation(evidence)


@pytest.mark.parametrize(
    ("ended", "done", "says"), [(5, set(), "for 2.0 s after"), (3, {"b"}, "to its end, and it was")]
)
def test_an_attempt_that_goes_on_after_it_was_stopped(ended: int, done: set[str], says: str) -> None:
    evidence = sound()
    evidence.accepted[0].is_cancel_accepted = True
    evidence.jobs["j"].state = JobState.JOB_STATE_CANCELLED
    evidence.jobs["j"].attempts[1].state = AttemptState.ATTEMPT_STATE_CANCELLED
    del evidence.jobs["j"].outputs[1]
    evidence.ended["old-comfyui"] = {"b": BEGUN + ended}
    evidence.succeeded["old-comfyui"] = done
    assert says in the_only_violation(evidence)
    evidence.incidents.append(Incident(kind=TroubleKind.PAUSE, target="old-comfyui", begin=BEGUN + 2, end=BEGUN + 3))
    assert violations(evidence) == []


def test_work_that_was_left_behind() -> None:
    evidence = sound()
    evidence.left_over["old-comfyui"] = ["b"]
    assert "old-comfyui still has ['b']" in the_only_violation(evidence)


def test_a_traceback() -> None:
    evidence = sound()
    evidence.lines["server"].append("Traceback (most recent call last):")
    assert "server logged a fault" in the_only_violation(evidence)
