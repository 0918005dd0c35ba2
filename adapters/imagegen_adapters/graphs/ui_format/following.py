"""Where what is linked to an input comes from, through all that only passes it on. Pure.

Reroutes, bypassed nodes, nodes that stand for subgraphs and pairs of Set and Get nodes are not sent: links go through
them. Each step is remembered, so that a long chain is walked once and not once for each link into it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.graphs.problems import GraphProblem, Severity
from imagegen_adapters.graphs.ui_format.documents import Mode, UiSlot
from imagegen_adapters.graphs.ui_format.expanding import Element, Place
from imagegen_adapters.graphs.ui_format.page_nodes import (
    GETTER,
    PAGE_CLASSES,
    PRIMITIVE,
    REROUTES,
    SETTER,
    variable_name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of a node that is sent."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What is set on the node that stands for the subgraph."""

    value: Any


Origin = Output | Value | None
"""None: nothing. The input keeps the value of its field, if it has one."""


@dataclass(frozen=True, slots=True)
class _At:
    """A point of a walk: an input, or with `is_output` an output. `wanted` is the type of the input that it is for."""

    element: Element
    slot: int
    wanted: str
    is_output: bool = False


class Follower:
    def __init__(self, report: Callable[[GraphProblem], None]) -> None:
        self._report = report
        self._known: dict[_At, Origin] = {}
        self._setters: dict[Place, Mapping[str, Element]] = {}

    def origin(self, element: Element, slot: int) -> Origin:
        """Where an input gets its value from."""
        walked: dict[_At, None] = {}
        at: _At | Origin = _At(element, slot, element.inputs[slot].type)
        while isinstance(at, _At):
            if at in self._known:
                at = self._known[at]
                break
            if at in walked:
                self._report(element.problem("the link leads back to where it begins", severity=Severity.ERROR))
                at = None
                break
            walked[at] = None
            at = self._from_output(at) if at.is_output else self._from_input(at)
        self._known.update(dict.fromkeys(walked, at))
        return at

    def _from_input(self, at: _At) -> _At | Origin:
        place, slot = at.element.place, at.element.inputs[at.slot]
        if slot.link is None:
            return None
        link = place.graph.links.get(slot.link)
        if link is None:
            self._report_missing(at.element, slot)
            return None
        if place.host is not None and link.source == place.graph.input_node:
            return self._from_outside(place.host, link.slot)
        source = place.elements.get(link.source)
        if source is None:
            self._report_missing(at.element, slot)
            return None
        if source.class_type == PRIMITIVE and slot.name in at.element.fields and at.element.definition is not None:
            return Value(value=at.element.fields[slot.name])  # it was put there
        return _At(source, link.slot, at.wanted, is_output=True)

    def _from_outside(self, host: Element, slot: int) -> _At | Origin:
        if not 0 <= slot < len(host.inputs):
            return None
        outer = host.inputs[slot]
        if outer.link is None:
            return Value(value=host.fields[outer.name]) if outer.name in host.fields else None
        return _At(host, slot, outer.type)

    def _from_output(self, at: _At) -> _At | Origin:
        element = at.element
        if element.node.mode is Mode.MUTED:
            return None
        if element.node.mode is Mode.BYPASSED:
            slot = _bypass_slot(element, at.slot, at.wanted)
            return None if slot is None else _At(element, slot, element.inputs[slot].type)
        if element.definition is not None:
            return self._from_inside(element, at)
        if element.class_type in REROUTES:
            return _At(element, 0, at.wanted) if element.inputs else None
        if element.class_type == GETTER:
            return self._from_setter(element, at.wanted)
        if element.class_type in PAGE_CLASSES:
            return None
        return Output(node_id=element.element_id, slot=at.slot)

    def _from_inside(self, host: Element, at: _At) -> _At | Origin:
        if host.inside is None:
            return None
        graph = host.inside.graph
        links = graph.outputs[at.slot].links if 0 <= at.slot < len(graph.outputs) else ()
        link = next((graph.links[each] for each in links if each in graph.links), None)
        if link is None:
            return None
        if link.source == graph.input_node:
            return self._from_outside(host, link.slot)
        source = host.inside.elements.get(link.source)
        return None if source is None else _At(source, link.slot, at.wanted, is_output=True)

    def _from_setter(self, getter: Element, wanted: str) -> _At | Origin:
        """The Set node of the same name, here or around the subgraph."""
        name, place = variable_name(getter.node), getter.place
        while name not in self._setters_of(place) and place.host is not None:
            place = place.host.place
        setter = self._setters_of(place).get(name)
        if setter is None or not setter.inputs:
            self._report(getter.problem(f"there is no Set node of the name {name!r}", severity=Severity.ERROR))
            return None
        return _At(setter, 0, wanted)

    def _setters_of(self, place: Place) -> Mapping[str, Element]:
        if place not in self._setters:
            found = [each for each in place.elements.values() if each.class_type == SETTER]
            self._setters[place] = {variable_name(each.node): each for each in reversed(found)}
        return self._setters[place]

    def _report_missing(self, element: Element, slot: UiSlot) -> None:
        message = f"the link to its input {slot.name!r} begins nowhere"
        self._report(element.problem(message, severity=Severity.ERROR, input_name=slot.name))


def _bypass_slot(element: Element, slot: int, wanted: str) -> int | None:
    """The input that stands for an output of a bypassed node; as the page chooses it."""
    inputs, outputs = element.inputs, _output_types(element)
    if not inputs:
        return None
    if wanted in ("", "*"):
        return slot if 0 <= slot < len(inputs) else 0
    given = outputs[slot] if 0 <= slot < len(outputs) else ""

    def fits(each: UiSlot) -> bool:
        return _is_valid(each.type, given) and _is_valid(each.type, wanted)

    if 0 <= slot < len(inputs) and fits(inputs[slot]):
        return slot
    exact = next((index for index, each in enumerate(inputs) if each.type == wanted), None)
    return exact if exact is not None else next((index for index, each in enumerate(inputs) if fits(each)), None)


def _output_types(element: Element) -> tuple[str, ...]:
    if element.definition is not None:
        return tuple(slot.type for slot in element.definition.outputs)
    declared = tuple(kind.type for kind in element.node_class.outputs) if element.node_class else ()
    return declared + tuple(slot.type for slot in element.node.outputs[len(declared) :])


def _is_valid(one: str, other: str) -> bool:
    """Whether the page would let types be linked."""
    if one in ("", "*") or other in ("", "*"):
        return True
    return not set(one.lower().split(",")).isdisjoint(other.lower().split(","))
