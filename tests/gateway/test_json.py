"""JSON of messages: what is written is read back as the same."""

import math

import orjson
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # ships no annotations
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.decoding import parse_json
from imagegen_gateway.encoding import to_dict, to_json

SPECS = st.builds(
    job_pb2.JobSpec,
    image=st.builds(
        job_pb2.ImageParameters,
        prompt=st.text(st.characters(exclude_categories=["Cs"])),
        width=st.integers(0, 2**32 - 1),
        seed=st.none() | st.integers(-(2**63), 2**63 - 1),
        cfg_scale=st.none() | st.floats(),
        steps=st.none() | st.integers(0, 500),
    ),
    labels=st.dictionaries(st.text("abc"), st.text("xyz")),
    preview=st.none() | st.builds(job_pb2.PreviewOptions, mode=st.integers(0, 2), max_rate_hz=st.floats(0, 30)),
)


@given(SPECS)
def test_a_message_survives_the_way_through_json(spec: job_pb2.JobSpec) -> None:
    again = job_pb2.JobSpec()
    parse_json(again, to_json(spec))
    assert to_dict(again) == to_dict(spec) or math.isnan(spec.image.cfg_scale)
    assert math.isnan(spec.image.cfg_scale) or again == spec


def test_the_forms_of_the_mapping() -> None:
    event = event_pb2.JobEvent(job_id="j", sequence=3)
    event.preview.data = b"\x00\xff"
    event.time.seconds = 1_700_000_000
    data = orjson.loads(to_json(event))
    assert data["sequence"] == "3"
    assert data["time"] == "2023-11-14T22:13:20Z"
    assert data["preview"]["data"] == "AP8="
    assert data["attempt"] == 0
    assert "progress" not in data


def test_details_of_a_status_are_told_with_their_type() -> None:
    job = job_pb2.Job()
    job.error.code = 8
    job.error.details.add().Pack(error_details_pb2.ErrorInfo(reason="X", domain="imagegen"))
    job.error.details.append(any_pb2.Any(type_url="type.example.org/not.Known"))
    known, unknown = orjson.loads(to_json(job))["error"]["details"]
    assert known["reason"] == "X"
    assert known["@type"].endswith("google.rpc.ErrorInfo")
    assert unknown == {"@type": "type.example.org/not.Known"}


def test_a_value_of_a_newer_server_stays_a_number() -> None:
    job = job_pb2.Job(state=99)  # type: ignore[arg-type]  # not known yet
    assert to_dict(job)["state"] == 99


@pytest.mark.parametrize(("text", "seconds"), [('"3s"', 3), ('"1.5s"', 1)])
def test_durations(text: str, seconds: int) -> None:
    queue = job_pb2.QueueInfo()
    parse_json(queue, b'{"start_eta": %b}' % text.encode())
    assert queue.start_eta.seconds == seconds
    assert isinstance(queue.start_eta, duration_pb2.Duration)


@pytest.mark.parametrize(("value", "text"), [(math.inf, "Infinity"), (-math.inf, "-Infinity"), (math.nan, "NaN")])
def test_numbers_that_json_does_not_have(value: float, text: str) -> None:
    assert to_dict(job_pb2.Progress(fraction=value))["fraction"] == text


def test_null_is_as_good_as_absent() -> None:
    spec = job_pb2.JobSpec()
    parse_json(spec, b'{"image": null, "graph": {"json": "{}"}, "labels": null}')
    assert spec.WhichOneof("source") == "graph"


def test_whole_numbers_among_inputs_are_such_as_far_as_they_are_exact() -> None:
    workflow = job_pb2.WorkflowInvocation()
    workflow.inputs.update({"steps": 20, "denoise": 0.5, "large": 1e300, "list": [{"weight": 1}, True, None]})
    inputs = to_dict(workflow)["inputs"]
    assert repr(inputs) == repr(
        {**inputs, "steps": 20, "denoise": 0.5, "large": 1e300, "list": [{"weight": 1}, True, None]}
    )
    assert orjson.loads(to_json(workflow))["inputs"] == inputs
