"""What a text that somebody calls a workflow is: JSON in one of the wrappings in which programs write it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from imagegen_adapters.graphs.graph import read_json
from imagegen_adapters.graphs.ui_format import is_ui_format
from imagegen_server.workflows.structure import is_deep, is_node

_API_KEYS: Final = ("prompt", "output", "graph", "api", "workflow", "COMFYUI_WORKFLOW", "graph_json")
_UI_KEYS: Final = ("workflow", "ui", "ui_json", "extra_pnginfo", "extra_data")
_MAPPING_KEYS: Final = ("COMFYUI_WORKFLOW_NODES", "nodes")
_MAX_WRAPPINGS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was found in a text; each is None where there is no such thing."""

    api_format: Mapping[str, Any] | None = None
    """Nodes by id; entries that are no nodes among them."""
    ui_format: Mapping[str, Any] | None = None
    mapping: Any = None
    """Open WebUI's, where the text is its settings."""
    name: str = ""
    """What the text calls it."""


class Unreadable(Exception):
    """A text that cannot be read as JSON. `str()` says why."""


def read_document(text: str) -> Document:
    """What a JSON text holds. Raises Unreadable."""
    document = _parsed(text)
    if not isinstance(document, dict):
        raise Unreadable(f"is JSON, but {_kind(document)} and no object")
    return _read(document, _MAX_WRAPPINGS)


def title_of(name: str, document: Document | None = None) -> str:
    """What to call a workflow: after its file, or as it calls itself."""
    given = PurePath(name.replace("\\", "/")).name
    stem, dot, ending = given.rpartition(".")
    title = stem if dot and stem and ending.lower() in {"json", "png", "webp", "jpg", "jpeg", "txt"} else given
    return (title or (document.name if document is not None else "") or "Imported workflow").strip()[:128]


def _parsed(text: str) -> Any:
    try:
        document = read_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise Unreadable(f"is no JSON: {error}") from error
    if is_deep(document):
        raise Unreadable("is nested too deeply")
    return document


def _read(document: Mapping[str, Any], depth: int) -> Document:
    # Open WebUI calls its mapping `nodes`, too, where it stands beside the graph.
    if is_ui_format(document) and not any(key in document for key in _API_KEYS):
        return Document(ui_format=document, name=_name(document))
    if any(map(is_node, document.values())):
        return Document(api_format=document)
    if depth == 0:
        return Document()
    inner = [*_wrapped(document, depth)]
    api = next((each for each in inner if each.api_format is not None), Document())
    ui = next((each for each in inner if each.ui_format is not None), Document())
    mappings = (_mapping(document.get(key)) for key in _MAPPING_KEYS)
    return Document(
        api_format=api.api_format,
        ui_format=ui.ui_format,
        mapping=next((each for each in mappings if each is not None), api.mapping),
        name=_name(document) or api.name or ui.name,
    )


def _wrapped(document: Mapping[str, Any], depth: int) -> Iterator[Document]:
    for key in dict.fromkeys((*_API_KEYS, *_UI_KEYS)):
        value = document.get(key)
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            try:
                value = _parsed(value)
            except Unreadable:
                continue
        if isinstance(value, dict):
            yield _read(value, depth - 1)


def _mapping(value: Any) -> Any:
    """A value that looks like Open WebUI's mapping, which may be JSON text in JSON; None: it does not."""
    if isinstance(value, str):
        try:
            value = _parsed(value)
        except Unreadable:
            return None
    is_list = isinstance(value, list) and bool(value)
    return value if is_list and all(isinstance(each, dict) and "node_ids" in each for each in value) else None


def _name(document: Mapping[str, Any]) -> str:
    extra = document.get("extra")
    places = (document, extra if isinstance(extra, Mapping) else {})
    found = (place.get(key) for place in places for key in ("name", "title", "workflow_name"))
    return next((name for name in found if isinstance(name, str) and name), "")


def _kind(value: Any) -> str:
    match value:
        case list():
            return "a list"
        case str():
            return "a text"
        case _:
            return "a single value"
