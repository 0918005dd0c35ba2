"""What no page exports: nodes that need custom code, what is broken, and what is too large."""

from typing import Any

import pytest

from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes, read_node_classes
from imagegen_adapters.graphs.problems import ProblemCode, Severity
from imagegen_adapters.graphs.ui_format import convert, is_ui_format
from imagegen_adapters.graphs.ui_format.expanding import MAX_DEPTH, MAX_NODES
from tests.adapters.graphs.ui_format.drawing import node, subgraph, workflow
from tests.comfyui_page.fixtures import read_object_info


@pytest.fixture(scope="module")
def classes() -> NodeClasses:
    return parse_node_classes(read_object_info())


def test_a_list_of_nodes_tells_the_ui_format_from_the_api_format() -> None:
    assert is_ui_format(workflow([]))
    assert not is_ui_format({"3": {"class_type": "KSampler", "inputs": {}}})
    assert not is_ui_format([])


def test_set_and_get_nodes_are_links_also_into_subgraphs(classes: NodeClasses) -> None:
    inside = subgraph(
        "inside", [node(8, "GetNode", values=["picture"]), node(9, "PreviewImage", {"images": 1})], [(1, 8, 0, 9)]
    )
    drawn = workflow(
        [
            node(1, "LoadImage", values=["a.png", "image"]),
            node(2, "SetNode", {"IMAGE": 1}, ["picture"]),
            node(3, "GetNode", values=["picture"]),
            node(4, "PreviewImage", {"images": 2}),
            node(5, "inside"),
        ],
        [(1, 1, 0, 2), (2, 3, 0, 4)],
        definitions={"subgraphs": [inside]},
    )

    converted = convert(drawn, classes)

    assert converted.problems == ()
    assert {node_id: entry["inputs"].get("images") for node_id, entry in converted.api_format.items()} == {
        "1": None,
        "4": ["1", 0],
        "5:9": ["1", 0],
    }


PREVIEW = node(4, "PreviewImage", {"images": 1})
PROBLEMS: list[tuple[str, dict[str, Any], str]] = [
    ("a getter without setter", workflow([node(3, "GetNode", values=["x"]), PREVIEW], [(1, 3, 0, 4)]), "Set node"),
    ("a link without end", workflow([PREVIEW]), "begins nowhere"),
    ("a source that is missing", workflow([PREVIEW], [(1, 9, 0, 4)]), "begins nowhere"),
    (
        "a circle of reroutes",
        workflow(
            [node(1, "Reroute", {"": 2}), node(2, "Reroute", {"": 1}), node(4, "PreviewImage", {"images": 3})],
            [(1, 1, 0, 2), (2, 2, 0, 1), (3, 2, 0, 4)],
        ),
        "leads back",
    ),
    ("links without lines", workflow([node(4, "Anything Everywhere", {"anything": 1})], [(1, 9, 0, 4)]), "draw the"),
    ("a camera", workflow([node(4, "WebcamCapture", values=[None, 640, 480, False])]), "not in the file"),
    ("a class of no links", workflow([node(4, "Nowhere")]), "left out"),
    (
        "a class that is not known",
        workflow([node(4, "Nowhere", {"in": 1}, [1, 2])], [(1, 9, 0, 4)]),
        "values of its fields are lost",
    ),
    ("a random prompt", workflow([node(4, "CLIPTextEncode", values=["a {red|blue} {cat}"])]), "each time"),
    ("a date", workflow([node(4, "SaveImage", values=["%date:yyyy%"])]), "the date"),
    ("a node that is none", workflow([{"id": 4}, node(5, "LoadImage", values=["a.png"])]), "are no nodes"),
    (
        "a subgraph in itself",
        workflow([node(4, "s")], definitions={"subgraphs": [subgraph("s", [node(1, "s")])]}),
        "holds itself",
    ),
]


@pytest.mark.parametrize(("drawn", "said"), [each[1:] for each in PROBLEMS], ids=[each[0] for each in PROBLEMS])
def test_what_is_not_understood_is_told(drawn: dict[str, Any], said: str, classes: NodeClasses) -> None:
    messages = [problem.message for problem in convert(drawn, classes).problems]

    assert any(said in message for message in messages), messages


def test_nodes_of_unknown_classes_keep_what_their_inputs_name(classes: NodeClasses) -> None:
    drawn = workflow([node(1, "LoadImage", values=["a.png"]), node(4, "Custom", {"image": 1})], [(1, 1, 0, 4)])
    fields = [{"name": name, "type": "*", "link": None, "widget": {"name": name}} for name in ("noise", "text")]
    drawn["nodes"][1] |= {"widgets_values": [7, "randomize", "a"], "title": "Mine"}
    drawn["nodes"][1]["inputs"] += fields

    converted = convert(drawn, classes)

    assert converted.api_format["4"] == {
        "inputs": {"noise": 7, "text": "a", "image": ["1", 0]},
        "class_type": "Custom",
        "_meta": {"title": "Mine"},
    }
    (problem,) = converted.problems
    assert (problem.code, problem.severity) == (ProblemCode.NODE_CLASS_MISSING, Severity.ERROR)
    assert (problem.node_id, problem.node_title, problem.class_type) == ("4", "Mine", "Custom")


def test_a_primitive_reaches_into_a_subgraph(classes: NodeClasses) -> None:
    width = {"name": "width", "type": "INT", "link": 1, "widget": {"name": "width"}}
    inside = subgraph(
        "size",
        [node(7, "EmptyLatentImage", values=[64, 64, 1]) | {"inputs": [width]}],
        [(1, -10, 0, 7)],
        inputs=[{"name": "width", "type": "INT", "linkIds": [1]}],
    )
    drawn = workflow(
        [node(1, "PrimitiveNode", values=[640, "fixed"]), node(2, "size", {"width": 5}, [320])],
        [(5, 1, 0, 2)],
        definitions={"subgraphs": [inside]},
    )

    assert convert(drawn, classes).api_format["2:7"]["inputs"]["width"] == 640


def test_a_subgraph_that_only_passes_on_is_a_link(classes: NodeClasses) -> None:
    slot = {"name": "image", "type": "IMAGE", "linkIds": [1]}
    passing = subgraph("pass", [], [(1, -10, 0, -20)], inputs=[slot], outputs=[slot])
    drawn = workflow(
        [
            node(1, "LoadImage", values=["a.png"]),
            node(2, "pass", {"image": 1}),
            node(3, "PreviewImage", {"images": 2}),
        ],
        [(1, 1, 0, 2), (2, 2, 0, 3)],
        definitions={"subgraphs": [passing]},
    )

    assert convert(drawn, classes).api_format["3"]["inputs"] == {"images": ["1", 0]}


def test_exact_seeds_stay_exact(classes: NodeClasses) -> None:
    drawn = workflow([node(1, "RandomNoise", values=[2**64 - 1, "fixed"])])

    assert convert(drawn, classes).api_format["1"]["inputs"] == {"noise_seed": 2**64 - 1}


def test_fields_with_controls_have_more_values_than_one() -> None:
    """Numbers called seed have them though their class does not say so; choices have a filter beside the control."""
    choice = ["COMBO", {"options": ["a", "b"], "control_after_generate": True}]
    odd = {"input": {"required": {"seed": ["INT", {}], "file": choice, "steps": ["INT", {}]}}, "output": ["IMAGE"]}
    drawn = workflow([node(1, "Odd", values=[7, "randomize", "b", "fixed", "", 20])])

    converted = convert(drawn, read_node_classes({"Odd": odd}))

    assert converted.api_format["1"]["inputs"] == {"seed": 7, "file": "b", "steps": 20}


def test_a_bypassed_node_passes_on_what_is_of_the_same_type() -> None:
    anything = {"input": {"required": {"any": ["*"], "picture": ["IMAGE"]}}, "output": ["MASK", "IMAGE"]}
    source = {"input": {"required": {}}, "output": ["IMAGE"]}
    show = {"input": {"required": {"images": ["IMAGE"]}}, "output": [], "output_node": True}
    known = read_node_classes({"Anything": anything, "Source": source, "Show": show})
    bypassed = node(3, "Anything", {"any": 1, "picture": 2}, mode=4)
    drawn = workflow(
        [
            node(1, "Source"),
            node(2, "Source"),
            bypassed,
            node(4, "Show", {"images": 3}),
            node(5, "Show", {"images": 4}),
        ],
        [(1, 1, 0, 3), (2, 2, 0, 3), (3, 3, 1, 4), (4, 3, 2, 5)],
    )

    assert convert(drawn, known).api_format["5"]["inputs"] == {"images": ["2", 0]}


def test_ids_that_are_no_indexes_of_javascript_stay_in_their_order(classes: NodeClasses) -> None:
    drawn = workflow([node(each, "LoadImage", values=["a.png"]) for each in (2**32 + 1, 2**32, 7, 3)])

    assert list(convert(drawn, classes).api_format) == ["3", "7", str(2**32 + 1), str(2**32)]


def test_names_of_files_do_not_grow_without_end(classes: NodeClasses) -> None:
    """A text of 900 bytes that would be 60 kB, which a file of some megabytes could hold thousands of."""
    name = "%CLIPTextEncode.text%" * 40
    nodes = [node(1, "CLIPTextEncode", values=["x" * 1_000]) | {"properties": {"Node name for S&R": "CLIPTextEncode"}}]
    drawn = workflow([*nodes, node(2, "SaveImage", values=[name]), node(3, "SaveImage", values=[name[:21]])])

    converted = convert(drawn, classes).api_format

    assert converted["2"]["inputs"]["filename_prefix"] == name
    assert converted["3"]["inputs"]["filename_prefix"] == "x" * 1_000


def test_copies_of_copies_are_refused_before_they_are_made(classes: NodeClasses) -> None:
    """Each subgraph has ten of the next: 10^9 nodes in a file of some kilobytes."""
    levels = [subgraph(f"s{level}", [node(i, f"s{level + 1}") for i in range(10)]) for level in range(9)]
    drawn = workflow([node(1, "s0")], definitions={"subgraphs": levels})

    converted = convert(drawn, classes)

    assert converted.api_format == {}
    assert f"more than {MAX_NODES} nodes" in converted.problems[0].message


def test_subgraphs_that_lie_too_deep_are_refused(classes: NodeClasses) -> None:
    levels = [subgraph(f"s{level}", [node(1, f"s{level + 1}")]) for level in range(MAX_DEPTH + 1)]
    converted = convert(workflow([node(1, "s0")], definitions={"subgraphs": levels}), classes)

    assert "deep" in converted.problems[0].message


def test_a_chain_of_thousands_of_reroutes_is_walked_once(classes: NodeClasses) -> None:
    """Each of 4,000 pictures hangs on a chain of as many reroutes: 8 million steps if each were walked alone."""
    count = 4_000
    reroutes = [node(i, "Reroute", {"": i}) for i in range(1, count)]
    previews = [node(count + i, "PreviewImage", {"images": count + i}) for i in range(1, count)]
    chain = [(i, i - 1, 0, i) for i in range(1, count)]
    ends = [(count + i, i, 0, count + i) for i in range(1, count)]
    drawn = workflow([node(0, "LoadImage", values=["a.png"]), *reroutes, *previews], [*chain, *ends])

    api_format = convert(drawn, classes).api_format

    assert api_format[str(2 * count - 1)]["inputs"] == {"images": ["0", 0]}
