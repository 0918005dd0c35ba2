"""What is a workflow, and what can be stored: tables."""

import json
from dataclasses import replace
from typing import Any

import pytest

from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_server.metadata.files import Embedded
from imagegen_server.metadata.parameters import Known
from imagegen_server.workflows.importing import (
    MAX_GRAPH_BYTES,
    Format,
    Imported,
    InvalidMapping,
    NotAWorkflow,
    Surroundings,
    read_picture,
    read_text,
)
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.naming import free_id, slug
from imagegen_server.workflows.structure import MAX_NODES, find_faults

NOTHING_KNOWN = Surroundings(classes=NodeClasses(), known=Known())
GRAPH: dict[str, Any] = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}
UI: dict[str, Any] = {"nodes": [], "links": [], "version": 0.4}
MAPPING = [{"type": "prompt", "key": "filename_prefix", "node_ids": ["1"]}]


def imported(document: Any, **options: Any) -> Imported:
    return read_text(document if isinstance(document, str) else json.dumps(document), NOTHING_KNOWN, **options)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(GRAPH, id="as it is"),
        pytest.param("\ufeff" + json.dumps(GRAPH), id="after a byte order mark"),
        pytest.param({"prompt": GRAPH, "client_id": "x"}, id="as it is sent"),
        pytest.param({"output": GRAPH, "workflow": UI}, id="as the page keeps it"),
        pytest.param({"workflow": json.dumps(GRAPH)}, id="as text"),
        pytest.param({"prompt": GRAPH, "extra_data": {"extra_pnginfo": {"workflow": UI}}}, id="with the page's own"),
        pytest.param({**GRAPH, "version": 1}, id="with what is no node"),
    ],
)
def test_the_wrappings_of_a_graph_in_api_format(document: Any) -> None:
    found = imported(document)
    assert found.format is Format.COMFYUI_API
    assert json.loads(found.workflow.graph_json) == GRAPH
    assert bool(found.workflow.ui_json) == ("extra_pnginfo" in str(document) or "output" in document)


def test_what_is_no_node_is_told() -> None:
    codes = [each.code.value for each in imported({**GRAPH, "version": 1}).problems]
    assert "NODE_MALFORMED" in codes


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"COMFYUI_WORKFLOW": json.dumps(GRAPH), "COMFYUI_WORKFLOW_NODES": MAPPING}, id="settings"),
        pytest.param({"comfyui": None, "workflow": GRAPH, "nodes": MAPPING}, id="beside each other"),
    ],
)
def test_settings_of_open_webui(document: Any) -> None:
    found = imported(document)
    assert (found.format, [each.name for each in found.workflow.inputs]) == (Format.OPENWEBUI, ["prompt"])


def test_a_mapping_that_does_not_fit() -> None:
    with pytest.raises(InvalidMapping) as caught:
        imported(GRAPH, mapping=[{"type": "prompt", "key": "text", "node_ids": ["9"]}])
    assert caught.value.violations[0].field.startswith("[0]")
    with pytest.raises(InvalidMapping, match="API format"):
        imported({**UI, "nodes": [{"id": 1, "type": "X"}]}, mapping=MAPPING)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a cat", "nor is it A1111's"),
        ("[1]", "a list and no object"),
        ("{}", "neither a graph in API format"),
        ('{"nodes": []}', "must have 1 to"),
        ("[" * 100_000, "is no JSON"),
        (json.dumps({"1": {"class_type": "A", "inputs": {}, "_meta": {"title": "\udca9"}}}), "half of a character"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested too deeply"),
    ],
)
def test_what_is_none(text: str, why: str) -> None:
    with pytest.raises(NotAWorkflow, match=why):
        imported(text)


def test_a_text_of_a1111_is_a_variant() -> None:
    text = "a cat\nNegative prompt: blur\nSteps: 30, Sampler: Euler a, CFG scale: 5, Seed: 42, Size: 512x768, Odd: 1"
    found = imported(text)
    assert (found.format, found.workflow.base, found.workflow.title) == (Format.A1111, "text-to-image", "a cat")
    defaults = {each.name: each.default for each in found.workflow.inputs}
    assert defaults["steps"] == 30
    assert (defaults["prompt"], defaults["height"], "seed" in defaults) == ("a cat", 768, False)
    assert found.image is not None
    assert found.image["seed"] == 42
    assert {each.code.value for each in found.problems} == {"SETTING_LOST"}
    assert find_faults(found.workflow).of_fields == ()


def test_a_text_of_a_second_pass_over_a_picture_is_a_variant_of_image_to_image() -> None:
    found = imported("a cat\nSteps: 30, Sampler: Euler a, Denoising strength: 0.5")
    assert found.workflow.base == "image-to-image"
    assert {each.name: each.default for each in found.workflow.inputs}["denoise"] == 0.5


def test_what_is_worst_is_told_first() -> None:
    broken = {"1": {"class_type": "SaveImage", "inputs": {"images": ["9", 0]}}, "version": 1}
    assert [each.code.value for each in imported(broken).problems] == ["LINK_DANGLING", "NODE_MALFORMED"]


def test_a_graph_in_ui_format_that_is_too_large_is_left_out() -> None:
    found = imported({"output": GRAPH, "workflow": {**UI, "extra": "x" * MAX_GRAPH_BYTES}})
    assert found.workflow.ui_json == ""
    assert "the graph in UI format is left out" in found.problems[0].message


def test_an_input_that_cannot_be_stored_is_told_and_not_proposed() -> None:
    mapping = [{"type": "steps", "key": "filename_prefix", "node_ids": ["1"]}]
    found = imported(GRAPH, mapping=mapping)
    assert (found.proposals, found.workflow.inputs) == ((), ())
    assert "an input is left out: inputs[0]" in found.problems[0].message


def test_of_a_picture_the_best_that_it_holds() -> None:
    both = Embedded(graph_json=json.dumps(GRAPH), ui_json=json.dumps(UI), parameters="a\nSteps: 1")
    found = read_picture(both, NOTHING_KNOWN, name="folder/fox.png")
    assert (found.format, found.workflow.title) == (Format.COMFYUI_API, "fox")
    assert json.loads(found.workflow.ui_json) == UI
    assert read_picture(replace(both, graph_json="", ui_json=""), NOTHING_KNOWN).format is Format.A1111
    with pytest.raises(NotAWorkflow, match="says nothing"):
        read_picture(Embedded(), NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Portrait: Flux, v2!", "portrait-flux-v2"),
        ("Größe", "groe"),
        ("日本", "workflow"),
        ("a" * 90, "a" * 64),
        ("--", "workflow"),
    ],
)
def test_ids_resemble_titles(title: str, expected: str) -> None:
    assert slug(title) == expected
    assert free_id(title, {expected}) == f"{expected[:62]}-2"


# --- what can be stored ---

NODES = {
    "1": {"class_type": "KSampler", "inputs": {"steps": 20, "sampler_name": "euler", "model": ["2", 0]}},
    "2": {"class_type": "LoraLoader", "inputs": {"lora_name": "a", "model": ["9", 0]}},
    "3": {"class_type": "Odd", "inputs": {"clip": ["2", 1]}},
}


def field(type_: InputType = InputType.INT, place: str = "1.steps", **settings: Any) -> GraphInput:
    return GraphInput(**{"name": "x", "type": type_, "targets": (Target(*place.split(".")),), **settings})


@pytest.mark.parametrize(
    ("inputs", "where", "why"),
    [
        ([field(), field(place="1.sampler_name", type_=InputType.CHOICE)], "inputs[0].name", "must be unique"),
        ([field(name="")], "inputs[0].name", "must be given"),
        ([field(targets=())], "inputs[0].targets", "would change nothing"),
        ([field(place="7.steps")], "inputs[0].targets[0].node_id", "no such node '7'"),
        ([field(), field(name="y")], "inputs[1].targets[0]", "is set by 'x' already"),
        ([field(place="1.sampler_name")], "inputs[0].targets[0]", "does not take INT: the graph holds 'euler' there"),
        ([field(default=1.5)], "inputs[0].default_value", "must be a whole number"),
        ([field(default=9, maximum=5)], "inputs[0].default_value", "must be 5 or less"),
        ([field(minimum=5, maximum=4)], "inputs[0].minimum", "must not be above maximum"),
        ([field(minimum=float("nan"))], "inputs[0].minimum", "must be a finite number"),
        ([field(choices=("a",))], "inputs[0].choices", "mean nothing for INT"),
        ([field(type_=InputType.SEED, default=4)], "inputs[0].default_value", "the server chooses one"),
        ([field(InputType.LORAS)], "inputs[0].targets[0]", "LORAS needs the lora_name of a loader"),
        ([field(InputType.LORAS, "2.lora_name")], "inputs[0].targets[0]", "its output 1 is not passed on"),
    ],
)
def test_inputs_that_cannot_be_stored(inputs: list[GraphInput], where: str, why: str) -> None:
    workflow = Workflow(workflow_id="mine", graph_json=json.dumps(NODES), inputs=tuple(inputs))
    found = find_faults(workflow).of_fields
    assert where in {each.field for each in found}
    assert why in next(each.description for each in found if each.field == where)


@pytest.mark.parametrize(
    ("graph", "why"),
    [
        ("{", "is no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must have 1 to"),
        (json.dumps(UI), "is in UI format"),
        ('{"1": {"inputs": {}}}', "node '1' must be an object with class_type and inputs"),
        (json.dumps({str(number): {"class_type": "A"} for number in range(MAX_NODES + 1)}), "must have 1 to"),
    ],
)
def test_graphs_that_cannot_be_stored(graph: str, why: str) -> None:
    (fault,) = find_faults(Workflow(workflow_id="mine", graph_json=graph)).of_graph
    assert (fault.field, why in fault.description) == ("graph_json", True)


def test_what_need_not_run_can_be_stored() -> None:
    broken = {"1": {"class_type": "Nobody's", "inputs": {"a": ["1", 0], "b": ["7", 3]}}}
    faults = find_faults(Workflow(workflow_id="mine", graph_json=json.dumps(broken)))
    assert faults.of_graph == faults.of_fields == ()


@pytest.mark.parametrize(
    ("workflow", "where", "why"),
    [
        (Workflow(workflow_id="v"), "graph_json", "give either graph_json or base"),
        (Workflow(workflow_id="v", base="txt2img"), "base", "text-to-image"),
        (Workflow(workflow_id="v", base="inpaint", graph_json="{}"), "graph_json", "no graph of its own"),
        (
            Workflow(workflow_id="v", base="inpaint", inputs=(field(name="stepps", targets=()),)),
            "inputs[0].name",
            "steps",
        ),
        (
            Workflow(workflow_id="v", base="inpaint", inputs=(field(InputType.TEXT, name="steps", targets=()),)),
            "inputs[0].type",
            "it is INT in inpaint",
        ),
        (Workflow(workflow_id="v", base="inpaint", inputs=(field(name="steps"),)), "inputs[0].targets", "left out"),
        (
            Workflow(workflow_id="v", base="inpaint", inputs=(field(name="steps", targets=(), default=501),)),
            "inputs[0].default_value",
            "must be from 1 to 500",
        ),
    ],
)
def test_variants_that_cannot_be_stored(workflow: Workflow, where: str, why: str) -> None:
    (fault,) = find_faults(workflow).of_fields
    assert fault.field == where
    assert why in fault.description
