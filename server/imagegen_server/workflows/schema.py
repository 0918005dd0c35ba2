"""JSON Schema of a workflow's inputs, from which pages, the command line and OpenAPI derive their forms. Pure."""

from collections.abc import Mapping
from typing import Any

from imagegen_server.workflows.inputs import Allowed
from imagegen_server.workflows.model import Workflow


def input_schema(workflow: Workflow, allowed: Mapping[str, Allowed] | None = None) -> dict[str, Any]:
    """The schema (2020-12) of `WorkflowInvocation.inputs`, with choices as `allowed` says. Properties are in order."""
    raise NotImplementedError
