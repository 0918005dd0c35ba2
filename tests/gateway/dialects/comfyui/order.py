"""In which order ComfyUI tells of a prompt: rules that hold for the real server's recordings and for ours."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.gateway.dialects.comfyui.client import LAST_WORDS


def check_order(messages: Sequence[str | bytes], prompt_id: str, *, has_metadata: bool) -> None:
    """Asserts the rules for one prompt that was alone on its socket."""
    told = [_read(message) for message in messages]
    own = [(kind, data) for kind, data in told if data is None or data.get("prompt_id") == prompt_id]
    kinds = [kind for kind, _ in own]
    assert kinds[:2] == ["execution_start", "execution_cached"]
    assert sum(kind in LAST_WORDS for kind in kinds) == 1
    assert kinds[-2] in LAST_WORDS
    assert own[-1][0] == "executing"
    assert own[-1][1]["node"] is None
    last_word = kinds[-2]
    assert [kind for kind, _ in told[-3:]] == [last_word, "status", "executing"]
    _check_nodes(own[:-1])
    _check_pictures(kinds, has_metadata=has_metadata)


def _check_nodes(own: list[tuple[str, Any]]) -> None:
    started: set[str] = set()
    for before, (kind, data) in pairwise(own):
        match kind:
            case "executing":
                assert before[0] == "progress_state"
                assert before[1]["nodes"][data["node"]]["state"] == "running"
                started.add(data["node"])
            case "progress_state":
                assert started <= data["nodes"].keys()
            case "progress":
                assert data["node"] in started
                assert data["value"] <= data["max"]


def _check_pictures(kinds: list[str], *, has_metadata: bool) -> None:
    for place, kind in enumerate(kinds):
        if kind == "picture":
            assert kinds[place + 1 if has_metadata else place - 1] == "progress"
            assert "progress_state" in {kinds[place - 1], kinds[place - 2]}


def _read(message: str | bytes) -> tuple[str, Any]:
    if isinstance(message, bytes):
        return "picture", None
    content = json.loads(message)
    return content["type"], content["data"]
