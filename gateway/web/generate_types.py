"""Generates the page's types from the contract: `python gateway/web/generate_types.py [--check]`.

They say what the gateway's JSON is (encoding.py): a field without presence is always there, one with presence may be
absent, 64-bit integers and times are text. What is sent may leave out more: see `Sent` in the result.
With --check nothing is written; the exit status is 1 if the committed file differs from what would be written.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from imagegen_gateway.descriptors import enum_of, is_map, load_package, message_of, real_oneofs
from imagegen_gateway.encoding import LONG_TYPES
from imagegen_gateway.schemas import comment, message_name, parts_of
from imagegen_gateway.transcoding import bindings

TARGET = Path(__file__).resolve().parent / "src" / "lib" / "api" / "contract.ts"
HEADER = """\
// Generated from protos/imagegen/v1 by generate_types.py (`make protos`). Do not edit.

/** A message to send: whatever is left out has its default. */
export type Sent<T> = T extends (infer Item)[]
  ? Sent<Item>[]
  : T extends object
    ? { [Name in keyof T]?: Sent<T[Name]> }
    : T;

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A google.rpc.Status. */
export interface Status {
  code: number;
  message: string;
  details: { '@type': string; reason?: string; metadata?: Record<string, string> }[];
}
"""
WELL_KNOWN = {
    "google.protobuf.Timestamp": "string",
    "google.protobuf.Duration": "string",
    "google.protobuf.Struct": "Record<string, Json>",
    "google.protobuf.Value": "Json",
    "google.rpc.Status": "Status",
}
type_ = FieldDescriptor
NUMBERS = {type_.TYPE_DOUBLE, type_.TYPE_FLOAT, type_.TYPE_INT32, type_.TYPE_UINT32}


def generate() -> str:
    """The whole file."""
    return "\n".join([HEADER, *declarations(), rpcs(), routes()])


def rpcs() -> str:
    """What each rpc takes and gives."""
    lines = [f"  {b.method.name}: [{message_name(b.input)}, {message_name(b.output)}];\n" for b in bindings()]
    return f"/** What each rpc with an address takes and gives. */\nexport interface Rpcs {{\n{''.join(lines)}}}\n"


def routes() -> str:
    """Where each rpc is."""
    lines = [f"  {b.method.name}: ['{b.verb}', '{b.openapi_path}'],\n" for b in bindings()]
    note = "/** Method and address of each rpc; names in braces are fields of the request. */"
    shape = "as const satisfies Record<keyof Rpcs, readonly [string, string]>"
    return f"{note}\nexport const ROUTES = {{\n{''.join(lines)}}} {shape};\n"


def declarations() -> Iterator[str]:
    """Every message and enum that an rpc takes or gives, by name."""
    methods = [method for service in load_package().services for method in service.methods]
    waiting: list[Descriptor | EnumDescriptor] = [part for m in methods for part in (m.input_type, m.output_type)]
    found: dict[str, str] = {}
    while waiting:
        item = waiting.pop()
        if message_name(item) in found or item.full_name in WELL_KNOWN:
            continue
        if isinstance(item, EnumDescriptor):
            found[message_name(item)] = enum_type(item)
        else:
            found[message_name(item)] = interface(item)
            waiting += [part for field in item.fields for part in parts_of(field)]
    return (text for _, text in sorted(found.items()))


def enum_type(enum: EnumDescriptor) -> str:
    """A union of the names of its values."""
    values = "".join(f"\n  | '{value.name}'" for value in enum.values)
    return f"{doc(enum.full_name, '')}export type {message_name(enum)} ={values};\n"


def interface(message: Descriptor) -> str:
    """An interface with its fields."""
    in_oneofs = {field.name for oneof in real_oneofs(message) for field in oneof.fields}
    lines = [member(field, is_optional=field.name in in_oneofs or field.has_presence) for field in message.fields]
    return f"{doc(message.full_name, '')}export interface {message_name(message)} {{\n{''.join(lines)}}}\n"


def member(field: FieldDescriptor, *, is_optional: bool) -> str:
    return f"{doc(field.full_name, '  ')}  {field.name}{'?' if is_optional else ''}: {field_type(field)};\n"


def field_type(field: FieldDescriptor) -> str:
    if is_map(field):
        return f"Record<string, {one(message_of(field).fields_by_name['value'])}>"
    return f"{one(field)}[]" if field.is_repeated else one(field)


def one(field: FieldDescriptor) -> str:
    """The type of one value of a field."""
    match field.type:
        case type_.TYPE_MESSAGE:
            return WELL_KNOWN.get(message_of(field).full_name) or message_name(message_of(field))
        case type_.TYPE_ENUM:
            return message_name(enum_of(field))
        case type_.TYPE_BOOL:
            return "boolean"
        case kind if kind in NUMBERS:
            return "number"
        case kind if kind in LONG_TYPES or kind in {type_.TYPE_STRING, type_.TYPE_BYTES}:
            return "string"
        case kind:
            raise ValueError(f"{field.full_name} is of type {kind}, which has no JSON here yet")


def doc(full_name: str, indent: str) -> str:
    """The comment of a declaration, on one line."""
    text = " ".join(comment(full_name).split()).replace("*/", "* /")
    return f"{indent}/** {text} */\n" if text else ""


def main() -> None:
    text = generate()
    if "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit("gateway/web/src/lib/api/contract.ts is not what the .proto files say: make protos")
        return
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
