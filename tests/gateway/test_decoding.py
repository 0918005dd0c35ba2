"""JSON and query text into messages of every kind of field, also those that the contract has not yet."""

from typing import Any

import orjson
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from imagegen_gateway.decoding import MAX_DEPTH, parse_json, parse_query
from imagegen_gateway.encoding import to_dict
from imagegen_gateway.errors import Problem

Field = descriptor_pb2.FieldDescriptorProto


def thing_class() -> type[Message]:
    """message Thing with a field of each kind, itself nested, repeated and in a map."""
    file = descriptor_pb2.FileDescriptorProto(name="thing.proto", package="test", syntax="proto3")
    colour = file.enum_type.add(name="Colour")
    colour.value.add(name="COLOUR_UNSPECIFIED", number=0)
    colour.value.add(name="COLOUR_RED", number=1)
    thing = file.message_type.add(name="Thing")
    scalars = {
        "text": Field.TYPE_STRING,
        "flag": Field.TYPE_BOOL,
        "data": Field.TYPE_BYTES,
        "ratio": Field.TYPE_DOUBLE,
        "small": Field.TYPE_SINT32,
        "large": Field.TYPE_UINT64,
    }
    for number, (name, kind) in enumerate(scalars.items(), start=1):
        thing.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)
    thing.field.add(name="colour", number=10, type=Field.TYPE_ENUM, type_name=".test.Colour", label=1)
    thing.field.add(name="inner_thing", number=11, type=Field.TYPE_MESSAGE, type_name=".test.Thing", label=1)
    thing.field.add(name="things", number=12, type=Field.TYPE_MESSAGE, type_name=".test.Thing", label=3)
    thing.field.add(name="numbers", number=13, type=Field.TYPE_INT32, label=3)
    thing.field.add(name="by_flag", number=14, type=Field.TYPE_MESSAGE, type_name=".test.Thing.ByFlagEntry", label=3)
    entry = thing.nested_type.add(name="ByFlagEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=Field.TYPE_BOOL, label=1)
    entry.field.add(name="value", number=2, type=Field.TYPE_MESSAGE, type_name=".test.Thing", label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("test.Thing"))


Thing = thing_class()


def parsed(value: Any) -> dict[str, Any]:
    thing = Thing()
    parse_json(thing, orjson.dumps(value))
    return {name: item for name, item in to_dict(thing).items() if item not in ("", False, 0, "0", [], {})}


def queried(*pairs: tuple[str, str]) -> dict[str, Any]:
    thing = Thing()
    parse_query(thing, pairs, frozenset({"text"}))
    return to_dict(thing)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"flag": True, "data": "AP8="}, {"flag": True, "data": "AP8="}),
        ({"data": "_-8"}, {"data": "/+8="}),
        ({"ratio": 2}, {"ratio": 2.0}),
        ({"ratio": "-Infinity"}, {"ratio": "-Infinity"}),
        ({"small": -5, "large": "18446744073709551615"}, {"small": -5, "large": "18446744073709551615"}),
        ({"small": 3.0}, {"small": 3}),
        ({"colour": 1}, {"colour": "COLOUR_RED"}),
        ({"colour": "1"}, {"colour": "COLOUR_RED"}),
        ({"colour": "red"}, {"colour": "COLOUR_RED"}),
        ({"numbers": [1, "2"]}, {"numbers": [1, 2]}),
    ],
)
def test_every_kind_of_value(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {key: value for key, value in parsed(given).items() if key in given} == expected


def test_messages_nested_repeated_and_in_maps() -> None:
    thing = parsed({"innerThing": {"text": "a"}, "things": [{"text": "b"}], "by_flag": {"true": {"text": "c"}}})
    assert thing["inner_thing"]["text"] == "a"
    assert thing["things"][0]["text"] == "b"
    assert thing["by_flag"]["true"]["text"] == "c"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"data": "!"}, "data"),
        ({"flag": 1}, "flag"),
        ({"ratio": True}, "ratio"),
        ({"ratio": "much"}, "ratio"),
        ({"small": 1e300}, "small"),
        ({"large": 2.0**60}, "large"),
        ({"small": True}, "small"),
        ({"colour": 7}, "colour"),
        ({"colour": True}, "colour"),
        ({"things": {}}, "things"),
        ({"things": [{}, {"flag": "x"}]}, "things[1].flag"),
        ({"numbers": [1, None]}, "numbers[1]"),
        ({"by_flag": []}, "by_flag"),
        ({"by_flag": {"maybe": {}}}, 'by_flag["maybe"]'),
        ({"by_flag": {"true": {"nope": 1}}}, 'by_flag["true"].nope'),
        ({"inner_thing": "x"}, "inner_thing"),
    ],
)
def test_what_does_not_fit_is_named(given: Any, path: str) -> None:
    with pytest.raises(Problem) as caught:
        parsed(given)
    assert [error.field for error in caught.value.errors] == [path]
    assert caught.value.status == 400


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(Problem):
        parse_query(Thing(), [("inner_thing.text", "\ud800")], frozenset())


def test_depth_is_bounded() -> None:
    value: Any = {}
    for _ in range(MAX_DEPTH + 2):
        value = {"inner_thing": value}
    with pytest.raises(Problem, match="nested deeper"):
        parsed(value)


def test_query_parameters_reach_into_messages() -> None:
    thing = queried(("inner_thing.flag", "TRUE"), ("innerThing.small", "-3"), ("numbers", "1"), ("numbers", "2"))
    assert thing["inner_thing"]["flag"] is True
    assert thing["inner_thing"]["small"] == -3
    assert thing["numbers"] == [1, 2]


@pytest.mark.parametrize(
    "pair",
    [
        ("text", "taken by the path"),
        ("inner_thing", "{}"),
        ("inner_thing.nope", "1"),
        ("small.deeper", "1"),
        ("by_flag", "x"),
        ("flag", "maybe"),
        ("things.text", "of which one?"),
    ],
)
def test_query_parameters_that_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(Problem) as caught:
        queried(pair)
    assert caught.value.errors[0].field == pair[0]
