"""What is read out of `/object_info`."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.errors import Unintelligible
from imagegen_adapters.graphs.node_classes import (
    InputKind,
    NodeClass,
    OutputKind,
    fits,
    parse_node_classes,
    read_node_classes,
)
from tests.adapters.graphs.definitions import node_classes, recorded_object_info

CLASSES = node_classes()


def read_input(*spec: Any) -> InputKind:
    classes = read_node_classes({"A": {"input": {"required": {"x": list(spec)}}}})
    return classes.by_name["A"].inputs["x"]


def recorded(class_type: str, input_name: str) -> InputKind:
    return CLASSES.by_name[class_type].inputs[input_name]


def test_every_recorded_class_is_read_with_all_its_inputs() -> None:
    for name, entry in recorded_object_info().items():
        sections = entry["input"]
        inputs = [*entry["input_order"].get("required", ()), *entry["input_order"].get("optional", ())]
        found = CLASSES.by_name[name]
        assert list(found.inputs) == inputs
        assert list(found.hidden) == list(sections.get("hidden", {}))
        assert [output.type for output in found.outputs] == entry["output"]
        assert [output.name for output in found.outputs] == entry["output_name"]


def test_a_recorded_class_in_full() -> None:
    sampler = CLASSES.by_name["KSampler"]

    assert list(sampler.inputs)[:3] == ["model", "seed", "steps"]
    assert sampler.outputs == (OutputKind(type="LATENT", name="LATENT"),)
    assert (sampler.display_name, sampler.category, sampler.module) == ("KSampler", "sampling", "nodes")
    assert sampler.is_core
    assert not sampler.is_output
    assert sampler.inputs["cfg"] == InputKind(
        type="FLOAT",
        is_required=True,
        default=8.0,
        minimum=0.0,
        maximum=100.0,
        step=0.1,
        round=0.01,
        tooltip=sampler.inputs["cfg"].tooltip,
    )
    assert sampler.inputs["cfg"].tooltip.startswith("The Classifier-Free Guidance scale")
    assert sampler.inputs["seed"].has_seed_control
    assert sampler.inputs["seed"].maximum == 2**64 - 1
    assert isinstance(sampler.inputs["seed"].maximum, int)


def test_what_else_inputs_say() -> None:
    assert recorded("CLIPTextEncode", "text").is_multiline
    assert recorded("CLIPTextEncode", "text").has_dynamic_prompts
    assert recorded("LoadImage", "image").upload == "image"
    assert recorded("LoadVideo", "file").upload == "video"
    assert recorded("LoadImageOutput", "image").is_remote
    assert recorded("LoadImageOutput", "image").folder == "output"
    assert recorded("EmptyImage", "color").display == "color"
    assert not recorded("VAELoader", "vae_name").is_upload
    assert not recorded("ControlNetApplyAdvanced", "vae").is_required
    assert read_input("INT", {"forceInput": True}).force_input
    assert read_input("INT", {"socketless": True, "lazy": True}).is_lazy
    assert read_input("COMBO", {"options": ["a"], "multiselect": True}).is_multiselect


def test_what_is_as_good_as_no_limit_is_none() -> None:
    kind = read_input("FLOAT", {"min": -math.inf, "max": 10**400, "step": math.nan})
    assert (kind.minimum, kind.maximum, kind.step) == (None, None, None)


def test_choices_of_both_styles() -> None:
    older, newer = read_input(["a", "b"], {"default": "b"}), read_input("COMBO", {"options": ["a", "b"]})

    assert (older.type, older.options, older.is_listed) == ("COMBO", ("a", "b"), True)
    assert (newer.type, newer.options, newer.is_listed) == ("COMBO", ("a", "b"), False)


def test_choices_that_are_objects_are_left_to_their_class() -> None:
    assert read_input([{"content": "a.safetensors", "image": None}]).options is None


def test_inputs_stand_in_the_order_that_is_given() -> None:
    sections = {"required": {"a": ["INT"], "b": ["INT"], "new": ["INT"]}, "optional": {"c": ["INT"]}}
    entry = {"input": sections, "input_order": {"required": ["b", "gone", "a"], "optional": ["c"]}}

    assert list(read_node_classes({"A": entry}).by_name["A"].inputs) == ["b", "a", "new", "c"]


@pytest.mark.parametrize(
    ("given_type", "taken", "does_fit"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("INT", "FLOAT", False),
        ("*", "IMAGE", True),
        ("IMAGE", "*", True),
        ("IMAGE,MASK", "MASK, LATENT", True),
        ("IMAGE,MASK", "LATENT", False),
        ("COMFY_MATCHTYPE_V3", "IMAGE", True),
        ("COMBO", "STRING", True),
        ("STRING", "COMBO", True),
        ("LATENT", "COMBO", False),
    ],
)
def test_which_types_fit(given_type: str, taken: str, *, does_fit: bool) -> None:
    assert fits(given_type, taken) is does_fit


def test_inputs_that_grow() -> None:
    node_class = NodeClass(name="A", inputs={"images": InputKind(type="COMFY_AUTOGROW_V3", is_required=True)})

    assert node_class.find_input("images.image0") is node_class.inputs["images"]
    assert node_class.find_input("other.image0") is None


@pytest.mark.parametrize("answer", [None, [], "text"])
def test_node_classes_must_be_an_object(answer: Any) -> None:
    with pytest.raises(Unintelligible):
        read_node_classes(answer)


def test_node_classes_must_be_json() -> None:
    with pytest.raises(Unintelligible, match="is no JSON"):
        parse_node_classes(b"<html>")


def test_odd_node_classes_are_left_out() -> None:
    classes = read_node_classes({"A": None, "B": {"input": {"required": {"x": [], "y": "INT"}}}, "C": {}})

    assert set(classes.by_name) == {"B"}
    assert classes.by_name["B"].inputs == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_SPEC = _JSON | st.tuples(_JSON, _JSON).map(list)
_FIELDS = ("output", "output_name", "output_is_list", "input_order", "display_name", "python_module", "output_node")


@given(st.dictionaries(st.sampled_from(["required", "optional", "hidden"]), _JSON | st.dictionaries(st.text(), _SPEC)))
def test_no_inputs_are_too_odd(sections: Any) -> None:
    assert "A" in read_node_classes({"A": {"input": sections}}).by_name


@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON))
def test_no_class_is_too_odd(entry: Any) -> None:
    assert "A" in read_node_classes({"A": {"input": {"required": {"x": ["INT"]}}, **entry}}).by_name
