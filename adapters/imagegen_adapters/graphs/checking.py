"""What is wrong with a graph, before a backend sees it. Pure.

A graph that ComfyUI takes is never refused: what is certain is an error, all else a warning.

- ComfyUI looks only at nodes that an output needs, and follows only inputs that their classes declare. (It must have
  the classes of all nodes, though.)
- A class of somebody else may take what its description does not say: by a check of its own, by types that equal all
  others, by more outputs than are listed. Missing models and missing inputs are certain there, too.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.fitting import (
    Misfit,
    absence_misfit,
    link_misfit,
    stranger_misfit,
    upload_misfit,
    value_misfit,
)
from imagegen_adapters.graphs.graph import Graph, Link, Node, input_path, is_link, node_path, read_json, upload_target
from imagegen_adapters.graphs.naming import UnknownName, shown
from imagegen_adapters.graphs.node_classes import NodeClass, NodeClasses
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity, node_label

MOST_PROBLEMS: Final = 200
MAX_NAME: Final = 128
"""Of node ids and inputs, in characters."""
MAX_CLASS_NAME: Final = 512
_MOST_VIOLATIONS = 50
_SHOWN_CYCLE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    severity: Severity
    misfit: Misfit
    path: str = "graph.json"
    node: Node | None = None
    input_name: str = ""


def check_graph(source: RawGraph, classes: NodeClasses | None, *, strict: bool = False) -> tuple[Violation, ...]:
    """What keeps a graph from running: its structure, and its nodes' inputs where the classes are known.

    `strict`: on a server that runs all that its outputs are linked to, and takes nothing but what its classes declare.
    """
    try:
        api_format = read_json(source.json)
    except ValueError as error:
        return (Violation("graph.json", f"is no JSON: {error}"),)
    uploads = {upload_target(key) for key in source.images}
    faults = _worst(_faults(api_format, classes, uploads, strict=strict), _MOST_VIOLATIONS)
    return tuple(_violation(each, classes) for each in faults if each.severity is Severity.ERROR)


def find_problems(
    graph: Graph,
    classes: NodeClasses | None,
    uploads: Collection[tuple[str, str]] = frozenset(),
    *,
    limit: int = MOST_PROBLEMS,
) -> tuple[GraphProblem, ...]:
    """What is wrong with a graph, errors first, then by node; at most `limit`.

    `uploads` are the inputs (node, name) that a file will be uploaded for. Without classes only the graph itself is
    looked at.
    """
    return find_problems_of_json(graph.api_format, classes, uploads, limit=limit)


def find_problems_of_json(
    api_format: Any,
    classes: NodeClasses | None,
    uploads: Collection[tuple[str, str]] = frozenset(),
    *,
    limit: int = MOST_PROBLEMS,
) -> tuple[GraphProblem, ...]:
    """As `find_problems`, of JSON that has not been looked at yet: it may be no graph at all."""
    return tuple(_problem(fault, classes) for fault in _worst(_faults(api_format, classes, uploads), limit))


def _worst(faults: Iterator[_Fault], limit: int) -> list[_Fault]:
    """The first so many, errors first; none are looked for any more when there are so many errors."""
    errors, warnings = list[_Fault](), list[_Fault]()
    for fault in faults:
        kept = errors if fault.severity is Severity.ERROR else warnings
        if len(kept) < limit:
            kept.append(fault)
        if len(errors) == limit:
            break
    return [*errors, *warnings][:limit]


def _violation(fault: _Fault, classes: NodeClasses | None) -> Violation:
    """Its path says which node; people know theirs by the title that they gave it."""
    title = _own_title(fault.node, classes) if fault.node is not None else ""
    return Violation(fault.path, f'"{title}": {fault.misfit.sentence}' if title else fault.misfit.sentence)


def _problem(fault: _Fault, classes: NodeClasses | None) -> GraphProblem:
    node, misfit, description = fault.node, fault.misfit, fault.misfit.sentence
    if node is None:
        return GraphProblem(severity=fault.severity, code=misfit.code, message=f"the graph {description}")
    place = f"{_label(node, classes)}, {fault.input_name}" if fault.input_name else _label(node, classes)
    return GraphProblem(
        severity=fault.severity,
        code=misfit.code,
        message=f"{place}: {description}",
        node_id=node.node_id,
        node_title=node.title,
        class_type=node.class_type,
        input_name=fault.input_name,
        suggestions=misfit.unknown.suggestions if misfit.unknown is not None else (),
    )


def _label(node: Node, classes: NodeClasses | None) -> str:
    return node_label(node.node_id, node.class_type, _own_title(node, classes))


def _own_title(node: Node, classes: NodeClasses | None) -> str:
    """Empty: it is called as its class."""
    node_class = classes.find(node.class_type) if classes is not None else None
    is_of_class = node.title == node.class_type or (node_class is not None and node.title == node_class.display_name)
    return "" if is_of_class else node.title


# --- what is looked at, in this order ---


def _faults(
    api_format: Any, classes: NodeClasses | None, uploads: Collection[tuple[str, str]], *, strict: bool = False
) -> Iterator[_Fault]:
    if not isinstance(api_format, dict):
        yield _whole("must be a JSON object of nodes by id", ProblemCode.NODE_MALFORMED)
    elif isinstance(api_format.get("nodes"), list):
        description = "is a workflow of the ComfyUI page, not a graph: export it with 'Export (API)'"
        yield _whole(description, ProblemCode.NODE_MALFORMED)
    elif not api_format:
        yield _whole("has no node", ProblemCode.NO_OUTPUT)
    else:
        malformed = [node_id for node_id, entry in api_format.items() if _form_fault(node_id, entry)]
        for node_id in malformed:
            description = _form_fault(node_id, api_format[node_id])
            node = Node(node_id=node_id[:MAX_NAME], class_type="", title="", inputs={})
            misfit = Misfit(code=ProblemCode.NODE_MALFORMED, description=description)
            yield _Fault(severity=Severity.ERROR, misfit=misfit, node=node, path=node_path(node.node_id))
        if not malformed:
            yield from _Check(Graph(api_format), classes, uploads, strict=strict).faults()


def _form_fault(node_id: str, entry: Any) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("inputs", {}), dict):
        return "must be an object with class_type and inputs"
    class_type = entry.get("class_type")
    if not isinstance(class_type, str):
        return "must be an object with class_type and inputs"
    if len(class_type) > MAX_CLASS_NAME:
        return f"class_type has more than {MAX_CLASS_NAME} characters"
    if len(node_id) > MAX_NAME or any(len(name) > MAX_NAME for name in entry.get("inputs", ())):
        return f"ids of nodes and names of inputs must not have more than {MAX_NAME} characters"
    return ""


def _whole(description: str, code: ProblemCode) -> _Fault:
    return _Fault(severity=Severity.ERROR, misfit=Misfit(code=code, description=description))


class _Check:
    """The check of one graph."""

    def __init__(
        self, graph: Graph, classes: NodeClasses | None, uploads: Collection[tuple[str, str]], *, strict: bool
    ) -> None:
        self._graph = graph
        self._strict = strict
        self._classes = classes
        self._uploads: dict[str, set[str]] = {}
        for node_id, input_name in uploads:
            self._uploads.setdefault(node_id, set()).add(input_name)
        self._outputs = graph.outputs(classes) if classes is not None else ()
        self._strange = [node.node_id for node in graph.nodes.values() if self._class_of(node) is None]
        """Nodes of classes that are not known: each may be an output."""
        self._needed = graph.reached_from([*self._outputs, *self._strange] or graph.nodes, self._follows)
        """ComfyUI looks at these only. Without an output it looks at none, but there it is no help to say less."""

    def faults(self) -> Iterator[_Fault]:
        yield from self._upload_faults()
        for node in self._graph.nodes.values():
            node_class = self._class_of(node)
            if self._classes is not None and node_class is None:
                yield _class_fault(node, self._classes)
            for name, misfit in self._misfits(node, node_class):
                yield _Fault(
                    severity=self._severity(node, misfit),
                    misfit=misfit,
                    path=input_path(node.node_id, name),
                    node=node,
                    input_name=name,
                )
        yield from self._cycle_faults()
        if self._classes is not None and not self._outputs and not self._strange:
            yield _whole("has no output node: add one that saves, as SaveImage", ProblemCode.NO_OUTPUT)

    def _class_of(self, node: Node) -> NodeClass | None:
        return self._classes.find(node.class_type) if self._classes is not None else None

    def _follows(self, node: Node, link: Link) -> bool:
        node_class = self._class_of(node)
        return self._strict or node_class is None or node_class.find_input(link.input_name) is not None

    def _severity(self, node: Node, misfit: Misfit) -> Severity:
        is_certain = misfit.is_certain or (self._strict and misfit.code is not ProblemCode.INPUT_UNKNOWN)
        return Severity.ERROR if is_certain and node.node_id in self._needed else Severity.WARNING

    def _upload_faults(self) -> Iterator[_Fault]:
        for node_id in sorted(self._uploads.keys() - self._graph.nodes.keys()):
            misfit = Misfit(code=ProblemCode.INPUT_UNKNOWN, description=f"has no node {shown(node_id)}")
            for input_name in sorted(self._uploads[node_id]):
                path = f'graph.images["{node_id}.{input_name}"]'
                yield _Fault(severity=Severity.ERROR, misfit=misfit, path=path)

    def _misfits(self, node: Node, node_class: NodeClass | None) -> Iterator[tuple[str, Misfit]]:
        """By input, those that the class has before those that only the node has."""
        links = {link.input_name: link for link in node.links}
        declared = node_class.inputs if node_class is not None else ()
        uploads = self._uploads.get(node.node_id, set())
        for name in dict.fromkeys([*declared, *node.inputs, *sorted(uploads)]):
            is_upload = name in uploads
            found = [] if node_class is None else [_content_misfit(node, node_class, name, is_upload=is_upload)]
            if name in links and not is_upload:
                found.append(self._link_misfit(links[name], node_class))
            for misfit in found:
                if misfit is not None:
                    yield name, misfit

    def _link_misfit(self, link: Link, node_class: NodeClass | None) -> Misfit | None:
        source = self._graph.nodes.get(link.source)
        if source is None:
            description = f"is linked to node {shown(link.source)}, which the graph does not have"
            is_certain = node_class is None or node_class.find_input(link.input_name) is not None
            return Misfit(code=ProblemCode.LINK_DANGLING, description=description, is_certain=is_certain)
        source_class = self._class_of(source)
        if source_class is None:
            return None
        return link_misfit(link, self._label(source.node_id), source_class, node_class)

    def _cycle_faults(self) -> Iterator[_Fault]:
        cycle, severity = self._graph.cycle_among(self._needed), Severity.ERROR
        if not cycle:
            cycle, severity = self._graph.cycle, Severity.WARNING
        if cycle:
            more = " -> ..." if len(cycle) > _SHOWN_CYCLE else ""
            description = f"has a cycle: {' -> '.join(self._label(node_id) for node_id in cycle[:_SHOWN_CYCLE])}{more}"
            misfit = Misfit(code=ProblemCode.CYCLE, description=description)
            yield _Fault(severity=severity, misfit=misfit)

    def _label(self, node_id: str) -> str:
        return _label(self._graph.nodes[node_id], self._classes)


def _content_misfit(node: Node, node_class: NodeClass, name: str, *, is_upload: bool) -> Misfit | None:
    """What is wrong with an input without looking at other nodes."""
    if name not in node_class.inputs:
        return stranger_misfit(name, node_class, is_upload=is_upload)
    if is_upload:
        return upload_misfit(node_class.inputs[name])
    if name not in node.inputs:
        return absence_misfit(name, node_class)
    return None if is_link(node.inputs[name]) else value_misfit(node.inputs[name], name, node_class)


def _class_fault(node: Node, classes: NodeClasses) -> _Fault:
    unknown = UnknownName(what="node class", name=node.class_type, allowed=classes.by_name, has_many=True)
    misfit = Misfit(code=ProblemCode.NODE_CLASS_MISSING, unknown=unknown)
    path = f"{node_path(node.node_id)}.class_type"
    return _Fault(severity=Severity.ERROR, misfit=misfit, path=path, node=node)
