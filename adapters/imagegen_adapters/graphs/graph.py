"""A graph in API format: its nodes, links and order. Pure."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from imagegen_adapters.graphs.node_classes import NodeClasses

_LONGEST_TITLE = 128
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An input that is another node's output."""

    input_name: str
    source: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    node_id: str
    class_type: str
    title: str
    inputs: Mapping[str, Any]

    @property
    def links(self) -> Iterator[Link]:
        for name, value in self.inputs.items():
            if is_link(value):
                yield Link(input_name=name, source=value[0], slot=value[1])


class Graph:
    """A graph whose entries have been found to be nodes (`checking` does that for graphs of callers)."""

    def __init__(self, api_format: Mapping[str, Any]) -> None:
        self.api_format = api_format
        self.nodes = {node_id: _node(node_id, entry) for node_id, entry in api_format.items()}

    @cached_property
    def cycle(self) -> tuple[str, ...]:
        """The nodes of one cycle, the first one again at its end; empty if there is none."""
        return self.cycle_among(self.nodes)

    def cycle_among(self, node_ids: Collection[str]) -> tuple[str, ...]:
        """As `cycle`, of these nodes only."""
        sources = self._sources()
        among = {node_id: [each for each in sources[node_id] if each in node_ids] for node_id in node_ids}
        try:
            TopologicalSorter(among).prepare()
        except CycleError as error:
            return tuple(error.args[1])
        return ()

    def outputs(self, classes: NodeClasses) -> tuple[str, ...]:
        """Nodes of which the class is known to be an output."""
        found = ((node, classes.find(node.class_type)) for node in self.nodes.values())
        return tuple(node.node_id for node, node_class in found if node_class is not None and node_class.is_output)

    def reached_from(self, roots: Iterable[str], follows: Callable[[Node, Link], bool]) -> frozenset[str]:
        """The nodes that `roots` need, with themselves, along the links of a node that are followed."""
        reached = set(roots)
        pending = list(reached)
        while pending:
            node = self.nodes[pending.pop()]
            sources = {link.source for link in node.links if link.source in self.nodes and follows(node, link)}
            pending += sources - reached
            reached |= sources
        return frozenset(reached)

    def execution_order(self, outputs: Iterable[str]) -> tuple[Node, ...]:
        """The nodes that `outputs` need, each after those that it needs. Without outputs: all nodes."""
        sources = self._sources()
        order: dict[str, Node] = {}
        entered = set[str]()
        pending = list(reversed(list(outputs) or list(self.nodes)))
        while pending:
            node_id = pending[-1]
            missing = [] if node_id in entered else [source for source in sources[node_id] if source not in order]
            entered.add(node_id)
            if missing:
                pending.extend(reversed(missing))
            else:
                order.setdefault(pending.pop(), self.nodes[node_id])
        return tuple(order.values())

    def literal(self, node_id: str, input_name: str) -> Any:
        """The value of an input, followed through links as long as the sources have an input of that name."""
        seen = set[str]()
        while node_id in self.nodes and node_id not in seen:
            seen.add(node_id)
            value: Any = self.nodes[node_id].inputs.get(input_name)
            if not is_link(value):
                return value
            node_id = value[0]
        return None

    def _sources(self) -> dict[str, list[str]]:
        return {
            node.node_id: [link.source for link in node.links if link.source in self.nodes]
            for node in self.nodes.values()
        }


def read_json(text: str) -> Any:
    """What a JSON text of a caller holds. Raises ValueError, which says why it cannot be taken."""
    try:
        document = json.loads(text)
        if _SURROGATE.search(text):
            # Programs that cut texts anywhere leave halves of characters, which no answer could name.
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"a text in it has half of a character, {half!r}, without its other half") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return document


def is_link(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def node_path(node_id: str) -> str:
    return f"graph.json[{json.dumps(node_id)}]"


def input_path(node_id: str, input_name: str) -> str:
    return f"{node_path(node_id)}.inputs.{input_name}"


def upload_target(key: str) -> tuple[str, str]:
    """Node and input of a key of `RawGraph.images`. Node ids may hold dots, inputs do not."""
    node_id, _, input_name = key.rpartition(".")
    return node_id, input_name


def _node(node_id: str, entry: Mapping[str, Any]) -> Node:
    meta = entry.get("_meta")
    title = meta.get("title") if isinstance(meta, Mapping) else None
    inputs = entry.get("inputs")
    return Node(
        node_id=node_id,
        class_type=str(entry["class_type"]),
        title=str(title or entry["class_type"])[:_LONGEST_TITLE],
        inputs=inputs if isinstance(inputs, Mapping) else {},
    )
