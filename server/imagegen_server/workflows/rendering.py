"""What a workflow becomes with values for its inputs: a graph, or the fields of ImageParameters. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.graphs.graph import is_link
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.workflows.built_in import BUILT_IN, HIRES, TEXT_ENCODERS
from imagegen_server.workflows.loaders import Nodes, loras_in, replace_loaders
from imagegen_server.workflows.model import Workflow

_IMAGES: Final = frozenset({InputType.IMAGE, InputType.MASK})
_MASK_OUTPUT: Final = 1
"""Of LoadImage: what is transparent in the picture."""


def render_graph(workflow: Workflow, inputs: Mapping[str, Any]) -> RawGraph:
    """The graph with the values in their places. `inputs` are resolved; `workflow.makes_parameters` is false.

    Takes its time for large graphs: to be called in a thread.
    """
    nodes: Nodes = json.loads(graph_of(workflow))
    images: dict[str, str] = {}
    masks: list[str] = []
    given = [field.input for field in workflow.form if field.name in inputs]
    for each in given:
        if each.type in _IMAGES:
            placed = _placed(nodes, each, inputs[each.name])
            images |= placed
            masks += placed if each.type is InputType.MASK else ()
        elif each.type is not InputType.LORAS:
            for target in each.targets:
                _set(nodes, target, each.type, inputs[each.name])
    # At last, because loaders are copied as they are then, and some go with all that was set in them.
    for each in given:
        if each.type is InputType.LORAS and inputs[each.name] != loras_in(nodes, each.targets):
            replace_loaders(nodes, each.targets, inputs[each.name])
    return RawGraph(json=json.dumps(nodes, ensure_ascii=False), images=images, masks=tuple(masks))


def graph_of(workflow: Workflow) -> str:
    """The graph that its inputs are about, in API format."""
    return BUILT_IN[workflow.base].graph_json if workflow.base else workflow.graph_json


def _set(nodes: Nodes, target: Target, type_: InputType, value: Any) -> None:
    inputs = nodes[target.node_id].setdefault("inputs", {})
    if type_ in {InputType.INT, InputType.SEED}:
        value = int(value)
    elif type_ is InputType.FLOAT:
        value = float(value)
    elif type_ in {InputType.CHOICE, InputType.MODEL}:
        value = _as_before(inputs.get(target.input_name), value)
    inputs[target.input_name] = value


def _as_before(held: Any, choice: str) -> Any:
    """A choice in the form that the graph has there: some nodes choose among numbers."""
    if isinstance(held, int | float):
        try:
            other = json.loads(choice.lower())
        except ValueError:
            return choice
        return other if isinstance(other, int | float) else choice
    return choice


def _placed(nodes: Nodes, field: GraphInput, digest: str) -> dict[str, str]:
    """The uploads that bring a picture to its targets."""
    images = {}
    for target in field.targets:
        at = target
        if field.type is InputType.MASK and nodes[target.node_id]["class_type"] in {"LoadImage", "LoadImageMask"}:
            at = _mask_loader(nodes, target)
        nodes[at.node_id].setdefault("inputs", {}).setdefault(at.input_name, "")
        images[f"{at.node_id}.{at.input_name}"] = digest
    return images


def _mask_loader(nodes: Nodes, target: Target) -> Target:
    """Where to put a mask whose white is repainted.

    ComfyUI's own loaders of masks look at another channel, or take what is transparent in a picture.
    """
    if nodes[target.node_id]["class_type"] == "LoadImageMask":
        nodes[target.node_id].setdefault("inputs", {})["channel"] = "red"
        return target
    readers = [
        (node["inputs"], name)
        for node in nodes.values()
        for name, value in node.get("inputs", {}).items()
        if is_link(value) and value == [target.node_id, _MASK_OUTPUT]
    ]
    if not readers:
        return target
    node_id = f"{target.node_id}-mask"
    while node_id in nodes:
        node_id += "-mask"
    nodes[node_id] = {
        "class_type": "LoadImageMask",
        "inputs": {"image": "", "channel": "red"},
        "_meta": {"title": "Mask"},
    }
    for inputs, name in readers:
        inputs[name] = [node_id, 0]
    return Target(node_id, "image")


def parameters(workflow: Workflow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of ImageParameters by their names in the proto, for a workflow that `makes_parameters`.

    What the inputs leave open is left out. `hires` is {"scale", "upscaler", "steps", "denoise"}, `loras` a list of
    {"name", "weight", "text_encoder_weight"}, `text_encoders` a list of names.
    """
    assert workflow.makes_parameters, workflow.workflow_id
    hires = {field: inputs[name] for name, field in HIRES.items() if name in inputs}
    encoders = [inputs[name] for name in TEXT_ENCODERS if name in inputs]
    fields = {name: value for name, value in inputs.items() if name not in HIRES and name not in TEXT_ENCODERS}
    if "seed" in fields:
        fields["seed"] = int(fields["seed"])
    return fields | ({"hires": hires} if hires else {}) | ({"text_encoders": encoders} if encoders else {})


def inputs_of(workflow: Workflow, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The way back: inputs by name for fields of ImageParameters, so that what was chosen can be written back.

    Fields that the workflow has no input for, and those that say nothing, are left out.
    """
    encoders: Sequence[str] = fields.get("text_encoders") or ()
    hires: Mapping[str, Any] = fields.get("hires") or {}
    flat = {
        **fields,
        **dict(zip(TEXT_ENCODERS, encoders, strict=False)),
        **{name: hires.get(field) for name, field in HIRES.items()},
    }
    known = {field.name for field in workflow.form}
    return {name: value for name, value in flat.items() if name in known and value not in (None, "")}
