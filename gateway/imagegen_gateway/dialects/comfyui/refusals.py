"""Problems in ComfyUI's own shape: {"error": {"type", "message", "details", "extra_info"}, "node_errors": {}}. Pure."""

import json
import re
from typing import Any, Final

import orjson
from aiohttp import web

from imagegen_gateway.dialects.comfyui.graphs import Graph, class_of, dependent_ends, inputs_of
from imagegen_gateway.errors import FieldError, Problem

MAX_TRACED_NODES: Final = 1000
"""In larger graphs it is not worked out which outputs need a node."""
NODE_PATH: Final = re.compile(r'spec\.graph\.json\[("(?:[^"\\]|\\.)*")\](?:\.class_type|\.inputs\.(.+))?')
IMAGE_PATH: Final = re.compile(r'spec\.graph\.images\["(.+)\.([^.]+)"\]')
FAILED: Final = ("prompt_outputs_failed_validation", "Prompt outputs failed validation")
NO_OUTPUTS: Final = ("prompt_no_outputs", "Prompt has no outputs")
KINDS: Final = (
    (r"is missing;", "required_input_missing", "Required input is missing"),
    (r"below the smallest value", "value_smaller_than_min", "Value smaller than min"),
    (r"above the largest value", "value_bigger_than_max", "Value bigger than max"),
    (r"must be (a whole|a) number", "invalid_input_type", "Failed to convert an input value"),
    (r"no such (choice|model)", "value_not_in_list", "Value not in list"),
    (r"is linked to|must be a link", "bad_linked_input", "Bad linked input"),
    (r"takes \S+, and output", "return_type_mismatch", "Return type mismatch between linked nodes"),
)
"""What ComfyUI calls the faults that our checks find, by their words."""


def answer_problem(problem: Problem) -> web.Response:
    """Any problem, as the answer to a request."""
    error = _error(problem.reason.lower() or "request_failed", problem.detail)
    return response_of(problem, {"error": error, "node_errors": {}})


def refuse_prompt(problem: Problem, graph: Graph) -> web.Response:
    """The answer to a prompt that the server did not accept."""
    refusal = refusal_of(problem, graph)
    if refusal["node_errors"]:
        problem.status = 400  # also where what a node names is not there
        node_id, entry = next(iter(refusal["node_errors"].items()))
        problem.detail = f"node {node_id} ({entry['class_type']}): {entry['errors'][0]['details']}"
    return response_of(problem, refusal)


def response_of(problem: Problem, body: dict[str, Any]) -> web.Response:
    """The answer with such a body."""
    return problem.answer(orjson.dumps(body), sentence=problem.detail)


def refusal_of(problem: Problem, graph: Graph) -> dict[str, Any]:
    """What is wrong with a prompt: by node as far as nodes are at fault, otherwise as a whole."""
    node_errors: dict[str, Any] = {}
    for fault in problem.errors:
        if (match := NODE_PATH.fullmatch(fault.field)) is not None:
            node_id, input_name = str(json.loads(match[1])), match[2] or ""
            if not input_name:
                return _unknown_class(graph, node_id, fault.description)
            _add(node_errors, graph, node_id, _input_error(graph, node_id, input_name, fault))
        elif (match := IMAGE_PATH.fullmatch(fault.field)) is not None:
            _add(node_errors, graph, match[1], _file_error(graph, match[1], match[2]))
        elif "no output node" in fault.description or "has no node" in fault.description:
            return {"error": _error(*NO_OUTPUTS, fault.description), "node_errors": {}}
    if node_errors:
        return {"error": _error(*FAILED), "node_errors": node_errors}
    kind, message = FAILED if problem.reason == "INVALID_GRAPH" else (problem.reason.lower(), problem.detail)
    details = problem.errors[0].description if problem.errors else ""
    return {"error": _error(kind, message, details), "node_errors": {}}


def _unknown_class(graph: Graph, node_id: str, description: str) -> dict[str, Any]:
    class_type = class_of(graph, node_id)
    message = f"Cannot execute because node {class_type} does not exist."
    about = {"node_id": node_id, "class_type": class_type, "reason": description}
    return {"error": _error("invalid_prompt", message, f"Node ID '#{node_id}'", **about), "node_errors": {}}


def _error(kind: str, message: str, details: str = "", **extra_info: Any) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def _add(node_errors: dict[str, Any], graph: Graph, node_id: str, error: dict[str, Any]) -> None:
    if node_id not in node_errors:
        dependents = dependent_ends(graph, node_id) if len(graph) <= MAX_TRACED_NODES else []
        entry = {"errors": [], "dependent_outputs": dependents, "class_type": class_of(graph, node_id)}
        node_errors[node_id] = entry
    node_errors[node_id]["errors"].append(error)


def _input_error(graph: Graph, node_id: str, input_name: str, fault: FieldError) -> dict[str, Any]:
    found = next((kind for kind in KINDS if re.search(kind[0], fault.description)), None)
    kind, message = (
        found[1:] if found is not None else ("custom_validation_failed", "Custom validation failed for node")
    )
    details = f"{input_name}: {fault.description}"
    inputs = inputs_of(graph, node_id)
    received = {"received_value": inputs[input_name]} if input_name in inputs else {}
    return _error(kind, message, details, input_name=input_name, input_config=None, **received)


def _file_error(graph: Graph, node_id: str, input_name: str) -> dict[str, Any]:
    details = f"{input_name} - Invalid image file: {inputs_of(graph, node_id).get(input_name)}"
    return _error("custom_validation_failed", "Custom validation failed for node", details, input_name=input_name)
