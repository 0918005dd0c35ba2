"""Values for the inputs of a workflow: what is allowed, and what counts where none is given. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.errors import Violation
from imagegen_server.workflows.model import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What backends allow for an input where the workflow itself does not say. None: not known, so anything goes."""

    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


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
    Inputs of built-in workflows that are left out and have no default stay out: what ImageParameters leave open is
    chosen elsewhere. So do pictures that the graph itself names.
    `allowed` is by name of the input, as `Definitions.allowed` gives it. With `is_partial` inputs that are required may
    be missing.
    Raises InvalidInputs.
    """
    raise NotImplementedError
