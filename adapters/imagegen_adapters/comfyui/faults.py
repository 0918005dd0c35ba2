"""What a backend's errors mean to the job. Pure.

Messages reach users: tracebacks, inputs and the server's paths stay out of them.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from imagegen_adapters.comfyui.protocol import ExecutionFailed
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.errors import AdapterError, GpuFault, NodeFailed, OutOfMemory, Rejected, Violation
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_adapters.graphs.node_classes import NodeClasses

_LONGEST_MESSAGE = 300
_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/](?:[^\s'\"\\/:]+[\\/])+([^\s'\"\\/:]*)")
_END_OF_MESSAGE = re.compile(r"\s*(?:Traceback|TIPS:|This error means|Compile with|For debugging)")
_OUT_OF_MEMORY = re.compile(r"out of memory|Allocation on device", re.IGNORECASE)
_GPU_FAULT = re.compile(
    r"(?:CUDA|HIP|cuDNN|CUBLAS|XPU)\s*error|CUDNN_STATUS|CUBLAS_STATUS|device-side assert|illegal memory access"
    r"|no CUDA-capable device|device lost",
    re.IGNORECASE,
)


def error_of(failure: ExecutionFailed, workflow: Workflow) -> AdapterError:
    """The error that ends an attempt of which a node raised."""
    message = readable(failure.message) or failure.kind or "no message"
    node = workflow.graph.nodes.get(failure.node)
    title = f"{node.title!r} " if node is not None and node.title != failure.node_type else ""
    where = f"node {failure.node} {title}({failure.node_type})"
    at = {"node_id": failure.node, "node_type": failure.node_type}
    if failure.kind.endswith("OutOfMemoryError") or _OUT_OF_MEMORY.search(failure.message):
        return OutOfMemory(f"the backend ran out of memory in {where}: {message}", **at)
    if _GPU_FAULT.search(failure.message):
        return GpuFault(f"the backend's GPU failed in {where}: {message}", **at)
    return NodeFailed(f"{where} failed: {message}", **at)


def readable(message: str) -> str:
    """The sentences of a message that are meant for people, on one line."""
    lines = []
    for line in message.splitlines():
        if _END_OF_MESSAGE.match(line):
            break
        lines.append(line.strip())
    text = _PATH.sub(r"…/\1", " ".join(line for line in lines if line))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE - 1]}…"


def rejection_of(answer: Any, workflow: Workflow, classes: NodeClasses | None) -> Rejected:
    """The error for a prompt that the server refused, wholly or in part. `answer` may be anything."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    error = error if isinstance(error, Mapping) else {"message": error}
    node_errors = answer.get("node_errors") if isinstance(answer, Mapping) else None
    violations = tuple(_node_violations(node_errors, workflow, classes)) or _whole_violations(error, workflow)
    reasons = "; ".join(f"{violation.field}: {violation.description}" for violation in violations[:3])
    return Rejected(f"the backend refused the request: {reasons}", violations)


def _node_violations(node_errors: Any, workflow: Workflow, classes: NodeClasses | None) -> Iterator[Violation]:
    for node_id, entry in node_errors.items() if isinstance(node_errors, Mapping) else ():
        errors = entry.get("errors") if isinstance(entry, Mapping) else None
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, Mapping):
                extra = error.get("extra_info")
                extra = extra if isinstance(extra, Mapping) else {}
                input_name = str(extra.get("input_name") or "")
                class_type = str(entry.get("class_type") or "")
                description = _description(error, extra, class_type, input_name, classes)
                yield Violation(workflow.field_of(str(node_id), input_name), description)


def _description(
    error: Mapping[str, Any], extra: Mapping[str, Any], class_type: str, input_name: str, classes: NodeClasses | None
) -> str:
    match error.get("type"):
        case "value_not_in_list":
            return unknown_name("choice", extra.get("received_value"), _allowed(extra, class_type, input_name, classes))
        case "exception_during_inner_validation":  # its details are a Python exception about the link's far end
            return "is linked to a node or output that the graph does not have"
        case "required_input_missing":
            return f"is missing; {class_type} needs it"
        case "value_smaller_than_min" | "value_bigger_than_max":
            return readable(str(error.get("message")))
        case _:
            return readable(f"{error.get('message')}: {error.get('details')}")


def _allowed(
    extra: Mapping[str, Any], class_type: str, input_name: str, classes: NodeClasses | None
) -> tuple[str, ...]:
    # The server leaves its list out when it is long.
    config = extra.get("input_config")
    if isinstance(config, list) and config and isinstance(config[0], list):
        return tuple(str(option) for option in config[0])
    return classes.options(class_type, input_name) if classes is not None else ()


def _whole_violations(error: Mapping[str, Any], workflow: Workflow) -> tuple[Violation, ...]:
    message = readable(str(error.get("message") or "no reason given"))
    extra = error.get("extra_info")
    node_id = str(extra.get("node_id") or "") if isinstance(extra, Mapping) else ""
    if not node_id:
        found = re.search(r"Node ID '#(.*)'", str(error.get("details") or ""))
        node_id = found[1] if found else ""
    if node_id and not workflow.passes:
        return (Violation(f"{workflow.field_of(node_id, '')}.class_type", message),)
    return (Violation("image" if workflow.passes else "graph.json", message),)
