"""Jobs, and the bytes under which the store keeps a job."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from imagegen.v1 import image_gen_pb2, job_pb2
from imagegen_adapters.contract import Handle, Warned
from imagegen_adapters.errors import Violation
from imagegen_server.happenings import Updated
from imagegen_server.jobs import (
    Attempt,
    AttemptState,
    Ending,
    Failure,
    Incident,
    Invocation,
    Job,
    JobSpec,
    JobState,
    Move,
    MoveKind,
    Output,
    Slice,
)
from imagegen_server.wire.assets import decode_asset, encode_asset
from imagegen_server.wire.errors import decode_failure, encode_failure
from imagegen_server.wire.scalars import from_timestamp, to_timestamp
from imagegen_server.wire.specs import Defaults, decode_graph, decode_image, decode_spec, encode_spec

JOB_STATES = {state: job_pb2.JobState.Value(f"JOB_STATE_{state.name}") for state in JobState}
_JOB_STATES_BACK = {value: state for state, value in JOB_STATES.items()}
_ATTEMPT_STATES = {state: job_pb2.AttemptState.Value(f"ATTEMPT_STATE_{state.name}") for state in AttemptState}
_ATTEMPT_STATES_BACK = {value: state for state, value in _ATTEMPT_STATES.items()}

_LENGTH = struct.Struct(">I")
# A stored spec has everything resolved, so these are never looked at.
_NO_DEFAULTS = Defaults(seed=0)


class JobCodec:
    """A job as the store keeps it: what the proto leaves out as JSON with its length before it, then the proto.

    Of a job that runs a workflow the proto holds what that was made into, and the JSON the invocation.
    """

    def encode(self, job: Job) -> bytes:
        as_made = replace(job, spec=replace(job.spec, invocation=None))
        private = {
            "attempts": [
                {
                    "attempt_id": attempt.attempt_id,
                    "client_id": attempt.handle.client_id,
                    "incident": attempt.incident.value,
                }
                for attempt in job.attempts
            ],
            "lined_up": job.lined_up,
            "move": _move_to_json(job.move),
            "ending": _ending_to_json(job.ending),
            "invocation": _invocation_to_json(job.spec.invocation),
        }
        head = orjson.dumps(private)
        return _LENGTH.pack(len(head)) + head + encode_job(as_made).SerializeToString()

    def decode(self, data: bytes) -> Job:
        (length,) = _LENGTH.unpack_from(data)
        head = orjson.loads(data[_LENGTH.size : _LENGTH.size + length])
        job = job_pb2.Job.FromString(data[_LENGTH.size + length :])
        spec = _decode_spec(job.spec, _invocation_from_json(head.get("invocation")))
        return Job(
            job_id=job.job_id,
            spec=spec,
            state=_JOB_STATES_BACK[job.state],
            create_time=from_timestamp(job.create_time),
            request_id=job.request_id,
            owner=job.owner,
            start_time=from_timestamp(job.start_time) if job.HasField("start_time") else None,
            end_time=from_timestamp(job.end_time) if job.HasField("end_time") else None,
            attempts=tuple(
                _decode_attempt(attempt, spec, private)
                for attempt, private in zip(job.attempts, head["attempts"], strict=True)
            ),
            outputs=tuple(_decode_output(output) for output in job.outputs),
            warnings=tuple(Warned(code=warning.code, message=warning.message) for warning in job.warnings),
            failure=decode_failure(job.error) if job.HasField("error") else None,
            sequence=job.sequence,
            retry_of=job.retry_of,
            reused_from=job.reused_from,
            is_paused=job.paused,
            lined_up=head.get("lined_up"),
            move=_move_from_json(head.get("move")),
            ending=_ending_from_json(head.get("ending")),
        )


def decode_job_states(states: Iterable[job_pb2.JobState.ValueType]) -> frozenset[JobState]:
    """The states of a filter; empty: any, which is also what UNSPECIFIED among them says."""
    wanted = frozenset(states)
    is_any = job_pb2.JOB_STATE_UNSPECIFIED in wanted
    return frozenset() if is_any else frozenset(_JOB_STATES_BACK[state] for state in wanted)


def decode_update(request: image_gen_pb2.UpdateJobRequest) -> Updated:
    """What is to be changed."""
    return Updated(
        priority=request.priority if request.HasField("priority") else None,
        labels=dict(request.labels.labels) if request.HasField("labels") else None,
        is_paused=request.paused if request.HasField("paused") else None,
    )


def encode_job(
    job: Job,
    *,
    progress: job_pb2.Progress | None = None,
    queue: job_pb2.QueueInfo | None = None,
    resume_token: str = "",
) -> job_pb2.Job:
    """The job, with what is known about it at this moment and not stored."""
    return job_pb2.Job(
        job_id=job.job_id,
        request_id=job.request_id,
        spec=encode_spec(job.spec),
        state=JOB_STATES[job.state],
        owner=job.owner,
        create_time=to_timestamp(job.create_time),
        start_time=to_timestamp(job.start_time) if job.start_time is not None else None,
        end_time=to_timestamp(job.end_time) if job.end_time is not None else None,
        attempts=[encode_attempt(attempt) for attempt in job.attempts],
        outputs=[encode_output(output) for output in job.outputs],
        error=encode_failure(job.failure) if job.failure is not None else None,
        warnings=[encode_warning(warning) for warning in job.warnings],
        progress=progress,
        queue=queue,
        sequence=job.sequence,
        resume_token=resume_token,
        retry_of=job.retry_of,
        reused_from=job.reused_from,
        paused=job.is_paused,
    )


def encode_attempt(attempt: Attempt) -> job_pb2.Attempt:
    return job_pb2.Attempt(
        number=attempt.number,
        backend=attempt.backend,
        remote_id=attempt.handle.remote_id,
        state=_ATTEMPT_STATES[attempt.state],
        start_time=to_timestamp(attempt.start_time),
        end_time=to_timestamp(attempt.end_time) if attempt.end_time is not None else None,
        error=encode_failure(attempt.failure) if attempt.failure is not None else None,
        first_image=attempt.slice.first,
        image_count=attempt.slice.count,
    )


def encode_output(output: Output) -> job_pb2.Output:
    return job_pb2.Output(
        index=output.index,
        asset=encode_asset(output.asset),
        image_index=output.image_index,
        seed=output.seed,
        node_id=output.node_id,
        kind=job_pb2.OUTPUT_KIND_INTERMEDIATE if output.intermediate else job_pb2.OUTPUT_KIND_FINAL,
        attempt=output.attempt,
    )


def encode_warning(warning: Warned) -> job_pb2.Warning:
    return job_pb2.Warning(code=warning.code, message=warning.message)


def _decode_spec(spec: job_pb2.JobSpec, invocation: Invocation | None) -> JobSpec:
    is_graph = spec.WhichOneof("source") == "graph"
    source = decode_graph(spec.graph) if is_graph else decode_image(spec.image, _NO_DEFAULTS)
    return decode_spec(spec, source, invocation=invocation)


def _decode_attempt(attempt: job_pb2.Attempt, spec: JobSpec, private: Mapping[str, str]) -> Attempt:
    return Attempt(
        number=attempt.number,
        attempt_id=private["attempt_id"],
        backend=attempt.backend,
        handle=Handle(remote_id=attempt.remote_id, client_id=private["client_id"]),
        state=_ATTEMPT_STATES_BACK[attempt.state],
        start_time=from_timestamp(attempt.start_time),
        end_time=from_timestamp(attempt.end_time) if attempt.HasField("end_time") else None,
        failure=decode_failure(attempt.error) if attempt.HasField("error") else None,
        incident=Incident(private.get("incident", "")),
        # Attempts of images that were stored without a slice are from a time when each made all.
        slice=Slice(first=attempt.first_image, count=attempt.image_count) if attempt.image_count else spec.everything,
    )


def _decode_output(output: job_pb2.Output) -> Output:
    return Output(
        index=output.index,
        asset=decode_asset(output.asset),
        image_index=output.image_index,
        seed=output.seed if output.HasField("seed") else None,
        node_id=output.node_id,
        intermediate=output.kind == job_pb2.OUTPUT_KIND_INTERMEDIATE,
        attempt=output.attempt,
    )


def _move_to_json(move: Move | None) -> dict[str, Any] | None:
    return None if move is None else {"kind": move.kind.value, "time": move.time, "anchor": move.anchor}


def _move_from_json(move: Mapping[str, Any] | None) -> Move | None:
    return None if move is None else Move(kind=MoveKind(move["kind"]), time=move["time"], anchor=move["anchor"])


def _invocation_to_json(invocation: Invocation | None) -> dict[str, Any] | None:
    if invocation is None:
        return None
    return {
        "workflow_id": invocation.workflow_id,
        "revision": invocation.revision,
        "inputs": dict(invocation.inputs),
    }


def _invocation_from_json(invocation: Mapping[str, Any] | None) -> Invocation | None:
    return None if invocation is None else Invocation(**invocation)


def _ending_to_json(ending: Ending | None) -> dict[str, Any] | None:
    if ending is None:
        return None
    failure = ending.failure
    violations = [[each.field, each.description] for each in failure.violations]
    return {
        "state": ending.state.value,
        "reason": failure.reason,
        "message": failure.message,
        "violations": violations,
        "node": [failure.node_id, failure.node_type],
    }


def _ending_from_json(ending: Mapping[str, Any] | None) -> Ending | None:
    if ending is None:
        return None
    violations = tuple(Violation(*each) for each in ending["violations"])
    node_id, node_type = ending.get("node", ["", ""])  # older servers did not keep it
    failure = Failure(
        reason=ending["reason"],
        message=ending["message"],
        violations=violations,
        node_id=node_id,
        node_type=node_type,
    )
    return Ending(state=JobState(ending["state"]), failure=failure)
