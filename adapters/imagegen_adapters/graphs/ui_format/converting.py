"""A graph in UI format made into API format, as ComfyUI's page exports it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imagegen_adapters.graphs.node_classes import NodeClasses

if TYPE_CHECKING:
    from imagegen_adapters.graphs.problems import GraphProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    api_format: dict[str, Any]
    """Nodes by id, in the order in which the page writes them; nodes of subgraphs are "12:3"."""
    problems: tuple[GraphProblem, ...]
    """What could not be converted, or not as the page would do it, node by node."""


def convert(workflow: Mapping[str, Any], classes: NodeClasses) -> Converted:
    """Never raises over what the workflow holds: what is not understood is left out and told as a problem."""
    raise NotImplementedError
