"""The workflows that are always there. Pure."""

from collections.abc import Mapping
from typing import Final

from imagegen_server.workflows.model import Workflow

BUILT_IN: Final[Mapping[str, Workflow]] = {}
"""By id, in the order in which they are listed."""
