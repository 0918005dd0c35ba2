"""Answers over HTTP, and what errors in them mean."""

import json
from typing import Any

import pytest

from imagegen_adapters.comfyui.answers import (
    Place,
    ServerInfo,
    read_history,
    read_queue,
    read_queue_remaining,
    read_server_info,
    read_submitted,
    read_uploaded,
)
from imagegen_adapters.comfyui.built_in.drawing import Pass
from imagegen_adapters.comfyui.faults import error_of, readable, rejection_of
from imagegen_adapters.comfyui.protocol import ExecutionFailed
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.errors import AdapterError, GpuFault, NodeFailed, OutOfMemory, Unintelligible
from imagegen_adapters.graphs.graph import Graph
from tests.adapters.comfyui.recordings import answers, recorded_classes

ANSWERS = answers()
RAW = Workflow(graph=Graph({"3": {"class_type": "KSampler", "inputs": {}, "_meta": {"title": "Second pass"}}}))


@pytest.mark.parametrize(
    ("name", "version", "release", "preview_method"),
    [
        ("stats_0_3_64", "0.3.64", (0, 3, 64), "latent2rgb"),
        ("stats_0_3_12", "0.3.12", (0, 3, 12), "latent2rgb"),
        ("stats_2024_09_30", "", (), "latent2rgb"),
        ("stats_2024_07_20", "", (), ""),
    ],
)
def test_reads_every_recorded_version(name: str, version: str, release: tuple[int, ...], preview_method: str) -> None:
    info = read_server_info(ANSWERS[name]["json"])

    assert (info.version, info.release, info.preview_method) == (version, release, preview_method)
    assert info.devices[0].name == "cpu"
    assert info.devices[0].memory_total_bytes > 0


@pytest.mark.parametrize(
    ("release", "honours_interrupt_id", "has_jobs_api"),
    [
        ((), False, False),
        ((0, 3, 44), False, False),
        ((0, 3, 56), False, False),
        ((0, 3, 57), True, False),
        ((0, 3, 64), True, False),
        ((0, 38, 1), True, True),
    ],
)
def test_versions_differ(release: tuple[int, ...], *, honours_interrupt_id: bool, has_jobs_api: bool) -> None:
    info = ServerInfo(release=release)

    assert info.honours_interrupt_id is honours_interrupt_id
    assert info.has_jobs_api is has_jobs_api


@pytest.mark.parametrize(
    ("argv", "method"),
    [
        (["main.py"], "none"),
        (["main.py", "--preview-method", "taesd"], "taesd"),
        (["main.py", "--preview-method=auto"], "auto"),
    ],
)
def test_preview_method_is_read_from_the_command_line(argv: list[str], method: str) -> None:
    assert read_server_info({"system": {"argv": argv}}).preview_method == method


def test_the_queue_is_sorted_by_number() -> None:
    """The server answers its heap as it is."""
    queue = {
        "queue_running": [[3, "running", {}, {"imagegen_attempt": "ours"}, []]],
        "queue_pending": [[5, "third", {}, {}, []], [7, "last", {}, {}, []], [-1000, "first", {}, None, []]],
    }

    entries = read_queue(queue)

    assert [(entry.prompt_id, entry.place, entry.ahead) for entry in entries] == [
        ("running", Place.RUNNING, 0),
        ("first", Place.PENDING, 1),
        ("third", Place.PENDING, 2),
        ("last", Place.PENDING, 3),
    ]
    assert [entry.attempt_id for entry in entries] == ["ours", "", "", ""]


def test_uploads_are_named_with_their_folder() -> None:
    assert read_uploaded({"name": "a (1).png", "subfolder": "imagegen", "type": "input"}) == "imagegen/a (1).png"
    assert read_uploaded({"name": "a.png", "subfolder": "", "type": "input"}) == "a.png"


@pytest.mark.parametrize("read", [read_server_info, read_submitted, read_queue, read_queue_remaining, read_uploaded])
@pytest.mark.parametrize("answer", [None, [], {}, {"queue_running": 1}, "text", {"prompt": 1}])
def test_odd_answers_are_unintelligible(read: Any, answer: Any) -> None:
    with pytest.raises(Unintelligible):
        read(answer)


@pytest.mark.parametrize("answer", [None, [], {"id": {}}, {"id": {"outputs": {}, "prompt": [1, 2]}}, {"id": None}])
def test_odd_history_is_unintelligible(answer: Any) -> None:
    with pytest.raises(Unintelligible):
        read_history(answer)


# --- refusals ---


@pytest.mark.parametrize(
    ("name", "field", "description"),
    [
        ("ckpt_not_in_list", 'graph.json["4"].inputs.ckpt_name', "allowed: tiny_random.safetensors, "),
        ("sampler_not_in_list", 'graph.json["3"].inputs.sampler_name', "no such choice 'nope'; allowed: euler, "),
        ("unknown_class", 'graph.json["3"].class_type', "node KSamplerTypo does not exist"),
        ("unknown_class_0_3_12", 'graph.json["3"].class_type', "node Typo does not exist"),
        ("no_class_type", 'graph.json["3"].class_type', "missing the class_type"),
        ("missing_required_input", 'graph.json["3"].inputs.model', "is missing; KSampler needs it"),
        ("below_min", 'graph.json["3"].inputs.steps', "Value 0 smaller than min of 1"),
        ("above_max", 'graph.json["3"].inputs.steps', "Value 10001 bigger than max of 10000"),
        ("not_an_int", 'graph.json["3"].inputs.steps', "Failed to convert an input value to a INT value"),
        ("link_to_missing_node", 'graph.json["3"].inputs.samples', "is linked to a node"),
        ("type_mismatch", 'graph.json["3"].inputs.model', "received_type(CLIP) mismatch input_type(MODEL)"),
        ("link_of_length_3", 'graph.json["3"].inputs.model', "Bad linked input"),
        ("no_outputs", "graph.json", "Prompt has no outputs"),
        ("cycle", "graph.json", "Prompt outputs failed validation"),
        ("half_valid", 'graph.json["21"].inputs.image', "Invalid image file: nope.png"),
    ],
)
def test_refusals_name_node_and_input(name: str, field: str, description: str) -> None:
    error = rejection_of(ANSWERS[name]["json"], RAW, recorded_classes())

    assert error.violations[0].field == field
    assert description in error.violations[0].description
    assert field in str(error)
    assert "/srv" not in str(error)
    assert "traceback" not in str(error).lower()


def test_all_faults_of_a_prompt_are_named() -> None:
    error = rejection_of(ANSWERS["two_errors"]["json"], RAW, None)

    assert {violation.field for violation in error.violations} == {
        'graph.json["4"].inputs.ckpt_name',
        'graph.json["3"].inputs.steps',
    }


def test_refusals_of_image_parameters_name_their_fields() -> None:
    workflow = Workflow(
        graph=RAW.graph,
        passes={"3": Pass(image_index=0, images=1, seed=1)},
        fields={("3", "sampler_name"): "image.sampler", ("4", "ckpt_name"): "image.model"},
    )

    sampler = rejection_of(ANSWERS["sampler_not_in_list"]["json"], workflow, None)
    model = rejection_of(ANSWERS["ckpt_not_in_list"]["json"], workflow, None)
    other = rejection_of(ANSWERS["unknown_class"]["json"], workflow, None)

    assert [sampler.violations[0].field, model.violations[0].field] == ["image.sampler", "image.model"]
    assert other.violations[0].field == "image"


def test_newer_servers_name_the_node_in_extra_info() -> None:
    error = {"type": "missing_node_type", "message": "not found", "details": "", "extra_info": {"node_id": "a b"}}

    assert rejection_of({"error": error, "node_errors": {}}, RAW, None).violations[0].field == (
        'graph.json["a b"].class_type'
    )


@pytest.mark.parametrize("answer", [None, [], {}, {"error": "text"}, {"error": None, "node_errors": {"1": None}}])
def test_any_refusal_is_one(answer: Any) -> None:
    assert rejection_of(answer, RAW, None).violations


# --- failures ---


@pytest.mark.parametrize(
    ("kind", "message", "error"),
    [
        ("torch.OutOfMemoryError", "Allocation on device", OutOfMemory),
        ("torch.cuda.OutOfMemoryError", "CUDA out of memory. Tried to allocate", OutOfMemory),
        ("RuntimeError", "CUDA error: out of memory\n", OutOfMemory),
        ("RuntimeError", "MPS backend out of memory", OutOfMemory),
        ("RuntimeError", "CUDA error: an illegal memory access was encountered", GpuFault),
        ("torch.AcceleratorError", "CUDA error: device-side assert triggered", GpuFault),
        ("RuntimeError", "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR", GpuFault),
        ("RuntimeError", "HIP error: invalid device function", GpuFault),
        ("ValueError", "mat1 and mat2 shapes cannot be multiplied", NodeFailed),
    ],
)
def test_failures_are_told_apart(kind: str, message: str, error: type[AdapterError]) -> None:
    failure = ExecutionFailed(prompt_id="p", node="3", node_type="KSampler", kind=kind, message=message)

    found = error_of(failure, RAW)

    assert type(found) is error
    assert "node 3 'Second pass' (KSampler)" in str(found)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain\n", "plain"),
        ("\n", ""),
        ("first\n  second\nTraceback (most recent call last):\n  File x", "first second"),
        ("no file '/srv/comfyui/models/vae/a.pt'", "no file '…/a.pt'"),
        (r"no file C:\Users\me\ComfyUI\a.pt here", "no file …/a.pt here"),
        ("ratio 1/2 and a/b stay", "ratio 1/2 and a/b stay"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
def test_messages_are_for_people(message: str, shown: str) -> None:
    assert readable(message) == shown


def test_history_tells_how_a_prompt_ended() -> None:
    status = {"status_str": "error", "messages": [["execution_start", {}], ["execution_interrupted", {}]]}
    entry = {"prompt": [1, "p", {}, {"imagegen_attempt": "a"}, []], "outputs": {}, "status": status}

    (read,) = read_history(json.loads(json.dumps({"p": entry})))

    assert (read.is_success, read.is_interrupted, read.failure, read.attempt_id) == (False, True, None, "a")
