"""What is refused before a server sees it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from imagegen_adapters.comfyui.backend import CAPABILITIES
from imagegen_adapters.comfyui.validation import check_parameters
from imagegen_adapters.contract import Catalog, HiresParameters, ImageParameters, NamedModel, RawGraph
from imagegen_adapters.errors import Unintelligible, Violation
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes, read_node_classes
from tests.adapters.comfyui.recordings import answers, recorded_classes

CLASSES = recorded_classes()
MODEL = CLASSES.options("CheckpointLoaderSimple", "ckpt_name")[0]
CATALOG = Catalog(
    checkpoints=(NamedModel(name="sd15.safetensors"), NamedModel(name="sdxl.safetensors")),
    samplers=(NamedModel(name="euler"), NamedModel(name="heun")),
    schedulers=(NamedModel(name="normal"),),
    upscalers=(NamedModel(name="Latent"), NamedModel(name="x2.pth")),
)


def good_graph() -> dict[str, Any]:
    graph: dict[str, Any] = answers()["wrong_content_type_still_ok"].get("graph") or answers()["width_65"]["graph"]
    graph["4"]["inputs"]["ckpt_name"] = MODEL
    return graph


def check(
    graph: Any, classes: NodeClasses | None = CLASSES, images: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    source = RawGraph(json=graph if isinstance(graph, str) else json.dumps(graph), images=images)
    return {violation.field: violation.description for violation in check_graph(source, classes)}


def changed(node_id: str, **inputs: Any) -> dict[str, Any]:
    graph = good_graph()
    graph[node_id]["inputs"].update(inputs)
    return graph


def test_a_good_graph_passes() -> None:
    assert check(good_graph()) == {}
    assert check(good_graph(), None) == {}


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("{not json", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
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
    assert 'graph.json["odd"]' in check({**good_graph(), "odd": entry}, None)


@pytest.mark.parametrize(
    ("graph", "field", "description"),
    [
        (
            changed("4", ckpt_name="nope"),
            'graph.json["4"].inputs.ckpt_name',
            f"no such choice 'nope'; allowed: {MODEL}",
        ),
        (changed("3", sampler_name="eulr"), 'graph.json["3"].inputs.sampler_name', "allowed: euler, "),
        (changed("3", steps=0), 'graph.json["3"].inputs.steps', "0 is below the smallest value 1"),
        (changed("3", steps=10_001), 'graph.json["3"].inputs.steps', "10001 is above the largest value 10000"),
        (changed("3", steps="abc"), 'graph.json["3"].inputs.steps', "must be a whole number, not 'abc'"),
        (changed("3", cfg=None), 'graph.json["3"].inputs.cfg', "must be a number"),
        (changed("3", seed=-1), 'graph.json["3"].inputs.seed', "-1 is below the smallest value 0"),
        (changed("3", seed=2**64), 'graph.json["3"].inputs.seed', "is above the largest value"),
        (changed("3", model=["99", 0]), 'graph.json["3"].inputs.model', "is linked to node '99'"),
        (changed("3", model=["4", 7]), 'graph.json["3"].inputs.model', "output 7 of '4', which has 3"),
        (changed("3", model=["4", 0, 1]), 'graph.json["3"].inputs.model', "must be a link"),
        (changed("8", samples=["8", 0]), "graph.json", "has a cycle: 8 -> 8"),
    ],
)
def test_faults_are_found_at_their_input(graph: dict[str, Any], field: str, description: str) -> None:
    assert description in check(graph)[field]


def test_an_unknown_class_is_named_with_alike_ones() -> None:
    graph = good_graph()
    graph["3"]["class_type"] = "KSamplr"

    assert "KSampler" in check(graph)['graph.json["3"].class_type']


def test_a_missing_input_is_named() -> None:
    graph = good_graph()
    del graph["3"]["inputs"]["model"]

    assert check(graph) == {'graph.json["3"].inputs.model': "is missing; KSampler needs it"}


def test_a_graph_needs_an_output() -> None:
    graph = good_graph()
    del graph["9"]

    assert "has no output node" in check(graph)["graph.json"]
    assert check(graph, None) == {}


def test_uploads_must_have_a_node_and_an_input_for_files() -> None:
    graph = good_graph()
    graph["10"] = {"class_type": "LoadImage", "inputs": {}}

    assert check(graph, images={"10.image": "digest"}) == {}
    assert (
        "no node '11'" in check(graph, images={"10.image": "digest", "11.image": "digest"})['graph.images["11.image"]']
    )
    assert check(graph, images={"10.image": "digest", "3.model": "digest"}) == {
        'graph.json["3"].inputs.model': "takes MODEL, no file"
    }


def test_files_in_subfolders_are_let_through() -> None:
    """The server's list has only the files of the folder itself."""
    graph = good_graph()
    graph["10"] = {"class_type": "LoadImage", "inputs": {"image": "imagegen/a.png"}}

    assert check(graph) == {}


def test_choices_of_both_forms_are_checked() -> None:
    """The server itself does not look at those of the newer form."""
    graph = {
        "1": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "nope.pth"}},
        "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "nope.pth"}},
    }

    assert {'graph.json["1"].inputs.model_name', 'graph.json["2"].inputs.ckpt_name'} <= set(check(graph))


def test_violations_are_bounded() -> None:
    graph = {str(number): {"class_type": "Nope", "inputs": {}} for number in range(200)}

    assert len(check(graph)) == 50


def test_a_recorded_refusal_would_not_have_reached_the_server() -> None:
    """But for types of links: custom nodes may take what their class does not say."""
    for name, answer in answers().items():
        if "graph" in answer and answer["status"] == 400 and name != "type_mismatch":
            assert check(answer["graph"]), name


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


# --- image parameters ---


@pytest.mark.parametrize(
    ("change", "field", "description"),
    [
        ({"model": "sd51.safetensors"}, "image.model", "no such model 'sd51.safetensors'; allowed: sd15"),
        ({"sampler": "eulr"}, "image.sampler", "no such sampler 'eulr'; allowed: euler, heun"),
        ({"scheduler": "karras"}, "image.scheduler", "allowed: normal"),
        ({"vae": "x"}, "image.vae", "the backend has none"),
        ({"hires": HiresParameters(scale=2, upscaler="x4.pth")}, "image.hires.upscaler", "allowed: x2.pth"),
        ({"batch_size": 17, "count": 17}, "image.batch_size", "at most 16"),
        ({"mask": "a"}, "image.mask", "needs init_image"),
        ({"init_image": "a", "hires": HiresParameters(scale=2)}, "image.hires", "text-to-image only"),
    ],
)
def test_names_are_checked_against_the_catalogue(change: dict[str, Any], field: str, description: str) -> None:
    (violation,) = check_parameters(replace(ImageParameters(prompt="x"), **change), CAPABILITIES, CATALOG, None)

    assert violation.field == field
    assert description in violation.description


@pytest.mark.parametrize("upscaler", ["", "Latent", "x2.pth"])
def test_good_parameters_pass(upscaler: str) -> None:
    parameters = ImageParameters(
        prompt="x", model="sdxl.safetensors", sampler="heun", hires=HiresParameters(scale=2, upscaler=upscaler)
    )

    assert check_parameters(parameters, CAPABILITIES, CATALOG, None) == ()


def test_without_a_catalogue_names_pass() -> None:
    assert check_parameters(ImageParameters(prompt="x", model="any"), CAPABILITIES, None, None) == ()


def test_a_backend_without_checkpoints_makes_no_images() -> None:
    found = check_parameters(ImageParameters(prompt="x"), CAPABILITIES, Catalog(), None)

    assert found == (Violation("image.model", "the backend has no checkpoint"),)


def test_long_lists_are_cut() -> None:
    sentence = unknown_name("sampler", "s7", [f"s{number}x" for number in range(50)])

    assert sentence.startswith("no such sampler 's7'; allowed: s7x, ")
    assert sentence.endswith(" and 30 more")


def test_the_nearest_of_thousands_of_names_come_first() -> None:
    """Only those that have something in common with the name are compared letter by letter."""
    names = [f"style/{subject}_{number:03}.safetensors" for subject in SUBJECTS for number in range(300)]
    assert "allowed: style/watercolour_217.safetensors, " in unknown_name("choice", "watercolor_217.safetensors", names)


SUBJECTS = ("oil", "pastel", "ink", "charcoal", "gouache", "watercolour", "etching", "mosaic", "fresco", "collage")
