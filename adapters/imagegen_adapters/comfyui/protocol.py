"""What arrives on ComfyUI's websocket, as typed frames. Pure: text or bytes in, frames out.

Every frame but `ServerStatus` and `FeatureFlags` belongs to one prompt. Two kinds arrive without saying so: previews of
the old kind (event 1), which belong to the node that reported progress just before, and the `executing` that greets a
reconnected socket. `FrameDecoder` keeps what is needed to attribute the former.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from imagegen_adapters.errors import Unintelligible

FEATURE_FLAGS = '{"type": "feature_flags", "data": {"supports_preview_metadata": true}}'
"""Must be the first JSON message on every new socket: the server takes flags from no other."""

_PREVIEW, _TEXT, _PREVIEW_WITH_METADATA = 1, 3, 4
_MEDIA_TYPES = {1: "image/jpeg", 2: "image/png"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How many jobs the server has, running ones included. Sent to every socket."""

    queue_remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlags:
    """The server's answer to ours; servers up to 0.3.44 stay silent."""

    supports_preview_metadata: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStarted:
    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCached:
    prompt_id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Executing:
    """A node begins; with `node` None the prompt has ended, whatever the outcome."""

    prompt_id: str
    node: str | None
    display_node: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStepped:
    """`progress`: a node with a bar made a step."""

    prompt_id: str
    node: str
    value: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """How one node stands, out of `progress_state`."""

    node: str
    display_node: str
    value: float
    maximum: float
    is_finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressSnapshot:
    """`progress_state`: every node that was started so far."""

    prompt_id: str
    nodes: tuple[NodeState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file that the server wrote."""

    filename: str
    subfolder: str
    folder: str
    """"output", "temp" or "input"."""
    node: str

    @property
    def key(self) -> tuple[str, str, str]:
        """The same file may be listed more than once."""
        return self.folder, self.subfolder, self.filename


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeExecuted:
    """A node has shown its results."""

    prompt_id: str
    node: str
    files: tuple[OutputFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSucceeded:
    prompt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFailed:
    """What `execution_error` says. `kind` is the Python class of the exception, "torch.OutOfMemoryError"."""

    prompt_id: str
    node: str
    node_type: str
    kind: str
    message: str

    @property
    def is_blocked(self) -> bool:
        # An ExecutionBlocker reports itself as an error, and yet the prompt runs on and succeeds.
        return self.kind == "ExecutionBlocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionInterrupted:
    prompt_id: str
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFrame:
    """A preview, or a result of SaveImageWebsocket: only the node's class tells which."""

    prompt_id: str
    node: str
    media_type: str
    data: bytes


PromptFrame: TypeAlias = (
    ExecutionStarted
    | ExecutionCached
    | Executing
    | NodeStepped
    | ProgressSnapshot
    | NodeExecuted
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionInterrupted
    | ImageFrame
)
Frame: TypeAlias = PromptFrame | ServerStatus | FeatureFlags


class FrameDecoder:
    """Decodes the messages of one socket, in order. None: nothing that concerns us, as from custom nodes.

    Raises Unintelligible for what breaks the protocol; the socket can be read on.
    """

    def __init__(self) -> None:
        self._last_step: tuple[str, str] | None = None
        self._has_metadata = False

    def decode(self, message: str | bytes) -> Frame | None:
        try:
            frame = self._decode_text(message) if isinstance(message, str) else self._decode_binary(message)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as exc:
            raise Unintelligible(f"unintelligible websocket message of {len(message)} bytes") from exc
        match frame:
            case NodeStepped():
                self._last_step = frame.prompt_id, frame.node
            case Executing(node=str() as node):
                self._last_step = frame.prompt_id, node
            case FeatureFlags():
                self._has_metadata = frame.supports_preview_metadata
        return frame

    def _decode_text(self, text: str) -> Frame | None:
        message = orjson.loads(text)
        decode = _DECODERS.get(message["type"])
        return decode(message["data"]) if decode is not None else None

    def _decode_binary(self, data: bytes) -> ImageFrame | None:
        match _u32(data, 0):
            case event if event == _PREVIEW_WITH_METADATA:
                end = 8 + _u32(data, 4)
                about = orjson.loads(data[8:end])
                media_type = str(about.get("image_type", "image/jpeg"))
                prompt_id, node = str(about["prompt_id"]), str(about["node_id"])
                return ImageFrame(prompt_id=prompt_id, node=node, media_type=media_type, data=data[end:])
            case event if event == _PREVIEW:
                # With the flag on, whatever still comes as event 1 was broadcast for a job without client id.
                if self._has_metadata or self._last_step is None:
                    return None
                prompt_id, node = self._last_step
                return ImageFrame(prompt_id=prompt_id, node=node, media_type=_MEDIA_TYPES[_u32(data, 4)], data=data[8:])
            case _:
                return None


def files_in(output: object, node: str) -> tuple[OutputFile, ...]:
    """Every file that a node's output lists, under whatever key: images, gifs, audio, 3d."""
    lists = output.values() if isinstance(output, Mapping) else ()
    items = [item for items in lists if isinstance(items, list) for item in items if isinstance(item, Mapping)]
    return tuple(
        OutputFile(
            filename=item["filename"],
            subfolder=str(item.get("subfolder") or ""),
            folder=str(item.get("type") or "output"),
            node=node,
        )
        for item in items
        if isinstance(item.get("filename"), str)
    )


def failure_in(data: Mapping[str, Any]) -> ExecutionFailed:
    """The same object is in the frame and in history. Its traceback and inputs stay behind: they leak."""
    return ExecutionFailed(
        prompt_id=str(data["prompt_id"]),
        node=str(data.get("node_id") or ""),
        node_type=str(data.get("node_type") or ""),
        kind=str(data.get("exception_type") or ""),
        message=str(data.get("exception_message") or ""),
    )


def _u32(data: bytes, offset: int) -> int:
    if len(data) < offset + 4:
        raise ValueError("message too short")
    return int.from_bytes(data[offset : offset + 4], "big")


def _status(data: Mapping[str, Any]) -> ServerStatus:
    return ServerStatus(queue_remaining=int(data["status"]["exec_info"]["queue_remaining"]))


def _feature_flags(data: Mapping[str, Any]) -> FeatureFlags:
    return FeatureFlags(supports_preview_metadata=data.get("supports_preview_metadata") is True)


def _executing(data: Mapping[str, Any]) -> Executing | None:
    if "prompt_id" not in data:  # the greeting after a reconnect: no prompt, and nothing that HTTP does not tell better
        return None
    node = data["node"]
    display_node = data.get("display_node")
    return Executing(
        prompt_id=str(data["prompt_id"]),
        node=None if node is None else str(node),
        display_node=None if display_node is None else str(display_node),
    )


def _progress(data: Mapping[str, Any]) -> NodeStepped:
    return NodeStepped(
        prompt_id=str(data["prompt_id"]),
        node=str(data["node"] or ""),  # null for jobs without client id, up to 0.3.44
        value=float(data["value"]),
        maximum=float(data["max"]),
    )


def _progress_state(data: Mapping[str, Any]) -> ProgressSnapshot:
    nodes = (
        NodeState(
            node=str(node_id),
            display_node=str(state.get("display_node_id") or node_id),
            value=float(state["value"]),
            maximum=float(state["max"]),
            is_finished=state["state"] == "finished",
        )
        for node_id, state in data["nodes"].items()
    )
    return ProgressSnapshot(prompt_id=str(data["prompt_id"]), nodes=tuple(nodes))


def _executed(data: Mapping[str, Any]) -> NodeExecuted:
    node = str(data["node"])
    return NodeExecuted(prompt_id=str(data["prompt_id"]), node=node, files=files_in(data.get("output"), node))


_DECODERS: dict[str, Any] = {
    "status": _status,
    "feature_flags": _feature_flags,
    "execution_start": lambda data: ExecutionStarted(prompt_id=str(data["prompt_id"])),
    "execution_cached": lambda data: ExecutionCached(
        prompt_id=str(data["prompt_id"]), nodes=tuple(str(node) for node in data["nodes"])
    ),
    "executing": _executing,
    "progress": _progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": lambda data: ExecutionSucceeded(prompt_id=str(data["prompt_id"])),
    "execution_error": failure_in,
    "execution_interrupted": lambda data: ExecutionInterrupted(
        prompt_id=str(data["prompt_id"]), node=str(data.get("node_id") or "")
    ),
}
