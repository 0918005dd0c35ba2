"""Workflows with what ComfyUI's page exported of them: recorded here, held by the default tests."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RECORDINGS = Path(__file__).parent.parent / "recordings/comfyui"
FOLDER = _RECORDINGS / "ui_graphs"
_CLASSES = "classes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    path: Path
    about: str
    workflow: Mapping[str, Any]
    page: str
    """The version of the page that exports this; others may export it otherwise."""
    output: Mapping[str, Any]

    def write(self) -> None:
        parts = {"about": self.about, "page": self.page, "output": self.output, "workflow": self.workflow}
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}" for key, part in parts.items())
        self.path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def read_object_info() -> bytes:
    """Of ComfyUI 0.3.64, whole, and a class of the kind that came later."""
    recorded = json.loads(gzip.decompress((_RECORDINGS / "object_info_0_3_64.json.gz").read_bytes()))
    return json.dumps(recorded | json.loads((FOLDER / _CLASSES).read_bytes())).encode()


def read_fixtures() -> list[Fixture]:
    paths = [path for path in sorted(FOLDER.glob("*.json")) if path.name != _CLASSES]
    return [Fixture(path=path, **json.loads(path.read_bytes())) for path in paths]


def comparable(output: Mapping[str, Any]) -> dict[str, Any]:
    """Without what newer pages tell of a node's origin, in a fixed order of nodes."""
    return {
        node_id: {**output[node_id], "_meta": {"title": output[node_id]["_meta"]["title"]}}
        for node_id in sorted(output)
    }
