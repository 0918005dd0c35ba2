"""What a document in UI format is. Pure."""

from collections.abc import Mapping
from typing import Any


def is_ui_format(document: Any) -> bool:
    """Whether a JSON document is what ComfyUI's page saves; the API format is an object of nodes by id."""
    return isinstance(document, Mapping) and isinstance(document.get("nodes"), list)
