"""What a workflow becomes with values for its inputs: a graph, or the fields of ImageParameters. Pure."""

from collections.abc import Mapping
from typing import Any

from imagegen_adapters.contract import RawGraph
from imagegen_server.workflows.model import Workflow


def render_graph(workflow: Workflow, inputs: Mapping[str, Any]) -> RawGraph:
    """The graph with the values in their places. `inputs` are resolved; `workflow.makes_parameters` is false.

    Takes its time for large graphs: to be called in a thread.
    """
    raise NotImplementedError


def parameters(workflow: Workflow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of ImageParameters by their names in the proto, for a workflow that `makes_parameters`.

    What the inputs leave open is left out. `hires` is {"scale", "upscaler", "steps", "denoise"}, `loras` a list of
    {"name", "weight", "text_encoder_weight"}, `text_encoders` a list of names.
    """
    raise NotImplementedError


def inputs_of(workflow: Workflow, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The way back: inputs by name for fields of ImageParameters, so that what was chosen can be written back.

    Fields that the workflow has no input for are left out.
    """
    raise NotImplementedError
