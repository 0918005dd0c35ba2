"""The rules of the proto, and what is said about those that a request breaks."""

from collections.abc import Mapping
from typing import Final

import protovalidate
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.message import Message

from imagegen_adapters.errors import Violation
from imagegen_server.errors import invalid

PATTERNS: Final[Mapping[str, str]] = {
    "^[!-~]*$": "must be printable ASCII characters without spaces",
    "^[ -~]*$": "must be printable ASCII characters",
    "^[^=]*$": "must not hold '='",
    "^[a-z0-9-]*$": "must be lower-case letters, digits and hyphens",
    "^[a-z0-9-]{0,64}$": "must be at most 64 lower-case letters, digits and hyphens",
    "^[a-z0-9][a-z0-9-]{0,63}$": "must be 1 to 64 lower-case letters, digits and hyphens, not beginning with a hyphen",
    "^([a-z0-9][a-z0-9-]{0,63})?$": "must be empty, or at most 64 lower-case letters, digits and hyphens, the first "
    "of them no hyphen",
    "^[a-z][a-z0-9_]{0,63}$": "must be a lower-case letter, then letters, digits and underscores, at most 64",
    r"^[a-z_]+(\.[a-z_]+)*$": "must be the path of a field, as defaults.steps",
    # No name may be "..": browsers take that out of an address, and whoever has such a key could not lose it.
    "^[a-z0-9][a-z0-9._@-]{0,63}$": "must be 1 to 64 lower-case letters, digits and ._@-, the first a letter or digit",
    "^[0-9a-f]{64}$": "must be a digest: 64 lower-case hexadecimal digits",
    "^([0-9a-f]{64})?$": "must be empty or a digest: 64 lower-case hexadecimal digits",
    r"^.+\.[^.]+$": "must be NODE.INPUT, as 10.image",
}
"""What the patterns of the proto mean, in words."""


def check_rules(request: Message) -> None:
    """Raises Refused with a path for each field that breaks a rule of the proto."""
    broken = protovalidate.collect_violations(request)
    if broken:
        raise invalid([Violation(_path(each.proto), _description(each.proto, request)) for each in broken])


def _path(violation: protovalidate.ViolationPb) -> str:
    """As "spec.labels[\"kind\"]" or "job_ids[3]"."""
    path = ""
    for element in violation.field.elements if violation.field else ():
        path += f".{element.field_name}" if path else element.field_name
        match element.subscript:
            case None:
                pass
            case subscript if subscript.field == "string_key":
                path += f'["{subscript.value}"]'
            case subscript:
                path += f"[{subscript.value}]"
    return path


def _description(violation: protovalidate.ViolationPb, request: Message) -> str:
    message = violation.message
    if violation.rule_id == "string.pattern":
        pattern = message.partition("`")[2].rpartition("`")[0]
        message = PATTERNS.get(pattern, message)
    elif violation.rule_id.startswith("enum."):
        descriptor = request.DESCRIPTOR
        assert isinstance(descriptor, Descriptor)
        message = f"must be one of {', '.join(_values(violation, descriptor))}"
    return f"key {message}" if violation.for_key else message


def _values(violation: protovalidate.ViolationPb, message: Descriptor) -> list[str]:
    """What an enum field may hold; where zero means that nothing was given, and is refused, without it."""
    enum: EnumDescriptor | None = None
    at: Descriptor | None = message
    for element in violation.field.elements if violation.field else ():
        assert at is not None
        field = at.fields_by_name[element.field_name]
        at, enum = field.message_type, field.enum_type
    assert enum is not None
    names = [value.name for value in enum.values]
    return names[1:] if violation.rule_id == "enum.not_in" else names
