"""JSON and query parameters into protobuf messages, refusing what does not fit with the path of the field.

Field names are accepted as in the .proto (snake_case) and in camelCase, enums by full name, by name without the type's
prefix in any letter case, or by number, 64-bit integers as strings or numbers. What is unknown is never ignored.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

import orjson
import pybase64
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from imagegen_gateway.descriptors import descriptor_of, enum_of, is_map, message_of
from imagegen_gateway.encoding import LONG_TYPES, WELL_KNOWN
from imagegen_gateway.errors import FieldError, Problem

__all__ = ["enum_prefix", "parse_json", "parse_query", "set_text"]

type_ = FieldDescriptor
MAX_DEPTH = 32
BOUNDS = {
    type_.TYPE_INT32: (-(2**31), 2**31 - 1),
    type_.TYPE_SINT32: (-(2**31), 2**31 - 1),
    type_.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    type_.TYPE_UINT32: (0, 2**32 - 1),
    type_.TYPE_FIXED32: (0, 2**32 - 1),
    type_.TYPE_INT64: (-(2**63), 2**63 - 1),
    type_.TYPE_SINT64: (-(2**63), 2**63 - 1),
    type_.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    type_.TYPE_UINT64: (0, 2**64 - 1),
    type_.TYPE_FIXED64: (0, 2**64 - 1),
}
TEXTS = {
    "google.protobuf.Duration": 'seconds as text, as "90s" or "1.5s"',
    "google.protobuf.Timestamp": 'a time with its zone, as "2026-01-31T12:00:00Z"',
}
"""Messages that JSON has as a text, and what that looks like."""
INTEGER = re.compile(r"-?[0-9]{1,20}")


class Misfit(Exception):
    """A value that does not fit its field."""

    def __init__(self, path: str, description: str) -> None:
        super().__init__(f"{path}: {description}")
        self.path, self.description = path, description


def parse_json(message: Message, body: bytes) -> None:
    """Fills an empty `message` from JSON text; an empty text is an empty object.

    Raises Problem 400 with the path of the field at fault.
    """
    try:
        value = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as exc:
        raise Problem(400, f"the body is no JSON: {exc}", reason="INVALID_REQUEST") from exc
    try:
        _fill(message, value, "", 0)
    except Misfit as exc:
        raise bad_field(exc.path, exc.description) from exc


def parse_query(message: Message, pairs: Iterable[tuple[str, str]], taken: frozenset[str]) -> None:
    """Sets fields from query parameters: nested ones by dots, repeated ones by repetition or commas for enums.

    Fields in `taken` come from elsewhere and are refused. Raises Problem 400.
    """
    seen: set[str] = set()
    for name, text in pairs:
        target, field = _resolve(message, name, taken)
        if name in seen and not field.is_repeated:
            raise bad_field(name, "is given more than once")
        seen.add(name)
        set_text(target, field, text, name)


def set_text(message: Message, field: FieldDescriptor, text: str, path: str) -> None:
    """Sets a scalar field, or a time, from a piece of a URL, or appends to a repeated one. Raises Problem 400."""
    try:
        if field.is_repeated:
            parts = text.split(",") if field.type == type_.TYPE_ENUM else [text]
            getattr(message, field.name).extend(_from_text(field, part, path) for part in parts)
        elif _is_text(field):
            _set_message(getattr(message, field.name), text, path, 0)
        else:
            setattr(message, field.name, _from_text(field, text, path))
    except Misfit as exc:
        raise bad_field(exc.path, exc.description) from exc


def bad_field(path: str, description: str) -> Problem:
    """The answer to a request with one field at fault."""
    name = path or "the body"
    return Problem(
        400,
        f"{name}: {description}",
        reason="INVALID_REQUEST",
        errors=(FieldError(field=path, description=description),),
    )


def refuse_unknown(query: Iterable[str], allowed: Iterable[str]) -> None:
    """Raises Problem 400 for a query parameter that a hand-written route does not know."""
    known = sorted(allowed)
    for name in query:
        if name not in known:
            raise bad_field(name, f"is no parameter of this request; allowed: {', '.join(known) or 'none'}")


def enum_prefix(enum: EnumDescriptor) -> str:
    """What the names of an enum's values begin with: "JOB_STATE_" for JobState."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"


def _resolve(message: Message, name: str, taken: frozenset[str]) -> tuple[Message, FieldDescriptor]:
    head, *rest = name.split(".")
    field = _field(descriptor_of(message), head)
    while rest and field is not None and _has_parameters(field):
        message, head, rest = getattr(message, field.name), rest[0], rest[1:]
        field = _field(descriptor_of(message), head)
        taken = frozenset()
    if field is None or rest or field.name in taken or not _is_single(field):
        allowed = ", ".join(sorted(set(query_names(descriptor_of(message))) - taken)) or "none"
        raise bad_field(name, f"is no parameter of this request; allowed: {allowed}")
    return message, field


def query_names(descriptor: Descriptor) -> list[str]:
    """The parameters that a query can hold for the fields of a message; those of nested messages as ".*"."""
    single = [field.name for field in descriptor.fields if _is_single(field)]
    return single + [f"{field.name}.*" for field in descriptor.fields if _has_parameters(field)]


def _is_single(field: FieldDescriptor) -> bool:
    return field.type != type_.TYPE_MESSAGE or _is_text(field)


def _is_text(field: FieldDescriptor) -> bool:
    """Whether the field is a message that JSON has as a text: a point in time, or a span."""
    return field.message_type is not None and not field.is_repeated and message_of(field).full_name in TEXTS


def _has_parameters(field: FieldDescriptor) -> bool:
    is_one_message = field.type == type_.TYPE_MESSAGE and not field.is_repeated
    return is_one_message and message_of(field).full_name not in WELL_KNOWN


def _field(descriptor: Descriptor, name: str) -> FieldDescriptor | None:
    return descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)


def _fill(message: Message, value: Any, path: str, depth: int) -> None:
    if not isinstance(value, dict):
        raise Misfit(path, f"must be an object, not {_kind(value)}")
    if depth > MAX_DEPTH:
        raise Misfit(path, f"is nested deeper than {MAX_DEPTH} levels")
    descriptor, seen = descriptor_of(message), dict[str, str]()
    for name, item in value.items():
        where = f"{path}.{name}" if path else name
        field = _field(descriptor, name)
        if field is None:
            raise Misfit(where, f"is no field here; allowed: {', '.join(f.name for f in descriptor.fields) or 'none'}")
        group = field.containing_oneof.name if field.containing_oneof is not None else field.name
        if item is None:
            continue
        if group in seen:
            raise Misfit(where, f"cannot be given together with {seen[group]}")
        seen[group] = name
        _set(message, field, item, where, depth)


def _set(message: Message, field: FieldDescriptor, value: Any, path: str, depth: int) -> None:
    if is_map(field):
        _set_map(message, field, value, path, depth)
    elif field.is_repeated:
        _set_repeated(message, field, value, path, depth)
    elif field.type == type_.TYPE_MESSAGE:
        getattr(message, field.name).SetInParent()
        _set_message(getattr(message, field.name), value, path, depth)
    else:
        setattr(message, field.name, _scalar(field, value, path))


def _set_map(message: Message, field: FieldDescriptor, value: Any, path: str, depth: int) -> None:
    if not isinstance(value, dict):
        raise Misfit(path, f"must be an object, not {_kind(value)}")
    entry, pairs = message_of(field), getattr(message, field.name)
    for key, item in value.items():
        where = f'{path}["{key}"]'
        index = _from_text(entry.fields_by_name["key"], key, where)
        if entry.fields_by_name["value"].type == type_.TYPE_MESSAGE:
            _set_message(pairs[index], item, where, depth)
        else:
            pairs[index] = _scalar(entry.fields_by_name["value"], item, where)


def _set_repeated(message: Message, field: FieldDescriptor, value: Any, path: str, depth: int) -> None:
    if not isinstance(value, list):
        raise Misfit(path, f"must be a list, not {_kind(value)}")
    items = getattr(message, field.name)
    for number, item in enumerate(value):
        where = f"{path}[{number}]"
        if field.type == type_.TYPE_MESSAGE:
            _set_message(items.add(), item, where, depth)
        else:
            items.append(_scalar(field, item, where))


def _set_message(message: Message, value: Any, path: str, depth: int) -> None:
    if descriptor_of(message).full_name not in WELL_KNOWN:
        _fill(message, value, path, depth + 1)
        return
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, TypeError, ValueError, AttributeError) as exc:  # it checks types by trying
        if (form := TEXTS.get(descriptor_of(message).full_name)) is not None:
            raise Misfit(path, f"must be {form}, not {_short(value)}") from exc
        raise Misfit(path, f"is no {descriptor_of(message).name}: {exc}") from exc


def _scalar(field: FieldDescriptor, value: Any, path: str) -> Any:
    match field.type:
        case type_.TYPE_STRING:
            return _text(value, path)
        case type_.TYPE_BOOL:
            if isinstance(value, bool):
                return value
            raise Misfit(path, f"must be true or false, not {_kind(value)}")
        case type_.TYPE_BYTES:
            return _base64(_text(value, path), path)
        case type_.TYPE_ENUM:
            return _enum(enum_of(field), value, path)
        case type_.TYPE_DOUBLE | type_.TYPE_FLOAT:
            return _float(value, path)
        case _:
            return _integer(field, value, path)


def _from_text(field: FieldDescriptor, text: str, path: str) -> Any:
    if field.type == type_.TYPE_BOOL:
        if text.lower() in {"true", "1", "false", "0"}:
            return text.lower() in {"true", "1"}
        raise Misfit(path, f"must be true or false, not {_short(text)}")
    return _scalar(field, text, path)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise Misfit(path, f"must be a string, not {_kind(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise Misfit(path, "is no valid Unicode text") from exc
    return value


def _base64(text: str, path: str) -> bytes:
    try:
        return pybase64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except ValueError as exc:
        raise Misfit(path, "is no base64") from exc


def _enum(enum: EnumDescriptor, value: Any, path: str) -> int:
    if isinstance(value, str):
        for name in (value, enum_prefix(enum) + value.upper()):
            if name in enum.values_by_name:
                return enum.values_by_name[name].number
        if INTEGER.fullmatch(value):
            value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return value
    allowed = ", ".join(item.name.removeprefix(enum_prefix(enum)).lower() for item in enum.values if item.number)
    raise Misfit(path, f"{_short(value)} is not known; allowed: {allowed}")


def _float(value: Any, path: str) -> float:
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if isinstance(value, str):
        try:
            return special[value] if value in special else float(value)
        except ValueError as exc:
            raise Misfit(path, f"must be a number, not {_short(value)}") from exc
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misfit(path, f"must be a number, not {_kind(value)}")
    return float(value)


def _integer(field: FieldDescriptor, value: Any, path: str) -> int:
    if isinstance(value, str) and INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:  # above it has lost digits
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misfit(path, f"must be a whole number, not {_short(value)}")
    low, high = BOUNDS[field.type]
    if not low <= value <= high:
        hint = "; send large numbers as strings" if field.type in LONG_TYPES else ""
        raise Misfit(path, f"must be from {low} to {high}{hint}")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _short(value: Any) -> str:
    return orjson.dumps(value).decode()[:80]
