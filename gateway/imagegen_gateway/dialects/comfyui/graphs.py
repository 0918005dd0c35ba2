"""What a graph in API format tells before anybody has checked it. Pure.

A graph of a client may be anything that JSON can say: what is no node has no class and no inputs here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Graph: TypeAlias = Mapping[str, Any]
"""Nodes by id: {"3": {"class_type": "KSampler", "inputs": {...}}, ...}."""


def class_of(graph: Graph, node_id: str) -> str:
    """The class of a node; empty where there is none."""
    node = graph.get(node_id)
    return str(node.get("class_type", "")) if isinstance(node, Mapping) else ""


def inputs_of(graph: Graph, node_id: str) -> Mapping[str, Any]:
    """The inputs of a node; none where there are none."""
    node = graph.get(node_id)
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    return inputs if isinstance(inputs, Mapping) else {}


def sources_of(graph: Graph, node_id: str) -> Iterator[str]:
    """The nodes that a node takes something from."""
    for value in inputs_of(graph, node_id).values():
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in graph:
            yield value[0]


def needed_by(graph: Graph, node_ids: Iterable[str]) -> set[str]:
    """These nodes, as far as they are there, with everything that they need."""
    found: set[str] = set()
    pending = [node_id for node_id in node_ids if node_id in graph]
    while pending:
        node_id = pending.pop()
        if node_id not in found:
            found.add(node_id)
            pending.extend(sources_of(graph, node_id))
    return found


def only(graph: Graph, targets: Iterable[str]) -> Graph:
    """The part of the graph that the targets need."""
    needed = needed_by(graph, targets)
    return {node_id: node for node_id, node in graph.items() if node_id in needed}


def ends_of(graph: Graph) -> list[str]:
    """The nodes from which no other takes anything: in practice the outputs."""
    taken = {source for node_id in graph for source in sources_of(graph, node_id)}
    return [node_id for node_id in graph if node_id not in taken]


def dependent_ends(graph: Graph, node_id: str) -> list[str]:
    """The ends that need a node."""
    return [end for end in ends_of(graph) if node_id in needed_by(graph, [end])]
