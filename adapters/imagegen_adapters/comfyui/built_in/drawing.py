"""A graph while it is made: nodes one by one, and which field of the request an input comes from. Pure."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Output: TypeAlias = list[Any]
"""A node's id and the number of its output, as a link is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One batch of a request for images: what its sampler and its saving node belong to."""

    image_index: int
    """Of its first image."""
    images: int
    seed: int


class Drawing:
    """Nodes that are added while `current` is a pass belong to it, and have its number in their ids."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}
        self.passes: dict[str, Pass] = {}
        self.fields: dict[tuple[str, str], str] = {}
        self.current: Pass | None = None

    def add(
        self, name: str, class_type: str, title: str, *, fields: dict[str, str] | None = None, **inputs: Any
    ) -> Output:
        """Gives the node's first output. `fields` tells by input what a fault there is called in the request."""
        node_id = name if self.current is None else f"{name}-{self.current.image_index}"
        self.nodes[node_id] = {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}
        if self.current is not None:
            self.passes[node_id] = self.current
        for input_name, field in (fields or {}).items():
            self.fields[node_id, input_name] = field
        return [node_id, 0]


def other(output: Output, slot: int) -> Output:
    """Another output of the same node."""
    return [output[0], slot]
