"""Graphs in UI format read into their parts, whatever else they hold. Pure.

There are two layouts of links: arrays (version 0.4) and objects (version 1, and in subgraphs). What is only drawn
(groups, positions, the reroutes that are points of a link) is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

_TYPE_LENGTH = 200


class Mode(IntEnum):
    """Whether a node runs. The page knows more numbers, which all mean that it does."""

    ALWAYS = 0
    MUTED = 2
    BYPASSED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class UiLink:
    link_id: str
    source: str
    slot: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UiSlot:
    """An input or output of a node, or of a subgraph."""

    name: str
    type: str
    link: str | None = None
    """Of an input: the link that ends there."""
    links: tuple[str, ...] = ()
    """Of a subgraph's input or output: the links inside."""
    widget: str = ""
    """The node's field that the input stands for; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UiNode:
    node_id: str
    class_type: str
    title: str
    """As somebody wrote it; empty: as the class is called."""
    mode: Mode
    inputs: tuple[UiSlot, ...]
    outputs: tuple[UiSlot, ...]
    values: tuple[Any, ...] | Mapping[str, Any] | None
    """Of its fields: by position, or by name as some custom nodes have them; None: not saved."""
    named_values: Mapping[str, Any]
    """The same by name, as the newest pages save them besides."""
    properties: Mapping[str, Any]
    text_length: int
    """Of its title and its values, however deep they lie."""


@dataclass(frozen=True, kw_only=True)
class UiGraph:
    """The workflow itself, or the definition of a subgraph, which has inputs and outputs."""

    name: str = ""
    nodes: tuple[UiNode, ...]
    links: Mapping[str, UiLink]
    inputs: tuple[UiSlot, ...] = ()
    outputs: tuple[UiSlot, ...] = ()
    input_node: str = "-10"
    """What links inside begin at that come from outside."""
    fields: tuple[tuple[str, str] | None, ...] | None = None
    """Of a group node: whose fields its values are, as node and name; None: a value that is not sent."""

    @cached_property
    def links_from(self) -> Mapping[str, tuple[UiLink, ...]]:
        """Links by the node where they begin."""
        found: dict[str, list[UiLink]] = {}
        for link in self.links.values():
            found.setdefault(link.source, []).append(link)
        return {source: tuple(links) for source, links in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class UiDocument:
    graph: UiGraph
    subgraphs: Mapping[str, UiGraph] = field(default_factory=dict)
    """Definitions by the class_type of the nodes that stand for them."""
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of group nodes: what the page kept of each, by its name."""
    malformed: int = 0
    """Number of entries that are no nodes."""


def is_ui_format(document: Any) -> bool:
    """Whether a JSON document is what ComfyUI's page saves; the API format is an object of nodes by id."""
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)


def read_document(document: Mapping[str, Any]) -> UiDocument:
    """What a workflow in UI format holds, in any layout that pages have saved. What is no node is counted."""
    graph = _graph(document)
    entries = len(_list(document.get("nodes")))
    return UiDocument(
        graph=graph,
        subgraphs={str(entry.get("id")): _subgraph(entry) for entry in _subgraph_entries(document)},
        groups={str(name): each for name, each in _group_entries(document)},
        malformed=entries - len(graph.nodes),
    )


def read_nodes(entries: Any) -> Iterator[UiNode]:
    """Nodes without ids, which get their positions for it."""
    for position, entry in enumerate(_list(entries)):
        yield _node({**_mapping(entry), "id": position})


def _group_entries(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, entry in _mapping(_mapping(document.get("extra")).get("groupNodes")).items():
        if isinstance(entry, Mapping):
            yield name, entry


def _subgraph_entries(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Definitions stand in one list; those inside of definitions are of exports by hand."""
    pending = [document]
    while pending:
        for entry in _mappings(_mapping(pending.pop().get("definitions")).get("subgraphs")):
            yield entry
            pending.append(entry)


def _subgraph(entry: Mapping[str, Any]) -> UiGraph:
    graph = _graph(entry)
    return UiGraph(
        name=_text(entry.get("name")),
        nodes=graph.nodes,
        links=graph.links,
        inputs=tuple(map(_slot, _mappings(entry.get("inputs")))),
        outputs=tuple(map(_slot, _mappings(entry.get("outputs")))),
        input_node=_id(_mapping(entry.get("inputNode")).get("id")) or "-10",
    )


def _graph(entry: Mapping[str, Any]) -> UiGraph:
    nodes: dict[str, UiNode] = {}
    for node_entry in _mappings(entry.get("nodes")):
        node = _node(node_entry)
        if node.node_id and node.class_type:
            nodes.setdefault(node.node_id, node)
    links = (_link(each) for each in _list(entry.get("links")))
    return UiGraph(nodes=tuple(nodes.values()), links={link.link_id: link for link in links if link is not None})


def _node(entry: Mapping[str, Any]) -> UiNode:
    values = entry.get("widgets_values")
    mode = entry.get("mode")
    return UiNode(
        node_id=_id(entry.get("id")),
        class_type=_text(entry.get("type")),
        title=_text(entry.get("title")),
        mode=Mode(mode) if mode in (Mode.MUTED, Mode.BYPASSED) else Mode.ALWAYS,
        inputs=tuple(map(_slot, _mappings(entry.get("inputs")))),
        outputs=tuple(map(_slot, _mappings(entry.get("outputs")))),
        values=tuple(values) if isinstance(values, list) else values if isinstance(values, Mapping) else None,
        named_values=_mapping(entry.get("widgets_values_named")),
        properties=_mapping(entry.get("properties")),
        text_length=_text_length([entry.get("title"), values, entry.get("widgets_values_named")]),
    )


def _slot(entry: Mapping[str, Any]) -> UiSlot:
    return UiSlot(
        name=_text(entry.get("name")),
        type=_type(entry.get("type")),
        link=_id(entry.get("link")) or None,
        links=tuple(filter(None, map(_id, _list(entry.get("linkIds"))))),
        widget=_text(_mapping(entry.get("widget")).get("name")),
    )


def _link(entry: Any) -> UiLink | None:
    if isinstance(entry, Mapping):
        parts: Sequence[Any] = [entry.get(key) for key in ("id", "origin_id", "origin_slot", "target_id")]
    else:
        parts = _list(entry)
    if len(parts) < 4 or not isinstance(parts[2], int | str):
        return None
    link_id, source, target = _id(parts[0]), _id(parts[1]), _id(parts[3])
    try:
        slot = int(parts[2])  # some programs write it as text
    except ValueError:
        return None
    return UiLink(link_id=link_id, source=source, slot=slot, target=target) if link_id and source else None


def _text_length(values: list[Any]) -> int:
    """About what they take as JSON. Without recursion, because they may be nested as deep as JSON allows."""
    length, pending = 0, values
    while pending:
        value = pending.pop()
        length += len(value) if isinstance(value, str) else 4
        if isinstance(value, list):
            pending.extend(value)
        elif isinstance(value, Mapping):
            pending.extend(value)
            pending.extend(value.values())
    return length


def _type(value: Any) -> str:
    """Types are names; choices of old pages are lists, and 0 stands for anything."""
    if isinstance(value, list):
        return "COMBO"
    return value[:_TYPE_LENGTH] if isinstance(value, str) else "*"


def _id(value: Any) -> str:
    """Ids are numbers or texts. Empty: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    try:
        return str(value)
    except ValueError:  # thousands of digits
        return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in _list(value) if isinstance(each, Mapping))
