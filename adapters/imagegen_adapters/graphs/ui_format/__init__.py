"""Graphs in UI format, as ComfyUI's page saves them, made into API format, as it sends them. Pure."""

from imagegen_adapters.graphs.ui_format.converting import Converted, convert
from imagegen_adapters.graphs.ui_format.documents import is_ui_format

__all__ = ["Converted", "convert", "is_ui_format"]
