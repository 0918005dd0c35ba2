"""Makes a workflow with proposed inputs of whatever people have. Pure; to be called in a thread.

A graph that is not understood can still be run as it is: problems say what was not understood.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.checking import find_problems_of_json
from imagegen_adapters.graphs.graph import Graph
from imagegen_adapters.graphs.inputs import Confidence, GraphInput, InputType, Proposal
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.openwebui_mapping import read_openwebui_mapping
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity
from imagegen_adapters.graphs.proposing import propose
from imagegen_adapters.graphs.ui_format import convert
from imagegen_server.metadata.files import Embedded
from imagegen_server.metadata.parameters import Known, is_parameters, parse
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.documents import Document, Unreadable, read_document, title_of
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.rendering import inputs_of
from imagegen_server.workflows.structure import find_faults, is_node

MAX_GRAPH_BYTES: Final = 4 * 1024 * 1024
MAX_PROBLEMS: Final = 200
_IMAGES: Final = frozenset({InputType.IMAGE, InputType.MASK})


class Format(Enum):
    """The names of `imagegen.v1.WorkflowFormat`."""

    COMFYUI_API = "comfyui_api"
    COMFYUI_UI = "comfyui_ui"
    OPENWEBUI = "openwebui"
    A1111 = "a1111"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, and what was lost, guessed or not understood on the way."""

    workflow: Workflow
    """Ready to be stored, but for its id."""
    format: Format
    proposals: tuple[Proposal, ...] = ()
    problems: tuple[GraphProblem, ...] = ()
    image: Mapping[str, Any] | None = None
    """What a `parameters` text asks for: fields of ImageParameters as the parser gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What graphs and names are read with."""

    classes: NodeClasses
    known: Known


class NotAWorkflow(Exception):
    """Nothing fits. `str()` says what was tried."""


class InvalidMapping(Exception):
    """Open WebUI's mapping does not go with the graph."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        """Their paths begin at the mapping's list, as `[2].node_ids`."""
        super().__init__(violations[0].description)
        self.violations = tuple(violations)


def read_text(text: str, surroundings: Surroundings, *, name: str = "", mapping: Any = None) -> Imported:
    """Raises NotAWorkflow and InvalidMapping."""
    try:
        document = read_document(text)
    except Unreadable as unreadable:
        if is_parameters(text) and mapping is None:
            return _of_parameters(text, surroundings, name)
        message = f"the text {unreadable}; nor is it A1111's, which has a line with 'Steps: ...'"
        raise NotAWorkflow(message) from unreadable
    return _of_document(document, surroundings, name, mapping=document.mapping if mapping is None else mapping)


def read_picture(embedded: Embedded, surroundings: Surroundings, *, name: str = "", mapping: Any = None) -> Imported:
    """Raises NotAWorkflow and InvalidMapping."""
    documents = []
    for text in (embedded.graph_json, embedded.ui_json):
        try:
            documents += [read_document(text)] if text else []
        except Unreadable:
            continue  # the next form may be better
    api = next((each.api_format for each in documents if each.api_format is not None), None)
    ui = next((each.ui_format for each in documents if each.ui_format is not None), None)
    if api is not None or ui is not None:
        title = next((each.name for each in documents if each.name), "")
        document = Document(api_format=api, ui_format=ui, name=title)
        return _of_document(document, surroundings, name, mapping=mapping)
    if embedded.parameters:
        return _of_parameters(embedded.parameters, surroundings, name)
    raise NotAWorkflow(
        "the picture says nothing about how it was made: neither ComfyUI's graph nor A1111's text is in it"
    )


def _of_document(document: Document, surroundings: Surroundings, name: str, *, mapping: Any) -> Imported:
    problems: list[GraphProblem] = []
    nodes: Mapping[str, Any]
    if document.api_format is not None:
        nodes = {node_id: entry for node_id, entry in document.api_format.items() if is_node(entry)}
        problems += map(_left_out, [node_id for node_id in document.api_format if node_id not in nodes])
        format_ = Format.COMFYUI_API
    elif document.ui_format is not None:
        converted = convert(document.ui_format, surroundings.classes)
        nodes, format_ = converted.api_format, Format.COMFYUI_UI
        problems += converted.problems
    else:
        raise NotAWorkflow(
            "the JSON is neither a graph in API format ({'3': {'class_type': ..., 'inputs': ...}, ...}) nor one in UI "
            "format ({'nodes': [...], 'links': [...]}), and has none under prompt, output or workflow"
        )
    if mapping is not None:
        nodes, proposals = _mapped(nodes, mapping, format_)
        format_ = Format.OPENWEBUI
    else:
        proposals = propose(Graph(nodes), surroundings.classes) if nodes else ()
    workflow = Workflow(
        workflow_id="",
        title=title_of(name, document),
        graph_json=json.dumps(nodes, ensure_ascii=False),
        inputs=tuple(each.input for each in proposals),
        ui_json=json.dumps(document.ui_format, ensure_ascii=False) if document.ui_format is not None else "",
    )
    workflow, lost = _storable(workflow)
    kept = set(workflow.inputs)
    return Imported(
        workflow=workflow,
        format=format_,
        proposals=tuple(each for each in proposals if each.input in kept),
        problems=_worst([*problems, *lost, *_found(nodes, workflow.inputs, surroundings.classes)]),
    )


def _mapped(nodes: Mapping[str, Any], mapping: Any, format_: Format) -> tuple[Mapping[str, Any], tuple[Proposal, ...]]:
    if format_ is not Format.COMFYUI_API:
        raise InvalidMapping([Violation("", "goes only with a graph in API format; this one is in UI format")])
    mapped = read_openwebui_mapping(mapping, nodes)
    if isinstance(mapped, tuple):
        raise InvalidMapping(mapped)
    reason = "Open WebUI's mapping says so"
    return mapped.api_format, tuple(
        Proposal(input=each, confidence=Confidence.HIGH, reason=reason) for each in mapped.inputs
    )


def _storable(workflow: Workflow) -> tuple[Workflow, list[GraphProblem]]:
    """The workflow without what would keep it from being stored. Raises NotAWorkflow."""
    problems = []
    if len(workflow.graph_json.encode()) > MAX_GRAPH_BYTES:
        raise NotAWorkflow(f"its graph takes more than {MAX_GRAPH_BYTES} bytes in API format")
    if len(workflow.ui_json.encode()) > MAX_GRAPH_BYTES:
        workflow = replace(workflow, ui_json="")
        problems.append(_lost(f"the graph in UI format is left out: it takes more than {MAX_GRAPH_BYTES} bytes"))
    faults = find_faults(workflow)
    if faults.of_graph:
        raise NotAWorkflow(f"its graph {faults.of_graph[0].description}")
    problems += [_lost(f"an input is left out: {fault.field} {fault.description}") for fault in faults.of_fields]
    at_fault = {int(number) for fault in faults.of_fields for number in re.findall(r"^inputs\[(\d+)\]", fault.field)}
    inputs = tuple(each for number, each in enumerate(workflow.inputs) if number not in at_fault)
    return replace(workflow, inputs=inputs), problems


def _found(nodes: Mapping[str, Any], inputs: Iterable[GraphInput], classes: NodeClasses) -> tuple[GraphProblem, ...]:
    """What is wrong with the graph, as far as is known what the backends have."""
    uploads = {
        (target.node_id, target.input_name) for each in inputs if each.type in _IMAGES for target in each.targets
    }
    return find_problems_of_json(nodes, classes if classes.by_name else None, uploads)


def _of_parameters(text: str, surroundings: Surroundings, name: str) -> Imported:
    parsed = parse(text, surroundings.known)
    fields_ = {key: _plain(value) for key, value in parsed.image.items()}
    base = BUILT_IN["image-to-image" if "denoise" in fields_ else "text-to-image"]
    defaults = inputs_of(base, fields_)
    inputs = tuple(
        GraphInput(name=field.name, type=field.input.type, default=defaults[field.name])
        for field in base.form
        if field.name in defaults and field.input.type is not InputType.SEED
    )
    prompt = str(fields_.get("prompt", ""))
    workflow = Workflow(
        workflow_id="",
        title=title_of(name or " ".join(prompt.split()[:6]).replace("/", " ")),
        base=base.workflow_id,
        inputs=inputs,
    )
    workflow, lost = _storable(workflow)
    reason = "the text says so"
    return Imported(
        workflow=workflow,
        format=Format.A1111,
        proposals=tuple(Proposal(input=each, confidence=Confidence.HIGH, reason=reason) for each in workflow.inputs),
        problems=_worst([*(_lost(note, ProblemCode.SETTING_LOST) for note in parsed.notes), *lost]),
        image=parsed.image,
    )


def _plain(value: Any) -> Any:
    """Without what is not said: values as JSON has them."""
    if is_dataclass(value):
        named = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {key: each for key, each in named.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _left_out(node_id: str) -> GraphProblem:
    message = f"{node_id[:64]!r} is left out: it is no node, which has a class_type and inputs"
    return GraphProblem(
        severity=Severity.WARNING, code=ProblemCode.NODE_MALFORMED, message=message, node_id=node_id[:128]
    )


def _lost(message: str, code: ProblemCode = ProblemCode.CONVERSION) -> GraphProblem:
    return GraphProblem(severity=Severity.WARNING, code=code, message=message)


def _worst(problems: Iterable[GraphProblem]) -> tuple[GraphProblem, ...]:
    """Errors first."""
    return tuple(sorted(problems, key=lambda each: each.severity is not Severity.ERROR)[:MAX_PROBLEMS])
