"""What is told of a job, moment by moment."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import asset_pb2, event_pb2, job_pb2
from imagegen_gateway.dialects.comfyui.frames import (
    Departure,
    Frame,
    Picture,
    SentResult,
    Text,
    encode_picture,
    encode_text,
    status,
)
from imagegen_gateway.dialects.comfyui.narration import Narrator
from imagegen_gateway.dialects.rendering import Moment
from tests.gateway.dialects.comfyui.order import check_order

GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}},
    "10": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}},
}
RUNNING, SUCCEEDED = job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_SUCCEEDED
FAILED, CANCELLED = job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED


def job(state: job_pb2.JobState.ValueType = RUNNING, message: str = "", reason: str = "NODE_FAILED") -> job_pb2.Job:
    made = job_pb2.Job(job_id="j", state=state, spec=job_pb2.JobSpec(graph=job_pb2.RawGraph(json=json.dumps(GRAPH))))
    made.create_time.FromMilliseconds(1000)
    if message:
        made.error.CopyFrom(status_pb2.Status(code=9, message=message))
        made.error.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    return made


def plan(*cached: str) -> event_pb2.JobEvent:
    nodes = [event_pb2.PlanNode(node_id=node_id, cached=node_id in cached) for node_id in GRAPH]
    return event_pb2.JobEvent(plan=event_pb2.Plan(nodes=nodes))


def picture(node_id: str) -> event_pb2.Preview:
    return event_pb2.Preview(data=b"jpeg", media_type="image/jpeg", node_id=node_id)


def at(node_id: str, step: int = 0, steps: int = 0, **more: Any) -> Moment:
    progress = job_pb2.Progress(node_id=node_id, step=step, steps=steps)
    return Moment(**{"job": job(), "state": RUNNING, "progress": progress, **more})


def output(index: int, node_id: str) -> job_pb2.Output:
    asset = asset_pb2.Asset(digest=f"{index:064x}", media_type="image/png")
    return job_pb2.Output(index=index, node_id=node_id, asset=asset)


def last(state: job_pb2.JobState.ValueType = SUCCEEDED, message: str = "", **more: Any) -> Moment:
    return Moment(job=job(state, message), state=state, **more)


def short(frame: Frame) -> str:
    """As "executing 3", "progress 1/8"."""
    match frame:
        case Text("executing", data):
            return f"executing {data['node']}"
        case Text("progress", data):
            return f"progress {data['node']} {data['value']}/{data['max']}"
        case Text("progress_state", data):
            states = [
                f"{node_id}{'.' if each['state'] == 'finished' else '…'}" for node_id, each in data["nodes"].items()
            ]
            return f"state {''.join(states)}"
        case Text("executed", data):
            return f"executed {data['node']} {len(data['output']['images'])}"
        case Text(kind):
            return kind
        case Picture():
            return f"picture {frame.node_id}"
        case SentResult():
            return f"sent {frame.node_id}"
        case Departure():
            return "status"


def told(moments: Sequence[Moment], *, is_new: bool = True, has_metadata: bool = False) -> list[str]:
    narrator = Narrator(job(), is_new=is_new)
    frames = [frame for moment in moments for frame in narrator.tell(moment, has_metadata=has_metadata)]
    return [short(frame) for frame in frames]


BEGUN = ["execution_start", "execution_cached"]
SAMPLING = [*BEGUN, "state 3…", "executing 3"]
ENDED = ["execution_success", "status", "executing None"]
CASES: dict[str, tuple[list[Moment], list[str]]] = {
    "a whole prompt": (
        [at("3", 1, 8, preview=picture("3"), events=(plan(),)), at("9"), last(outputs=(output(0, "9"),))],
        [
            *SAMPLING,
            *("state 3…", "progress 3 1/8", "picture 3"),
            *("state 3.", "state 3.9…", "executing 9"),
            *("executed 9 1", "state 3.9."),
            *ENDED,
        ],
    ),
    "a preview without a step of its own": (
        [at("3", 1, 8), at("3", 1, 8, preview=picture("3")), last()],
        [*SAMPLING, *("state 3…", "progress 3 1/8") * 2, "picture 3", "state 3.", *ENDED],
    ),
    "a preview of a node that is over": (
        [at("3", 7, 8), at("9", preview=picture("3")), last()],
        [
            *SAMPLING,
            *("state 3…", "progress 3 7/8", "state 3.", "state 3.9…", "executing 9", "state 3.9."),
            *ENDED,
        ],
    ),
    "progress that lags behind the nodes": (
        [at("3", 7, 8), at("9"), at("3", 8, 8), last()],
        [
            *SAMPLING,
            *("state 3…", "progress 3 7/8", "state 3.", "state 3.9…", "executing 9"),
            "state 3.9.",
            *ENDED,
        ],
    ),
    "pictures of a node in one executed": (
        [at("9", outputs=(output(0, "9"),)), at("9", outputs=(output(1, "9"),)), last(outputs=(output(2, "8"),))],
        [*BEGUN, "state 9…", "executing 9", "executed 9 2", "executed 8 1", "state 9.", *ENDED],
    ),
    "a picture that is sent": (
        [at("3", outputs=(output(0, "10"), output(1, "10"))), last()],
        [
            *SAMPLING,
            *("executing 10", "progress 10 0/1", "sent 10", "executing 3"),
            *("executing 10", "progress 10 1/2", "sent 10", "executing 3"),
            *("state 3.", *ENDED),
        ],
    ),
    "another attempt": (
        [at("3", 5, 8, events=(plan(),)), at("3", 1, 8, events=(plan(),)), last()],
        [
            *SAMPLING,
            *("state 3…", "progress 3 5/8", "state 3…", "executing 3", "state 3…", "progress 3 1/8", "state 3."),
            *ENDED,
        ],
    ),
    "what fails before it begins": ([last(FAILED, "no")], [*BEGUN, "execution_error", "status", "executing None"]),
    "what is taken out of the queue": ([last(CANCELLED, "no")], ["execution_interrupted", "status", "executing None"]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_job_is_told_as_a_prompt(name: str) -> None:
    moments, frames = CASES[name]
    assert told(moments) == frames


def test_readers_with_metadata_get_the_preview_before_its_step() -> None:
    assert told([at("3", 1, 8, preview=picture("3"))], has_metadata=True)[-2:] == ["picture 3", "progress 3 1/8"]


def test_who_comes_later_hears_the_present_and_the_end() -> None:
    past = at("3", 5, 8, preview=picture("3"), events=(plan(),), outputs=(output(0, "9"),))
    assert told([past, at("3", 6, 8), last()], is_new=False) == [
        *("executing 3", "state 3…", "progress 3 6/8", "executed 9 1", "state 3."),
        *ENDED,
    ]
    assert told([last(outputs=(output(0, "9"),))], is_new=False)[-4:] == ["executed 9 1", *ENDED]


@pytest.mark.parametrize(
    ("metadata", "node_id", "node_type"),
    [({"node_id": "8", "node_type": "VAEDecode"}, "8", "VAEDecode"), ({}, "3", "KSampler")],
    ids=["as the server says", "else the one at work last"],
)
def test_the_node_at_fault_is_named_as_far_as_it_is_known(
    metadata: dict[str, str], node_id: str, node_type: str
) -> None:
    narrator = Narrator(job(), is_new=True)
    narrator.tell(at("3"), has_metadata=False)
    failed = last(FAILED, "it broke")
    failed.job.error.details[0].Pack(error_details_pb2.ErrorInfo(reason="NODE_FAILED", metadata=metadata))
    error = next(
        frame
        for frame in narrator.tell(failed, has_metadata=False)
        if isinstance(frame, Text) and frame.type == "execution_error"
    )
    assert (error.data["node_id"], error.data["node_type"]) == (node_id, node_type)
    assert error.data["exception_message"] == "it broke\n"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["3", "8", "9"]),
            st.integers(0, 8),
            st.sampled_from(["", "3", "8"]),
            st.sampled_from(["", "8", "9"]),
        ),
        max_size=12,
    ),
    st.sampled_from([SUCCEEDED, FAILED]),
    st.booleans(),
)
def test_whatever_happens_the_order_is_the_real_servers(
    happenings: list[tuple[str, int, str, str]], state: job_pb2.JobState.ValueType, has_metadata: bool
) -> None:
    narrator = Narrator(job(), is_new=True)
    moments = [moment_of(index, happening) for index, happening in enumerate(happenings)]
    messages: list[str | bytes] = []
    for moment in [*moments, last(state, "" if state == SUCCEEDED else "no")]:
        messages += encoded(narrator.tell(moment, has_metadata=has_metadata), has_metadata=has_metadata)
    check_order(messages, "j", has_metadata=has_metadata)


def moment_of(index: int, happening: tuple[str, int, str, str]) -> Moment:
    node_id, step, pictured, giver = happening
    preview = picture(pictured) if pictured else None
    outputs = (output(index, giver),) if giver else ()
    return at(node_id, step, 8 if step else 0, preview=preview, outputs=outputs)


def encoded(frames: Sequence[Frame], *, has_metadata: bool) -> Iterator[str | bytes]:
    for frame in frames:
        match frame:
            case Text():
                yield encode_text(frame)
            case Picture():
                yield encode_picture(frame, has_metadata=has_metadata) or b""
            case Departure():
                yield encode_text(status(0))
