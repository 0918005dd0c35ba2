"""Open WebUI's node mapping, as its settings keep it."""

import copy
from typing import Any, Final

import pytest

from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_adapters.graphs.openwebui_mapping import MappedGraph, read_openwebui_mapping
from tests.adapters.graphs.test_proposing import CONTROLLED, DEFAULT, INPAINT, Nodes


def entry(type_: str, key: str | None, *node_ids: str, **more: Any) -> dict[str, Any]:
    return {"type": type_, "key": key, "node_ids": list(node_ids), **more}


MAPPING: Final = [
    entry("prompt", "text", "6"),
    entry("model", "ckpt_name", "4"),
    entry("width", "width", "5"),
    entry("height", "height", "5"),
    entry("n", "batch_size", "5"),
    entry("steps", "steps", "3"),
    entry("seed", "seed", "3"),
]


def mapped(mapping: Any, nodes: Nodes = DEFAULT) -> MappedGraph:
    result = read_openwebui_mapping(mapping, nodes)
    assert isinstance(result, MappedGraph), result
    return result


def test_the_usual_mapping_gives_inputs_of_the_names_that_everything_knows() -> None:
    assert mapped(MAPPING).inputs == (
        GraphInput(name="prompt", type=InputType.TEXT, targets=(Target("6", "text"),)),
        GraphInput(name="model", type=InputType.MODEL, targets=(Target("4", "ckpt_name"),), model_type="checkpoints"),
        GraphInput(name="width", type=InputType.INT, targets=(Target("5", "width"),)),
        GraphInput(name="height", type=InputType.INT, targets=(Target("5", "height"),)),
        GraphInput(name="count", type=InputType.INT, targets=(Target("5", "batch_size"),)),
        GraphInput(name="steps", type=InputType.INT, targets=(Target("3", "steps"),)),
        GraphInput(name="seed", type=InputType.SEED, targets=(Target("3", "seed"),)),
    )


def test_entries_of_one_type_are_one_input() -> None:
    mapping = [entry("prompt", None, "6"), entry("prompt", "text", "7")]
    assert mapped(mapping).inputs[0].targets == (Target("6", "text"), Target("7", "text"))


def test_each_node_of_pictures_has_its_own() -> None:
    nodes = INPAINT | {"11": CONTROLLED["11"]}
    inputs = mapped([entry("image", "image", "20", "11")], nodes).inputs
    assert [(each.name, each.targets[0].node_id, each.required) for each in inputs] == [
        ("init_image", "20", True),
        ("init_image_2", "11", True),
    ]


def test_the_model_is_from_the_list_that_its_loader_is_about() -> None:
    nodes: Nodes = DEFAULT | {"4": {"class_type": "UNETLoader", "inputs": {"unet_name": "a", "vae_name": "b"}}}
    for key, model_type in (("unet_name", "diffusion_models"), ("vae_name", "vaes")):
        assert mapped([entry("model", key, "4")], nodes).inputs[0].model_type == model_type


def test_constants_are_written_into_the_graph_and_leave_the_callers_alone() -> None:
    before = copy.deepcopy(DEFAULT)
    result = mapped([*MAPPING, entry("", "cfg", "3", value="4.5")])
    assert result.api_format["3"]["inputs"] == DEFAULT["3"]["inputs"] | {"cfg": "4.5"}
    assert result.api_format["6"] is DEFAULT["6"]
    assert before == DEFAULT


def test_what_its_page_keeps_for_unmapped_values_is_nothing() -> None:
    assert mapped([entry("steps", "steps"), entry("width", "width", ""), *MAPPING[:1]]).inputs[0].name == "prompt"


@pytest.mark.parametrize(
    ("mapping", "field", "says"),
    [
        ({"prompt": "6"}, "", "must be a JSON list"),
        ([7], "[0]", "must be an object"),
        ([entry("promt", "text", "6")], "[0].type", "no such type 'promt'; allowed: prompt"),
        ([entry("model", None, "4")], "[0].key", "must be the name of an input"),
        ([entry("prompt", "text", "66")], "[0].node_ids", "no such node '66'; allowed: 6"),
        ([{"type": "prompt", "node_ids": "6"}], "[0].node_ids", "must be a list"),
        ([entry("prompt", "txt", "6")], "[0].key", "no such input 'txt'; allowed: text, clip at CLIPTextEncode (6)"),
        ([entry("", "cfg", "3")], "[0].value", "must be a text, a number or a boolean"),
        ([*MAPPING, entry("", "text", "6", value="x")], "[7]", "text of node 6 is set by entry [0] already"),
    ],
)
def test_says_what_is_wrong(mapping: Any, field: str, says: str) -> None:
    result = read_openwebui_mapping(mapping, DEFAULT)
    assert isinstance(result, tuple)
    assert [each.field for each in result] == [field]
    assert says in result[0].description


def test_says_all_that_is_wrong_within_reason() -> None:
    result = read_openwebui_mapping([entry("prompt", "text", f"x{number}") for number in range(200)], DEFAULT)
    assert isinstance(result, tuple)
    assert len(result) == 50
