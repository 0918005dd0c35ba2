"""How our conversion and the page's export are compared."""

from collections.abc import Iterator, Mapping
from typing import Any

from imagegen_adapters.graphs.node_classes import NodeClasses

Nodes = Mapping[str, Any]


def differences(page: Nodes, ours: Nodes, classes: NodeClasses) -> list[str]:
    """What differs, a line for each; nothing is said of what the page cannot know or sends for itself.

    Nodes of classes that the server does not have are sent by the page without class and without names. In a subgraph
    with such a node it also mistakes the values of all others.
    """
    unknown = {_group(node_id) for node_id, node in page.items() if not node.get("class_type")}
    names = _renumbered(page, ours)
    return [
        line
        for node_id in [*page, *(each for each in ours if each not in names.values())]
        if _group(node_id) not in unknown
        for line in _node_differences(node_id, page.get(node_id), ours.get(names.get(node_id, node_id)), names, classes)
    ]


def _node_differences(
    node_id: str, page: Any, ours: Any, names: Mapping[str, str], classes: NodeClasses
) -> Iterator[str]:
    if page is None or ours is None:
        yield f"{node_id} {(page or ours)['class_type']}: only {'ours' if page is None else 'the page'} has it"
        return
    if page["class_type"] != ours["class_type"]:
        yield f"{node_id}: is {page['class_type']}, ours {ours['class_type']}"
        return
    expected = {name: _link(value, names) for name, value in page["inputs"].items()}
    for name in dict.fromkeys([*expected, *ours["inputs"]]):
        left, right = expected.get(name, "(nothing)"), ours["inputs"].get(name, "(nothing)")
        if _rounded(left) != _rounded(right) and _is_declared(page["class_type"], name, classes):
            yield f"{node_id} {page['class_type']}.{name}: is {left!r:.80}, ours {right!r:.80}"


def _is_declared(class_type: str, name: str, classes: NodeClasses) -> bool:
    """The page has fields of its own, as a player for sounds, and sends them along: the server ignores them."""
    node_class = classes.find(class_type)
    return node_class is None or node_class.find_input(name) is not None


def _link(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list) and len(value) == 2:
        return [names.get(value[0], value[0]), value[1]]
    return value


def _rounded(value: Any) -> Any:
    """JavaScript's numbers are exact up to 2^53 only."""
    return float(value) if isinstance(value, int) and abs(value) > 2**53 else value


def _group(node_id: str) -> str:
    """A node of the workflow itself, or the outermost subgraph that it is in."""
    first, colon, _ = node_id.partition(":")
    return first + colon


def _renumbered(page: Nodes, ours: Nodes) -> dict[str, str]:
    """Our ids by the page's: new pages give nodes in subgraphs new ids where two subgraphs have the same ones."""
    names = {node_id: node_id for node_id in page if node_id in ours}
    rest = [each for each in ours if each not in page]
    for node_id in (each for each in page if each not in ours):
        path, class_type = node_id.rpartition(":")[0], page[node_id]["class_type"]
        alike = [each for each in rest if each.rpartition(":")[0] == path and ours[each]["class_type"] == class_type]
        if len(alike) == 1:
            names[node_id] = alike[0]
            rest.remove(alike[0])
    return names
