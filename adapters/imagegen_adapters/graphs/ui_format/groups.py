"""Group nodes, the forerunners of subgraphs, made into such. Pure.

The page of 2023 to 2025 kept them in `extra.groupNodes`: nodes and links by position, and nothing about inputs, outputs
and fields of the group. Those follow from the nodes: whatever is not linked inside can be linked from outside, and the
fields are those of the nodes, one after the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from imagegen_adapters.graphs.node_classes import NodeClass, NodeClasses
from imagegen_adapters.graphs.ui_format.documents import UiGraph, UiLink, UiNode, UiSlot, read_nodes
from imagegen_adapters.graphs.ui_format.fields import field_places, input_slots
from imagegen_adapters.graphs.ui_format.page_nodes import PRIMITIVE, REROUTES

_INPUT = "-10"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """What the page kept of a group node."""

    nodes: tuple[UiNode, ...]
    """Their ids are their positions."""
    links: tuple[tuple[str, int, str, int], ...]
    """Node and output where it begins, node and input where it ends."""
    external: frozenset[tuple[str, int]]
    """Outputs that are linked inside and can be linked outside as well."""
    config: Mapping[str, Any]
    """By nodes: what was renamed and hidden by hand."""


def read_group(name: str, entry: Mapping[str, Any], classes: NodeClasses) -> UiGraph:
    """The definition of a subgraph that does the same."""
    external = entry.get("external")
    links = entry.get("links")
    config = entry.get("config")
    group = _Group(
        nodes=tuple(read_nodes(entry.get("nodes"))),
        links=tuple(_links(links if isinstance(links, list) else ())),
        external=frozenset(_ends(external if isinstance(external, list) else ())),
        config=config if isinstance(config, Mapping) else {},
    )
    return _GroupReader(group, classes).read(name)


def _links(entries: Sequence[Any]) -> Iterator[tuple[str, int, str, int]]:
    for entry in entries:
        if isinstance(entry, list) and len(entry) >= 4 and all(isinstance(each, int) for each in entry[:4]):
            yield str(entry[0]), entry[1], str(entry[2]), entry[3]


def _ends(entries: Sequence[Any]) -> Iterator[tuple[str, int]]:
    for entry in entries:
        if isinstance(entry, list) and len(entry) >= 2 and all(isinstance(each, int) for each in entry[:2]):
            yield str(entry[0]), entry[1]


@dataclass(slots=True)
class _Names:
    """Each name once, as the page makes them: the second one gets the node's title in front."""

    used: dict[str, int] = field(default_factory=dict)

    def take(self, node: UiNode, name: str, given: str) -> str:
        key = taken = given or name
        if (node.class_type == PRIMITIVE and node.title) or taken in self.used:
            prefix = node.title or node.class_type
            key = taken = f"{prefix} {name}"
            if taken in self.used:
                taken = f"{prefix} {self.used[taken]} {name}"
        self.used[key] = self.used.get(key, 1) + 1
        return taken


class _GroupReader:
    """Makes one group into the definition of a subgraph."""

    def __init__(self, group: _Group, classes: NodeClasses) -> None:
        self._group = group
        self._classes = classes
        self._names = _Names()
        self._linked = {(target, slot): (source, output) for source, output, target, slot in group.links}
        self._begins = {(source, output) for source, output, _, _ in group.links}
        self._links: dict[str, UiLink] = {}
        self._inputs: list[UiSlot] = []
        self._fields: list[tuple[str, str] | None] = []

    def read(self, name: str) -> UiGraph:
        nodes, converted = [], []
        for node in self._group.nodes:
            plain, fields = self._inputs_of(node)
            self._add_fields(node, {slot.name for slot in fields})
            slots = [self._slot(node, slot, position) for position, slot in enumerate(plain)]
            nodes.append((node, slots))
            converted.append((node, slots, len(plain), fields))
        for node, slots, count, fields in converted:
            slots += [self._slot(node, slot, count + position) for position, slot in enumerate(fields)]
        outputs = tuple(self._outputs())
        return UiGraph(
            name=name,
            nodes=tuple(replace(node, inputs=tuple(slots)) for node, slots in nodes),
            links=self._links,
            inputs=tuple(self._inputs),
            outputs=outputs,
            input_node=_INPUT,
            fields=tuple(self._fields),
        )

    def _inputs_of(self, node: UiNode) -> tuple[Sequence[UiSlot], Sequence[UiSlot]]:
        """Those without a field, and those whose field was made into an input."""
        if node.class_type in REROUTES or node.class_type == PRIMITIVE:
            return node.inputs[:1], ()
        slots = input_slots(node, self._classes.find(node.class_type))
        saved = [slot.name for slot in node.inputs if slot.widget]
        fields = {slot.name: slot for slot in slots if slot.widget}
        return [slot for slot in slots if not slot.widget], [fields[name] for name in saved if name in fields]

    def _add_fields(self, node: UiNode, converted: set[str]) -> None:
        if node.class_type == PRIMITIVE:
            self._fields += [(node.node_id, "value"), None]
            self._names.take(node, "value", "")
            return
        node_class = self._classes.find(node.class_type)
        is_kept = False
        for name in field_places(node, node_class) if node_class else ():
            # A value without a name belongs to the field before it.
            is_kept = name not in converted if name else is_kept
            if name and is_kept:
                self._names.take(node, name, self._given_name(node, name))
            if is_kept:
                self._fields.append((node.node_id, name) if name else None)

    def _slot(self, node: UiNode, slot: UiSlot, position: int) -> UiSlot:
        """The input with its link: from inside, or from a new input of the subgraph."""
        origin = self._linked.get((node.node_id, position))
        link_id = f"{node.node_id}.{position}"
        if origin is not None:
            self._links[link_id] = UiLink(link_id=link_id, source=origin[0], slot=origin[1], target=node.node_id)
            return replace(slot, link=link_id)
        name = self._names.take(node, slot.name, self._given_name(node, slot.name))
        if self._setting(node, "input", slot.name).get("visible") is False:
            return replace(slot, link=None)
        source = UiLink(link_id=link_id, source=_INPUT, slot=len(self._inputs), target=node.node_id)
        self._links[link_id] = source
        self._inputs.append(UiSlot(name=name, type=slot.type, links=(link_id,)))
        if slot.widget:
            self._fields.append((_INPUT, name))
        return replace(slot, link=link_id)

    def _outputs(self) -> Iterator[UiSlot]:
        for node in self._group.nodes:
            for slot, each in enumerate(_output_slots(node, self._classes.find(node.class_type))):
                is_used = (node.node_id, slot) in self._begins and (node.node_id, slot) not in self._group.external
                visible = self._setting(node, "output", str(slot)).get("visible")
                if is_used if visible is None else not visible:
                    continue
                link_id = f"{node.node_id}>{slot}"
                self._links[link_id] = UiLink(link_id=link_id, source=node.node_id, slot=slot, target="-20")
                yield replace(each, links=(link_id,))

    def _given_name(self, node: UiNode, name: str) -> str:
        given = self._setting(node, "input", name).get("name")
        return given if isinstance(given, str) else ""

    def _setting(self, node: UiNode, side: str, name: str) -> Mapping[str, Any]:
        setting: Any = self._group.config
        for key in (node.node_id, side, name):
            setting = setting.get(key) if isinstance(setting, Mapping) else None
        return setting if isinstance(setting, Mapping) else {}


def _output_slots(node: UiNode, node_class: NodeClass | None) -> Sequence[UiSlot]:
    if node_class is None:
        return () if node.class_type == PRIMITIVE else node.outputs
    return [UiSlot(name=kind.name, type=kind.type) for kind in node_class.outputs]
