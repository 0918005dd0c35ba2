"""Open WebUI's node mapping as inputs of a graph. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.inputs import GraphInput


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedGraph:
    """A graph with the inputs that a mapping gives it."""

    api_format: Mapping[str, Any]
    """The graph, with the mapping's constants written into it."""
    inputs: tuple[GraphInput, ...]


def read_openwebui_mapping(mapping: Any, api_format: Mapping[str, Any]) -> MappedGraph | tuple[Violation, ...]:
    """What a mapping, decoded from JSON, makes of a graph in API format; or all that is wrong with it.

    Paths of violations begin at the list, as `[2].node_ids`.
    """
    raise NotImplementedError
