"""What a workflow is. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from imagegen_adapters.graphs.inputs import GraphInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """An input as callers fill it."""

    input: GraphInput
    """Of a variant: what the base says, with the variant's own changes. `default` is filled in from the graph."""
    target_classes: tuple[str, ...] = ()
    """The classes of the nodes that its targets are of, in their order; empty for built-in workflows."""

    @property
    def name(self) -> str:
        return self.input.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow in one revision. Either a graph, or what a built-in one is made of, or a variant of one."""

    workflow_id: str
    revision: int = 0
    """From 1; 0: not stored yet."""
    title: str = ""
    """Empty: the id."""
    description: str = ""
    graph_json: str = ""
    """The graph in API format; empty for what is made into ImageParameters, for variants, and in lists."""
    base: str = ""
    """The built-in workflow that it is a variant of; empty: none."""
    inputs: tuple[GraphInput, ...] = ()
    """As they were given. Of a variant: those that differ from the base's."""
    form: tuple[Field, ...] = ()
    """All inputs as they count, in the order in which to ask for them."""
    ui_json: str = ""
    """The graph in UI format, for editors; empty: there is none."""
    labels: Mapping[str, str] = field(default_factory=dict)
    is_built_in: bool = False
    owner: str = ""
    """Who stored this revision."""
    create_time: float | None = None
    """When the first revision was stored; None: it is built in."""
    update_time: float | None = None
    """When this revision was stored."""

    @property
    def makes_parameters(self) -> bool:
        """Whether a job of it is made into ImageParameters rather than a graph."""
        return self.is_of_ours and (self.base or self.workflow_id) in PARAMETER_WORKFLOWS

    @property
    def is_of_ours(self) -> bool:
        """Whether it is a built-in one, or a variant of one."""
        return self.is_built_in or bool(self.base)


PARAMETER_WORKFLOWS: Final = frozenset({"text-to-image", "image-to-image", "inpaint"})
"""The built-in workflows that every kind of backend can run."""
