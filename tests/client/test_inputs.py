"""Values of a workflow's inputs from texts, and which flags fill them."""

from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1.job_pb2 import ImageParameters, JobSpec
from imagegen_client import JobOptions, invocation
from imagegen_client.commands.inputs import inputs_of, parse_lora
from imagegen_client.commands.request import Request, workflow_inputs
from imagegen_client.specs import count_of, input_of
from tests.client.fake.workflows import PROPERTIES

DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["prompt=a = b"], {"prompt": "a = b"}),
        (["prompt="], {"prompt": ""}),
        (["prompt=@home"], {"prompt": "@home"}),
        (["model=dawn"], {"model": "dawn"}),
        (["steps=30"], {"steps": 30}),
        (["seed=18446744073709551615"], {"seed": 2**64 - 1}),
        (["strength=0.6"], {"strength": 0.6}),
        (["strength=1"], {"strength": 1}),
        (["strength=.5e-1"], {"strength": 0.05}),
        (["is_wide=Yes", "steps=1"], {"is_wide": True, "steps": 1}),
        (["init_image=@photo.png"], {"init_image": Path("photo.png")}),
        ([f"init_image={DIGEST}"], {"init_image": DIGEST}),
        (["loras="], {"loras": []}),
        (["loras=a:0.8", "loras=b"], {"loras": [{"name": "a", "weight": 0.8}, {"name": "b"}]}),
        (['loras=[{"name": "a"}]', "loras=b"], {"loras": [{"name": "a"}, {"name": "b"}]}),
        (['settings={"a": [null, 1]}'], {"settings": {"a": [None, 1]}}),
    ],
)
def test_values_are_what_the_schema_says(assignments: list[str], expected: dict[str, Any]) -> None:
    assert inputs_of("portrait", PROPERTIES, assignments) == expected


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        (["steps"], "no NAME=VALUE"),
        (["=3"], "no NAME=VALUE"),
        (["strenth=0.6"], "no input strenth; did you mean strength"),
        (["zzz=1"], "there is prompt, model, steps"),
        (["steps=many"], "steps takes a whole number"),
        (["steps=1.5"], "steps takes a whole number"),
        (["seed=1e3"], "seed takes a whole number"),
        (["strength=high"], "strength takes a number"),
        (["is_wide=maybe"], "true or false"),
        (["init_image=photo.png"], "give @FILE"),
        (["init_image=@"], "give @FILE"),
        (["steps=1", "steps=2"], "given twice"),
        (["settings=a"], "takes JSON"),
        (["settings={"], "no JSON"),
        (['settings={"a": NaN}'], "no JSON"),
        (["strength=1e999"], "strength takes a number"),
    ],
)
def test_what_cannot_be_is_told(assignments: list[str], says: str) -> None:
    with pytest.raises(typer.BadParameter, match=says):
        inputs_of("portrait", PROPERTIES, assignments)


@given(st.sampled_from(sorted(PROPERTIES)), st.text(max_size=30))
def test_any_text_is_a_value_or_is_refused(name: str, text: str) -> None:
    try:
        value = inputs_of("portrait", PROPERTIES, [f"{name}={text}"])[name]
    except typer.BadParameter:
        return
    if not isinstance(value, Path):
        invocation("portrait", {name: value}).SerializeToString()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("a", None)),
        ("a:0.5", ("a", 0.5)),
        ("C:/a:-1", ("C:/a", -1.0)),
        (":1", (":1", None)),
        ("a:b", ("a:b", None)),
    ],
)
def test_a_lora_may_have_a_weight(text: str, expected: tuple[str, float | None]) -> None:
    assert parse_lora(text) == expected


def request(**said: Any) -> Request:
    return Request(images={}, options=JobOptions(), **said)


def test_flags_fill_the_inputs_of_the_same_names() -> None:
    more: dict[str, Any] = {"loras": ("a:1",), "text_encoders": ("l", "g"), "assignments": ("strength=0.5",)}
    wanted = request(prompt="fox", seed=0, init_image=Path("a.png"), **more)
    assert workflow_inputs(wanted, "portrait", PROPERTIES) == {
        "strength": 0.5,
        "prompt": "fox",
        "seed": 0,
        "init_image": Path("a.png"),
        "loras": [{"name": "a", "weight": 1.0}],
        "text_encoder": "l",
        "text_encoder_2": "g",
    }


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"negative": "dog"}, "has no input negative_prompt"),
        ({"cfg": 0.0}, "has no input cfg_scale"),
        ({"steps": 3, "assignments": ("steps=4",)}, "say it once: --steps or --set steps="),
    ],
)
def test_a_flag_without_an_input_is_refused(said: dict[str, Any], says: str) -> None:
    with pytest.raises(typer.BadParameter, match=says):
        workflow_inputs(request(**said), "portrait", PROPERTIES)


def test_numbers_beyond_2_53_go_as_digits_and_come_back() -> None:
    spec = JobSpec(
        workflow=invocation("w", {"seed": 2**64 - 1, "count": 3, "cfg_scale": 2.5, "loras": [{"weight": None}]})
    )
    assert spec.workflow.inputs["seed"] == str(2**64 - 1)
    assert (input_of(spec, "seed"), count_of(spec), input_of(spec, "cfg_scale")) == (2**64 - 1, 3, 2.5)
    assert input_of(spec, "steps") is None


def test_parameters_are_read_by_the_same_names() -> None:
    spec = JobSpec(image=ImageParameters(prompt="fox", count=2, seed=2**60))
    said = [input_of(spec, name) for name in ("prompt", "seed", "steps", "strength")]
    assert (said, count_of(spec)) == (["fox", 2**60, None, None], 2)
