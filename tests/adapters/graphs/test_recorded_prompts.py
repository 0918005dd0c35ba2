"""The check against what a real ComfyUI 0.3.64 said to the same graphs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from imagegen_adapters.graphs.checking import find_problems_of_json
from imagegen_adapters.graphs.node_classes import read_node_classes
from imagegen_adapters.graphs.problems import ProblemCode, Severity
from tests.adapters.comfyui.recordings import answers
from tests.adapters.graphs.definitions import recorded_object_info

CLASSES = read_node_classes(recorded_object_info())
ACCEPTED = json.loads((Path(__file__).parents[2] / "recordings" / "comfyui" / "accepted_prompts.json").read_text())
ANSWERS = {name: answer for name, answer in answers().items() if isinstance(answer.get("graph"), dict)}
REFUSED = {
    name: answer
    for name, answer in ANSWERS.items()
    if answer["status"] in {200, 400} and (answer["status"] == 400 or answer["json"]["node_errors"])
}
WHOLE = {"prompt_no_outputs": ProblemCode.NO_OUTPUT, "prompt_outputs_failed_validation": ProblemCode.CYCLE}


def test_what_it_accepted_is_no_error() -> None:
    accepted = {name: answer["graph"] for name, answer in ANSWERS.items() if name in {"width_65", "unknown_input"}}
    accepted.update({recording["from"]: recording["graph"] for recording in ACCEPTED})

    errors = {
        name: problem.message
        for name, graph in accepted.items()
        for problem in find_problems_of_json(graph, CLASSES)
        if problem.severity is Severity.ERROR
    }

    assert len(accepted) == 20
    assert errors == {}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_refused_is_an_error_at_the_same_place(name: str) -> None:
    if name == "ui_format_workflow":  # of which it says that node "nodes" has no class
        return
    problems = find_problems_of_json(REFUSED[name]["graph"], CLASSES)
    # A file that it has not may have come since its list was read.
    errors = [each for each in problems if each.severity is Severity.ERROR or each.code is ProblemCode.FILE_MISSING]
    places = {(problem.node_id, problem.input_name) for problem in errors}
    nodes = {problem.node_id for problem in errors}

    answer = REFUSED[name]["json"]
    for node_id, entry in answer["node_errors"].items():
        for error in entry["errors"]:
            assert node_id in nodes
            assert error["type"].startswith("exception_") or (node_id, error["extra_info"]["input_name"]) in places
    if not answer["node_errors"]:
        assert _is_found(answer["error"], nodes, {problem.code for problem in errors})


def _is_found(error: dict[str, Any], nodes: set[str], codes: set[ProblemCode]) -> bool:
    named = re.fullmatch("Node ID '#(.*)'", error["details"])
    return named[1] in nodes if named else WHOLE[error["type"]] in codes
