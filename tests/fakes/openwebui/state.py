"""What the fake knows. It can be looked at and changed at any time."""

from dataclasses import dataclass, field
from typing import Any

ADMIN_TOKEN = "sk-admin"
USER_TOKEN = "sk-user"
USER_OF_TOKEN = {ADMIN_TOKEN: "admin", USER_TOKEN: "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatEvent:
    """What somebody sent into a message of a chat."""

    user: str
    """Whose token it was: "admin" or "user"."""
    chat: str
    message: str
    type: str
    """As "status"."""
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that somebody uploaded."""

    id: str
    user: str
    name: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class State:
    """The whole of it."""

    version: str = "0.12.4"
    events: list[ChatEvent] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    chats: dict[str, str] = field(default_factory=dict)
    """Owner of a chat by its id; a chat that is not here belongs to whoever writes to it."""
