"""What workflows become: tables, and properties over graphs of any shape."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.graphs.graph import is_link
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.forms import with_form
from imagegen_server.workflows.inputs import resolve
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.rendering import inputs_of, parameters, render_graph

DIGEST, OTHER = "a" * 64, "b" * 64
Nodes = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def workflow(nodes: Nodes, *inputs: GraphInput) -> Workflow:
    return with_form(Workflow(workflow_id="mine", graph_json=json.dumps(nodes), inputs=tuple(inputs)))


def an_input(type_: InputType, *targets: str, name: str = "x", **settings: Any) -> GraphInput:
    """Targets as "NODE.INPUT"."""
    places = tuple(Target(*target.split(".")) for target in targets)
    return GraphInput(name=name, type=type_, targets=places, **settings)


def rendered(made: Workflow, **values: Any) -> tuple[Nodes, Mapping[str, str]]:
    graph = render_graph(made, resolve(made, values, choose_seed=lambda: 7))
    return json.loads(graph.json), graph.images


@pytest.mark.parametrize(
    ("held", "type_", "value", "expected"),
    [
        pytest.param("old", InputType.TEXT, "new", "new", id="text"),
        pytest.param(1, InputType.INT, 2, 2, id="int"),
        pytest.param(1, InputType.INT, str(2**60), 2**60, id="a large int"),
        pytest.param(0, InputType.SEED, str(2**64 - 1), 2**64 - 1, id="seed"),
        pytest.param(8, InputType.FLOAT, 7, 7.0, id="float"),
        pytest.param(True, InputType.BOOL, False, False, id="bool"),
        pytest.param("a", InputType.CHOICE, "2", "2", id="choice"),
        pytest.param(1, InputType.CHOICE, "2", 2, id="a choice among numbers"),
        pytest.param(0.5, InputType.CHOICE, "1.5", 1.5, id="a choice among fractions"),
        pytest.param(True, InputType.CHOICE, "False", False, id="a choice among truths"),
        pytest.param(1, InputType.CHOICE, "auto", "auto", id="a choice among numbers and names"),
        pytest.param(["2", 0], InputType.TEXT, "new", "new", id="where a link was"),
        pytest.param(None, InputType.TEXT, "new", "new", id="where nothing was"),
    ],
)
def test_a_value_in_its_place(held: Any, type_: InputType, value: Any, expected: Any) -> None:
    inputs = {"x": held} if held is not None else {}
    made = workflow({"1": node("A", **inputs), "2": node("B", x=held)}, an_input(type_, "1.x"))
    nodes, _ = rendered(made, x=value)
    assert nodes == {"1": node("A", x=expected), "2": node("B", x=held)}
    assert type(nodes["1"]["inputs"]["x"]) is type(expected)


def test_defaults_are_what_the_graph_holds() -> None:
    made = workflow(
        {"1": node("A", text="a fox", steps=20.0, cfg=8, fast=True, n=2, image="fox.png", seed=5, linked=["1", 0])},
        an_input(InputType.TEXT, "1.text", name="prompt"),
        an_input(InputType.INT, "1.steps", name="steps"),
        an_input(InputType.FLOAT, "1.cfg", name="cfg"),
        an_input(InputType.BOOL, "1.fast", name="fast"),
        an_input(InputType.CHOICE, "1.n", name="n"),
        an_input(InputType.IMAGE, "1.image", name="image"),
        an_input(InputType.SEED, "1.seed", name="seed"),
        an_input(InputType.TEXT, "1.linked", name="linked"),
    )
    values = resolve(made, {}, choose_seed=lambda: 7)
    assert values == {"prompt": "a fox", "steps": 20, "cfg": 8.0, "fast": True, "n": "2", "seed": 7}


def test_pictures_are_uploads() -> None:
    made = workflow(
        {"1": node("LoadImage", image="fox.png"), "2": node("LoadImage")},
        an_input(InputType.IMAGE, "1.image", "2.image"),
    )
    assert rendered(made, x=DIGEST) == (
        {"1": node("LoadImage", image="fox.png"), "2": node("LoadImage", image="")},
        {"1.image": DIGEST, "2.image": DIGEST},
    )
    assert rendered(made)[1] == {}


def test_the_white_of_a_mask_is_repainted_whatever_its_loader_looks_at() -> None:
    made = workflow(
        {"1": node("LoadImageMask", image="m.png", channel="alpha"), "2": node("A", mask=["1", 0])},
        an_input(InputType.MASK, "1.image"),
    )
    nodes, images = rendered(made, x=DIGEST)
    assert (nodes["1"]["inputs"]["channel"], images) == ("red", {"1.image": DIGEST})
    assert rendered(made)[0]["1"]["inputs"]["channel"] == "alpha"


def test_a_picture_and_its_mask_may_be_one_node() -> None:
    """ComfyUI's own example of inpainting: what is transparent in the picture is the mask."""
    made = workflow(
        {"1": node("LoadImage", image="p.png"), "2": node("Encode", pixels=["1", 0], mask=["1", 1])},
        an_input(InputType.IMAGE, "1.image", name="init_image"),
        an_input(InputType.MASK, "1.image", name="mask"),
    )
    nodes, images = rendered(made, init_image=DIGEST, mask=OTHER)
    assert images == {"1.image": DIGEST, "1-mask.image": OTHER}
    assert nodes["2"]["inputs"] == {"pixels": ["1", 0], "mask": ["1-mask", 0]}
    assert nodes["1-mask"]["class_type"] == "LoadImageMask"
    nodes, images = rendered(made, init_image=DIGEST)
    assert (nodes["2"]["inputs"]["mask"], images) == (["1", 1], {"1.image": DIGEST})


def test_a_mask_gets_a_node_that_is_not_there_yet() -> None:
    made = workflow(
        {"1": node("LoadImage", image="p.png"), "1-mask": node("Encode", pixels=["1", 0], mask=["1", 1])},
        an_input(InputType.MASK, "1.image"),
    )
    nodes, images = rendered(made, x=DIGEST)
    assert nodes["1-mask"] == node("Encode", pixels=["1", 0], mask=["1-mask-mask", 0])
    assert images == {"1-mask-mask.image": DIGEST}


# --- LoRAs ---

CHAIN: Nodes = {
    "4": node("CheckpointLoaderSimple", ckpt_name="c"),
    "10": node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="a", strength_model=1, strength_clip=1),
    "11": node("LoraLoader", model=["10", 0], clip=["10", 1], lora_name="b", strength_model=0.5, strength_clip=0.2),
    "3": node("KSampler", model=["11", 0]),
    "6": node("CLIPTextEncode", clip=["11", 1]),
}
LORAS = an_input(InputType.LORAS, "11.lora_name", "10.lora_name")


def loras(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "weight": 0.5} for name in names]


def applied(nodes: Nodes, at: str, name: str = "model") -> list[str]:
    """The LoRAs on the way to a node, the last one first."""
    found = []
    link = nodes[at]["inputs"][name]
    while is_link(link) and "lora_name" in nodes[link[0]]["inputs"]:
        assert link[1] == ("model", "clip").index(name)
        inputs = nodes[link[0]]["inputs"]
        found.append(inputs["lora_name"])
        link = inputs[name]
    assert link[0] == "4"
    return found


def test_the_loras_of_a_graph_are_the_default_and_stay_as_they_are() -> None:
    made = workflow(CHAIN, LORAS)
    assert made.form[0].input.default == [
        {"name": "a", "weight": 1.0},
        {"name": "b", "weight": 0.5, "text_encoder_weight": 0.2},
    ]
    assert rendered(made)[0] == CHAIN


@pytest.mark.parametrize("names", [[], ["x"], ["x", "y"], ["x", "y", "z"]])
def test_as_many_loaders_as_there_are_loras(names: list[str]) -> None:
    nodes, _ = rendered(workflow(CHAIN, LORAS), x=loras(*names))
    assert applied(nodes, "3") == applied(nodes, "6", "clip") == names[::-1]
    assert sum(each["class_type"] == "LoraLoader" for each in nodes.values()) == len(names)
    assert [each["inputs"]["strength_clip"] for each in nodes.values() if "strength_clip" in each["inputs"]] == [
        0.5 for _ in names
    ]


def test_text_encoders_may_have_a_weight_of_their_own() -> None:
    nodes, _ = rendered(workflow(CHAIN, LORAS), x=[{"name": "x", "weight": 0.5, "text_encoder_weight": 0.25}])
    assert (nodes["10"]["inputs"]["strength_model"], nodes["10"]["inputs"]["strength_clip"]) == (0.5, 0.25)


def test_loaders_get_ids_that_are_not_there_yet() -> None:
    nodes, _ = rendered(workflow(CHAIN | {"10-lora-1": node("Note")}, LORAS), x=loras("x", "y", "z"))
    assert nodes["10-lora-1"] == node("Note")
    assert applied(nodes, "3") == ["z", "y", "x"]


def test_each_branch_gets_them_once() -> None:
    """One loader before two others, and something else between: none of them may apply the LoRAs again."""
    nodes = CHAIN | {
        "20": node("ModelSamplingSD3", model=["10", 0]),
        "21": node("LoraLoaderModelOnly", model=["20", 0], lora_name="c", strength_model=1),
        "22": node("KSampler", model=["21", 0]),
    }
    targets = an_input(InputType.LORAS, "10.lora_name", "11.lora_name", "21.lora_name")
    nodes, _ = rendered(workflow(nodes, targets), x=loras("x", "y"))
    assert applied(nodes, "3") == ["y", "x"]
    assert nodes["22"]["inputs"]["model"] == ["20", 0]
    assert applied(nodes, "20") == ["y", "x"]


def test_two_models_get_them_each() -> None:
    nodes = CHAIN | {
        "5": node("LoraLoaderModelOnly", model=["4", 0], lora_name="c", strength_model=1),
        "7": node("KSampler", model=["5", 0]),
    }
    nodes, _ = rendered(workflow(nodes, an_input(InputType.LORAS, "10.lora_name", "5.lora_name")), x=loras("x", "y"))
    assert applied(nodes, "3") == ["b", "y", "x"]
    assert applied(nodes, "7") == ["y", "x"]


def test_loaders_in_a_circle_end_nothing() -> None:
    nodes = {
        "1": node("LoraLoaderModelOnly", model=["2", 0], lora_name="a", strength_model=1),
        "2": node("LoraLoaderModelOnly", model=["1", 0], lora_name="b", strength_model=1),
        "3": node("KSampler", model=["2", 0]),
    }
    for wanted in ([], ["x"]):
        rendered(workflow(nodes, an_input(InputType.LORAS, "1.lora_name", "2.lora_name")), x=loras(*wanted))


# --- properties ---

IDS = st.sampled_from(["1", "2", "3", "12:3", "ä.b"])
NAMES = st.sampled_from(["text", "steps", "model", "image"])
LINKS = st.builds(lambda node_id, slot: [node_id, slot], IDS, st.integers(0, 2))
LITERALS = st.text(max_size=3) | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.booleans()
GRAPHS = st.dictionaries(
    IDS, st.builds(lambda inputs: node("A", **inputs), st.dictionaries(NAMES, LITERALS | LINKS)), min_size=1
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Nodes, list[GraphInput], dict[str, str]]:
    """A graph, inputs of it with targets of their own, and values for some of them."""
    nodes = draw(GRAPHS)
    places = draw(st.lists(st.tuples(st.sampled_from(sorted(nodes)), NAMES), unique=True, max_size=6))
    inputs = [
        GraphInput(
            name=f"x{number}", type=InputType.TEXT, targets=tuple(Target(*place) for place in places[at : at + 2])
        )
        for number, at in enumerate(range(0, len(places), 2))
    ]
    return nodes, inputs, draw(st.dictionaries(st.sampled_from(["x0", "x1", "x2"]), st.text(max_size=3)))


@given(cases())
def test_every_target_is_set_and_nothing_else_changes(case: tuple[Nodes, Sequence[GraphInput], dict[str, str]]) -> None:
    nodes, inputs, values = case
    known = {each.name for each in inputs}
    values = {name: value for name, value in values.items() if name in known}
    # Where the first of two targets holds a text, it is the default of both.
    made = workflow(nodes, *inputs)
    expected = json.loads(json.dumps(nodes))
    for each, field in zip(inputs, made.form, strict=True):
        value = values.get(each.name, field.input.default)
        for target in each.targets if value is not None else ():
            expected[target.node_id]["inputs"][target.input_name] = value
    assert rendered(made, **values) == (expected, {})


# --- ImageParameters ---


def test_fields_of_image_parameters_there_and_back() -> None:
    text_to_image = BUILT_IN["text-to-image"]
    given_values = {
        "prompt": "a fox",
        "model": "flux",
        "text_encoder": "clip_l",
        "text_encoder_2": "t5",
        "hires_scale": 2,
        "hires_denoise": 0.4,
        "seed": str(2**60),
        "loras": loras("x"),
    }
    values = resolve(text_to_image, given_values, choose_seed=lambda: 7)
    fields = parameters(text_to_image, values)
    assert fields == {
        "prompt": "a fox",
        "model": "flux",
        "text_encoders": ["clip_l", "t5"],
        "hires": {"scale": 2.0, "denoise": 0.4},
        "seed": 2**60,
        "loras": loras("x"),
        "count": 1,
        "batch_size": 1,
    }
    assert inputs_of(text_to_image, fields) == {**values, "seed": 2**60}
    assert inputs_of(BUILT_IN["upscale"], fields) == {}


def test_a_variant_has_defaults_and_limits_of_its_own() -> None:
    variant = with_form(
        Workflow(
            workflow_id="portrait",
            base="text-to-image",
            inputs=(
                GraphInput(name="steps", type=InputType.INT, default=30, maximum=50, title="Effort"),
                GraphInput(name="width", type=InputType.INT, default=832),
            ),
        )
    )
    assert variant.makes_parameters
    steps = next(field.input for field in variant.form if field.name == "steps")
    assert (steps.default, steps.minimum, steps.maximum, steps.title) == (30, 1, 50, "Effort")
    assert [field.name for field in variant.form] == [field.name for field in BUILT_IN["text-to-image"].form]
    fields = parameters(variant, resolve(variant, {"prompt": "x"}, choose_seed=lambda: 7))
    assert (fields["steps"], fields["width"]) == (30, 832)


def test_what_its_base_requires_a_variant_requires_too() -> None:
    picture = GraphInput(name="init_image", type=InputType.IMAGE, title="Photo")
    variant = with_form(Workflow(workflow_id="mine", base="inpaint", inputs=(picture,)))
    assert next(field.input for field in variant.form if field.name == "init_image").required


def test_a_variant_of_a_graph_runs_the_graph_of_its_base() -> None:
    change = GraphInput(name="scale", type=InputType.FLOAT, default=0.5)
    half = with_form(Workflow(workflow_id="half", base="upscale", inputs=(change,)))
    graph: RawGraph = render_graph(half, resolve(half, {"init_image": DIGEST}, choose_seed=lambda: 7))
    assert json.loads(graph.json)["resize"]["inputs"]["scale_by"] == 0.5
    assert graph.images == {"picture.image": DIGEST}
