"""What callers fill in: the inputs of a workflow with what the graph, or the base of a variant, says of them. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from imagegen_adapters.graphs.graph import is_link
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.loaders import loras_in
from imagegen_server.workflows.model import Field, Workflow
from imagegen_server.workflows.values import Allowed, Unfit, as_integer, as_number, read_value

Nodes = Mapping[str, Mapping[str, Any]]

_ANYTHING: Final = Allowed()
_CHANGED_BY_VARIANTS: Final = ("default", "minimum", "maximum", "step", "choices", "title", "help", "group")


def with_form(workflow: Workflow) -> Workflow:
    """The workflow with its form. Its structure has been checked; takes its time for a large graph."""
    if workflow.base:
        return replace(workflow, form=variant_form(BUILT_IN[workflow.base], workflow.inputs))
    return replace(workflow, form=graph_form(json.loads(workflow.graph_json), workflow.inputs))


def graph_form(nodes: Nodes, inputs: Sequence[GraphInput]) -> tuple[Field, ...]:
    return tuple(
        Field(
            input=replace(each, default=_default(nodes, each)),
            target_classes=tuple(nodes[target.node_id]["class_type"] for target in each.targets),
        )
        for each in inputs
    )


def variant_form(base: Workflow, inputs: Sequence[GraphInput]) -> tuple[Field, ...]:
    """The base's inputs in its order, each with the variant's changes."""
    changes = {each.name: each for each in inputs}
    return tuple(
        replace(field, input=_changed(field.input, changes[field.name])) if field.name in changes else field
        for field in base.form
    )


def in_graph(nodes: Nodes, target: Target) -> Any:
    """What the graph holds there; None: nothing, or a link."""
    value = nodes[target.node_id].get("inputs", {}).get(target.input_name)
    return None if is_link(value) else value


def _default(nodes: Nodes, field: GraphInput) -> Any:
    if field.default is not None:
        return _read(field, field.default)
    if field.type is InputType.LORAS:
        return loras_in(nodes, field.targets)
    return fitting(field.type, in_graph(nodes, field.targets[0])) if field.targets else None


def fitting(type_: InputType, held: Any) -> Any:
    """What a graph holds, as a value of the type; None: it is none, or pictures, which are files there."""
    match type_:
        case InputType.STRING | InputType.TEXT:
            return held if isinstance(held, str) else None
        case InputType.INT:
            return as_integer(held)
        case InputType.FLOAT:
            return as_number(held)
        case InputType.BOOL:
            return held if isinstance(held, bool) else None
        case InputType.CHOICE | InputType.MODEL:
            return str(held) if isinstance(held, str | int | float) else None
        case _:
            return None


def _changed(base: GraphInput, change: GraphInput) -> GraphInput:
    blank = {field.name: field.default for field in fields(GraphInput)}
    given = {name: getattr(change, name) for name in _CHANGED_BY_VARIANTS}
    changed = replace(base, **{name: value for name, value in given.items() if value != blank[name]})
    changed = replace(changed, required=base.required or change.required)
    return replace(changed, default=_read(changed, changed.default)) if changed.default is not None else changed


def _read(field: GraphInput, default: Any) -> Any:
    """A default in its one form; what does not fit, as it is."""
    try:
        return read_value(field, default, _ANYTHING)
    except Unfit:
        return default
