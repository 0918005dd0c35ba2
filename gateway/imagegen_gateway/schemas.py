"""JSON Schemas of protobuf messages: their JSON form, their comments and their protovalidate rules."""

import math
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from imagegen_gateway.descriptors import enum_of, is_map, load_package, message_of, real_oneofs
from imagegen_gateway.encoding import LONG_TYPES

Schema = dict[str, Any]

type_ = FieldDescriptor
WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]+)?s$",
        "examples": ["3.5s"],
    },
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.rpc.Status": {
        "type": "object",
        "description": "A google.rpc.Status whose details hold exactly one google.rpc.ErrorInfo.",
        "properties": {
            "code": {"type": "integer", "description": "Number of the gRPC status."},
            "message": {"type": "string", "description": "A sentence for a person."},
            "details": {
                "type": "array",
                "description": "More about it, each with its type.",
                "items": {"type": "object", "properties": {"@type": {"type": "string"}}, "additionalProperties": True},
            },
        },
    },
}
NUMBER_TYPES = frozenset({type_.TYPE_DOUBLE, type_.TYPE_FLOAT})


def comment(full_name: str) -> str:
    """What the .proto says above a declaration."""
    return load_package().comments.get(full_name, "")


def message_name(descriptor: Descriptor | EnumDescriptor) -> str:
    """Its name among the schemas."""
    return descriptor.full_name.removeprefix("imagegen.v1.")


def reference(descriptor: Descriptor | EnumDescriptor) -> Schema:
    """A reference to the schema of a message or enum."""
    return {"$ref": f"#/components/schemas/{message_name(descriptor)}"}


def collect(roots: list[Descriptor]) -> dict[str, Schema]:
    """The schemas of the messages and of all that they are made of, by name."""
    found: dict[str, Schema] = {}
    waiting: list[Descriptor | EnumDescriptor] = list(roots)
    while waiting:
        item = waiting.pop()
        if message_name(item) in found:
            continue
        if isinstance(item, EnumDescriptor):
            found[message_name(item)] = enum_schema(item)
            continue
        found[message_name(item)] = message_schema(item)
        if item.full_name not in WELL_KNOWN:
            waiting += [part for field in item.fields for part in parts_of(field)]
    return dict(sorted(found.items()))


def parts_of(field: FieldDescriptor) -> list[Descriptor | EnumDescriptor]:
    """The named types that a field's schema refers to."""
    if is_map(field):
        return parts_of(message_of(field).fields_by_name["value"])
    if field.type == type_.TYPE_ENUM:
        return [enum_of(field)]
    is_named = field.type == type_.TYPE_MESSAGE and not message_of(field).full_name.startswith("google.protobuf.")
    return [message_of(field)] if is_named else []


def enum_schema(enum: EnumDescriptor) -> Schema:
    """An enum by the names of its values."""
    lines = [f"- `{value.name}`: {comment(f'{enum.full_name}.{value.name}')}" for value in enum.values]
    return {
        "type": "string",
        "description": "\n".join([comment(enum.full_name), "", *lines]),
        "enum": [value.name for value in enum.values],
    }


def message_schema(descriptor: Descriptor) -> Schema:
    """A message with its fields."""
    if descriptor.full_name in WELL_KNOWN:
        return WELL_KNOWN[descriptor.full_name]
    notes = [comment(descriptor.full_name)]
    for oneof in real_oneofs(descriptor):
        names = ", ".join(f"`{field.name}`" for field in oneof.fields)
        amount = "Exactly" if _is_required_oneof(oneof.GetOptions()) else "At most"
        notes.append(f"{amount} one of {names}.")
    notes += [rule.message for rule in descriptor.GetOptions().Extensions[validate_pb2.message].cel]  # type: ignore[attr-defined]  # built at run time
    schema: Schema = {
        "type": "object",
        "description": "\n\n".join(note for note in notes if note),
        "properties": {field.name: field_schema(field) for field in descriptor.fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in descriptor.fields if rules_of(field).required]:
        schema["required"] = required
    return schema


def field_schema(field: FieldDescriptor) -> Schema:
    """A field with its comment and rules."""
    rules = rules_of(field)
    if is_map(field):
        schema = _map_schema(field, rules.map)
    elif field.is_repeated:
        schema = {"type": "array", "items": _one(field, rules.repeated.items)}
        schema |= _limits(rules.repeated, {"min_items": "minItems", "max_items": "maxItems"})
    else:
        schema = _one(field, rules)
    notes = [comment(field.full_name), *(f"The value {rule.message}." for rule in rules.cel)]
    if text := "\n\n".join(note for note in notes if note):
        schema["description"] = text
    return schema


def rules_of(field: FieldDescriptor) -> Any:
    """The field's protovalidate rules."""
    return field.GetOptions().Extensions[validate_pb2.field]  # type: ignore[attr-defined]  # built at run time


def _is_required_oneof(options: Message) -> bool:
    return bool(options.Extensions[validate_pb2.oneof].required)  # type: ignore[attr-defined]  # built at run time


def _map_schema(field: FieldDescriptor, rules: Any) -> Schema:
    entry = message_of(field).fields_by_name
    schema: Schema = {"type": "object", "additionalProperties": _one(entry["value"], rules.values)}
    keys = _text_rules(rules.keys.string)
    if keys:
        schema["propertyNames"] = keys
    return schema | _limits(rules, {"min_pairs": "minProperties", "max_pairs": "maxProperties"})


def _one(field: FieldDescriptor, rules: Any) -> Schema:
    match field.type:
        case type_.TYPE_MESSAGE:
            name = message_of(field).full_name
            return dict(WELL_KNOWN[name]) if name.startswith("google.protobuf.") else reference(message_of(field))
        case type_.TYPE_ENUM:
            return _enum_rules(enum_of(field), rules.enum)
        case type_.TYPE_STRING:
            return {"type": "string"} | _text_rules(rules.string)
        case type_.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        case type_.TYPE_BOOL:
            return {"type": "boolean"}
        case kind if kind in LONG_TYPES:
            # Bounds apply to numbers only, and this is text in JSON; they are in the comments.
            return {"type": "string", "pattern": "^-?[0-9]+$", "format": field_format(field)}
        case kind if kind in NUMBER_TYPES:
            return {"type": "number", "format": "double"} | _number_rules(rules)
        case _:
            least = {"minimum": 0} if field_format(field) == "uint32" else {}
            return {"type": "integer", "format": field_format(field)} | least | _number_rules(rules)


def field_format(field: FieldDescriptor) -> str:
    """The `format` of a whole number."""
    return {
        type_.TYPE_UINT32: "uint32",
        type_.TYPE_FIXED32: "uint32",
        type_.TYPE_UINT64: "uint64",
        type_.TYPE_FIXED64: "uint64",
    }.get(field.type, "int64" if field.type in LONG_TYPES else "int32")


def _enum_rules(enum: EnumDescriptor, rules: Any) -> Schema:
    if not rules.not_in:
        return reference(enum)
    return {"type": "string", "enum": [v.name for v in enum.values if v.number not in rules.not_in]}


def _text_rules(rules: Any) -> Schema:
    schema = _limits(rules, {"min_len": "minLength", "max_len": "maxLength", "len": "minLength"})
    if rules.HasField("len"):
        schema["maxLength"] = rules.len
    if rules.HasField("pattern"):
        schema["pattern"] = rules.pattern
    return schema


def _number_rules(rules: Any) -> Schema:
    kind = rules.WhichOneof("type")
    names = {"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum"}
    limits = _limits(getattr(rules, kind), names) if kind else {}
    return {name: value for name, value in limits.items() if math.isfinite(value)}


def _limits(rules: Any, names: dict[str, str]) -> Schema:
    return {name: getattr(rules, rule) for rule, name in names.items() if rules.HasField(rule)}
