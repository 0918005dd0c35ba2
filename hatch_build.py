"""Keeps a wheel from being made without the page, which git ignores because it is built."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # part of the interface
        page = Path(self.root, "gateway", "imagegen_gateway", "static", "index.html")
        if version == "standard" and not page.exists():
            raise RuntimeError("the page is not built: run `make page` first")
