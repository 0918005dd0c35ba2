"""What each backend says of a workflow: whether it can run it, and what keeps it from that."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.contract import RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.checking import MOST_PROBLEMS, find_problems_of_json
from imagegen_adapters.graphs.graph import read_json, upload_target
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.problems import GraphProblem, ProblemCode, Severity
from imagegen_server.backend import Backend
from imagegen_server.defaulting import defaults_for
from imagegen_server.errors import invalid
from imagegen_server.invoking import Wanted, made
from imagegen_server.settings.model import Settings
from imagegen_server.wire.specs import decode_image
from imagegen_server.workflows.definitions import Definitions, has_told
from imagegen_server.workflows.inputs import InvalidInputs, resolve
from imagegen_server.workflows.model import Workflow

_SOME_DIGEST: Final = "0" * 64
"""Stands for a picture that nobody has given yet."""
_MODEL_INPUTS: Final = ("model", "vae", "text_encoder", "loras", "hires_upscaler")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one backend says."""

    backend: str
    problems: tuple[GraphProblem, ...]
    is_unknown: bool
    """The backend has never told what it has, so that only the graph itself was looked at."""

    @property
    def is_runnable(self) -> bool:
        return all(each.severity is not Severity.ERROR for each in self.problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Finds out which backends can run what."""

    definitions: Definitions
    settings: Callable[[], Settings]

    async def of_workflow(self, backend: Backend, workflow: Workflow, given: Mapping[str, Any]) -> Verdict:
        """Refused: INVALID_REQUEST for values of inputs that cannot be anywhere."""
        wanted = await asyncio.to_thread(self._made, workflow, given, await self._chosen(backend, workflow, given))
        if isinstance(wanted.source, RawGraph):
            return await self.of_graph(backend, wanted.source)
        chosen = defaults_for(wanted.source, self.settings().defaults, [backend], initial=None, seed=0)
        violations = await backend.validate(decode_image(wanted.source, chosen))
        problems = tuple(_of_parameters(wanted.told(each)) for each in violations)
        return Verdict(backend=backend.name, problems=problems, is_unknown=backend.health.catalog is None)

    async def of_graph(self, backend: Backend, graph: RawGraph) -> Verdict:
        if not backend.adapter.capabilities.graphs:
            message = f"{backend.name} is {_article(backend.adapter.kind)} backend, which takes no graphs"
            return Verdict(backend=backend.name, problems=(_not_supported(message),), is_unknown=False)
        is_known = has_told(backend)
        classes = await self.definitions.classes([backend]) if is_known else None
        problems = await asyncio.to_thread(_problems_of, graph, classes)
        if all(each.severity is not Severity.ERROR for each in problems):
            # What a kind of backend cannot do although the graph is good.
            refusals = [_of_violation(each) for each in await backend.validate(graph)]
            problems = (*refusals, *problems)[:MOST_PROBLEMS]
        return Verdict(backend=backend.name, problems=problems, is_unknown=not is_known)

    async def _chosen(self, backend: Backend, workflow: Workflow, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What this backend would put in for inputs that were left out."""
        allowed = await self.definitions.allowed(workflow, [backend])
        return {name: limits for name, limits in allowed.items() if name not in given}

    def _made(self, workflow: Workflow, given: Mapping[str, Any], allowed: Mapping[str, Any]) -> Wanted:
        pictures = {
            field.name: _SOME_DIGEST
            for field in workflow.form
            if field.input.required and field.input.type in {InputType.IMAGE, InputType.MASK}
        }
        try:
            inputs = resolve(workflow, {**pictures, **given}, choose_seed=lambda: 0, allowed=allowed, is_partial=True)
        except InvalidInputs as error:
            broken = [Violation(f"workflow.{each.field}", each.description) for each in error.violations]
            raise invalid(broken) from error
        return made(workflow, inputs)


def _problems_of(graph: RawGraph, classes: NodeClasses | None) -> tuple[GraphProblem, ...]:
    try:
        nodes = read_json(graph.json)
    except ValueError as error:
        return (_error(ProblemCode.NODE_MALFORMED, f"the graph is no JSON: {error}"),)
    return find_problems_of_json(nodes, classes, {upload_target(key) for key in graph.images})


def _of_parameters(told: Violation) -> GraphProblem:
    """`told` is in the words of an invocation: about `spec.workflow.inputs.NAME`, or the workflow as a whole."""
    name = told.field.removeprefix("spec.workflow").removeprefix(".inputs.")
    is_missing = name.startswith(_MODEL_INPUTS) and told.description.startswith("no such")
    code = ProblemCode.MODEL_MISSING if is_missing else ProblemCode.VALUE_NOT_ALLOWED
    return _error(code, f"{name}: {told.description}" if name else told.description)


def _of_violation(violation: Violation) -> GraphProblem:
    return _not_supported(f"{violation.field}: {violation.description}")


def _not_supported(message: str) -> GraphProblem:
    return _error(ProblemCode.NOT_SUPPORTED, message)


def _error(code: ProblemCode, message: str) -> GraphProblem:
    return GraphProblem(severity=Severity.ERROR, code=code, message=message)


def _article(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiou" else f"a {kind}"
