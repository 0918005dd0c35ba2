"""Open WebUI's settings as items that can be compared, changed and put back one by one. Pure.

Its REST API only takes whole objects. An item is one thing in them that the installer may change:

    images/<FIELD>            a field of the image settings
    openai/enabled            whether connections for chat models are used at all
    openai/connection/<URL>   one such connection: {"key", "config"}, the latter only where there is one
    tools/connection/<URL>    one tool server's connection, whole
    filter/<ID>               a function: {"content", "active", "global", "valves"}

An item that is not there has the value None.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""JSON."""

IMAGES = "images/"
CHAT_ENABLED = "openai/enabled"
CHAT = "openai/connection/"
TOOLS = "tools/connection/"
FILTER = "filter/"
SECTIONS = ("images", "openai", "tools", "filter")
"""The parts that are written with one request each (the filter: with a few), in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One item, before and after."""

    item: str
    was: Value
    becomes: Value

    @property
    def section(self) -> str:
        return self.item.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What the REST API gave, as it is."""

    images: Mapping[str, Value]
    openai: Mapping[str, Value]
    tools: Sequence[Mapping[str, Value]]
    functions: Mapping[str, Mapping[str, Value]]
    """The functions that were looked for and are there, by id."""


def items_of(documents: Documents) -> dict[str, Value]:
    """All items, as they are now."""
    return {
        **{f"{IMAGES}{name}": value for name, value in documents.images.items()},
        CHAT_ENABLED: bool(documents.openai.get("ENABLE_OPENAI_API")),
        **{CHAT + each["url"]: _without_url(each) for each in _connections(documents)},
        **{TOOLS + str(each.get("url", "")): dict(each) for each in documents.tools},
        **{FILTER + name: dict(function) for name, function in documents.functions.items()},
    }


def changes_to(current: Mapping[str, Value], desired: Mapping[str, Value]) -> list[Change]:
    """What has to be done so that every desired item is as it should be."""
    return [
        Change(item=item, was=current.get(item), becomes=value)
        for item, value in desired.items()
        if current.get(item) != value
    ]


def by_section(changes: Sequence[Change]) -> list[tuple[str, list[Change]]]:
    """The changes that are made together, in the order in which they are made."""
    sections = [(section, [change for change in changes if change.section == section]) for section in SECTIONS]
    return [(section, own) for section, own in sections if own]


def images_after(documents: Documents, changes: Sequence[Change]) -> dict[str, Value]:
    """The image settings with their changes."""
    own = {change.item.removeprefix(IMAGES): change.becomes for change in changes if change.item.startswith(IMAGES)}
    return {**documents.images, **own}


def openai_after(documents: Documents, changes: Sequence[Change]) -> dict[str, Value]:
    """The connections for chat models with their changes; those of others keep their order and settings."""
    own = {change.item: change.becomes for change in changes if change.section == "openai"}
    is_enabled = own.pop(CHAT_ENABLED, documents.openai.get("ENABLE_OPENAI_API"))
    rest = _merged(_connections(documents), {item.removeprefix(CHAT): value for item, value in own.items()})
    return {
        "ENABLE_OPENAI_API": is_enabled,
        "OPENAI_API_BASE_URLS": [each["url"] for each in rest],
        "OPENAI_API_KEYS": [each["key"] for each in rest],
        "OPENAI_API_CONFIGS": {str(index): each["config"] for index, each in enumerate(rest) if "config" in each},
    }


def tools_after(documents: Documents, changes: Sequence[Change]) -> list[dict[str, Value]]:
    """The tool servers with their changes."""
    own = {change.item.removeprefix(TOOLS): change.becomes for change in changes if change.item.startswith(TOOLS)}
    return _merged(documents.tools, own)


def _merged(
    connections: Sequence[Mapping[str, Value]], own: Mapping[str, Mapping[str, Value] | None]
) -> list[dict[str, Value]]:
    """The list with those of `own` replaced, added at its end, or taken out."""
    known = [str(each.get("url", "")) for each in connections]
    values = [(url, own.get(url, each)) for url, each in zip(known, connections, strict=True)]
    values += [(url, value) for url, value in own.items() if url not in known]
    return [deepcopy({"url": url, **value}) for url, value in values if value is not None]


def _without_url(connection: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in connection.items() if name != "url"}


def _connections(documents: Documents) -> list[dict[str, Value]]:
    """The three lists, which belong together by position, as one."""
    urls: Sequence[str] = documents.openai.get("OPENAI_API_BASE_URLS") or []
    keys: Sequence[str] = documents.openai.get("OPENAI_API_KEYS") or []
    configs: Mapping[str, Value] = documents.openai.get("OPENAI_API_CONFIGS") or {}
    connections = []
    for index, url in enumerate(urls):
        connection = {"url": url, "key": keys[index] if index < len(keys) else ""}
        # By position, or by address, as old installations have it; by address it would be lost when saved.
        config = configs.get(str(index), configs.get(url))
        connections.append(connection if config is None else {**connection, "config": config})
    return connections
