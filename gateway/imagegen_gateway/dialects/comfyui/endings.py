"""How a prompt ended, in ComfyUI's words, and what the gateway calls it. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from google.protobuf import timestamp_pb2

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.comfyui.graphs import Graph, class_of
from imagegen_gateway.errors import from_status

DIALECT: Final = "dialect"
CLIENT_ID: Final = "comfyui.client_id"
PROMPT_ID: Final = "comfyui.prompt_id"
FRONT: Final = "comfyui.front"
"""Labels of a prompt's job: by them everything is found again."""
EXCEPTIONS: Final = {"BACKEND_OUT_OF_MEMORY": "torch.OutOfMemoryError"}
"""Classes of Python that programs look for; of others only our own word for them is known."""


def prompt_id_of(job: job_pb2.Job) -> str:
    """What the client calls the job: the id that it chose, or the job's own."""
    return job.spec.labels.get(PROMPT_ID) or job.job_id


def milliseconds(time: timestamp_pb2.Timestamp) -> int:
    """As ComfyUI's timestamps."""
    return time.ToMilliseconds()


def number_of(job: job_pb2.Job) -> int:
    """The smaller it is the earlier the prompt runs, as ComfyUI numbers them: what was put in front is below zero."""
    number = milliseconds(job.create_time)
    return -number if FRONT in job.spec.labels else number


def has_begun(job: job_pb2.Job) -> bool:
    """Whether anything was ever done for it: what was taken out of the queue leaves no trace in history."""
    return job.HasField("start_time") or job.state != job_pb2.JOB_STATE_CANCELLED


def is_interrupted(job: job_pb2.Job) -> bool:
    """Whether an ended job was stopped by somebody."""
    return job.state == job_pb2.JOB_STATE_CANCELLED or from_status(job.error).reason == "INTERRUPTED_AT_BACKEND"


def ending_of(job: job_pb2.Job, graph: Graph, *, node_id: str = "", executed: Sequence[str] = ()) -> tuple[str, Any]:
    """The last word about an ended job: type and data of the message. `node_id` was at work last, if that is known."""
    about = {"prompt_id": prompt_id_of(job)}
    stamp = {"timestamp": milliseconds(job.end_time)}
    if job.state == job_pb2.JOB_STATE_SUCCEEDED:
        return "execution_success", {**about, **stamp}
    problem = from_status(job.error)
    node_id = problem.metadata.get("node_id", node_id)
    about |= {"node_id": node_id, "node_type": class_of(graph, node_id)}
    if is_interrupted(job):
        return "execution_interrupted", {**about, "executed": list(executed), **stamp}
    # Inputs and traceback stay behind, as they did on their way from the backend: they leak.
    return "execution_error", {
        **about,
        "executed": list(executed),
        "exception_message": f"{problem.detail}\n",
        "exception_type": EXCEPTIONS.get(problem.reason, problem.reason),
        "traceback": [],
        "current_inputs": {},
        "current_outputs": [],
        **stamp,
    }
