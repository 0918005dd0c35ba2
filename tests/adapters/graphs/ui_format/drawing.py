"""Workflows in UI format, drawn in a line or two."""

from collections.abc import Mapping, Sequence
from typing import Any

Inputs = Mapping[str, int | None]
"""Links by the names of inputs."""


def node(
    node_id: int, class_type: str, inputs: Inputs | None = None, values: Any = None, **more: Any
) -> dict[str, Any]:
    slots = [{"name": name, "type": "*", "link": link} for name, link in (inputs or {}).items()]
    return {"id": node_id, "type": class_type, "inputs": slots, "outputs": [], "widgets_values": values, **more}


def workflow(nodes: Sequence[Any], links: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    """Links as (id, source, output, target)."""
    return {"nodes": list(nodes), "links": [[*link, 0, "*"] for link in links], "version": 0.4, **more}


def subgraph(name: str, nodes: Sequence[Any], links: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "nodes": list(nodes), "links": [[*link, 0, "*"] for link in links], **more}
