"""What goes out on a websocket, and how it is encoded there. Pure.

Binary frames begin with the number of their kind. A preview of the old kind names neither job nor node: readers take
it for the node of which they heard last. One of the new kind says both, and goes to those that asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

PREVIEW: Final = 1
PREVIEW_WITH_METADATA: Final = 4
FORMATS: Final = {"image/jpeg": 1, "image/png": 2}
"""What previews of the old kind can be."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message."""

    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A preview."""

    prompt_id: str
    node_id: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SentResult:
    """A picture that its graph wants sent and not saved (SaveImageWebsocket): its bytes are to be fetched."""

    prompt_id: str
    node_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Departure:
    """The prompt is none of the unfinished ones any more: how many are left is to be told."""


Frame: TypeAlias = Text | Picture | SentResult | Departure


def encode_text(frame: Text) -> str:
    """A message as JSON text."""
    return orjson.dumps({"type": frame.type, "data": frame.data}).decode()


def encode_picture(frame: Picture, *, has_metadata: bool) -> bytes | None:
    """A picture as a binary frame; None for one that the old kind cannot say."""
    if has_metadata:
        about = orjson.dumps(
            {
                "node_id": frame.node_id,
                "prompt_id": frame.prompt_id,
                "display_node_id": frame.node_id,
                "parent_node_id": None,
                "real_node_id": frame.node_id,
                "image_type": frame.media_type,
            }
        )
        return _u32(PREVIEW_WITH_METADATA) + _u32(len(about)) + about + frame.data
    code = FORMATS.get(frame.media_type)
    return None if code is None else _u32(PREVIEW) + _u32(code) + frame.data


def status(unfinished: int, *, sid: str | None = None) -> Text:
    """How many of the client's prompts have not ended; `sid` stands in the first frame of a socket."""
    data: dict[str, Any] = {"status": {"exec_info": {"queue_remaining": unfinished}}}
    if sid is not None:
        data["sid"] = sid
    return Text("status", data)


def executing(prompt_id: str, node_id: str | None) -> Text:
    """A node begins; None: the prompt has ended, and nothing more comes of it."""
    if node_id is None:
        return Text("executing", {"node": None, "prompt_id": prompt_id})
    return Text("executing", {"node": node_id, "display_node": node_id, "prompt_id": prompt_id})


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")
