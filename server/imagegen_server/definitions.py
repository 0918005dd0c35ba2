"""The node classes of several backends as one: what graphs can be made of, wherever they will run. Pure.

Each backend's are as ComfyUI's `/object_info` gives them: {"KSampler": {"input": {"required": {...}}, ...}, ...}.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

_SECTIONS = ("required", "optional")


def united(backends: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Every class that a backend has.

    Where several have one, it is the first one's, but each of its choices allows what any of them does: those of the
    first, then what the others have besides. Nothing that is given is changed.
    """
    union: dict[str, Any] = {}
    for classes in backends:
        for name, entry in classes.items():
            union[name] = _united_class(union[name], entry) if name in union else entry
    return union


def _united_class(first: Any, second: Any) -> Any:
    ours, theirs = _inputs(first), _inputs(second)
    widened = {
        section: {name: _united_input(spec, theirs[section].get(name)) for name, spec in ours[section].items()}
        for section in _SECTIONS
        if section in ours and section in theirs
    }
    return {**first, "input": {**first["input"], **widened}} if widened else first


def _inputs(entry: Any) -> dict[str, Mapping[str, Any]]:
    """The inputs of a class by section, as far as they are what they should be."""
    sections = entry.get("input") if isinstance(entry, Mapping) else None
    if not isinstance(sections, Mapping):
        return {}
    return {name: sections[name] for name in _SECTIONS if isinstance(sections.get(name), Mapping)}


def _united_input(first: Any, second: Any) -> Any:
    ours, theirs = _choices(first), _choices(second)
    if ours is None or theirs is None:
        return first
    known = {_key(choice) for choice in ours}
    new = {key: choice for choice in theirs if (key := _key(choice)) not in known}
    if not new:
        return first
    choices = [*ours, *new.values()]
    if isinstance(first[0], list):
        return [choices, *first[1:]]
    return [first[0], {**first[1], "options": choices}, *first[2:]]


def _choices(spec: Any) -> list[Any] | None:
    """What an input allows, if it is a choice: [["a", "b"], {...}], or ["COMBO", {"options": ["a", "b"]}]."""
    match spec:
        case [list() as choices, *_]:
            return choices
        case ["COMBO", {"options": list() as choices}, *_]:
            return choices
        case _:
            return None


def _key(choice: Any) -> bytes:
    """Tells choices apart that Python holds for equal, as 1 and true."""
    return orjson.dumps(choice)
