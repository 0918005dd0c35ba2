"""What a request asks for: parameters, a graph, or a stored workflow, which is made into one of them.

Everything behind this works on what was made. What is found to be wrong with it is told as the caller has said it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.graph import input_path
from imagegen_adapters.graphs.inputs import InputType
from imagegen_server.errors import Refused, invalid
from imagegen_server.jobs import Invocation
from imagegen_server.wire.rules import check_rules
from imagegen_server.wire.specs import encode_graph, fields_of
from imagegen_server.workflows.built_in import HIRES, TEXT_ENCODERS
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.rendering import inputs_of, parameters, render_graph
from imagegen_server.workflows.values import as_json

_WORKFLOW: Final = "spec.workflow"
_PICTURES: Final = frozenset({InputType.IMAGE, InputType.MASK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be made, before the server's defaults."""

    source: job_pb2.ImageParameters | RawGraph
    workflow: Workflow | None = None
    """What `source` was made from; None: the caller gave it as it is."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """Of the workflow, resolved."""

    def invocation(self, source: ImageParameters | RawGraph) -> Invocation | None:
        """As it is written back, with all that was chosen for `source`."""
        if self.workflow is None:
            return None
        chosen = inputs_of(self.workflow, fields_of(source)) if isinstance(source, ImageParameters) else {}
        if "seed" in chosen:
            chosen["seed"] = as_json(chosen["seed"])
        return Invocation(
            workflow_id=self.workflow.workflow_id, revision=self.workflow.revision, inputs={**self.inputs, **chosen}
        )

    def assets(self) -> Iterator[tuple[str, str]]:
        """The digests that are named, with the path of the field that names each."""
        if self.workflow is not None:
            for each in self.workflow.form:
                if each.input.type in _PICTURES and each.name in self.inputs:
                    yield f"{_WORKFLOW}.inputs.{each.name}", self.inputs[each.name]
        elif isinstance(self.source, RawGraph):
            for key, digest in sorted(self.source.images.items()):
                yield f'spec.graph.images["{key}"]', digest
        else:
            for name in ("init_image", "mask"):
                if digest := getattr(self.source, name):
                    yield f"spec.image.{name}", digest

    def told(self, violation: Violation) -> Violation:
        """What is wrong with `source`, in the words of the request."""
        path = self.path(violation.field)
        is_told = self.workflow is None or path != _WORKFLOW
        return Violation(path, violation.description if is_told else f"{violation.field}: {violation.description}")

    def is_of_input(self, violation: Violation) -> bool:
        """Whether a violation that was told is about a value that the caller can give."""
        return self.workflow is not None and violation.field != _WORKFLOW

    def path(self, path: str) -> str:
        """Where the caller has said what stands at this path of `source`; the workflow itself if nowhere."""
        if self.workflow is None:
            return f"spec.{path}"
        rest = _of_parameters(path) if self.workflow.makes_parameters else _of_graph(self.workflow).get(path, "")
        name = re.split(r"[.\[]", rest, maxsplit=1)[0]
        return f"{_WORKFLOW}.inputs.{rest}" if any(each.name == name for each in self.workflow.form) else _WORKFLOW


def made(workflow: Workflow, inputs: Mapping[str, Any]) -> Wanted:
    """What a workflow with these inputs, which are resolved, is made into. Refused: INVALID_REQUEST.

    Takes its time for large graphs: to be called in a thread.
    """
    if workflow.makes_parameters:
        image = job_pb2.ImageParameters(**parameters(workflow, inputs))
        return _checked(Wanted(source=image, workflow=workflow, inputs=inputs), image, "image")
    graph = render_graph(workflow, inputs)
    return _checked(Wanted(source=graph, workflow=workflow, inputs=inputs), encode_graph(graph), "graph")


def _checked(wanted: Wanted, encoded: Message, path: str) -> Wanted:
    """What was made, which keeps the rules that hold for a source at this path of a spec."""
    try:
        check_rules(encoded)
    except Refused as refused:
        broken = [Violation(f"{path}.{each.field}", each.description) for each in refused.violations]
        raise invalid([wanted.told(each) for each in broken]) from refused
    return wanted


def _of_parameters(path: str) -> str:
    """The input that stands for a field of ImageParameters, with what follows in the path."""
    rest = path.removeprefix("image.")
    if rest.split(".")[0] == "hires":
        by_field = {name: input_name for input_name, name in HIRES.items()}
        return by_field.get(rest.removeprefix("hires").removeprefix("."), "hires_scale")
    encoder = re.fullmatch(r"text_encoders\[(\d)\]", rest)
    return TEXT_ENCODERS[int(encoder[1])] if encoder else rest


def _of_graph(workflow: Workflow) -> dict[str, str]:
    """Inputs by the paths of their targets."""
    paths = {}
    for each in workflow.form:
        for target in each.input.targets:
            paths[input_path(target.node_id, target.input_name)] = each.name
            paths[f'graph.images["{target.node_id}.{target.input_name}"]'] = each.name
    return paths
