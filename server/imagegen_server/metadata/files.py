"""What a picture's file says about how it was made. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What a file holds; each is empty where it holds none."""

    parameters: str = ""
    """A1111's text, as it stands."""
    graph_json: str = ""
    """ComfyUI's `prompt`, a graph in API format: JSON text of an object."""
    ui_json: str = ""
    """ComfyUI's `workflow`, a graph in UI format: JSON text of an object."""


class UnreadableMetadata(Exception):
    """The file is none that can be understood: `str()` says why, for a person."""


def read(data: bytes) -> Embedded:
    """What a PNG, WebP or JPEG says. Never raises: of other files, and of broken ones what can be read."""
    raise NotImplementedError
