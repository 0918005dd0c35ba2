"""Times and free-form values."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

# Beyond it a double no longer holds every integer.
_MAX_EXACT_INTEGER = 2**53


def to_timestamp(seconds: float) -> Timestamp:
    """Exact to the nanosecond, so that a stored time reads back as the same float."""
    whole, nanos = _split(seconds)
    return Timestamp(seconds=whole, nanos=nanos)


def from_timestamp(timestamp: Timestamp) -> float:
    return _joined(timestamp.seconds, timestamp.nanos)


def to_duration(seconds: float | None) -> Duration | None:
    """As exact; None stays None."""
    if seconds is None:
        return None
    whole, nanos = _split(seconds)
    return Duration(seconds=whole, nanos=nanos)


def from_duration(duration: Duration) -> float:
    return _joined(duration.seconds, duration.nanos)


def _split(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    nanos = round((seconds - whole) * 1e9)
    return whole + nanos // 1_000_000_000, nanos % 1_000_000_000


def _joined(whole: int, nanos: int) -> float:
    # A quotient of integers is rounded once, a sum of floats twice.
    return (whole * 1_000_000_000 + nanos) / 1_000_000_000


def to_struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(values))
    return struct


def from_struct(struct: Struct) -> dict[str, Any]:
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: Value) -> Any:
    """The plain value. Whole numbers become int: a Struct only knows doubles, and backends tell 1 from 1.0."""
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT_INTEGER else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return _from_list(value.list_value)
        case _:
            return None


def _from_list(values: ListValue) -> list[Any]:
    return [from_value(value) for value in values.values]
