"""The fields (widgets) of a node on ComfyUI's page, and what was saved of them. Pure.

A saved node has the values of its fields as a list, in the order of the fields, with one more value after each that
has `control_after_generate`. Nothing says which value is whose: the order of the class's inputs does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.graphs.node_classes import InputKind, NodeClass
from imagegen_adapters.graphs.ui_format.documents import UiNode, UiSlot

# Types of inputs that have a field. Types of two names, as "INT,FLOAT", have none.
_FIELD_TYPES = frozenset(
    {"INT", "FLOAT", "BOOLEAN", "STRING", "COMBO", "MARKDOWN", "COLOR", "TEXTAREA", "BOUNDING_BOX", "CURVE", "RANGE"}
    | {"FILEUPLOAD", "TREESELECT", "MULTISELECT", "SELECTBUTTON", "CHART", "GALLERIA", "PAINTER", "COLORS"}
)
# Fields that hold what the page has before it: a camera's picture, a scene, a recording.
LIVE_TYPES = frozenset({"WEBCAM", "LOAD_3D", "LOAD_3D_ANIMATION", "AUDIO_RECORD"})
# The page shows buttons before the field, and their values are saved as others are.
_BUTTONS_BEFORE = {"LOAD_3D": 3, "LOAD_3D_ANIMATION": 3}
_SEEDS = frozenset({"seed", "noise_seed"})
_CONTROLS = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
_DEFAULTS: Mapping[str, Any] = {"INT": 0, "FLOAT": 0, "BOOLEAN": False, "STRING": "", "MARKDOWN": "", "TEXTAREA": ""}
_NOTHING = object()
_CONTROL = "control_"
# Of fields that are saved by name: what is the page's own.
_UNSENT = frozenset({"upload", "audioUI", "videopreview"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A place in the list of values."""

    name: str
    """Empty: what stands there is not sent."""
    default: Any = _NOTHING
    is_forced: bool = False
    """An input without a field, for which old pages saved a value all the same."""


def input_slots(node: UiNode, node_class: NodeClass | None) -> tuple[UiSlot, ...]:
    """The inputs in the page's order: those without fields, those with fields, and what only the saved node has."""
    if node_class is None:
        return node.inputs
    saved = {slot.name: slot for slot in node.inputs}
    declared = {name: kind for name, kind in node_class.inputs.items() if not kind.is_growing}
    with_field = {name for name, kind in declared.items() if _has_field(kind, saved.get(name))}
    names = [name for name in declared if name not in with_field]
    names += [name for name in declared if name in with_field and not declared[name].is_socketless]
    slots = [
        UiSlot(
            name=name,
            type=declared[name].type,
            link=saved[name].link if name in saved else None,
            widget=name if name in with_field else "",
        )
        for name in names
    ]
    return (*slots, *(slot for slot in node.inputs if slot.name not in declared))


def field_values(node: UiNode, node_class: NodeClass | None) -> dict[str, Any]:
    """The fields that are sent, with their values, in the page's order."""
    values = node.values
    if node_class is None:
        if isinstance(values, Mapping) or node.named_values:
            return _without_controls(values if isinstance(values, Mapping) else node.named_values)
        return _guessed_values(node, values or ())
    places = list(_places(node, node_class))
    defaults = {place.name: place.default for place in places if place.name and place.default is not _NOTHING}
    if isinstance(values, Mapping):
        found = {place.name: values[place.name] for place in places if place.name and place.name in values}
    else:
        found = dict(_by_position(places, values or ()))
    known = defaults | found
    return {place.name: known[place.name] for place in places if place.name in known}


def _by_position(places: Sequence[_Place], values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    if len(values) != len(places):
        places = [place for place in places if not place.is_forced]
    for place, value in zip(places, values, strict=False):
        if place.name:
            yield place.name, value


def field_places(node: UiNode, node_class: NodeClass) -> Iterator[str]:
    """The names of the fields in the order of their values; empty: a value that is not sent."""
    return (place.name for place in _places(node, node_class) if not place.is_forced)


def live_fields(node_class: NodeClass | None) -> tuple[str, ...]:
    """Fields whose value is not saved, because it is made when the page sends the graph."""
    if node_class is None:
        return ()
    return tuple(name for name, kind in node_class.inputs.items() if kind.type in LIVE_TYPES)


def _places(node: UiNode, node_class: NodeClass) -> Iterator[_Place]:
    saved = {slot.name: slot for slot in node.inputs}
    pending = list(reversed(list(node_class.inputs.items())))
    position = 0
    while pending:
        name, kind = pending.pop()
        places = list(_places_of(name, kind, saved.get(name)))
        yield from places
        if kind.branches:
            chosen = _chosen(node, name, position, kind)
            branch = kind.branches.get(chosen, {}) if isinstance(chosen, str) else {}
            pending += [(f"{name}.{inner}", each) for inner, each in reversed(list(branch.items()))]
        position += len(places)


def _places_of(name: str, kind: InputKind, saved: UiSlot | None) -> Iterator[_Place]:
    if kind.force_input:
        yield _Place(name="", is_forced=True)
    elif kind.branches:
        yield _Place(name=name, default=next(iter(kind.branches)))
    elif _has_field(kind, saved):
        yield from (_Place(name="") for _ in range(_BUTTONS_BEFORE.get(kind.type, 0)))
        yield _Place(name=name, default=_default(kind))
        yield from (_Place(name="") for _ in range(_control_count(name, kind)))


def _chosen(node: UiNode, name: str, position: int, kind: InputKind) -> Any:
    """The option of a choice that brings inputs of its own."""
    default = next(iter(kind.branches))
    if isinstance(node.values, Mapping):
        return node.values.get(name, default)
    return node.values[position] if node.values is not None and position < len(node.values) else default


def _has_field(kind: InputKind, saved: UiSlot | None) -> bool:
    """Custom nodes bring fields of their own: a saved input tells that it has one."""
    if kind.force_input or kind.is_growing:
        return False
    return kind.type in _FIELD_TYPES or kind.type in LIVE_TYPES or bool(saved is not None and saved.widget)


def _control_count(name: str, kind: InputKind) -> int:
    if kind.type == "INT":
        return 1 if kind.has_seed_control or name in _SEEDS else 0
    # Choices have a text to filter them by besides.
    return 2 if kind.type == "COMBO" and kind.has_seed_control else 0


def _default(kind: InputKind) -> Any:
    if kind.type == "COMBO":
        return kind.default or next(iter(kind.options or ()), _NOTHING)
    if kind.default is not None:
        return kind.default
    return _DEFAULTS.get(kind.type, _NOTHING)


def _without_controls(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _UNSENT and not name.startswith(_CONTROL)}


def _guessed_values(node: UiNode, values: Sequence[Any]) -> dict[str, Any]:
    """Of a class that is not known: newer pages save an input for each field, in the order of the fields."""
    names = [slot.widget for slot in node.inputs if slot.widget]
    surplus = len(values) - len(names)
    found: dict[str, Any] = {}
    position = 0
    for name in names:
        if position >= len(values):
            break
        found[name] = values[position]
        position += 1
        if surplus > 0 and position < len(values) and _is_control(values[position]):
            position += 1
            surplus -= 1
    return found


def _is_control(value: Any) -> bool:
    return isinstance(value, str) and value in _CONTROLS
