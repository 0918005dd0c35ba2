"""Requests are read as A1111 reads them, and what it would ignore is refused."""

import json
from typing import Any

import pytest

from imagegen_gateway.dialects.a1111.faults import Refused
from imagegen_gateway.dialects.a1111.fields import IMG2IMG, TXT2IMG, Fields, read
from tests.gateway.dialects.a1111.conftest import RECORDINGS


def read_txt2img(**values: Any) -> dict[str, Any]:
    return dict(read(json.dumps(values).encode(), TXT2IMG).values)


@pytest.mark.parametrize(("name", "fields"), [("txt2img", TXT2IMG), ("img2img", IMG2IMG)])
def test_fields_and_defaults_are_those_of_the_recorded_server(name: str, fields: Fields) -> None:
    recorded = json.loads((RECORDINGS / "fields.json").read_text())[name]
    assert {field: default for field, (_, default) in fields.items()} == {
        field: default for field, (_, default) in recorded.items()
    }
    assert [field for field in fields if fields[field][0] != recorded[field][0]] == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("steps", "3", 3),
        ("steps", 3.0, 3),
        ("prompt", 7, "7"),
        ("force_task_id", 7, "7"),
        ("tiling", "false", False),
        ("tiling", 1, True),
        ("cfg_scale", 7, 7.0),
        ("seed", None, -1),
        ("prompt", None, ""),
    ],
)
def test_values_are_coerced(field: str, value: Any, expected: Any) -> None:
    assert read_txt2img(**{field: value})[field] == expected


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("steps", "many", "type_error.integer"),
        ("steps", 2.7, "type_error.integer"),
        ("steps", 1e300, "type_error.integer"),
        ("seed", True, "type_error.integer"),
        ("cfg_scale", "nan", "type_error.float"),
        ("cfg_scale", [], "type_error.float"),
        ("prompt", ["a"], "type_error.str"),
        ("tiling", "perhaps", "type_error.bool"),
        ("tiling", [], "type_error.bool"),
        ("styles", "a", "type_error.list"),
        ("override_settings", [], "type_error.dict"),
        ("no_such_field", 1, "value_error.extra"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, value: Any, kind: str) -> None:
    with pytest.raises(Refused) as caught:
        read_txt2img(**{field: value})
    (item,) = caught.value.document["detail"]
    assert (caught.value.status, item["loc"], item["type"]) == (422, ["body", field], kind)


def test_an_unknown_field_without_a_value_asks_for_nothing() -> None:
    assert "no_such_field" not in read_txt2img(no_such_field=None)


def test_what_is_too_deep_to_be_passed_on_is_refused() -> None:
    deep = b'{"script_args": ' + b"[" * 300 + b"]" * 300 + b"}"
    with pytest.raises(Refused, match="24 levels"):
        read(deep, TXT2IMG)
