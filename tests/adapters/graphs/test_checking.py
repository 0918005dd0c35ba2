"""What is found wrong with graphs, where, and how sure that is."""

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.graphs.checking import MOST_PROBLEMS, check_graph, find_problems, find_problems_of_json
from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.node_classes import NodeClasses, read_node_classes
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity
from tests.adapters.graphs.definitions import node_classes, object_info

CLASSES = node_classes()
MODEL = "sd_xl_base_1.0.safetensors"
ERROR, WARNING = Severity.ERROR, Severity.WARNING
JsonGraph = dict[str, Any]

STRANGER = {
    "input": {
        "required": {"n": ["INT", {"min": 1}], "mode": [["a", "b"]], "model": [["x.safetensors"]]},
        "optional": {"image": ["IMAGE"], "images": ["COMFY_AUTOGROW_V3", {}], "many": ["COMFY_AUTOGROW_V3", {}]},
    },
    "output": ["IMAGE"],
    "python_module": "custom_nodes.stranger",
}
GROWING = {
    "input": {
        "required": {"images": ["COMFY_AUTOGROW_V3", {}], "name": [["a"], {"remote": {"route": "/names"}}]},
    },
    "output": ["IMAGE"],
}
WITH_STRANGER = read_node_classes({**object_info(), "Stranger": STRANGER, "Growing": GROWING})


def node(class_type: str, title: str = "", **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs, **({"_meta": {"title": title}} if title else {})}


def good_graph(**more: Any) -> JsonGraph:
    return {
        "4": node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name=MODEL),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text="a fox", clip=["4", 1]),
        "3": node(
            "KSampler",
            "Second pass",
            seed=1,
            steps=20,
            cfg=7.0,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["6", 0],
            latent_image=["5", 0],
        ),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="x", images=["8", 0]),
        **more,
    }


def changed(node_id: str, **inputs: Any) -> JsonGraph:
    graph = good_graph()
    graph[node_id]["inputs"].update(inputs)
    return graph


def without(node_id: str, input_name: str) -> JsonGraph:
    graph = good_graph()
    del graph[node_id]["inputs"][input_name]
    return graph


def check(
    graph: Any, classes: NodeClasses | None = CLASSES, images: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    source = RawGraph(json=graph if isinstance(graph, str) else json.dumps(graph), images=images)
    return {violation.field: violation.description for violation in check_graph(source, classes)}


def only_problem(
    graph: JsonGraph, classes: NodeClasses = CLASSES, uploads: Collection[tuple[str, str]] = ()
) -> GraphProblem:
    (problem,) = find_problems(Graph(graph), classes, uploads)
    return problem


# --- what is refused, in the words of the caller ---


def test_a_good_graph_passes() -> None:
    assert find_problems(Graph(good_graph()), CLASSES) == ()
    assert check(good_graph()) == {}
    assert check(good_graph(), None) == {}


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("{not json", "is no JSON"),
        ("[" * 100_000, "is no JSON: it is nested too deeply"),
        (json.dumps(good_graph(x="\ud83d")), "half of a character, '\\ud83d'"),
        ("[]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ("{}", "has no node"),
        ('{"nodes": [], "links": [], "version": 0.4}', "is a workflow of the ComfyUI page"),
    ],
)
@pytest.mark.parametrize("classes", [CLASSES, None])
def test_what_is_no_graph(text: str, description: str, classes: NodeClasses | None) -> None:
    assert description in check(text, classes)["graph.json"]


@pytest.mark.parametrize("entry", ["x", None, {"inputs": {}}, {"class_type": 1}, {"class_type": "A", "inputs": []}])
def test_what_is_no_node(entry: Any) -> None:
    graph = {**good_graph(), "odd": entry}

    assert 'graph.json["odd"]' in check(graph, None)
    (problem,) = find_problems_of_json(graph, CLASSES)
    assert (problem.code, problem.severity, problem.node_id) == (ProblemCode.NODE_MALFORMED, ERROR, "odd")
    assert problem.message == "node odd: must be an object with class_type and inputs"


def test_names_are_not_endless() -> None:
    for entry in ({"x" * 129: node("A")}, {"1": node("x" * 513)}, {"1": {"class_type": "A", "inputs": {"x" * 129: 1}}}):
        (problem,) = find_problems_of_json(entry, None)
        assert problem.code is ProblemCode.NODE_MALFORMED
        assert len(problem.message) < 300


@pytest.mark.parametrize(
    ("graph", "field", "description"),
    [
        (changed("4", ckpt_name="nope"), '["4"].inputs.ckpt_name', "no such model 'nope'; allowed: sd15/dreamshaper_8"),
        (changed("3", sampler_name="eulr"), '["3"].inputs.sampler_name', "no such choice 'eulr'; allowed: euler, "),
        (changed("3", steps=0), '["3"].inputs.steps', "0 is below the smallest value 1"),
        (changed("3", steps=10_001), '["3"].inputs.steps', "10001 is above the largest value 10000"),
        (changed("3", steps="abc"), '["3"].inputs.steps', "must be a whole number, not 'abc'"),
        (changed("3", steps=10**400), '["3"].inputs.steps', "00 is above the largest value 10000"),
        (changed("3", cfg=10**400), '["3"].inputs.cfg', "must be a number, not 1000"),
        (changed("3", cfg=float("nan")), '["3"].inputs.cfg', "must be a number, not nan"),
        (changed("3", cfg=None), '["3"].inputs.cfg', "must be a number, not None"),
        (changed("3", seed=-1), '["3"].inputs.seed', "-1 is below the smallest value 0"),
        (changed("3", seed=2**64), '["3"].inputs.seed', "is above the largest value 18446744073709551615"),
        (changed("3", model=["99", 0]), '["3"].inputs.model', "is linked to node '99', which the graph does not have"),
        (
            changed("3", model=["4", 7]),
            '["3"].inputs.model',
            "is linked to output 7 of CheckpointLoaderSimple (4), which has 3 of them",
        ),
        (
            changed("3", model=["4", 1]),
            '["3"].inputs.model',
            "takes MODEL, and output 1 of CheckpointLoaderSimple (4) is CLIP",
        ),
        (changed("3", model=["4", 0, 1]), '["3"].inputs.model', "must be a link, as"),
        (changed("3", model=[4, 0]), '["3"].inputs.model', "a node's id, which is a text"),
        (without("3", "model"), '["3"].inputs.model', "is missing; KSampler needs it"),
        (good_graph(x=node("KSamplr")), '["x"].class_type', "no such node class 'KSamplr'; alike: KSampler"),
    ],
)
def test_faults_are_found_at_their_input(graph: JsonGraph, field: str, description: str) -> None:
    ((found, words),) = check(graph).items()

    assert found == f"graph.json{field}"
    assert description in words


def test_a_graph_needs_an_output() -> None:
    graph = good_graph()
    del graph["9"]

    assert "has no output node" in check(graph)["graph.json"]
    assert check(graph, None) == {}


def test_a_class_that_is_missing_may_have_been_the_output() -> None:
    assert list(check({"1": node("SaveImageEverywhere")})) == ['graph.json["1"].class_type']


def test_uploads_need_a_node_and_an_input_for_files() -> None:
    graph = good_graph(load=node("LoadImage"), save=node("PreviewImage", images=["load", 0]))

    assert check(graph, images={"load.image": "digest"}) == {}
    assert check(graph, images={"load.image": "digest", "11.image": "digest"}) == {
        'graph.images["11.image"]': "has no node '11'"
    }
    assert check(graph, images={"load.image": "digest", "3.model": "digest"}) == {
        'graph.json["3"].inputs.model': '"Second pass": takes MODEL, no file'
    }
    graph["load"]["inputs"]["image"] = ["99", 0]
    assert check(graph, images={"load.image": "digest"}) == {}, "what is uploaded takes the place of a link"
    dropped = check(graph, images={"load.image": "digest", "load.picture": "digest"})
    assert dropped == {'graph.json["load"].inputs.picture': "no such input 'picture'; allowed: image"}


def test_violations_are_bounded() -> None:
    graph = {str(number): node("Nope") for number in range(300)}

    assert len(check(graph)) == 50
    assert len(find_problems(Graph(graph), CLASSES)) == MOST_PROBLEMS


def test_errors_are_kept_rather_than_warnings() -> None:
    problems = find_problems(Graph(changed("3", a=1, b=1, c=1, steps=0)), CLASSES, limit=2)

    assert [(each.severity, each.input_name) for each in problems] == [(ERROR, "steps"), (WARNING, "a")]


# --- what people are told ---


def test_a_problem_names_the_node_and_what_is_near() -> None:
    problem = only_problem(changed("3", scheduler="Normal"))

    assert problem == GraphProblem(
        severity=ERROR,
        code=ProblemCode.VALUE_NOT_ALLOWED,
        message=problem.message,
        node_id="3",
        node_title="Second pass",
        class_type="KSampler",
        input_name="scheduler",
        suggestions=problem.suggestions,
    )
    assert problem.message.startswith(
        "KSampler \"Second pass\" (3), scheduler: no such choice 'Normal'; allowed: normal"
    )
    assert problem.suggestions[0] == "normal"


def test_the_title_is_left_out_where_it_says_nothing() -> None:
    assert only_problem(changed("4", ckpt_name="x")).message.startswith("CheckpointLoaderSimple (4), ckpt_name: ")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("sd15\\dreamshaper_8.safetensors", "sd15/dreamshaper_8.safetensors"),
        ("dreamshaper_8.ckpt", "sd15/dreamshaper_8.safetensors"),
        ("SDXL/SD_XL_BASE_1.0.safetensors", "sd_xl_base_1.0.safetensors"),
    ],
)
def test_a_model_that_lies_elsewhere_is_named_first(name: str, nearest: str) -> None:
    problem = only_problem(changed("4", ckpt_name=name))

    assert problem.code is ProblemCode.MODEL_MISSING
    assert problem.suggestions[0] == nearest


def test_models_are_told_from_choices() -> None:
    loader = node("DualCLIPLoader", clip_name1="gone", clip_name2="clip_l.safetensors", type="flx")
    problems = find_problems(Graph(good_graph(x=loader, y=node("SaveLatent", samples=["5", 0]))), CLASSES)

    assert [(each.input_name, each.code) for each in problems if each.node_id == "x"] == [
        ("clip_name1", ProblemCode.MODEL_MISSING),
        ("type", ProblemCode.VALUE_NOT_ALLOWED),
    ]


def test_a_cycle_is_told_with_its_nodes() -> None:
    graph = changed("5", width=["8", 0])
    graph["8"]["inputs"]["samples"] = ["5", 0]
    problems = [each for each in find_problems(Graph(graph), CLASSES) if each.code is ProblemCode.CYCLE]

    assert [each.severity for each in problems] == [ERROR]
    assert problems[0].message in {
        "the graph has a cycle: EmptyLatentImage (5) -> VAEDecode (8) -> EmptyLatentImage (5)",
        "the graph has a cycle: VAEDecode (8) -> EmptyLatentImage (5) -> VAEDecode (8)",
    }


# --- what is no reason to refuse a graph ---


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"x": node("CheckpointLoaderSimple", ckpt_name="gone.safetensors")}, ProblemCode.MODEL_MISSING),
        ({"x": node("LoadImage", image="gone.png")}, ProblemCode.FILE_MISSING),
        ({"x": node("VAEDecode", vae=["4", 2])}, ProblemCode.INPUT_MISSING),
        ({"x": node("VAEDecode", vae=["4", 2], samples=["99", 0])}, ProblemCode.LINK_DANGLING),
        ({"x": node("VAEDecode", vae=["4", 2], samples=["4", 0])}, ProblemCode.LINK_OF_WRONG_TYPE),
        ({"x": node("VAEDecode", vae=["4", 2], samples=["4", 9])}, ProblemCode.LINK_DANGLING),
        ({"x": node("LatentFlip", samples=["x", 0], flip_method="x-axis: vertically")}, ProblemCode.CYCLE),
    ],
)
def test_nodes_that_no_output_needs_are_not_looked_at_by_comfyui(more: JsonGraph, code: ProblemCode) -> None:
    problem = only_problem(good_graph(**more))

    assert (problem.severity, problem.code) == (WARNING, code)


def test_what_may_be_an_output_needs_what_it_is_linked_to() -> None:
    lost = node("CheckpointLoaderSimple", ckpt_name="gone.safetensors")
    problems = find_problems(Graph(good_graph(x=node("SaveEverywhere", model=["y", 0]), y=lost)), CLASSES)

    assert [(each.node_id, each.severity) for each in problems] == [("x", ERROR), ("y", ERROR)]


def test_links_that_the_server_drops_are_not_followed() -> None:
    graph = changed("3", stepz=["y", 0])
    graph["y"] = node("CheckpointLoaderSimple", ckpt_name="gone.safetensors")
    problems = find_problems(Graph(graph), CLASSES)

    assert {(each.severity, each.code) for each in problems} == {
        (WARNING, ProblemCode.INPUT_UNKNOWN),
        (WARNING, ProblemCode.MODEL_MISSING),
    }


def test_a_strict_server_takes_nothing_but_what_is_declared_and_drops_the_rest() -> None:
    def refused(graph: JsonGraph) -> list[str]:
        return [each.field for each in check_graph(RawGraph(json=json.dumps(graph)), CLASSES, strict=True)]

    assert refused(changed("3", model="sdxl")) == ['graph.json["3"].inputs.model']
    assert refused(changed("3", stepz=5)) == []


def test_classes_of_all_nodes_must_be_there() -> None:
    assert only_problem(good_graph(note=node("Note"))).severity is ERROR


def with_stranger(**inputs: Any) -> JsonGraph:
    values = {"n": 1, "mode": "a", "model": "x.safetensors", **inputs}
    stranger = node("Stranger", **{name: value for name, value in values.items() if value is not ...})
    return good_graph(x=stranger, y=node("PreviewImage", images=["x", 0]))


@pytest.mark.parametrize(
    ("inputs", "code", "severity"),
    [
        ({"n": 0}, ProblemCode.VALUE_OUT_OF_RANGE, WARNING),
        ({"mode": "c"}, ProblemCode.VALUE_NOT_ALLOWED, WARNING),
        ({"image": ["4", 0]}, ProblemCode.LINK_OF_WRONG_TYPE, WARNING),
        ({"any_01": 5}, ProblemCode.INPUT_UNKNOWN, WARNING),
        ({"any_01": ["99", 0]}, ProblemCode.LINK_DANGLING, WARNING),
        ({"n": "x"}, ProblemCode.VALUE_OF_WRONG_TYPE, ERROR),
        ({"n": ...}, ProblemCode.INPUT_MISSING, ERROR),
        ({"model": "gone.safetensors"}, ProblemCode.MODEL_MISSING, ERROR),
        ({"image": ["99", 0]}, ProblemCode.LINK_DANGLING, ERROR),
    ],
)
def test_classes_of_somebody_else_may_take_what_they_do_not_say(
    inputs: Mapping[str, Any], code: ProblemCode, severity: Severity
) -> None:
    problems = find_problems(Graph(with_stranger(**inputs)), WITH_STRANGER)

    assert (severity, code) in [(each.severity, each.code) for each in problems]
    assert severity is ERROR or ERROR not in [each.severity for each in problems]


def test_inputs_that_grow_are_known_by_their_group() -> None:
    inputs = {"images.image0": ["8", 0], "images.image1": ["8", 0]}

    assert find_problems(Graph(with_stranger(**inputs)), WITH_STRANGER) == ()
    none_yet = good_graph(x=node("Growing", name="b"), y=node("PreviewImage", images=["x", 0]))
    assert find_problems(Graph(none_yet), WITH_STRANGER) == (), "none need be there, and names come from elsewhere"
    inputs["images.image1"] = ["99", 0]
    assert only_problem(with_stranger(**inputs), WITH_STRANGER).severity is ERROR


def test_a_class_of_somebody_else_may_take_a_file_that_it_does_not_declare() -> None:
    assert only_problem(with_stranger(), WITH_STRANGER, {("x", "picture")}).severity is WARNING


def test_more_outputs_than_a_class_lists_may_be_there() -> None:
    graph = with_stranger()
    graph["y"]["inputs"]["images"] = ["x", 3]

    assert only_problem(graph, WITH_STRANGER).severity is WARNING


def test_choices_that_are_made_elsewhere_are_not_judged() -> None:
    graph = good_graph(x=node("LoadImageOutput", image="any.png"), y=node("PreviewImage", images=["x", 0]))

    assert find_problems(Graph(graph), CLASSES) == ()


@pytest.mark.parametrize(
    "inputs",
    [
        {"image": "imagegen/a.png"},
        {"image": "a.png [output]"},
        {"image": "example.png", "upload": "image"},
    ],
)
def test_files_that_the_list_leaves_out_are_let_through(inputs: Mapping[str, Any]) -> None:
    graph = good_graph(x=node("LoadImage", **inputs), y=node("PreviewImage", images=["x", 0]))

    assert find_problems(Graph(graph), CLASSES) == ()


def test_a_file_that_is_missing_may_be_uploaded() -> None:
    graph = good_graph(x=node("LoadImage", image="exmple.png"), y=node("PreviewImage", images=["x", 0]))
    problem = only_problem(graph)

    assert (problem.severity, problem.code) == (WARNING, ProblemCode.FILE_MISSING), "it may be newer than the list"
    assert problem.suggestions[0] == "example.png"
    assert find_problems(Graph(graph), CLASSES, {("x", "image")}) == ()


@pytest.mark.parametrize(
    "graph",
    [
        changed("5", width=513),
        changed("5", width="512", height=512.7, batch_size=True),
        changed("6", text=5),
        changed("9", images=["8", -1]),
        changed("5", width={"__value__": 512}),
    ],
)
def test_what_the_server_converts_is_taken(graph: JsonGraph) -> None:
    assert find_problems(Graph(graph), CLASSES) == ()


def test_a_value_where_only_a_link_can_be_is_taken_by_the_server() -> None:
    problem = only_problem(changed("3", model="sdxl"))

    assert (problem.severity, problem.code) == (WARNING, ProblemCode.VALUE_OF_WRONG_TYPE)


def test_choices_of_the_newer_style_are_not_checked_by_all_servers() -> None:
    """Models of that style are: they are not there when the node runs."""
    scale = node("ImageScaleToTotalPixels", image=["8", 0], upscale_method="mystic", megapixels=1.0)
    load = node("UpscaleModelLoader", model_name="nope.pth")
    upscale = node("ImageUpscaleWithModel", upscale_model=["load", 0], image=["scale", 0])
    graph = good_graph(scale=scale, load=load, up=upscale, y=node("PreviewImage", images=["up", 0]))

    assert [(each.severity, each.code) for each in find_problems(Graph(graph), CLASSES)] == [
        (ERROR, ProblemCode.MODEL_MISSING),
        (WARNING, ProblemCode.VALUE_NOT_ALLOWED),
    ]


def test_an_input_that_nobody_knows_is_dropped_by_the_server() -> None:
    problem = only_problem(changed("3", stepz=5))

    assert (problem.severity, problem.code, problem.suggestions[0]) == (WARNING, ProblemCode.INPUT_UNKNOWN, "steps")


# --- whatever comes ---

_NAMES = st.sampled_from(["1", "2", "3", "x"])
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
_CONTENTS = _VALUES | st.tuples(_NAMES, st.integers(-3, 3)).map(list) | st.lists(_VALUES, max_size=3)
_INPUTS = st.dictionaries(st.sampled_from(["image", "images", "samples", "ckpt_name", "steps", "odd"]), _CONTENTS)
_NODES = st.builds(
    lambda class_type, inputs: {"class_type": class_type, "inputs": inputs},
    st.sampled_from(["SaveImage", "LoadImage", "VAEDecode", "CheckpointLoaderSimple", "KSampler", "Stranger", "Nope"]),
    _INPUTS,
)


@given(st.dictionaries(_NAMES, _NODES, min_size=1), st.sets(st.tuples(_NAMES, st.sampled_from(["image", "odd"]))))
def test_any_graph_can_be_checked(graph: JsonGraph, uploads: set[tuple[str, str]]) -> None:
    problems = find_problems(Graph(graph), WITH_STRANGER, uploads)

    severities = [each.severity for each in problems]
    assert severities == sorted(severities, key=lambda severity: severity is WARNING), "errors come first"
    source = RawGraph(json=json.dumps(graph), images={f"{node_id}.{name}": "" for node_id, name in uploads})
    assert len(check_graph(source, WITH_STRANGER)) == severities.count(ERROR)
