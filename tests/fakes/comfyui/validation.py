"""Checks a prompt and refuses it in the recorded words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.comfyui.profiles import Profile

_LONG_LIST = 20


@dataclass(slots=True)
class Checked:
    """`error` is None for a prompt that can run, at least in part."""

    error: dict[str, Any] | None
    node_errors: Any
    outputs: list[str] = field(default_factory=list)


class _Checker:
    def __init__(self, prompt: Mapping[str, Any], classes: Mapping[str, Any], has_file: Callable[[str], bool]) -> None:
        self._prompt = prompt
        self._classes = classes
        self._has_file = has_file
        self.errors: dict[str, list[dict[str, Any]]] = {}
        self._done: dict[str, bool] = {}

    def check(self, node_id: str) -> bool:
        if node_id in self._done:
            return self._done[node_id]
        node = self._prompt[node_id]
        found: list[dict[str, Any]] = []
        is_valid = True
        sections = self._classes[node["class_type"]]["input"]
        required, optional = sections.get("required", {}), sections.get("optional", {})
        for name, spec in {**required, **optional}.items():
            value = node["inputs"].get(name)
            if value is None:
                if name in required:
                    found.append(_error("required_input_missing", "Required input is missing", name, input_name=name))
                continue
            if isinstance(value, list):
                is_valid &= self._check_link(found, name, spec, value)
            else:
                found.extend(_value_errors(name, spec, value))
                found.extend(self._file_errors(node["class_type"], name, value))
        if found:
            self.errors.setdefault(node_id, []).extend(found)
        self._done[node_id] = is_valid and not found
        return self._done[node_id]

    def _check_link(self, found: list[dict[str, Any]], name: str, spec: Any, value: list[Any]) -> bool:
        about = {"input_name": name, "input_config": spec}
        if len(value) != 2:
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            found.append(_error("bad_linked_input", message, name, **about, received_value=value))
            return True
        source, slot = value
        given = self._classes[self._prompt[source]["class_type"]]["output"][slot]
        if given != spec[0]:
            details = f"{name}, received_type({given}) mismatch input_type({spec[0]})"
            message = "Return type mismatch between linked nodes"
            found.append(_error("return_type_mismatch", message, details, **about, received_type=given))
            return True
        try:
            return self.check(source)
        except (KeyError, IndexError) as error:
            details = str(error)
            extra = {"exception_message": details, "exception_type": type(error).__name__, "linked_node": value}
            message = "Exception when validating inner node"
            traceback = ['  File "/srv/comfyui/execution.py", line 808, in validate_inputs\n']
            self.errors.setdefault(source, []).append(
                _error("exception_during_inner_validation", message, details, **about, **extra, traceback=traceback)
            )
            return False

    def _file_errors(self, class_type: str, name: str, value: Any) -> list[dict[str, Any]]:
        if class_type not in {"LoadImage", "LoadImageMask"} or name != "image" or self._has_file(str(value)):
            return []
        details = f"image - Invalid image file: {value}"
        return [_error("custom_validation_failed", "Custom validation failed for node", details, input_name=name)]


def check_prompt(
    prompt: Any, classes: Mapping[str, Any], profile: Profile, has_file: Callable[[str], bool], targets: Any = None
) -> Checked:
    for node_id, node in dict(prompt).items():
        if not isinstance(node, dict) or "class_type" not in node:
            message = "Cannot execute because a node is missing the class_type property."
            return _refused("invalid_prompt", message, profile, f"Node ID '#{node_id}'")
        if node["class_type"] not in classes:
            return _unknown_class(node_id, node, profile)
    outputs = [key for key in dict(prompt) if classes[prompt[key]["class_type"]]["output_node"]]
    if targets is not None:
        outputs = [key for key in outputs if key in targets]
    if not outputs:
        return _refused("prompt_no_outputs", "Prompt has no outputs", profile)
    return _check_outputs(prompt, classes, profile, has_file, outputs)


def _check_outputs(
    prompt: Mapping[str, Any],
    classes: Mapping[str, Any],
    profile: Profile,
    has_file: Callable[[str], bool],
    outputs: list[str],
) -> Checked:
    checker = _Checker(prompt, classes, has_file)
    good, details = [], ""
    node_errors: dict[str, Any] = {}
    for output in outputs:
        before = set(checker.errors)
        try:
            is_valid = checker.check(output)
        except RecursionError:
            is_valid = False
        except (KeyError, IndexError) as error:
            is_valid, details = False, f"Exception when validating node: {error}"
            checker.errors[output] = [
                _error("exception_during_validation", "Exception when validating node", str(error))
            ]
        if is_valid:
            good.append(output)
        for node_id in set(checker.errors) - before:
            entry = {"errors": checker.errors[node_id], "dependent_outputs": [output]}
            node_errors[node_id] = {**entry, "class_type": prompt[node_id]["class_type"]}
    if not good:
        message = "Prompt outputs failed validation"
        refused = _refused("prompt_outputs_failed_validation", message, profile, details)
        return Checked(error=refused.error, node_errors=node_errors)
    return Checked(error=None, node_errors=node_errors, outputs=good)


def _unknown_class(node_id: str, node: Mapping[str, Any], profile: Profile) -> Checked:
    class_type = node["class_type"]
    if profile.has_missing_node_type:
        extra = {"node_id": node_id, "class_type": class_type, "node_title": class_type}
        message = f"Node '{class_type}' not found. The custom node may not be installed."
        return _refused("missing_node_type", message, profile, f"Node ID '#{node_id}'", extra)
    message = f"Cannot execute because node {class_type} does not exist."
    return _refused("invalid_prompt", message, profile, f"Node ID '#{node_id}'")


def _refused(kind: str, message: str, profile: Profile, details: str = "", extra: Any = None) -> Checked:
    error = {"type": kind, "message": message, "details": details, "extra_info": extra or {}}
    return Checked(error=error, node_errors=profile.no_errors)


def _value_errors(name: str, spec: Any, value: Any) -> list[dict[str, Any]]:
    kind, settings = spec[0], spec[1] if len(spec) > 1 else {}
    about = {"input_name": name, "input_config": spec, "received_value": value}
    if isinstance(kind, list):
        if value in kind or "image_upload" in settings:
            return []
        # A list that is long is left out of the answer.
        is_long = len(kind) > _LONG_LIST
        listed = f"(list of length {len(kind)})" if is_long else str(kind)
        about["input_config"] = None if is_long else spec
        return [_error("value_not_in_list", "Value not in list", f"{name}: '{value}' not in {listed}", **about)]
    if kind not in {"INT", "FLOAT"}:
        return []  # choices of V3 nodes are not checked either
    try:
        number = int(value) if kind == "INT" else float(value)
    except ValueError as error:
        message = f"Failed to convert an input value to a {kind} value"
        return [_error("invalid_input_type", message, f"{name}, {value}, {error}", **about)]
    if "min" in settings and number < settings["min"]:
        return [
            _error("value_smaller_than_min", f"Value {number} smaller than min of {settings['min']}", name, **about)
        ]
    if "max" in settings and number > settings["max"]:
        return [_error("value_bigger_than_max", f"Value {number} bigger than max of {settings['max']}", name, **about)]
    return []


def _error(kind: str, message: str, details: str, **extra: Any) -> dict[str, Any]:
    return {"type": kind, "message": message, "details": details, "extra_info": extra}
