"""What the .proto files say, as typed look-ups: messages, maps, enums, services and their comments."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, resources
from itertools import groupby
from typing import cast

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    OneofDescriptor,
    ServiceDescriptor,
)
from google.protobuf.message import Message

PACKAGE = "imagegen.v1"


def descriptor_of(message: Message | type[Message]) -> Descriptor:
    """The type of a message."""
    return cast("Descriptor", message.DESCRIPTOR)  # the stubs admit a second, equal class of the C runtime


def message_of(field: FieldDescriptor) -> Descriptor:
    """The type of a message field or of a map's entries."""
    assert field.message_type is not None
    return field.message_type


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The type of an enum field."""
    assert field.enum_type is not None
    return field.enum_type


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def real_oneofs(descriptor: Descriptor) -> list[OneofDescriptor]:
    """The oneofs that somebody wrote: proto3's `optional` is one in disguise."""
    return [oneof for oneof in descriptor.oneofs if len(oneof.fields) > 1 or not oneof.name.startswith("_")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """All services of imagegen.v1 and the comments in its files."""

    services: tuple[ServiceDescriptor, ...]
    comments: dict[str, str] = field(repr=False)
    """Leading comment by full name ("imagegen.v1.Job.state"); the members of an enum below the enum's name."""


@cache
def load_package() -> Package:
    """Reads the descriptor set that lies beside the stubs."""
    data = resources.files(PACKAGE).joinpath("imagegen.binpb").read_bytes()
    files = [f for f in descriptor_pb2.FileDescriptorSet.FromString(data).file if f.package == PACKAGE]
    comments = {name: text for file in files for name, text in _comments(file)}
    return Package(services=tuple(service for file in files for service in _services(file)), comments=comments)


def _services(file: descriptor_pb2.FileDescriptorProto) -> Iterator[ServiceDescriptor]:
    module = import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    described = cast("FileDescriptor", module.DESCRIPTOR)
    for service in file.service:
        yield described.services_by_name[service.name]


def _comments(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        if location.leading_comments and (name := _name(file, list(location.path))):
            yield f"{file.package}.{name}", _unwrap(location.leading_comments)


def _name(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    # A path is made of field numbers of descriptor.proto and of indices: 4 message_type, 5 enum_type, 6 service,
    # then 2 field, value or method, 8 oneof_decl.
    match path:
        case [4, i]:
            return file.message_type[i].name
        case [4, i, 2, j]:
            return f"{file.message_type[i].name}.{file.message_type[i].field[j].name}"
        case [4, i, 8, j]:
            return f"{file.message_type[i].name}.{file.message_type[i].oneof_decl[j].name}"
        case [5, i]:
            return file.enum_type[i].name
        case [5, i, 2, j]:
            return f"{file.enum_type[i].name}.{file.enum_type[i].value[j].name}"
        case [6, i]:
            return file.service[i].name
        case [6, i, 2, j]:
            return f"{file.service[i].name}.{file.service[i].method[j].name}"
        case _:
            return ""


def _unwrap(comment: str) -> str:
    """Joins the lines of each paragraph."""
    lines = [line.strip() for line in comment.strip().splitlines()]
    return "\n\n".join(" ".join(group) for blank, group in groupby(lines, key=lambda line: not line) if not blank)
