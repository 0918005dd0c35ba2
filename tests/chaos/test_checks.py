"""The checks find what they are for: each test spoils sound evidence in one way."""

from dataclasses import replace

from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]  # ships no stubs

from imagegen.v1.event_pb2 import AttemptFailed, AttemptStarted, Completed, JobEvent, StateChanged
from imagegen.v1.job_pb2 import Attempt, AttemptState, Job, JobState, Output, OutputKind
from tests.chaos.checks import violations
from tests.chaos.evidence import Accepted, Evidence, Incident, Watched, marks_of
from tests.chaos.plan import ENDLESS_STEPS, JobKind, PlannedJob, TroubleKind, Way

BEGUN = 1_000_000


def sound() -> Evidence:
    """One job that was tried on a backend that died, and succeeded on another."""
    planned = PlannedJob(
        number=0,
        at_s=0.0,
        kind=JobKind.TEXT,
        steps=4,
        count=1,
        batch_size=1,
        seed=1,
        way=Way.GRPC,
        cancel_after_s=None,
        repeat_after_s=None,
        watch=Way.HTTP,
        hang_up_after=(),
    )
    lost = Attempt(
        number=1,
        backend="new-comfyui",
        remote_id="a",
        state=AttemptState.ATTEMPT_STATE_FAILED,
        start_time=Timestamp(seconds=BEGUN),
        end_time=Timestamp(seconds=BEGUN + 1),
    )
    detail = Any()
    detail.Pack(ErrorInfo(reason="ATTEMPT_LOST"))
    lost.error.details.append(detail)
    made = Attempt(number=2, backend="old-comfyui", remote_id="b", state=AttemptState.ATTEMPT_STATE_SUCCEEDED)
    output = Output(image_index=0, kind=OutputKind.OUTPUT_KIND_FINAL)
    job = Job(job_id="j", state=JobState.JOB_STATE_SUCCEEDED, attempts=[lost, made], outputs=[output], sequence=6)
    history = [
        JobEvent(sequence=1, state_changed=StateChanged()),
        JobEvent(sequence=2, attempt=1, attempt_started=AttemptStarted()),
        JobEvent(sequence=3, attempt=1, attempt_failed=AttemptFailed()),
        JobEvent(sequence=4, attempt=2, attempt_started=AttemptStarted()),
        JobEvent(sequence=5, attempt=2, output_ready=output),
        JobEvent(sequence=6, completed=Completed()),
    ]
    return Evidence(
        accepted=[Accepted(planned=planned, job_id="j", repeated_as=["j"])],
        jobs={"j": job},
        histories={"j": history},
        completed=["j"],
        watched=[Watched(job_id="j", way=Way.HTTP, marks=marks_of(history), frames=[(1, 1), (1, 1), (2, 1)])],
        handed_over={"new-comfyui": [["a"], []], "old-comfyui": [["b"]]},
        left_over={"new-comfyui": [], "old-comfyui": []},
        lines={"server": ['{"event": "attempt started", "level": "info"}']},
        incidents=[Incident(kind=TroubleKind.KILL, target="new-comfyui", begin=BEGUN, end=BEGUN + 2)],
    )


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
    assert "(text-to-image, not cancelled) is JOB_STATE_CANCELLED" in the_only_violation(evidence)
    evidence.accepted[0].is_cancel_accepted = True
    assert violations(evidence) == []


def test_a_gap_in_the_history() -> None:
    evidence = sound()
    del evidence.histories["j"][4]
    evidence.watched.clear()
    assert "are not 1..6" in the_only_violation(evidence)


def test_a_job_that_is_completed_twice() -> None:
    evidence = sound()
    evidence.completed.append("j")
    assert "2 `completed`" in the_only_violation(evidence)


def test_two_attempts_at_a_time() -> None:
    evidence = sound()
    evidence.histories["j"][2] = JobEvent(sequence=3, state_changed=StateChanged())
    evidence.watched.clear()
    assert "attempt 2 began while 1 was running" in the_only_violation(evidence)


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
    evidence.watched[0].frames = [(1, 5), (1, 4)]
    assert "saw preview (1, 4)" in the_only_violation(evidence)


def test_an_output_that_is_missing() -> None:
    evidence = sound()
    del evidence.jobs["j"].outputs[:]
    assert "has images [], asked for were 1" in the_only_violation(evidence)


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
    evidence.accepted[0].planned = replace(evidence.accepted[0].planned, steps=ENDLESS_STEPS)
    evidence.jobs["j"].state = JobState.JOB_STATE_CANCELLED
    evidence.succeeded["old-comfyui"] = {"b"}
    assert "old-comfyui did attempt 2 to its end" in the_only_violation(evidence)


def test_work_that_was_left_behind() -> None:
    evidence = sound()
    evidence.left_over["old-comfyui"] = ["b"]
    assert "old-comfyui still has ['b']" in the_only_violation(evidence)


def test_a_traceback() -> None:
    evidence = sound()
    evidence.lines["server"].append("Traceback (most recent call last):")
    assert "server logged a fault" in the_only_violation(evidence)
