"""Whether a workflow is one: what has to hold before it is stored. Pure.

It need not run anywhere: classes, files and links are no concern of this.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Final

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.graph import is_link, read_json
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.forms import fitting, variant_form
from imagegen_server.workflows.loaders import LORA_NAME, PASSED_ON
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.values import Allowed, Unfit, read_value

MOST_FAULTS: Final = 50
MAX_NODES: Final = 10_000
MAX_DEPTH: Final = 100
MAX_IMAGES: Final = 32
"""As many as a job can bring along."""
_ANYTHING: Final = Allowed()
_NUMBERS: Final = frozenset({InputType.INT, InputType.FLOAT, InputType.SEED})
_TEXTS: Final = frozenset({InputType.STRING, InputType.TEXT})
_NAMES: Final = frozenset({InputType.CHOICE, InputType.MODEL})
_IMAGES: Final = frozenset({InputType.IMAGE, InputType.MASK})

Nodes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What keeps a workflow from being stored. Paths begin at the workflow: `inputs[2].targets[0].node_id`."""

    of_graph: tuple[Violation, ...] = ()
    of_fields: tuple[Violation, ...] = ()


def find_faults(workflow: Workflow) -> Faults:
    """Takes its time for a large graph."""
    if workflow.base:
        return Faults(of_fields=tuple(islice(_variant_faults(workflow), MOST_FAULTS)))
    if not workflow.graph_json:
        return Faults(of_fields=(Violation("graph_json", "give either graph_json or base"),))
    nodes = read_graph(workflow.graph_json)
    if isinstance(nodes, str):
        return Faults(of_graph=(Violation("graph_json", nodes),))
    faults = chain(_name_faults(workflow.inputs), _graph_faults(nodes, workflow.inputs))
    return Faults(of_fields=tuple(islice(faults, MOST_FAULTS)))


def read_graph(text: str) -> Nodes | str:
    """The nodes by id; or why it is no graph in API format."""
    try:
        graph = read_json(text)
    except ValueError as error:
        return f"is no JSON: {error}"
    if not isinstance(graph, dict):
        return "must be a JSON object of nodes by id"
    if isinstance(graph.get("nodes"), list):
        return "is in UI format: ImportWorkflow makes a graph in API format of it"
    if not 0 < len(graph) <= MAX_NODES:
        return f"must have 1 to {MAX_NODES} nodes, not {len(graph)}"
    if is_deep(graph):
        return f"must not be nested deeper than {MAX_DEPTH}"
    for node_id, node in graph.items():
        if not is_node(node):
            return f"node {node_id[:64]!r} must be an object with class_type and inputs"
    return graph


def is_node(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("class_type"), str)
        and isinstance(entry.get("inputs", {}), dict)
    )


def is_deep(document: Any) -> bool:
    """Whether a JSON value is nested too deeply to be walked through."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _variant_faults(workflow: Workflow) -> Iterator[Violation]:
    base = BUILT_IN.get(workflow.base)
    if base is None:
        yield Violation("base", unknown_name("built-in workflow", workflow.base, list(BUILT_IN)))
        return
    if workflow.graph_json:
        yield Violation("graph_json", "a variant of a built-in workflow has no graph of its own")
    known = {field.name: field.input for field in base.form}
    yield from _name_faults(workflow.inputs)
    changed = {field.name: field.input for field in variant_form(base, workflow.inputs)}
    for number, each in enumerate(workflow.inputs):
        at = f"inputs[{number}]"
        if each.name not in known:
            yield Violation(f"{at}.name", unknown_name("input", each.name, list(known)))
            continue
        if each.type is not known[each.name].type:
            yield Violation(f"{at}.type", f"must be left out: it is {known[each.name].type.name} in {workflow.base}")
        if each.targets:
            yield Violation(f"{at}.targets", "must be left out: the base says where values go")
        yield from _value_faults(at, replace(changed[each.name], default=each.default))


def _name_faults(inputs: tuple[GraphInput, ...]) -> Iterator[Violation]:
    count = Counter(each.name for each in inputs)
    for number, each in enumerate(inputs):
        if not each.name:
            yield Violation(f"inputs[{number}].name", "must be given")
        elif count[each.name] > 1:
            yield Violation(f"inputs[{number}].name", f"must be unique: {count[each.name]} inputs are called so")


def _graph_faults(nodes: Nodes, inputs: tuple[GraphInput, ...]) -> Iterator[Violation]:
    taken: dict[Target, GraphInput] = {}
    readers = _slots_read(nodes) if any(each.type is InputType.LORAS for each in inputs) else {}
    for number, each in enumerate(inputs):
        at = f"inputs[{number}]"
        if not each.targets:
            yield Violation(f"{at}.targets", "must name at least one input of a node: it would change nothing")
        for place, target in enumerate(each.targets):
            path = f"{at}.targets[{place}]"
            fault = _target_fault(path, nodes, each, target, taken.get(target)) or _loader_fault(
                path, nodes, each, target, readers
            )
            if fault is not None:
                yield fault
            taken.setdefault(target, each)
        yield from _value_faults(at, each)
    images = sum(len(each.targets) for each in inputs if each.type in _IMAGES)
    if images > MAX_IMAGES:
        yield Violation("inputs", f"pictures and masks have {images} targets together; {MAX_IMAGES} are allowed")


def _target_fault(
    path: str, nodes: Nodes, field: GraphInput, target: Target, other: GraphInput | None
) -> Violation | None:
    node = nodes.get(target.node_id)
    if node is None:
        return Violation(f"{path}.node_id", unknown_name("node", target.node_id, list(nodes)))
    # The mask of a picture is what is transparent in it: both come out of one loader, and are told apart there.
    if other is not None and {field.type, other.type} != _IMAGES:
        return Violation(path, f"is set by {other.name!r} already")
    if "." in target.input_name and field.type in _IMAGES:
        return Violation(f"{path}.input", "must not hold a dot")
    held = node.get("inputs", {}).get(target.input_name)
    is_literal = held is not None and not is_link(held)
    if is_literal and field.type in _TEXTS | _NUMBERS and fitting(_as_held(field.type), held) is None:
        return Violation(path, f"does not take {field.type.name}: the graph holds {held!r:.60} there")
    return None


def _as_held(type_: InputType) -> InputType:
    return InputType.INT if type_ is InputType.SEED else type_


def _slots_read(nodes: Nodes) -> dict[str, set[int]]:
    """Which outputs of a node are linked to."""
    slots: dict[str, set[int]] = {}
    for node in nodes.values():
        for value in node.get("inputs", {}).values():
            if is_link(value):
                slots.setdefault(value[0], set()).add(value[1])
    return slots


def _loader_fault(
    path: str, nodes: Nodes, field: GraphInput, target: Target, readers: Mapping[str, set[int]]
) -> Violation | None:
    """Of LORAS: whether the node is a loader that can be left out, and multiplied."""
    if field.type is not InputType.LORAS:
        return None
    node = nodes[target.node_id]
    if target.input_name != LORA_NAME or PASSED_ON[0] not in node.get("inputs", {}):
        return Violation(path, f"LORAS needs the {LORA_NAME} of a loader that has an input {PASSED_ON[0]!r}")
    for slot in readers.get(target.node_id, ()):
        if not 0 <= slot < len(PASSED_ON) or PASSED_ON[slot] not in node["inputs"]:
            return Violation(path, f"LORAS cannot replace {node['class_type']}: its output {slot} is not passed on")
    return None


def _value_faults(at: str, field: GraphInput) -> Iterator[Violation]:
    """Whether limits and default go together with the type."""
    for name, types in (("minimum", _NUMBERS | _TEXTS), ("maximum", _NUMBERS | _TEXTS), ("step", _NUMBERS)):
        limit = getattr(field, name)
        if limit is not None and field.type not in types:
            yield Violation(f"{at}.{name}", f"means nothing for {field.type.name}")
        elif limit is not None and not math.isfinite(limit):
            yield Violation(f"{at}.{name}", "must be a finite number")
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        yield Violation(f"{at}.minimum", "must not be above maximum")
    if field.choices and field.type not in _NAMES | {InputType.LORAS}:
        yield Violation(f"{at}.choices", f"mean nothing for {field.type.name}")
    if field.model_type and field.type not in {InputType.MODEL, InputType.LORAS}:
        yield Violation(f"{at}.model_type", f"means nothing for {field.type.name}")
    if field.default is None:
        return
    if field.type is InputType.SEED:
        yield Violation(f"{at}.default_value", "a seed has none: the server chooses one")
        return
    try:
        read_value(field, field.default, _ANYTHING)
    except Unfit as unfit:
        yield Violation(f"{at}.default_value{unfit.at}", str(unfit))
