"""Values for a workflow's inputs, from texts, as its JSON Schema says. Pure, but for the upload of files.

What is wrong raises typer.BadParameter, which is exit status 2. Whether a value is allowed is for the server to say,
which knows the backends; here is said which inputs there are, and what kind of value each takes.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import typer

from imagegen_client.client import Client
from imagegen_client.commands.wording import instead
from imagegen_client.specs import InputValue

Given: TypeAlias = InputValue | Path
"""A value; of a picture the file."""

_INTEGER = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_NUMBER = re.compile(r"-?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][-+]?[0-9]{1,3})?", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_schema(text: str) -> dict[str, Any]:
    """The inputs of a workflow by name: the properties of its `input_schema_json`."""
    properties = json.loads(text or "{}").get("properties", {})
    return {name: about for name, about in properties.items() if isinstance(about, dict)}


def inputs_of(workflow_id: str, schema: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Given]:
    """The values of "name=value"s. A list takes its entries one by one, as --set loras=a:0.8 --set loras=b."""
    given: dict[str, Given] = {}
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{assignment!r} is no NAME=VALUE", param_hint="--set")
        about = input_named(name, workflow_id, schema, "--set")
        before = given.get(name)
        if before is not None and "array" not in _kinds(about):
            raise typer.BadParameter(f"{name} is given twice", param_hint="--set")
        value = _value(name, about, text)
        given[name] = [*before, *_as_list(value)] if isinstance(before, list) else value
    return given


def input_named(name: str, workflow_id: str, schema: Mapping[str, Any], option: str) -> Mapping[str, Any]:
    """What the schema says about an input."""
    if name in schema:
        found: Mapping[str, Any] = schema[name]
        return found
    raise typer.BadParameter(
        f"the workflow {workflow_id} has no input {name}; {instead(name, schema)}", param_hint=option
    )


async def with_uploads(client: Client, given: Mapping[str, Given]) -> dict[str, InputValue]:
    """The same with the digests of what was uploaded in place of files. Raises OSError, ImagegenError."""
    return {
        name: (await client.upload(value)).digest if isinstance(value, Path) else value for name, value in given.items()
    }


def is_picture(about: Mapping[str, Any]) -> bool:
    """Whether an input takes the digest of an asset, and nothing else."""
    return str(about.get("contentMediaType", "")).startswith("image/")


def parse_lora(text: str) -> tuple[str, float | None]:
    """Name and weight of "name" or "name:0.8"; a name may hold colons."""
    name, _, weight = text.rpartition(":")
    return (name, float(weight)) if name and _NUMBER.fullmatch(weight) else (text, None)


def lora_value(text: str) -> dict[str, InputValue]:
    """The same as an entry of an input `loras`."""
    name, weight = parse_lora(text)
    return {"name": name} if weight is None else {"name": name, "weight": weight}


def _value(name: str, about: Mapping[str, Any], text: str) -> Given:
    kinds = _kinds(about)
    if is_picture(about):
        return _picture(name, text)
    if "array" in kinds or "object" in kinds:
        return _structured(name, about, text)
    if "boolean" in kinds:
        return _of_words(name, text)
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return int(text) if _INTEGER.fullmatch(text) else float(text)
    if kinds & {"integer", "number"}:  # also with "string": whole numbers beyond 2^53 go as digits
        kind = "a number" if "number" in kinds else "a whole number"
        raise typer.BadParameter(f"{name} takes {kind}, and {text!r} is none", param_hint="--set")
    return text


def _kinds(about: Mapping[str, Any]) -> frozenset[str]:
    """The types that a schema allows."""
    kinds = about.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _picture(name: str, text: str) -> Given:
    if text.startswith("@") and len(text) > 1:
        return Path(text[1:])
    if _DIGEST.fullmatch(text):
        return text
    raise typer.BadParameter(f"{name} is a picture: give @FILE, or the digest of an asset", param_hint="--set")


def _structured(name: str, about: Mapping[str, Any], text: str) -> InputValue:
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            value: InputValue = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise typer.BadParameter(f"{name}: {text[:80]!r} is no JSON", param_hint="--set") from None
        return _as_list(value) if "array" in _kinds(about) else value
    if "weight" not in about.get("items", {}).get("properties", {}):
        raise typer.BadParameter(f"{name} takes JSON", param_hint="--set")
    return [lora_value(text)] if text else []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _as_list(value: Any) -> list[InputValue]:
    return value if isinstance(value, list) else [value]


def _of_words(name: str, text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise typer.BadParameter(f"{name} takes true or false, not {text!r}", param_hint="--set")
    return _TRUTH[text.lower()]
