"""A graph in UI format made into API format, as ComfyUI's page exports it. Pure.

The page is the only specification there is. What its versions do differently is done as the newest do it; titles are
those of the server's node definitions, as they are without translations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity
from imagegen_adapters.graphs.ui_format.documents import Mode, is_ui_format, read_document
from imagegen_adapters.graphs.ui_format.expanding import Element, Expansion, Place, TooLarge, inputs_by_link
from imagegen_adapters.graphs.ui_format.fields import live_fields
from imagegen_adapters.graphs.ui_format.following import Follower, Output, Value
from imagegen_adapters.graphs.ui_format.page_nodes import BROADCASTERS, PAGE_CLASSES, PRIMITIVE
from imagegen_adapters.graphs.ui_format.texts import replace_in_file_name, resolve_dynamic_prompt

Report = Callable[[GraphProblem], None]

_FILE_NAME = "filename_prefix"
_MAX_PROBLEMS = 500
_ALIAS = "Node name for S&R"
"""A property of nodes: the name by which file names refer to them."""
_INDEX_END = 2**32 - 1
"""Whole numbers from here on are keys like any others in JavaScript."""
_SAVING_CLASSES = frozenset(
    {"SaveImage", "SaveImageAdvanced", "SaveSVGNode", "SaveAnimatedWEBP", "SaveAnimatedPNG", "SaveWEBM", "SaveVideo"}
    | {"SaveAudio", "SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced", "SaveGLB", "Save3DAdvanced"}
    | {"SaveGaussianSplat", "SavePointCloud", "CLIPSave", "VAESave", "ModelSave", "LoraSave", "SaveLatent"}
)
"""Of which the page puts values of other nodes into the names of files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A graph in API format, and what was lost or left out on the way."""

    api_format: dict[str, Any]
    """Nodes by id, whole numbers first, as the page writes them; nodes of subgraphs are "12:3"."""
    problems: tuple[GraphProblem, ...]
    """What could not be converted, or not as the page would do it, node by node."""


def convert(workflow: Mapping[str, Any], classes: NodeClasses) -> Converted:
    """Never raises over what the workflow holds: what is not understood is left out and told as a problem."""
    if not is_ui_format(workflow):
        return _nothing("this is no workflow in UI format: it has no list of nodes")
    # Each problem once, in the order of their finding.
    problems: dict[GraphProblem, None] = {}

    def report(problem: GraphProblem) -> None:
        if len(problems) < _MAX_PROBLEMS:
            problems[problem] = None

    document = read_document(workflow)
    if document.malformed:
        message = f"{document.malformed} of its nodes are left out: they are no nodes, or have the id of another one"
        report(GraphProblem(severity=Severity.WARNING, code=ProblemCode.NODE_MALFORMED, message=message))
    try:
        root = Expansion(document, classes, report).expand()
    except TooLarge as error:
        return _nothing(str(error))
    return Converted(api_format=_Conversion(root, report).api_format(), problems=tuple(problems))


class _Conversion:
    def __init__(self, root: Place, report: Report) -> None:
        self._report = report
        self._follower = Follower(report)
        self._elements = [element for place in root.walk() for element in place.elements.values()]
        for place in root.walk():
            _apply_primitives(place)

    def api_format(self) -> dict[str, Any]:
        sent = {element.element_id: self._entry(element) for element in self._elements if self._is_sent(element)}
        # The page's JSON has ids that are whole numbers first, in their order.
        return dict(sorted(sent.items(), key=lambda item: int(item[0]) if _is_index(item[0]) else _INDEX_END))

    def _is_sent(self, element: Element) -> bool:
        if element.node.mode is not Mode.ALWAYS or element.definition is not None:
            return False
        if element.class_type in PAGE_CLASSES:
            return False
        if element.node_class is None and not _is_linked(element):
            self._report(element.problem("left out: its class is not known, and nothing is linked to it"))
            return False
        return True

    def _entry(self, element: Element) -> dict[str, Any]:
        self._report_losses(element)
        inputs = {name: _as_value(self._text(element, name, value)) for name, value in element.fields.items()}
        for slot, each in enumerate(element.inputs):
            match self._follower.origin(element, slot):
                case Output(node_id=node_id, slot=output):
                    inputs[each.name] = [node_id, output]
                case Value(value=value):
                    inputs[each.name] = _as_value(self._text(element, each.name, value))
                case None:
                    pass
        return {"inputs": inputs, "class_type": element.class_type, "_meta": {"title": element.title}}

    def _report_losses(self, element: Element) -> None:
        if element.node_class is None:
            self._report(_missing_class(element))
        for name in live_fields(element.node_class):
            message = f"{name!r} is made by the page when it sends the graph, so it is not in the file"
            self._report(element.problem(message, severity=Severity.ERROR, input_name=name))
        if element.class_type in BROADCASTERS:
            message = "links to inputs without lines, which only its own code on the page can do: draw the lines"
            self._report(element.problem(message, severity=Severity.ERROR))

    def _text(self, element: Element, name: str, value: Any) -> Any:
        """A text as the page sends it."""
        kind = element.node_class.inputs.get(name) if element.node_class else None
        if not isinstance(value, str) or kind is None:
            return value
        if name == "sampler_name" and element.class_type in ("KSampler", "KSamplerAdvanced"):
            return value.removeprefix("sample_")  # as it was called in the beginning
        if kind.has_dynamic_prompts:
            return self._prompt(element, name, value)
        if name == _FILE_NAME and element.class_type in _SAVING_CLASSES:
            return self._file_name(element, value)
        return value

    def _prompt(self, element: Element, name: str, value: str) -> str:
        resolved = resolve_dynamic_prompt(value)
        if resolved is None:
            message = f"the page takes one of the {{several|choices}} in {name!r} each time; the text is left as it is"
            self._report(element.problem(message, input_name=name))
            return value
        return resolved

    def _file_name(self, element: Element, value: str) -> str:
        if "%date:" in value:
            message = "the page puts in the date when it sends the graph; the text is left as it is"
            self._report(element.problem(message, input_name=_FILE_NAME))
        return replace_in_file_name(value, self._field_of)

    def _field_of(self, name: str, field: str) -> str | float | None:
        element = self._by_alias.get(name) or self._by_title.get(name)
        value = element.fields.get(field) if element is not None else None
        return value if isinstance(value, str | int | float) else None

    @cached_property
    def _by_alias(self) -> Mapping[object, Element]:
        aliases = ((element.node.properties.get(_ALIAS), element) for element in reversed(self._elements))
        return {alias: element for alias, element in aliases if isinstance(alias, str)}

    @cached_property
    def _by_title(self) -> Mapping[str, Element]:
        return {element.title: element for element in reversed(self._elements)}


def _apply_primitives(place: Place) -> None:
    """The value of a primitive is put into the fields that it is linked to; the link itself is not sent."""
    primitives = [element for element in place.elements.values() if element.class_type == PRIMITIVE]
    if not primitives:
        return
    by_link = inputs_by_link(place)
    for primitive in primitives:
        links = place.graph.links_from.get(primitive.node.node_id, ())
        targets = [by_link[link.link_id] for link in links if link.link_id in by_link]
        fields = [(element.fields, slot.widget or slot.name) for element, slot in targets]
        fields = [(each, name) for each, name in fields if name in each]
        if not fields:
            continue
        first, name = fields[0]
        value = primitive.fields.get("value", first[name])
        for each, name in fields:
            each[name] = value


def _is_linked(element: Element) -> bool:
    has_input = any(slot.link in element.place.graph.links for slot in element.inputs)
    return has_input or element.node.node_id in element.place.graph.links_from


def _missing_class(element: Element) -> GraphProblem:
    is_lost = bool(element.node.values) and not element.fields
    rest = "the values of its fields are lost, because nothing says which is whose" if is_lost else "fields are guessed"
    message = f"its class is not known; {rest}"
    return element.problem(message, severity=Severity.ERROR, code=ProblemCode.NODE_CLASS_MISSING)


def _as_value(value: Any) -> Any:
    """A list would be read as a link."""
    return {"__value__": value} if isinstance(value, list) else value


def _is_index(node_id: str) -> bool:
    return (
        node_id.isascii()
        and node_id.isdecimal()
        and len(node_id) <= 10
        and str(int(node_id)) == node_id
        and int(node_id) < _INDEX_END
    )


def _nothing(message: str) -> Converted:
    problem = GraphProblem(severity=Severity.ERROR, code=ProblemCode.CONVERSION, message=message)
    return Converted(api_format={}, problems=(problem,))
