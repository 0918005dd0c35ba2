"""Values for all inputs of a workflow: those that were given, and what counts where none was. Pure."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.workflows.built_in import NEEDS
from imagegen_server.workflows.model import Field, Workflow
from imagegen_server.workflows.values import Allowed, Unfit, as_json, read_value, within

__all__ = ["Allowed", "InvalidInputs", "resolve"]

_NAMES: Final = frozenset({InputType.CHOICE, InputType.MODEL, InputType.IMAGE, InputType.MASK})
_ONE_WEIGHT: Final = "LoraLoaderModelOnly"
_UNKNOWN: Final = Allowed()
_MOST_VIOLATIONS: Final = 20


class InvalidInputs(Exception):
    """Values that cannot be."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        """Their paths begin at the invocation: `inputs.strength`."""
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in violations))
        self.violations = violations


def resolve(
    workflow: Workflow,
    given: Mapping[str, Any],
    *,
    choose_seed: Callable[[], int],
    allowed: Mapping[str, Allowed] | None = None,
    is_partial: bool = False,
) -> dict[str, Any]:
    """The values of all inputs that have one: those that were given, then defaults, then seeds that are chosen.

    They are as JSON has them: of whole numbers beyond 2^53 their digits. Resolving them again changes nothing.
    What has no default stays out: ImageParameters leave it open, and pictures are as the graph names them. A null is
    as good as nothing, and so is an empty name.
    `allowed` is by name of the input, as `Definitions.allowed` gives it. With `is_partial` inputs that are required may
    be missing.
    Raises InvalidInputs.
    """
    allowed = allowed or {}
    violations = [*islice(_unknown_names(workflow, given), _MOST_VIOLATIONS)]
    values: dict[str, Any] = {}
    for field in workflow.form:
        if len(violations) >= _MOST_VIOLATIONS:
            break  # looking for near matches takes its time
        limits = allowed.get(field.name, _UNKNOWN)
        value = given.get(field.name)
        try:
            if not _is_nothing(field, value):
                values[field.name] = read_value(field.input, value, limits)
            elif field.input.required and not is_partial:
                raise Unfit("is required")
            else:
                values |= _default(workflow, field, limits, choose_seed)
        except Unfit as unfit:
            violations.append(Violation(f"inputs.{field.name}{unfit.at}", str(unfit)))
    violations += () if violations else _meaningless(workflow, values)
    if violations:
        raise InvalidInputs(tuple(violations))
    return values


def _meaningless(workflow: Workflow, values: Mapping[str, Any]) -> Iterator[Violation]:
    """Values that would change nothing."""
    for field in workflow.form:
        if field.input.type is InputType.LORAS and set(field.target_classes) == {_ONE_WEIGHT}:
            for number, lora in enumerate(values.get(field.name, ())):
                if "text_encoder_weight" in lora:
                    path = f"inputs.{field.name}[{number}].text_encoder_weight"
                    yield Violation(path, "the workflow's loaders have one weight only: leave it out")
    for name, needed in NEEDS.items() if workflow.makes_parameters else ():
        if name in values and needed not in values:
            yield Violation(f"inputs.{name}", f"means nothing without {needed}: give both or none")


def _unknown_names(workflow: Workflow, given: Mapping[str, Any]) -> Iterator[Violation]:
    names = [field.name for field in workflow.form]
    for name in given:
        if name not in names:
            what = unknown_name("input", name[:64], names) if names else "the workflow has no inputs"
            yield Violation(f"inputs.{name[:64]}", what)


def _is_nothing(field: Field, value: Any) -> bool:
    return value is None or (value == "" and field.input.type in _NAMES)


def _default(workflow: Workflow, field: Field, allowed: Allowed, choose_seed: Callable[[], int]) -> Mapping[str, Any]:
    if field.input.type is InputType.SEED:
        return {field.name: _seed(field, allowed, choose_seed())}
    if field.input.default is not None and field.input.default != "":
        default = field.input.default
        return {field.name: as_json(default) if type(default) is int else default}
    if field.input.type not in _NAMES:
        return {} if field.input.default is None else {field.name: field.input.default}
    if (
        field.input.type is InputType.MODEL
        and workflow.is_of_ours
        and not workflow.makes_parameters
        and allowed.choices
    ):
        # The graphs that are built in name no files: nobody knows yet what a backend has.
        return {field.name: allowed.choices[0]}
    return {}


def _seed(field: Field, allowed: Allowed, chosen: int) -> int | str:
    limits = within(field.input, allowed)
    low, high = int(limits.minimum or 0), int(limits.maximum or 0)
    return as_json(low + chosen % (high - low + 1) if high >= low else low)
