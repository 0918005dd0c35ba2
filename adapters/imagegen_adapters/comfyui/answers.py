"""What ComfyUI answers over HTTP, as typed values. Pure. Raises Unintelligible for anything else."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from imagegen_adapters.comfyui.protocol import ExecutionFailed, OutputFile, failure_in, files_in
from imagegen_adapters.contract import Device
from imagegen_adapters.errors import Unintelligible

ATTEMPT_TAG = "imagegen_attempt"
"""Our attempt's id in `extra_data`: finds a prompt again whose id we never learnt, as older servers choose it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What `/system_stats` tells. Servers of 2024 tell no version: `release` is then empty and sorts first."""

    version: str = ""
    release: tuple[int, ...] = ()
    preview_method: str = ""
    """`--preview-method` of its command line, "none" where it is not given; empty: it does not tell."""
    devices: tuple[Device, ...] = ()

    @property
    def honours_interrupt_id(self) -> bool:
        # Up to 0.3.56, and where nothing is known, an interrupt stops whatever runs.
        return self.release >= (0, 3, 57)

    @property
    def has_jobs_api(self) -> bool:
        # Seen in the code of 0.38 only; where it is missing, the 404 leads back to the older way.
        return self.release >= (0, 5)

    @property
    def takes_preview_method(self) -> bool:
        """`extra_data.preview_method` per prompt, since 0.5.0."""
        return self.release >= (0, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The answer to a prompt that was queued, at least in part."""

    prompt_id: str
    node_errors: Mapping[str, Any]
    """Outputs that were left out; the others run."""


class Place(Enum):
    RUNNING = "running"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueEntry:
    prompt_id: str
    place: Place
    ahead: int
    """Jobs that come before it, running ones included; 0 for a running one."""
    attempt_id: str
    """Our tag; empty for prompts of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """How a prompt ended."""

    prompt_id: str
    is_success: bool
    is_interrupted: bool
    failure: ExecutionFailed | None
    files: tuple[OutputFile, ...]
    """In the order of the graph's output nodes."""
    attempt_id: str = field(default="")


@contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as exc:
        raise Unintelligible(f"the backend's answer to {what} cannot be understood") from exc


def read_server_info(answer: Any) -> ServerInfo:
    with _reading("/system_stats"):
        system = answer["system"]
        version = str(system.get("comfyui_version") or "")
        return ServerInfo(
            version="" if version == "unknown" else version,
            release=_release(version),
            preview_method=_preview_method(system.get("argv")),
            devices=tuple(_device(device) for device in answer.get("devices", ())),
        )


def read_submitted(answer: Any) -> Submitted:
    with _reading("/prompt"):
        node_errors = answer.get("node_errors") or {}  # older servers send an empty list for none
        return Submitted(prompt_id=str(answer["prompt_id"]), node_errors=dict(node_errors))


def read_queue_remaining(answer: Any) -> int:
    with _reading("/prompt"):
        return int(answer["exec_info"]["queue_remaining"])


def read_queue(answer: Any) -> tuple[QueueEntry, ...]:
    """Running ones first, then pending ones in the order in which they will run."""
    with _reading("/queue"):
        running = answer["queue_running"]
        pending = sorted(answer["queue_pending"], key=lambda item: float(item[0]))  # it is a heap
        return tuple(
            [_queue_entry(item, Place.RUNNING, 0) for item in running]
            + [_queue_entry(item, Place.PENDING, len(running) + rank) for rank, item in enumerate(pending)]
        )


def read_history(answer: Any) -> tuple[HistoryEntry, ...]:
    with _reading("/history"):
        return tuple(_history_entry(str(prompt_id), entry) for prompt_id, entry in answer.items())


def read_uploaded(answer: Any) -> str:
    """The name by which LoadImage finds the file: the server may have chosen another than we asked for."""
    with _reading("/upload/image"):
        name, subfolder = str(answer["name"]), str(answer.get("subfolder") or "")
        return f"{subfolder}/{name}" if subfolder else name


def read_names(answer: Any) -> tuple[str, ...]:
    """Folders of models, and files in them."""
    with _reading("/models"):
        return tuple(str(name) for name in answer)


def read_sizes(answer: Any) -> dict[str, int]:
    """Bytes of each file of a folder, by its name."""
    with _reading("/experiment/models"):
        return {str(entry["name"]): int(entry.get("size") or 0) for entry in answer}


def read_metadata(answer: Any) -> dict[str, str]:
    """What a file says about itself. Its writers may have put in other values than texts."""
    with _reading("/view_metadata"):
        return {str(key): value if isinstance(value, str) else str(value) for key, value in answer.items()}


def _queue_entry(item: Any, place: Place, ahead: int) -> QueueEntry:
    return QueueEntry(prompt_id=str(item[1]), place=place, ahead=ahead, attempt_id=_tag(item))


def _history_entry(prompt_id: str, entry: Any) -> HistoryEntry:
    status = entry.get("status") or {}
    messages = {str(name): data for name, data in status.get("messages", ())}
    failure = messages.get("execution_error")
    return HistoryEntry(
        prompt_id=prompt_id,
        is_success=status.get("status_str", "success") == "success",
        is_interrupted="execution_interrupted" in messages,
        failure=failure_in(failure) if failure is not None else None,
        files=tuple(file for node, output in entry["outputs"].items() for file in files_in(output, str(node))),
        attempt_id=_tag(entry["prompt"]),
    )


def _tag(prompt: Any) -> str:
    extra_data = prompt[3]
    return str(extra_data.get(ATTEMPT_TAG, "")) if isinstance(extra_data, Mapping) else ""


def _release(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _preview_method(argv: Any) -> str:
    if not isinstance(argv, list):
        return ""
    for position, argument in enumerate(argv):
        name, _, value = str(argument).partition("=")
        if name == "--preview-method":
            return value or str(argv[position + 1])
    return "none"


def _device(device: Mapping[str, Any]) -> Device:
    return Device(
        name=str(device.get("name", "")),
        memory_total_bytes=int(device.get("vram_total") or 0),
        memory_free_bytes=int(device.get("vram_free") or 0),
    )
