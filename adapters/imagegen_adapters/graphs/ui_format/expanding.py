"""Subgraphs put in the places where they are used. Pure.

A node whose class is a subgraph's id stands for a copy of it: its nodes get the node's id in front, as "12:3". What
is set on the node itself (promoted fields) counts for that copy only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imagegen_adapters.graphs.node_classes import NodeClass, NodeClasses
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity, node_label
from imagegen_adapters.graphs.ui_format.documents import Mode, UiDocument, UiGraph, UiNode, UiSlot
from imagegen_adapters.graphs.ui_format.fields import field_values, input_slots
from imagegen_adapters.graphs.ui_format.groups import read_group
from imagegen_adapters.graphs.ui_format.page_nodes import PRIMITIVE

MAX_NODES = 10_000
"""Of the whole graph, with all copies of subgraphs."""
MAX_INPUTS = 256
"""Of one node."""
MAX_SLOTS = 100_000
"""Inputs and values of all nodes."""
MAX_TEXT = 16 * 2**20
MAX_DEPTH = 16

_SHOWN = 1_000
"""Characters of names and messages in problems."""
_GROUP_PREFIXES = ("workflow>", "workflow/")
_RENAMED = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
}


class TooLarge(Exception):
    """The graph has more than we take."""


@dataclass(eq=False, kw_only=True)
class Element:
    """A node in its place."""

    node: UiNode
    place: "Place"
    class_type: str
    node_class: NodeClass | None
    inputs: tuple[UiSlot, ...]
    fields: dict[str, Any]
    """Of a node that stands for a subgraph: by the names of its inputs."""
    inside: "Place | None" = None
    """The copy of the subgraph that it stands for. None also where it does not run."""
    definition: UiGraph | None = None

    @property
    def element_id(self) -> str:
        return self.place.prefix + self.node.node_id

    @property
    def title(self) -> str:
        if self.node.title:
            return self.node.title
        if self.definition is not None:
            return self.definition.name
        return (self.node_class.display_name if self.node_class else "") or self.class_type

    @property
    def label(self) -> str:
        return node_label(self.element_id, "subgraph" if self.definition is not None else self.class_type, self.title)

    def problem(
        self,
        message: str,
        *,
        severity: Severity = Severity.WARNING,
        code: ProblemCode = ProblemCode.CONVERSION,
        input_name: str = "",
    ) -> GraphProblem:
        return GraphProblem(
            severity=severity,
            code=code,
            message=f"{self.label}: {message}"[:_SHOWN],
            node_id=self.element_id,
            node_title=self.title[:_SHOWN],
            class_type=self.class_type[:_SHOWN],
            input_name=input_name[:_SHOWN],
        )


@dataclass(eq=False, kw_only=True)
class Place:
    """The workflow itself, or one copy of a subgraph."""

    graph: UiGraph
    host: Element | None = None
    """The node that stands for it."""
    elements: dict[str, Element] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return f"{self.host.element_id}:" if self.host is not None else ""

    def walk(self) -> Iterator["Place"]:
        """This one and all inside of it."""
        yield self
        for element in self.elements.values():
            if element.inside is not None:
                yield from element.inside.walk()


class Expansion:
    """Raises TooLarge where there would be too much of it."""

    def __init__(self, document: UiDocument, classes: NodeClasses, report: Callable[[GraphProblem], None]) -> None:
        self._document = document
        self._classes = classes
        self._report = report
        self._groups: dict[str, UiGraph] = {}
        self._nodes = 0
        self._slots = 0
        self._text = 0

    def expand(self) -> Place:
        place = Place(graph=self._document.graph)
        self._fill(place, ())
        return place

    def _fill(self, place: Place, path: tuple[str, ...]) -> None:
        for node in place.graph.nodes:
            element = self._element(node, place)
            place.elements[node.node_id] = element
            if element.definition is not None and node.mode is Mode.ALWAYS:
                self._enter(element, path)

    def _element(self, node: UiNode, place: Place) -> Element:
        class_type = _RENAMED.get(node.class_type, node.class_type)
        node_class = self._classes.find(class_type)
        definition = self._definition(class_type)
        self._count(node, definition)
        return Element(
            node=node,
            place=place,
            class_type=class_type,
            node_class=node_class,
            definition=definition,
            inputs=_host_slots(node, definition) if definition is not None else input_slots(node, node_class),
            fields=_fields(node, node_class, definition),
        )

    def _definition(self, class_type: str) -> UiGraph | None:
        definition = self._document.subgraphs.get(class_type)
        if definition is None and class_type.startswith(_GROUP_PREFIXES):
            name = class_type[len("workflow>") :]
            if name in self._document.groups and name not in self._groups:
                self._groups[name] = read_group(name, self._document.groups[name], self._classes)
            definition = self._groups.get(name)
        return definition

    def _count(self, node: UiNode, definition: UiGraph | None) -> None:
        self._nodes += 1
        self._slots += len(node.inputs) + len(node.values or ()) + (len(definition.inputs) if definition else 0)
        self._text += node.text_length
        if self._nodes > MAX_NODES:
            raise TooLarge(f"the graph has more than {MAX_NODES} nodes, with all copies of its subgraphs")
        if len(node.inputs) > MAX_INPUTS:
            raise TooLarge(f"a node has more than {MAX_INPUTS} inputs")
        if self._slots > MAX_SLOTS:
            raise TooLarge(f"the nodes of the graph have more than {MAX_SLOTS} inputs and values")
        if self._text > MAX_TEXT:
            raise TooLarge(f"the nodes of the graph have more than {MAX_TEXT >> 20} MB of text")

    def _enter(self, element: Element, path: tuple[str, ...]) -> None:
        assert element.definition is not None
        if element.class_type in path:
            self._report(element.problem("the subgraph holds itself", severity=Severity.ERROR))
            return
        if len(path) >= MAX_DEPTH:
            raise TooLarge(f"subgraphs lie more than {MAX_DEPTH} deep in each other")
        element.inside = Place(graph=element.definition, host=element)
        self._fill(element.inside, (*path, element.class_type))
        element.fields = _promoted_fields(element)
        _set_host_values(element)


def _fields(node: UiNode, node_class: NodeClass | None, definition: UiGraph | None) -> dict[str, Any]:
    if definition is not None:
        return {}  # known when its inside is
    if node.class_type == PRIMITIVE:
        return {"value": node.values[0]} if isinstance(node.values, tuple) and node.values else {}
    return field_values(node, node_class)


def _host_slots(node: UiNode, definition: UiGraph) -> tuple[UiSlot, ...]:
    """The inputs of a node that stands for a subgraph, in the order of the definition."""
    saved = {slot.name: slot for slot in node.inputs}
    return tuple(
        UiSlot(name=slot.name, type=slot.type, link=saved[slot.name].link if slot.name in saved else None)
        for slot in definition.inputs
    )


def _promoted_fields(host: Element) -> dict[str, Any]:
    """The fields that inputs of a subgraph stand for, with the values that they have inside."""
    assert host.inside is not None
    by_link = inputs_by_link(host.inside)
    fields: dict[str, Any] = {}
    for slot in host.inside.graph.inputs:
        for element, inner in (by_link[link] for link in slot.links if link in by_link):
            name = inner.name if element.inside is not None else inner.widget
            if name in element.fields:
                fields[slot.name] = element.fields[name]
                break
    return fields


def inputs_by_link(place: Place) -> Mapping[str, tuple[Element, UiSlot]]:
    return {
        slot.link: (element, slot)
        for element in place.elements.values()
        for slot in element.inputs
        if slot.link is not None
    }


def _set_host_values(host: Element) -> None:
    """What the node that stands for a subgraph says itself counts before what is set inside."""
    values = host.node.values
    proxies = host.node.properties.get("proxyWidgets")
    if isinstance(values, Mapping):
        host.fields.update((name, value) for name, value in values.items() if name in host.fields)
    elif values and host.inside is not None and host.inside.graph.fields is not None:
        _set_group_values(host, host.inside.graph.fields, values)
    elif values and isinstance(proxies, list):
        linked = _linked_inputs(host)
        for proxy, value in zip(proxies, values, strict=False):
            _set_proxied(host, proxy, value, linked)
    elif values:
        host.fields.update(zip(list(host.fields), values, strict=False))


def _set_group_values(host: Element, fields: Sequence[tuple[str, str] | None], values: Sequence[Any]) -> None:
    assert host.inside is not None
    for place, value in zip(fields, values, strict=False):
        if place is None:
            continue
        node_id, name = place
        element = host.inside.elements.get(node_id, host)
        if name in element.fields or element.class_type == PRIMITIVE:
            element.fields[name] = value


def _set_proxied(host: Element, proxy: Any, value: Any, linked: Mapping[tuple[str, str], str]) -> None:
    """Newer pages name the fields of the node: [id of the node inside, its field], or ["-1", the input]."""
    assert host.inside is not None
    if not isinstance(proxy, list) or len(proxy) < 2 or value is None:
        return
    source, name = proxy[:2]
    if not isinstance(source, str) or not isinstance(name, str):
        return
    promoted = name if source == "-1" else linked.get((source, name))
    element = host.inside.elements.get(source)
    if promoted is not None and promoted in host.fields:
        host.fields[promoted] = value
    elif element is not None and name in element.fields:
        element.fields[name] = value


def _linked_inputs(host: Element) -> Mapping[tuple[str, str], str]:
    """The inputs of a subgraph by the fields inside that they lead to, as node and name."""
    assert host.inside is not None
    inputs = {link: slot.name for slot in host.inside.graph.inputs for link in slot.links}
    return {
        (element.node.node_id, slot.widget or slot.name): inputs[slot.link]
        for element in host.inside.elements.values()
        for slot in element.inputs
        if slot.link is not None and slot.link in inputs
    }
