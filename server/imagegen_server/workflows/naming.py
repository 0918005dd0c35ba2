"""Ids of workflows. Pure."""

import re
import unicodedata
from collections.abc import Container
from typing import Final

MAX_ID_CHARS: Final = 64
_FALLBACK: Final = "workflow"


def slug(title: str) -> str:
    """An id that resembles a title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_ID_CHARS].rstrip("-") or _FALLBACK


def free_id(title: str, taken: Container[str]) -> str:
    """An id that resembles a title and is not taken."""
    first = slug(title)
    candidate, number = first, 1
    while candidate in taken:
        number += 1
        ending = f"-{number}"
        candidate = first[: MAX_ID_CHARS - len(ending)].rstrip("-") + ending
    return candidate
