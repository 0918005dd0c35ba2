"""What a server's node classes take, out of `/object_info`. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from imagegen_adapters.errors import Unintelligible

_VALUES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKind:
    """One input of a node class."""

    type: str
    """"MODEL", "INT", ...; "COMBO" for a choice."""
    is_required: bool
    options: tuple[str | int | float | bool, ...] | None = None
    """What a choice allows; None: no choice, or one that is made elsewhere."""
    minimum: float | None = None
    maximum: float | None = None
    is_upload: bool = False
    """A file of the server's input folder: `options` do not list subfolders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    name: str
    inputs: Mapping[str, InputKind]
    output_count: int
    is_output: bool
    """A graph needs at least one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClasses:
    """Every class that a server has."""

    by_name: Mapping[str, NodeClass] = field(default_factory=dict)

    def find(self, name: str) -> NodeClass | None:
        return self.by_name.get(name)

    def options(self, class_type: str, input_name: str) -> tuple[str, ...]:
        """What a choice of a class allows; nothing where there is no such class or choice."""
        node_class = self.by_name.get(class_type)
        kind = node_class.inputs.get(input_name) if node_class else None
        return tuple(str(option) for option in kind.options or ()) if kind else ()


def parse_node_classes(answer: bytes) -> NodeClasses:
    """Raises Unintelligible as `read_node_classes` does."""
    try:
        return read_node_classes(orjson.loads(answer))
    except orjson.JSONDecodeError as error:
        raise Unintelligible("the backend's answer to /object_info is no JSON") from error


def read_node_classes(answer: Any) -> NodeClasses:
    """Raises Unintelligible where the answer as a whole is something else; single odd classes are left out."""
    if not isinstance(answer, Mapping):
        raise Unintelligible("the backend's answer to /object_info is no object")
    classes = {}
    for name, entry in answer.items():
        if isinstance(entry, Mapping) and isinstance(entry.get("input"), Mapping):
            classes[str(name)] = NodeClass(
                name=str(name),
                inputs=dict(_inputs(entry["input"])),
                output_count=len(entry.get("output") or ()),
                is_output=entry.get("output_node") is True,
            )
    return NodeClasses(by_name=classes)


def _inputs(sections: Mapping[str, Any]) -> Iterator[tuple[str, InputKind]]:
    for section in ("required", "optional"):
        inputs = sections.get(section)
        for name, spec in inputs.items() if isinstance(inputs, Mapping) else ():
            if isinstance(spec, list) and spec:
                yield str(name), _input(spec, is_required=section == "required")


def _input(spec: list[Any], *, is_required: bool) -> InputKind:
    kind = spec[0]
    settings = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    # A choice is ["COMBO", {"options": [...]}] since nodes of API version 3, and [[...], {...}] before and beside.
    choices = kind if isinstance(kind, list) else settings.get("options") if kind == "COMBO" else None
    return InputKind(
        type="COMBO" if isinstance(kind, list) else str(kind),
        is_required=is_required,
        options=_options(choices),
        minimum=_number(settings.get("min")),
        maximum=_number(settings.get("max")),
        is_upload=any(key.endswith("_upload") and value is True for key, value in settings.items()),
    )


def _options(choices: Any) -> tuple[str | int | float | bool, ...] | None:
    if not isinstance(choices, list):
        return None
    return tuple(choice for choice in choices if isinstance(choice, str | int | float | bool))


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def takes_value(kind: InputKind) -> bool:
    """Whether the input is written into the graph, rather than linked."""
    return kind.type in _VALUES or kind.type == "COMBO"
