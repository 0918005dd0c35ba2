"""Prompts as ComfyUI lists them in its queue and its history. Pure."""

from typing import Any, Final

import orjson
from google.protobuf import json_format, struct_pb2

from imagegen.v1 import job_pb2
from imagegen_client.specs import whole_numbers
from imagegen_gateway.dialects.comfyui.endings import (
    CLIENT_ID,
    ending_of,
    milliseconds,
    number_of,
    prompt_id_of,
)
from imagegen_gateway.dialects.comfyui.filenames import file_name
from imagegen_gateway.dialects.comfyui.graphs import Graph, class_of, ends_of

SENDER: Final = "SaveImageWebsocket"
"""The class whose pictures are sent and not saved."""
KIND: Final = "comfyui"
"""Where `extra_data` lies in a job's backend_options."""


def graph_of(job: job_pb2.Job) -> Graph:
    """The graph of a job, which the server has found to be one."""
    graph: Graph = orjson.loads(job.spec.graph.json)
    return graph


def queue_entry(job: job_pb2.Job) -> list[Any]:
    """A prompt that has not ended."""
    return _entry(job, graph_of(job))


def history_entry(job: job_pb2.Job) -> dict[str, Any]:
    """A prompt that has ended."""
    graph = graph_of(job)
    outputs = _outputs(job, graph)
    is_success = job.state == job_pb2.JOB_STATE_SUCCEEDED
    return {
        "prompt": _entry(job, graph),
        "outputs": outputs,
        "status": {
            "status_str": "success" if is_success else "error",
            "completed": is_success,
            "messages": _messages(job, graph),
        },
        "meta": {node_id: _meta(node_id) for node_id in outputs},
    }


def _entry(job: job_pb2.Job, graph: Graph) -> list[Any]:
    # The text is put in as it is: its numbers may be larger than what JSON's writers write.
    text = orjson.Fragment(job.spec.graph.json)
    return [number_of(job), prompt_id_of(job), text, extra_data_of(job), ends_of(graph)]


def extra_data_of(job: job_pb2.Job) -> dict[str, Any]:
    """What the client gave along with the graph, and its own id."""
    given = struct_pb2.Struct()
    if KIND in job.spec.backend_options.fields:
        given = job.spec.backend_options.fields[KIND].struct_value
    extra_data: dict[str, Any] = whole_numbers(json_format.MessageToDict(given))
    if CLIENT_ID in job.spec.labels:
        extra_data["client_id"] = job.spec.labels[CLIENT_ID]
    return extra_data


def _messages(job: job_pb2.Job, graph: Graph) -> list[Any]:
    """What a client that watched was told, as far as it is still known: not which nodes were cached."""
    begun = {"prompt_id": prompt_id_of(job), "timestamp": milliseconds(job.start_time)}
    messages: list[Any] = []
    if job.HasField("start_time"):
        messages = [["execution_start", begun], ["execution_cached", {"nodes": [], **begun}]]
    return [*messages, list(ending_of(job, graph))]


def _outputs(job: job_pb2.Job, graph: Graph) -> dict[str, Any]:
    """The files that a job gave, by node."""
    outputs: dict[str, Any] = {}
    for output in sorted(job.outputs, key=lambda output: output.index):
        if class_of(graph, output.node_id) != SENDER:
            add_file(outputs.setdefault(output.node_id, {}), output)
    return outputs


def add_file(shown: dict[str, Any], output: job_pb2.Output) -> None:
    """Adds a file to what its node shows."""
    media_type = output.asset.media_type
    shown.setdefault("audio" if media_type.startswith("audio/") else "images", []).append(file_of(output))
    if media_type.startswith("video/"):
        shown["animated"] = [True]


def file_of(output: job_pb2.Output) -> dict[str, str]:
    """Where a client gets a file: the parameters of /view."""
    folder = "temp" if output.kind == job_pb2.OUTPUT_KIND_INTERMEDIATE else "output"
    return {"filename": file_name(output.asset), "subfolder": "", "type": folder}


def _meta(node_id: str) -> dict[str, Any]:
    return {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
