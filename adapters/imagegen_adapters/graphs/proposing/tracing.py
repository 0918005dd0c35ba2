"""Following links against their direction: what reaches an input, and through what. Pure.

All walks are iterative and see each node once, so cycles end and dangling links lead nowhere.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from imagegen_adapters.graphs.graph import Graph, Link, Node, is_link
from imagegen_adapters.graphs.inputs import Target
from imagegen_adapters.graphs.node_classes import InputKind, NodeClasses

# Of classes that the backend does not tell, names say what a link is for: most authors take those of the core.
_TYPES_BY_NAME: Final = (
    (r"(noise|guider|sampler|sigmas|upscale_model)", ""),
    (r"(.*_)?model\d*", "MODEL"),
    (r"(.*_)?clip\d*", "CLIP"),
    (r"(.*_)?vae", "VAE"),
    (r"(.*_)?(positive|negative|conditioning|cond)(_\w+|\d+)?", "CONDITIONING"),
    (r"(.*_)?(latent|samples|latent_image)\d*", "LATENT"),
    (r"(.*_)?(image|images|pixels)\d*", "IMAGE"),
    (r"(.*_)?mask", "MASK"),
    (r"control_net", "CONTROL_NET"),
    (r"(.*_)?(text|prompt|string|caption)(_\w+|\d+)?", "STRING"),
)
_TYPE_PATTERNS: Final = tuple((re.compile(pattern), type_) for pattern, type_ in _TYPES_BY_NAME)
_TEXT_NAME: Final = re.compile(r"(.*_)?(text|prompt|string|caption|positive|negative|clip|t5xxl|value)(_\w+|\d+)?")
_MOST_HOPS: Final = 64
"""From an input to the primitive that holds its value."""
_VALUE_NAMES: Final = ("value", "int", "float", "number", "seed", "string", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A node that a walk came to."""

    node: Node
    type: str
    """What the input takes from which it was reached first."""
    is_certain: bool
    """Whether it and all nodes on the way to it are known to do what they seem to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A literal value of a graph."""

    target: Target
    value: Any
    kind: InputKind | None
    """Of the input that it ends in, which says more than that of a primitive; None: not known."""
    is_direct: bool
    """Whether that is the target itself."""
    is_certain: bool


Start = tuple[Node, Link, bool]
"""Where a walk begins: a node, one of its links, and whether the way to the node is certain."""


class Tracer:
    """Reads a graph by what its links carry."""

    def __init__(self, graph: Graph, classes: NodeClasses) -> None:
        self.graph = graph
        self.classes = classes
        # Each walk asks for them again.
        self._links: dict[tuple[str, tuple[str, ...]], Sequence[Link]] = {}

    def kind(self, node: Node, input_name: str) -> InputKind | None:
        """What the class of the node says about an input; None: the class, or the input, is not known."""
        node_class = self.classes.find(node.class_type)
        return node_class.find_input(input_name) if node_class is not None else None

    def type_of(self, node: Node, input_name: str) -> str:
        """What an input takes; guessed from its name where the class is not known."""
        if self.classes.find(node.class_type) is not None:
            kind = self.kind(node, input_name)
            return kind.type if kind is not None else ""
        if not is_link(node.inputs.get(input_name)):
            is_text = isinstance(node.inputs.get(input_name), str) and _TEXT_NAME.fullmatch(input_name)
            return "STRING" if is_text else ""
        return _linked_type(input_name)

    def is_core(self, node: Node) -> bool:
        node_class = self.classes.find(node.class_type)
        return node_class is not None and node_class.is_core

    def links(self, node: Node, *types: str) -> Sequence[Link]:
        """The links of a node that carry one of these types, or may: through "*" goes anything."""
        key = (node.node_id, types)
        if key not in self._links:
            accepted = {*types, "*"}
            self._links[key] = [
                link for link in node.links if accepted & set(self.type_of(node, link.input_name).split(","))
            ]
        return self._links[key]

    def gives(self, node: Node, *types: str) -> bool:
        """Whether a node has an output of one of these types; taken for granted where its class is not known."""
        node_class = self.classes.find(node.class_type)
        return node_class is None or any(output.type in types for output in node_class.outputs)

    def walk(self, starts: Iterable[Start], follow: Callable[[Node], Iterable[Link]]) -> Iterator[Visit]:
        """The nodes upstream of some links, depth first in the order of links, each once."""
        pending = [(node, link, certain and self.is_core(node)) for node, link, certain in starts]
        pending.reverse()
        seen = {node.node_id for node, _, _ in pending}
        while pending:
            consumer, link, is_certain_before = pending.pop()
            node = self.graph.nodes.get(link.source)
            if node is None or node.node_id in seen:
                continue
            seen.add(node.node_id)
            certain = is_certain_before and self.is_core(node)
            type_ = self.type_of(consumer, link.input_name)
            yield Visit(node=node, type=type_, is_certain=certain)
            pending.extend((node, onward, certain) for onward in reversed(list(follow(node))))

    def spot(self, node: Node, input_name: str, *, is_certain: bool = True) -> Spot | None:
        """Where the value of an input is written: there, or in a primitive that is linked to it."""
        if input_name not in node.inputs:
            return None
        kind = self.kind(node, input_name)
        target: Target | None = Target(node.node_id, input_name)
        certain = is_certain and self.is_core(node)
        for _ in range(_MOST_HOPS):
            if target is None:
                break
            value = self.graph.nodes[target.node_id].inputs[target.input_name]
            if not is_link(value):
                is_direct = target.node_id == node.node_id
                return Spot(target=target, value=value, kind=kind, is_direct=is_direct, is_certain=certain)
            source = self.graph.nodes.get(value[0])
            target = self._value_input(source, input_name, kind) if source is not None else None
            certain = certain and source is not None and self.is_core(source)
        return None

    def own_spot(self, node: Node, input_name: str, *, is_certain: bool = True) -> Spot | None:
        """As `spot`, but only if the value is written there."""
        is_own = not is_link(node.inputs.get(input_name))
        return self.spot(node, input_name, is_certain=is_certain) if is_own else None

    def _value_input(self, node: Node, wanted: str, kind: InputKind | None) -> Target | None:
        """The input that a node merely passes on; None: it computes something."""
        names = {name.lower(): name for name in node.inputs}
        for candidate in (wanted, *_VALUE_NAMES):
            name = names.get(candidate)
            if name is not None and (is_link(node.inputs[name]) or fits(node.inputs[name], kind)):
                return Target(node.node_id, name)
        return None


@lru_cache(maxsize=4096)
def _linked_type(input_name: str) -> str:
    for pattern, type_ in _TYPE_PATTERNS:
        if pattern.fullmatch(input_name):
            return type_ or input_name.upper()
    return ""


def fits(value: Any, kind: InputKind | None) -> bool:
    """Whether a literal can be the value of an input."""
    match kind.type if kind is not None else "":
        case "INT":
            return isinstance(value, int) and not isinstance(value, bool)
        case "FLOAT":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "STRING" | "COMBO":
            return isinstance(value, str)
        case _:
            return isinstance(value, str | int | float)
