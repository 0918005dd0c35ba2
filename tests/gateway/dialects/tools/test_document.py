"""The OpenAPI document of the tools, and what it promises."""

from contextlib import nullcontext
from typing import Any

import aiohttp
import jsonschema
import pytest

from imagegen_gateway.dialects.tools.arguments import (
    Arguments,
    EditArguments,
    PictureArguments,
    StatusArguments,
    parse_arguments,
)
from imagegen_gateway.dialects.tools.document import document, schema
from imagegen_gateway.errors import Problem

CONTENT = {
    "required": ["application/json"],
    "properties": {"application/json": {"required": ["schema"], "additionalProperties": {"type": "object"}}},
}
RESPONSE = {"required": ["description", "content"], "properties": {"content": CONTENT}}
OPERATION = {
    "required": ["operationId", "summary", "description", "requestBody", "responses"],
    "properties": {
        "operationId": {"pattern": "^[a-z_]+$"},
        "summary": {"type": "string"},
        "description": {"type": "string"},
        "requestBody": {"properties": {"required": {"const": True}, "content": CONTENT}},
        "responses": {"required": ["200"], "additionalProperties": RESPONSE},
    },
    "additionalProperties": False,
}
OPENAPI_31 = {
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"required": ["title", "version"]},
        "servers": {"items": {"required": ["url"]}},
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {"properties": {"post": OPERATION}, "additionalProperties": False},
        },
    },
    "additionalProperties": False,
}
"""What OpenAPI 3.1 asks of the parts that are used here."""

KINDS = [PictureArguments, EditArguments, StatusArguments]


async def test_the_document_is_openapi_and_needs_no_key(http: aiohttp.ClientSession) -> None:
    async with http.get("/tools/openapi.json") as answer:
        found = await answer.json()
    jsonschema.validate(found, OPENAPI_31, cls=jsonschema.Draft202012Validator)
    operations = {path: item["post"]["operationId"] for path, item in found["paths"].items()}
    assert operations == {f"/{name}": name for name in ("generate_image", "edit_image", "image_status")}


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_told_of_each_argument_what_it_is(kind: type[Arguments]) -> None:
    described = schema(kind)
    jsonschema.Draft202012Validator.check_schema(described)
    for about in described["properties"].values():
        assert about["description"].endswith(".")
        assert about["type"] in {"string", "integer", "number"}


def test_descriptions_are_short_enough_for_every_request() -> None:
    assert len(str(document("1"))) < 8000


@pytest.mark.parametrize(
    ("arguments", "is_right"),
    [
        ({"prompt": "a fox"}, True),
        ({"prompt": "a fox", "size": "768x512", "n": 4, "seed": 1, "steps": 5, "model": "m"}, True),
        ({"prompt": "a fox", "image": "ab" * 32, "strength": 0.5}, True),
        ({}, False),
        ({"prompt": ""}, False),
        ({"prompt": "a fox", "size": "large"}, False),
        ({"prompt": "a fox", "n": 5}, False),
        ({"prompt": "a fox", "strength": 1.5}, False),
        ({"prompt": "a fox", "quality": "hd"}, False),
    ],
)
def test_what_the_document_allows_is_what_is_taken(arguments: dict[str, Any], is_right: bool) -> None:
    assert jsonschema.Draft202012Validator(schema(EditArguments)).is_valid(arguments) is is_right
    with nullcontext() if is_right else pytest.raises(Problem):
        parse_arguments(EditArguments, arguments)


def test_null_counts_as_not_said() -> None:
    order = parse_arguments(EditArguments, {"prompt": " a fox ", "size": None, "image": None, "strength": 0.25}).order()
    assert (order.prompt, order.size, order.denoise) == ("a fox", None, 0.25)
