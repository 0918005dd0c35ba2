"""JSON Schema of a workflow's inputs, from which pages, the command line and OpenAPI derive their forms. Pure.

Beside what the standard has, each property says its `x-type` (the name of its InputType), and where they are known its
`x-group`, its `x-model-type` and its `x-step`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from imagegen_adapters.graphs.inputs import InputType
from imagegen_server.workflows.model import Field, Workflow
from imagegen_server.workflows.values import (
    MAX_EXACT,
    MAX_LORA_WEIGHT,
    MAX_LORAS,
    MAX_SEED,
    Allowed,
    Limits,
    as_json,
    step_base,
    within,
)

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MOST_CHOICES: Final = 2000
"""Of more the first are given as examples: forms are not made of ten thousand names."""
_UNKNOWN: Final = Allowed()
_WEIGHT: Final = {"type": "number", "minimum": -MAX_LORA_WEIGHT, "maximum": MAX_LORA_WEIGHT}


def input_schema(workflow: Workflow, allowed: Mapping[str, Allowed] | None = None) -> dict[str, Any]:
    """The schema (2020-12) of `WorkflowInvocation.inputs`, with choices as `allowed` says. Properties are in order."""
    limits = {field.name: within(field.input, (allowed or {}).get(field.name, _UNKNOWN)) for field in workflow.form}
    return _without_nothing(
        {
            "$schema": DIALECT,
            "title": workflow.title or workflow.workflow_id,
            "description": workflow.description,
            "type": "object",
            "properties": {field.name: _property(field, limits[field.name]) for field in workflow.form},
            "required": [field.name for field in workflow.form if field.input.required],
        }
    ) | {"additionalProperties": False}


def _property(field: Field, limits: Limits) -> dict[str, Any]:
    given = field.input
    default = None if given.required else given.default
    described = {
        "title": given.title or given.name.replace("_", " ").capitalize(),
        "description": given.help,
        **_value(given.type, limits),
        "default": as_json(default) if type(default) is int else default,
        "x-type": given.type.value,
        "x-group": given.group,
        "x-model-type": given.model_type,
        "x-step": limits.step if given.type in {InputType.INT, InputType.FLOAT} else None,
    }
    # What is said of a default counts even where it is empty.
    return {key: value for key, value in described.items() if value is not None and (value != "" or key == "default")}


def _value(type_: InputType, limits: Limits) -> dict[str, Any]:
    match type_:
        case InputType.STRING | InputType.TEXT:
            lengths = {"minLength": math.ceil(limits.minimum or 0), "maxLength": math.floor(limits.maximum or 0)}
            one_line = {"pattern": r"^[^\r\n]*$"} if type_ is InputType.STRING else {}
            return {"type": "string", **lengths, **one_line}
        case InputType.INT | InputType.SEED:
            return _integer(limits)
        case InputType.FLOAT:
            return _without_nothing({"type": "number", "minimum": limits.minimum, "maximum": limits.maximum})
        case InputType.BOOL:
            return {"type": "boolean"}
        case InputType.CHOICE | InputType.MODEL:
            return {"type": "string", **_choices(limits.choices)}
        case InputType.IMAGE | InputType.MASK:
            return {"type": "string", "pattern": "^[0-9a-f]{64}$", "contentMediaType": "image/*"}
        case InputType.LORAS:
            return _loras(limits.choices)


def _integer(limits: Limits) -> dict[str, Any]:
    low, high = _whole(limits.minimum), _whole(limits.maximum)
    is_exact = all(bound is not None and abs(bound) <= MAX_EXACT for bound in (low, high))
    step = limits.step
    is_multiple = step is not None and step > 1 and step == int(step) and step_base(limits) == 0
    number = {"minimum": low, "maximum": high, "multipleOf": _whole(step) if is_multiple else None}
    if is_exact:
        return _without_nothing({"type": "integer", **number})
    # Integers beyond 2^53 are given as their digits; the pattern is about strings only.
    return _without_nothing({"type": ["integer", "string"], "pattern": "^-?[0-9]{1,20}$", **number})


def _choices(choices: Sequence[str] | None) -> dict[str, Any]:
    if not choices:
        return {}
    return {"enum": list(choices)} if len(choices) <= MOST_CHOICES else {"examples": list(choices[:MOST_CHOICES])}


def _loras(choices: Sequence[str] | None) -> dict[str, Any]:
    name = {"type": "string", "minLength": 1, **_choices(choices)}
    return {
        "type": "array",
        "maxItems": MAX_LORAS,
        "items": {
            "type": "object",
            "properties": {"name": name, "weight": {**_WEIGHT, "default": 1}, "text_encoder_weight": _WEIGHT},
            "required": ["name"],
            "additionalProperties": False,
        },
    }


def _whole(number: float | None) -> int | None:
    """As an integer; None: there is none, or it is beyond what anybody's integers hold, so that it limits nothing."""
    return None if number is None or not abs(number) <= MAX_SEED else int(number)


def _without_nothing(members: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value not in (None, "", [])}
