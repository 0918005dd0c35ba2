"""What was there before the installer changed it, so that it can be put back. Pure.

1. Of each item the value before our first change is kept, and a digest of the value that we left: so the file holds
   no key of ours. A key that somebody else had put there is kept as it was, because it has to be put back.
2. An item that is no longer as we left it was changed by somebody: it is theirs now. Uninstalling leaves it, and
   installing again takes it as the value to come back to.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from imagegen_client.errors import InvalidRequest
from imagegen_client.openwebui.items import CHAT, FILTER, TOOLS, Change, Value

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One item that we have changed."""

    was: Value
    """Its value before."""
    left: str
    """Digest of the value that we gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All that we have changed at one Open WebUI."""

    gateway: str = ""
    """The gateway that it was set up for last."""
    items: Mapping[str, Kept] = field(default_factory=dict)


def remember(record: Record, changes: Sequence[Change]) -> Record:
    """The record to be written before the changes are made."""
    return replace(record, items={**record.items, **{change.item: _kept(record, change) for change in changes}})


def forget(record: Record, items: Sequence[str]) -> Record:
    """The record without these items."""
    return replace(record, items={item: kept for item, kept in record.items.items() if item not in items})


def undoing(record: Record, current: Mapping[str, Value]) -> tuple[list[Change], list[str]]:
    """What puts everything back, and the items that others have changed since, which stay."""
    changes, theirs = [], []
    for item, kept in record.items.items():
        now = current.get(item)
        if now == kept.was:
            continue
        if digest(now) == kept.left:
            changes.append(Change(item=item, was=now, becomes=kept.was))
        else:
            theirs.append(item)
    return changes, theirs


def moved(record: Record, current: Mapping[str, Value], desired: Mapping[str, Value]) -> dict[str, Value]:
    """What is left from a gateway at another address, and is to be taken back with a change to `desired`."""
    undone = {change.item: change.becomes for change in undoing(record, current)[0]}
    kinds = {prefix for prefix in (CHAT, TOOLS, FILTER) if any(item.startswith(prefix) for item in desired)}
    return {
        item: value
        for item, value in undone.items()
        if item not in desired and any(item.startswith(prefix) for prefix in kinds)
    }


def digest(value: Value) -> str:
    """The same for the same JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def record_as_json(record: Record) -> dict[str, Value]:
    """The record as it is stored."""
    items = {item: {"was": kept.was, "left": kept.left} for item, kept in record.items.items()}
    return {"version": VERSION, "gateway": record.gateway, "items": items}


def record_from_json(data: Value) -> Record:
    """The stored record. Raises InvalidRequest for what is none."""
    try:
        if data["version"] != VERSION:
            raise InvalidRequest(f"it was written by another version of imagegen: {data['version']}")
        items = {item: Kept(was=kept["was"], left=kept["left"]) for item, kept in data["items"].items()}
        return Record(gateway=data["gateway"], items=items)
    except (KeyError, TypeError, AttributeError) as exc:
        raise InvalidRequest("it is not a record of what was changed") from exc


def _kept(record: Record, change: Change) -> Kept:
    former = record.items.get(change.item)
    is_ours = former is not None and digest(change.was) == former.left
    return Kept(was=former.was if former is not None and is_ours else change.was, left=digest(change.becomes))
