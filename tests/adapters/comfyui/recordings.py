"""Traffic recorded from real ComfyUI servers, trimmed: what a client saw, in order, and some answers over HTTP."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagegen_adapters.comfyui.protocol import Frame, FrameDecoder
from imagegen_adapters.graphs.node_classes import NodeClasses, read_node_classes

_FOLDER = Path(__file__).parents[2] / "recordings" / "comfyui"
_OBJECT_INFO = Path(__file__).parents[2] / "fakes" / "comfyui" / "object_info.json"

SCENARIOS = sorted(path.stem for path in _FOLDER.glob("*.jsonl"))


@dataclass(slots=True)
class Recording:
    """One session. Messages of the websocket belong to any of its prompts."""

    messages: list[str | bytes] = field(default_factory=list)
    graphs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By prompt id, in order of submission."""
    histories: dict[str, Any] = field(default_factory=dict)

    def frames(self) -> Iterator[Frame]:
        decoder = FrameDecoder()
        for message in self.messages:
            frame = decoder.decode(message)
            if frame is not None:
                yield frame

    def prompt(self, position: int) -> str:
        return list(self.graphs)[position]


def load(scenario: str) -> Recording:
    recording = Recording()
    for line in (_FOLDER / f"{scenario}.jsonl").read_text().splitlines():
        match json.loads(line):
            case {"text": text}:
                recording.messages.append(text)
            case {"binary": data}:
                recording.messages.append(base64.b64decode(data))
            case {"prompt_id": prompt_id, "graph": graph}:
                recording.graphs[prompt_id] = graph
            case {"history": history}:
                recording.histories.update(history)
    return recording


def answers() -> dict[str, Any]:
    """Status, body and (where it was a prompt) graph, by what was tried."""
    content: dict[str, Any] = json.loads((_FOLDER / "answers.json").read_text())
    return content


def recorded_classes() -> NodeClasses:
    """Node classes as 0.3.64 lists them."""
    return read_node_classes(json.loads(_OBJECT_INFO.read_text()))
