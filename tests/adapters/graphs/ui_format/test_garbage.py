"""Whatever a workflow holds, it is converted or told about."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes
from imagegen_adapters.graphs.ui_format import convert
from imagegen_adapters.graphs.ui_format.texts import resolve_dynamic_prompt
from tests.comfyui_page.fixtures import read_fixtures, read_object_info

CLASSES: NodeClasses = parse_node_classes(read_object_info())
DRAWN = [fixture.workflow for fixture in read_fixtures()]

scalars = st.none() | st.booleans() | st.integers(-30, 70) | st.floats() | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A workflow of the recordings with some of its parts replaced."""
    document = json.loads(json.dumps(draw(st.sampled_from(DRAWN))))
    for _ in range(draw(st.integers(1, 6))):
        part: Any = document
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            key = draw(st.sampled_from(keys))
            if isinstance(part[key], dict | list) and part[key] and draw(st.integers(0, 5)):
                part = part[key]
                continue
            part[key] = draw(values)
            break
    return document


@settings(max_examples=150, deadline=None)
@given(damaged())
def test_a_damaged_workflow_is_converted_as_far_as_possible(document: Any) -> None:
    converted = convert(document, CLASSES)

    for entry in converted.api_format.values():
        assert isinstance(entry["class_type"], str)
        for value in entry["inputs"].values():
            if isinstance(value, list):
                assert value[0] in converted.api_format


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["nodes", "links", "extra", "definitions", "version"]), values))
def test_no_document_is_too_odd(document: Any) -> None:
    convert(document, CLASSES)


@given(st.text(alphabet='ab/*\\{}|\n"', max_size=30))
def test_a_resolved_prompt_has_no_choice_left(text: str) -> None:
    resolved = resolve_dynamic_prompt(text)

    assert resolved is None or len(resolved) <= len(text)
