"""Values for the inputs of workflows: tables and properties."""

import math
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import Catalog, NamedModel
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_adapters.graphs.node_classes import read_node_classes
from imagegen_server.workflows.allowances import by_catalogs, by_classes
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.inputs import Allowed, InvalidInputs, resolve
from imagegen_server.workflows.model import Field, Workflow
from imagegen_server.workflows.schema import MOST_CHOICES, input_schema

DIGEST = "a" * 64
ANYTHING = Allowed()
TEXT_TO_IMAGE = BUILT_IN["text-to-image"]


def workflow(*inputs: GraphInput, classes: tuple[str, ...] = ()) -> Workflow:
    form = tuple(Field(input=each, target_classes=classes) for each in inputs)
    return Workflow(workflow_id="mine", inputs=tuple(inputs), form=form)


def one(type_: InputType, **settings: Any) -> Workflow:
    return workflow(GraphInput(name="x", type=type_, **settings))


def resolved(made: Workflow, allowed: Allowed = ANYTHING, /, **values: Any) -> dict[str, Any]:
    return resolve(made, values, choose_seed=lambda: 7, allowed={field.name: allowed for field in made.form})


def faults(made: Workflow, allowed: Allowed = ANYTHING, /, **values: Any) -> dict[str, str]:
    with pytest.raises(InvalidInputs) as caught:
        resolved(made, allowed, **values)
    return {each.field: each.description for each in caught.value.violations}


@pytest.mark.parametrize(
    ("made", "value", "expected"),
    [
        pytest.param(one(InputType.STRING), "a", "a", id="string"),
        pytest.param(one(InputType.TEXT), "a\nb", "a\nb", id="text"),
        pytest.param(one(InputType.TEXT), "", "", id="an empty text counts"),
        pytest.param(one(InputType.INT), 3, 3, id="int"),
        pytest.param(one(InputType.INT), 3.0, 3, id="int with a point"),
        pytest.param(one(InputType.INT), "-12", -12, id="int as digits"),
        pytest.param(one(InputType.INT), 2**53, 2**53, id="the largest exact number"),
        pytest.param(one(InputType.INT), 2**53 + 1, str(2**53 + 1), id="beyond it digits"),
        pytest.param(one(InputType.INT, step=2, minimum=1), 5, 5, id="steps count from a minimum that is none"),
        pytest.param(one(InputType.SEED), str(2**64 - 1), str(2**64 - 1), id="the largest seed"),
        pytest.param(one(InputType.FLOAT), 1, 1.0, id="float"),
        pytest.param(one(InputType.FLOAT, step=0.5), 0.3, 0.3, id="steps of floats are a hint"),
        pytest.param(one(InputType.BOOL), False, False, id="bool"),
        pytest.param(one(InputType.CHOICE), "any", "any", id="a choice that nobody knows"),
        pytest.param(one(InputType.CHOICE, choices=("a", "b")), "b", "b", id="a choice of its own"),
        pytest.param(one(InputType.IMAGE), DIGEST, DIGEST, id="image"),
        pytest.param(one(InputType.LORAS), [{"name": "l"}], [{"name": "l", "weight": 1.0}], id="a weight of one"),
        pytest.param(
            one(InputType.LORAS),
            [{"name": "l", "weight": 2, "text_encoder_weight": 0}],
            [{"name": "l", "weight": 2.0, "text_encoder_weight": 0.0}],
            id="both weights",
        ),
        pytest.param(one(InputType.LORAS), [], [], id="no LoRA at all"),
        pytest.param(
            one(InputType.LORAS),
            [{"name": "l", "weight": 1.0}] * 16,
            [{"name": "l", "weight": 1.0}] * 16,
            id="the most LoRAs",
        ),
    ],
)
def test_what_inputs_take(made: Workflow, value: Any, expected: Any) -> None:
    values = resolved(made, x=value)
    assert values == {"x": expected}
    assert type(values["x"]) is type(expected)
    jsonschema.validate(value, input_schema(made)["properties"]["x"])


@pytest.mark.parametrize(
    ("made", "value", "where", "why"),
    [
        (one(InputType.STRING), 1, "x", "must be a text"),
        (one(InputType.STRING), "a\nb", "x", "must be one line"),
        (one(InputType.STRING), "a\rb", "x", "must be one line"),
        (one(InputType.TEXT, minimum=2, maximum=3), "abcd", "x", "must have 2 to 3 characters, not 4"),
        (one(InputType.TEXT), "a" * 65_537, "x", "must have 0 to 65536 characters, not 65537"),
        (one(InputType.INT), True, "x", "must be a whole number, not True"),
        (one(InputType.INT), 1.5, "x", "must be a whole number, not 1.5"),
        (one(InputType.INT), "1.0", "x", "must be a whole number, not '1.0'"),
        (one(InputType.INT), {}, "x", "must be a whole number, not an object"),
        (one(InputType.INT, minimum=1, maximum=9), 10, "x", "must be from 1 to 9, not 10"),
        (one(InputType.INT, minimum=1), 0, "x", "must be 1 or more, not 0"),
        (one(InputType.INT, maximum=1), 2, "x", "must be 1 or less, not 2"),
        (one(InputType.INT, minimum=64, step=8), 70, "x", "must be a multiple of 8, not 70"),
        (one(InputType.INT, minimum=1, step=2), 4, "x", "must be a multiple of 2, counted from 1, not 4"),
        (one(InputType.SEED), -1, "x", f"must be from 0 to {2**64 - 1}, not -1"),
        (one(InputType.SEED), str(2**64), "x", f"must be from 0 to {2**64 - 1}, not {2**64}"),
        (one(InputType.FLOAT), math.nan, "x", "must be a number, not nan"),
        (one(InputType.FLOAT), "1", "x", "must be a number, not '1'"),
        (one(InputType.FLOAT, minimum=0.5, maximum=1), 0.25, "x", "must be from 0.5 to 1, not 0.25"),
        (one(InputType.BOOL), 1, "x", "must be true or false, not 1"),
        (one(InputType.CHOICE), ["a"], "x", "must be a text"),
        (one(InputType.CHOICE, choices=("euler", "heun")), "eulr", "x", "euler"),
        (one(InputType.MODEL, choices=("a",)), "b", "x", "no such model 'b'"),
        (one(InputType.MASK), "mask.png", "x", "must be the digest of an asset: 64 lower-case hexadecimal digits"),
        (one(InputType.LORAS), "l", "x", 'must be a list, as [{"name": "...", "weight": 0.8}]'),
        (one(InputType.LORAS), ["l"], "x[0]", "must be an object with a name"),
        (one(InputType.LORAS), [{"name": "l"}] * 17, "x", "must be at most 16 LoRAs, not 17"),
        (one(InputType.LORAS), [{"name": "l", "wait": 1}], "x[0]", "no such key 'wait'"),
        (one(InputType.LORAS), [{"name": "l", "weight": 11}], "x[0].weight", "must be a number from -10 to 10, not 11"),
        (one(InputType.LORAS, choices=("a",)), [{"name": "a"}, {"name": "b"}], "x[1].name", "no such LoRA 'b'"),
        (one(InputType.TEXT, required=True), None, "x", "is required"),
        (one(InputType.IMAGE, required=True), "", "x", "is required"),
        (one(InputType.TEXT), {"x": "a"}, "x", "must be a text"),
    ],
)
def test_what_they_do_not_take(made: Workflow, value: Any, where: str, why: str) -> None:
    ((field, description),) = faults(made, x=value).items()
    assert field == f"inputs.{where}"
    assert why in description


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert set(faults(TEXT_TO_IMAGE, promt="a fox", width=513, steps=0)) == {
        "inputs.promt",
        "inputs.width",
        "inputs.steps",
    }


def test_unknown_names_bring_near_ones_and_do_not_take_for_ever() -> None:
    assert faults(TEXT_TO_IMAGE, promt="a")["inputs.promt"].startswith("no such input 'promt'; allowed: prompt, ")
    assert len(faults(TEXT_TO_IMAGE, ANYTHING, **{f"x{number}": 1 for number in range(1000)})) == 20
    assert faults(workflow(), a=1) == {"inputs.a": "the workflow has no inputs"}
    names = [f"x{number}" for number in range(100)]
    made = workflow(*(GraphInput(name=name, type=InputType.CHOICE, choices=("a",)) for name in names))
    assert len(faults(made, **dict.fromkeys(names, "b"))) == 20


def test_what_counts_where_nothing_is_given() -> None:
    made = workflow(
        GraphInput(name="prompt", type=InputType.TEXT, default="a fox"),
        GraphInput(name="steps", type=InputType.INT, default=20),
        GraphInput(name="big", type=InputType.INT, default=2**60),
        GraphInput(name="picture", type=InputType.IMAGE),
        GraphInput(name="seed", type=InputType.SEED),
    )
    expected = {"prompt": "a fox", "steps": 20, "big": str(2**60), "seed": 7}
    assert resolved(made) == expected
    assert resolved(made, prompt=None, picture="") == expected


def test_a_seed_is_chosen_within_its_limits() -> None:
    def seed(**limits: Any) -> Any:
        made = one(InputType.SEED, **limits)
        return resolve(made, {}, choose_seed=lambda: 2**32 - 1)["x"]

    assert seed() == 2**32 - 1
    assert seed(maximum=9) == (2**32 - 1) % 10
    assert seed(minimum=2**60) == str(2**60 + 2**32 - 1)


def test_what_is_required_may_be_missing_from_a_part() -> None:
    made = one(InputType.MODEL, required=True, default="a")
    assert resolve(made, {}, choose_seed=lambda: 7, is_partial=True) == {"x": "a"}


def test_what_backends_allow_counts_where_the_workflow_says_nothing() -> None:
    numbers = Allowed(minimum=2, maximum=4, step=2)
    assert faults(one(InputType.INT), numbers, x=5) == {"inputs.x": "must be from 2 to 4, not 5"}
    assert faults(one(InputType.INT), numbers, x=3) == {"inputs.x": "must be a multiple of 2, not 3"}
    assert resolved(one(InputType.INT, minimum=0, maximum=9, step=1), numbers, x=5) == {"x": 5}
    assert resolved(one(InputType.CHOICE, choices=("a",)), Allowed(choices=("b",)), x="a") == {"x": "a"}
    assert "inputs.x" in faults(one(InputType.CHOICE), Allowed(choices=("b",)), x="a")


def test_a_default_is_not_held_against_the_caller() -> None:
    assert resolved(one(InputType.MODEL, default="gone"), Allowed(choices=("b",))) == {"x": "gone"}


def test_a_second_pass_is_asked_for_by_its_scale() -> None:
    assert faults(TEXT_TO_IMAGE, hires_steps=3) == {
        "inputs.hires_steps": "means nothing without hires_scale: give both or none"
    }
    assert resolved(TEXT_TO_IMAGE, hires_steps=3, hires_scale=2)["hires_scale"] == 2.0


def test_text_encoders_are_given_without_gaps() -> None:
    """They are written back as a list, which would close a gap: a job that is repeated would have one twice."""
    assert faults(TEXT_TO_IMAGE, text_encoder="a", text_encoder_3="b") == {
        "inputs.text_encoder_3": "means nothing without text_encoder_2: give both or none"
    }
    assert resolved(TEXT_TO_IMAGE, text_encoder="a", text_encoder_2="b")["text_encoder_2"] == "b"


def test_a_weight_that_loaders_do_not_have() -> None:
    loras = GraphInput(name="loras", type=InputType.LORAS, targets=(Target("1", "lora_name"),))
    value = [{"name": "a"}, {"name": "b", "text_encoder_weight": 1}]
    told = faults(workflow(loras, classes=("LoraLoaderModelOnly",)), loras=value)
    assert list(told) == ["inputs.loras[1].text_encoder_weight"]
    assert resolved(workflow(loras, classes=("LoraLoader",)), loras=value)["loras"][1]["text_encoder_weight"] == 1


def test_an_upscaler_is_the_first_that_there_is() -> None:
    upscale = BUILT_IN["upscale"]
    allowed = {"upscaler": Allowed(choices=("4x", "2x"))}
    values = resolve(upscale, {"init_image": DIGEST}, choose_seed=lambda: 7, allowed=allowed)
    assert values == {"init_image": DIGEST, "upscaler": "4x", "scale": 1.0}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(DIGEST),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "weight", "x"]), inner),
    max_leaves=5,
)
BOUNDS = st.none() | st.integers(-100, 100)
INPUTS = st.builds(
    lambda type_, low, high, step: one(
        type_, minimum=low, maximum=high if low is None or high is None else max(low, high), step=step
    ),
    st.sampled_from(list(InputType)),
    BOUNDS,
    BOUNDS,
    st.none() | st.integers(1, 9),
)


@given(INPUTS, VALUES)
def test_what_was_resolved_resolves_to_itself_and_fits_the_schema(made: Workflow, value: Any) -> None:
    try:
        values = resolved(made, x=value)
    except InvalidInputs:
        return
    assert resolved(made, **values) == values
    numbers = {name: int(each) if made.form[0].input.type is InputType.SEED else each for name, each in values.items()}
    jsonschema.validate(numbers, input_schema(made))


@pytest.mark.parametrize("workflow_id", BUILT_IN)
def test_schemas_of_built_in_workflows(workflow_id: str) -> None:
    built_in = BUILT_IN[workflow_id]
    schema = input_schema(built_in)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [field.name for field in built_in.form]
    assert schema.get("required", []) == [field.name for field in built_in.form if field.input.required]
    given_values = dict.fromkeys(schema.get("required", []), DIGEST)
    jsonschema.validate(resolve(built_in, given_values, choose_seed=lambda: 7), schema)


def test_what_a_schema_says() -> None:
    made = workflow(
        GraphInput(name="the_seed", type=InputType.SEED),
        GraphInput(
            name="size",
            type=InputType.INT,
            default=512,
            minimum=64,
            maximum=4096,
            step=8,
            group="Size",
            help="In pixels",
        ),
        GraphInput(
            name="model",
            type=InputType.MODEL,
            model_type="checkpoints",
            title="Which",
            required=True,
            default="not for who must say it",
        ),
    )
    schema = input_schema(made, {"model": Allowed(choices=("a", "b"))})
    assert schema["properties"] == {
        "the_seed": {
            "title": "The seed",
            "type": ["integer", "string"],
            "pattern": "^-?[0-9]{1,20}$",
            "minimum": 0,
            "maximum": 2**64 - 1,
            "x-type": "seed",
        },
        "size": {
            "title": "Size",
            "description": "In pixels",
            "type": "integer",
            "minimum": 64,
            "maximum": 4096,
            "multipleOf": 8,
            "default": 512,
            "x-type": "int",
            "x-group": "Size",
            "x-step": 8,
        },
        "model": {
            "title": "Which",
            "type": "string",
            "enum": ["a", "b"],
            "x-type": "model",
            "x-model-type": "checkpoints",
        },
    }
    assert (schema["required"], schema["additionalProperties"]) == (["model"], False)


def test_thousands_of_choices_are_examples() -> None:
    names = tuple(map(str, range(MOST_CHOICES + 1)))
    schema = input_schema(one(InputType.MODEL), {"x": Allowed(choices=names)})["properties"]["x"]
    assert ("enum" in schema, len(schema["examples"])) == (False, MOST_CHOICES)


def test_several_targets_allow_what_all_of_them_do() -> None:
    def node(**inputs: Any) -> Mapping[str, Any]:
        return {"input": {"required": inputs}, "output": [], "name": "n"}

    classes = read_node_classes(
        {
            "A": node(name=[["x", "y", 2]], number=["INT", {"min": 0, "max": 9, "step": 2}]),
            "B": node(name=[["y", 2, "z"]], number=["INT", {"min": 1, "max": 99, "step": 1}]),
        }
    )
    targets = (Target("1", "name"), Target("2", "name"), Target("3", "name"))
    choice = Field(
        input=GraphInput(name="c", type=InputType.CHOICE, targets=targets), target_classes=("A", "B", "Unknown")
    )
    numbers = tuple(Target(node_id, "number") for node_id in "12")
    number = Field(input=GraphInput(name="n", type=InputType.INT, targets=numbers), target_classes=("A", "B"))
    text = Field(input=GraphInput(name="t", type=InputType.STRING, targets=targets[:1]), target_classes=("A",))
    assert by_classes([choice, number, text], classes) == {
        "c": Allowed(choices=("y", "2")),
        "n": Allowed(minimum=1, maximum=9, step=2),
        "t": Allowed(),
    }


def test_names_of_built_in_workflows_are_those_of_all_backends() -> None:
    def models(*names: str) -> tuple[NamedModel, ...]:
        return tuple(NamedModel(name=name) for name in names)

    first = Catalog(checkpoints=models("a"), diffusion_models=models("flux"), samplers=models("euler"))
    second = Catalog(checkpoints=models("b", "a"), text_encoders=models("t5"))
    assert by_catalogs(TEXT_TO_IMAGE, [first, second]) == {
        "model": Allowed(choices=("a", "b", "flux")),
        "sampler": Allowed(choices=("euler",)),
        **{
            name: Allowed(choices=("t5",))
            for name in ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")
        },
    }
