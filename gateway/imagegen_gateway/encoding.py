"""Protobuf messages as JSON: the proto3 mapping with proto field names, by a walk that is worked out once per type.

Choices within the mapping: field names as in the .proto (snake_case), enums by name, 64-bit integers as strings (they
do not fit JavaScript's numbers), bytes as base64, and every field that has no presence is written also when it has its
default, so that a reader finds each documented field. Absent are only unset messages, `optional` fields and oneofs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
import pybase64
from google.protobuf import json_format, timestamp_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # noqa: F401  # registers what Status holds

from imagegen_client.specs import whole_numbers
from imagegen_gateway.descriptors import descriptor_of, enum_of, is_map, message_of, real_oneofs

__all__ = ["dumps", "to_dict", "to_json"]

type_ = FieldDescriptor
Convert = Callable[[Any], Any]

LONG_TYPES = frozenset(
    {type_.TYPE_INT64, type_.TYPE_UINT64, type_.TYPE_SINT64, type_.TYPE_FIXED64, type_.TYPE_SFIXED64},
)
WELL_KNOWN = frozenset(
    f"google.protobuf.{name}" for name in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value")
)


def to_json(message: Message) -> bytes:
    """The message as JSON text."""
    return dumps(to_dict(message))


def dumps(value: dict[str, Any]) -> bytes:
    """What to_dict gave, as JSON text."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def to_dict(message: Message) -> dict[str, Any]:
    """The message as what `dumps` writes."""
    plan = _plan(descriptor_of(message))
    out: dict[str, Any] = {}
    for name, has_presence, convert in plan.fields:
        if not has_presence or message.HasField(name):
            out[name] = convert(getattr(message, name))
    for oneof, members in plan.oneofs:
        if (chosen := message.WhichOneof(oneof)) is not None:
            out[chosen] = members[chosen](getattr(message, chosen))
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    fields: tuple[tuple[str, bool, Convert], ...]
    oneofs: tuple[tuple[str, dict[str, Convert]], ...]


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    oneofs = real_oneofs(descriptor)
    members = {member.name for oneof in oneofs for member in oneof.fields}
    return _Plan(
        fields=tuple((f.name, f.has_presence, _convert(f)) for f in descriptor.fields if f.name not in members),
        oneofs=tuple((oneof.name, {f.name: _convert(f) for f in oneof.fields}) for oneof in oneofs),
    )


def _convert(field: FieldDescriptor) -> Convert:
    if is_map(field):
        value = _convert_one(message_of(field).fields_by_name["value"])
        return lambda pairs: {_key(key): value(pairs[key]) for key in pairs}
    one = _convert_one(field)
    return (lambda values: [one(value) for value in values]) if field.is_repeated else one


def _convert_one(field: FieldDescriptor) -> Convert:
    match field.type:
        case type_.TYPE_MESSAGE:
            return _message(message_of(field))
        case type_.TYPE_ENUM:
            return _enum_name(enum_of(field))
        case type_.TYPE_BYTES:
            return pybase64.b64encode_as_string
        case type_.TYPE_DOUBLE | type_.TYPE_FLOAT:
            return _number
        case kind if kind in LONG_TYPES:
            return str
        case _:
            return _same


def _message(descriptor: Descriptor) -> Convert:
    if descriptor.full_name == "google.protobuf.Timestamp":
        return _timestamp
    return _well_known if descriptor.full_name in WELL_KNOWN else to_dict


def _timestamp(value: timestamp_pb2.Timestamp) -> datetime:
    # Written by orjson: the message's own ToJsonString costs more than all other fields of an event together.
    return datetime.fromtimestamp(value.seconds, UTC).replace(microsecond=value.nanos // 1000)


def _well_known(message: Message) -> Any:
    try:
        return whole_numbers(json_format.MessageToDict(message, preserving_proto_field_name=True))
    except TypeError:  # an Any of a type that this version does not know
        return {"@type": getattr(message, "type_url", "")}


def _enum_name(enum: EnumDescriptor) -> Convert:
    names = {value.number: value.name for value in enum.values}
    return lambda number: names.get(number, number)  # a newer server's value stays a number, as the mapping says


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _same(value: Any) -> Any:
    return value
