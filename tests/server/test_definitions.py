"""The union of node definitions, as tables and properties."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagegen_server.definitions import united


def node(*, required: Any = None, optional: Any = None, **other: Any) -> dict[str, Any]:
    sections = {"required": required, "optional": optional}
    return {"input": {name: inputs for name, inputs in sections.items() if inputs is not None}, **other}


def sampler(*names: Any, form: str = "old", **settings: Any) -> dict[str, Any]:
    """A class with one choice, in the old form or the new one."""
    choices = list(names)
    spec = [choices, settings] if form == "old" else ["COMBO", {"options": choices, **settings}]
    return node(required={"sampler": spec})


@pytest.mark.parametrize(
    ("first", "second", "union"),
    [
        pytest.param(sampler("a", "b"), sampler("b", "c"), sampler("a", "b", "c"), id="what one has besides"),
        pytest.param(sampler("a"), sampler("c", "c", "b"), sampler("a", "c", "b"), id="without repeats"),
        pytest.param(sampler("a"), sampler("b", tooltip="x"), sampler("a", "b"), id="settings are the first one's"),
        pytest.param(sampler("a", form="new"), sampler("b"), sampler("a", "b", form="new"), id="the form is, too"),
        pytest.param(
            sampler("a", tooltip="x"), sampler("b", form="new"), sampler("a", "b", tooltip="x"), id="new into old"
        ),
        pytest.param(sampler(1, "1"), sampler(True, 1), sampler(1, "1", True), id="1 is not true"),
        pytest.param(
            sampler({"key": "a"}), sampler({"key": "b"}), sampler({"key": "a"}, {"key": "b"}), id="no plain values"
        ),
        pytest.param(sampler(), sampler("a"), sampler("a"), id="none at first"),
        pytest.param(
            node(optional={"x": [["a"]]}),
            node(optional={"x": [["b"]]}),
            node(optional={"x": [["a", "b"]]}),
            id="optional",
        ),
        pytest.param(
            node(required={"x": ["INT", {"max": 2**64 - 1}]}, output=["LATENT"]),
            node(required={"x": ["INT", {"max": 5}], "y": ["MODEL"]}, optional={"z": [["a"]]}, output=["IMAGE"]),
            node(required={"x": ["INT", {"max": 2**64 - 1}]}, output=["LATENT"]),
            id="no choice is the first one's",
        ),
        pytest.param(
            node(required={"x": ["COMBO", {"remote": {}}]}),
            node(required={"x": [["a"]]}),
            node(required={"x": ["COMBO", {"remote": {}}]}),
            id="choices that are made elsewhere",
        ),
        pytest.param(
            node(required={"x": ["MODEL"]}),
            node(required={"x": [["a"]]}),
            node(required={"x": ["MODEL"]}),
            id="other types",
        ),
        pytest.param(None, sampler("a"), None, id="an odd class"),
        pytest.param(sampler("a"), {"input": []}, sampler("a"), id="an odd class besides"),
        pytest.param(node(required=[]), sampler("a"), node(required=[]), id="an odd section"),
        pytest.param(node(required={"x": []}), node(required={"x": 5}), node(required={"x": []}), id="odd inputs"),
    ],
)
def test_a_class_of_two_backends(first: Any, second: Any, union: Any) -> None:
    assert united([{"K": first}, {"K": second}]) == {"K": union}


def test_a_class_of_one_backend_is_as_it_was() -> None:
    assert united([{"A": 1}, {}, {"B": {"input": None}}]) == {"A": 1, "B": {"input": None}}
    assert united([]) == {}


_CHOICES = st.lists(st.sampled_from(["a", "b", "c", 1, True]), max_size=4, unique_by=repr)
_SPECS = st.one_of(
    st.builds(lambda choices: [choices, {}], _CHOICES),
    st.builds(lambda choices: ["COMBO", {"options": choices}], _CHOICES),
    st.just(["INT", {"max": 2**64 - 1}]),
)
_CLASSES = st.builds(lambda inputs: node(required=inputs), st.dictionaries(st.sampled_from("xyz"), _SPECS, max_size=3))
_BACKENDS = st.lists(st.dictionaries(st.sampled_from("KLM"), _CLASSES, max_size=3), max_size=4)


def choices_of(classes: Any, name: str, input_name: str) -> list[str]:
    match classes.get(name, {}).get("input", {}).get("required", {}).get(input_name):
        case [list() as choices, _] | ["COMBO", {"options": list() as choices}]:
            return [repr(choice) for choice in choices]
        case _:
            return []


@given(_BACKENDS)
@example([{"K": node(required={"x": [[1], {}]})}, {"K": node(required={"x": [[True], {}]})}])
def test_every_class_and_every_choice_is_there_once(backends: list[dict[str, Any]]) -> None:
    before = repr(backends)
    union = united(backends)
    assert repr(backends) == before
    assert list(union) == list(dict.fromkeys(name for classes in backends for name in classes))
    for name in union:
        having = [classes for classes in backends if name in classes]
        for input_name in union[name]["input"]["required"]:
            wanted = [choices_of(classes, name, input_name) for classes in having]
            flat = (
                [choice for choices in wanted for choice in choices]
                if wanted[0]
                else choices_of(union, name, input_name)
            )
            assert choices_of(union, name, input_name) == list(dict.fromkeys(flat))


@given(_BACKENDS)
def test_uniting_goes_by_steps_as_well(backends: list[dict[str, Any]]) -> None:
    assert united([united(backends[:2]), *backends[2:]]) == united(backends)
    assert united(backends + backends) == united(backends)
