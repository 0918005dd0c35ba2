"""What clients post to /prompt, as a job. Pure.

Refused is what a queue for many clients and backends cannot keep: a `number`, which names a place among jobs of which
this client knows nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.protobuf import struct_pb2

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.comfyui.endings import CLIENT_ID, DIALECT, FRONT, PROMPT_ID
from imagegen_gateway.dialects.comfyui.entries import KIND
from imagegen_gateway.dialects.comfyui.graphs import Graph, class_of, only
from imagegen_gateway.errors import Problem

MAX_LABEL_CHARS: Final = 256
MAX_ID_CHARS: Final = 128
MAX_DEPTH: Final = 24
"""Levels of `extra_data`: each takes three of the hundred that a message may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a client asks for."""

    graph: Graph
    client_id: str = ""
    """Whose websocket is told; empty: nobody's."""
    prompt_id: str = ""
    """The id that the client chose; empty: it takes ours."""
    is_first: bool = False
    """Whether it goes before all that waits."""
    extra_data: Mapping[str, Any]


def read_prompt(body: Mapping[str, Any]) -> Prompt:
    """The prompt in a request's body. Raises Problem 400."""
    graph = body.get("prompt")
    if graph is None:
        raise Problem(400, "No prompt provided", reason="NO_PROMPT")
    if not isinstance(graph, Mapping):
        raise refused("PROMPT_NO_OUTPUTS", "prompt must be a graph in API format: an object of nodes by id")
    _check_nodes(graph)
    extra_data = body.get("extra_data", {})
    if not isinstance(extra_data, Mapping) or _depth(extra_data) > MAX_DEPTH:
        raise refused("INVALID_EXTRA_DATA", f"extra_data must be an object of at most {MAX_DEPTH} levels")
    if body.get("number") is not None:
        raise refused(
            "UNSUPPORTED_NUMBER", "number cannot be kept in a queue of many clients: use front, or leave it out"
        )
    return Prompt(
        graph=_targeted(graph, body.get("partial_execution_targets")),
        client_id=_client_id(body.get("client_id", extra_data.get("client_id"))),
        prompt_id=_prompt_id(body.get("prompt_id")),
        is_first=body.get("front") is True,
        extra_data={key: value for key, value in extra_data.items() if key != "client_id"},
    )


def refused(reason: str, detail: str) -> Problem:
    """A request that cannot be what the client means."""
    return Problem(400, detail, reason=reason)


def spec_for(prompt: Prompt, images: Mapping[str, str]) -> job_pb2.JobSpec:
    """The job. `images` are the files that the graph takes, as in RawGraph. Raises Problem 400."""
    labels = {DIALECT: "comfyui"}
    if prompt.client_id:
        labels[CLIENT_ID] = prompt.client_id
    if prompt.prompt_id:
        labels[PROMPT_ID] = prompt.prompt_id
    if prompt.is_first:
        labels[FRONT] = "true"
    graph = job_pb2.RawGraph(json=orjson.dumps(prompt.graph).decode(), images=images)
    spec = job_pb2.JobSpec(graph=graph, labels=labels)
    if prompt.extra_data.get("preview_method") == "none":  # some clients take every picture for a result
        spec.preview.mode = job_pb2.PREVIEW_MODE_OFF
    if prompt.extra_data:
        spec.backend_options.CopyFrom(_options(prompt.extra_data))
    return spec


def _options(extra_data: Mapping[str, Any]) -> struct_pb2.Struct:
    options = struct_pb2.Struct()
    options.update({KIND: extra_data})
    return options


def _check_nodes(graph: Graph) -> None:
    for node_id in graph:
        if not class_of(graph, node_id):
            message = "Cannot execute because a node is missing the class_type property."
            raise refused("INVALID_PROMPT", f"{message} Node ID '#{node_id}'")


def _targeted(graph: Graph, targets: object) -> Graph:
    if targets is None:
        return graph
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise refused("INVALID_TARGETS", "partial_execution_targets must be a list of node ids")
    wanted = only(graph, targets)
    if not wanted:
        raise refused("PROMPT_NO_OUTPUTS", "Prompt has no outputs")
    return wanted


def _client_id(value: object) -> str:
    client_id = "" if value is None else str(value)
    if len(client_id) > MAX_LABEL_CHARS:
        raise refused("INVALID_CLIENT_ID", f"client_id must have at most {MAX_LABEL_CHARS} characters")
    return client_id


def _prompt_id(value: object) -> str:
    if value is None:
        return ""
    prompt_id = str(value)
    if not 0 < len(prompt_id) <= MAX_ID_CHARS or not all("!" <= character <= "~" for character in prompt_id):
        raise refused(
            "INVALID_PROMPT_ID", f"prompt_id must be 1 to {MAX_ID_CHARS} printable ASCII characters, best a UUID"
        )
    return prompt_id


def _depth(value: object) -> int:
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, children), default=0)
