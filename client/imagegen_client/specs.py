"""From what a caller says to a job's specification. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Value

from imagegen.v1.job_pb2 import ImageParameters, JobSpec, UncertainPolicy, WorkflowInvocation

Source = str | ImageParameters | WorkflowInvocation | JobSpec
"""What to make: a prompt, the parameters of images, a workflow with its inputs, or a whole specification."""

InputValue = str | int | float | bool | None | Sequence["InputValue"] | Mapping[str, "InputValue"]
"""A value of a workflow's input."""

_EXACT = 2**53
"""Up to here a JSON number holds every whole number; beyond it they go as strings of digits."""


class JobOptions(TypedDict, total=False):
    """What can be said about a job besides its source; what is left out, or None, stays as the source says."""

    backend: str
    """The only backend that may run it."""
    backend_labels: Mapping[str, str] | None
    """Labels that a backend must have to run it."""
    labels: Mapping[str, str] | None
    """The caller's own notes."""
    priority: int | None
    """-10 (last) .. 10 (first)."""
    start_deadline_s: float | None
    """It expires if it has not begun so long after it was accepted."""
    execution_deadline_s: float | None
    """It expires if it has not ended so long after it began."""
    reuse: bool
    """Answer with the outputs of an earlier job that made exactly this, where there is one."""
    on_uncertain: UncertainPolicy.ValueType
    """What to do after an attempt of which its backend cannot tell whether it still runs."""


def invocation(
    workflow_id: str, inputs: Mapping[str, InputValue] | None = None, *, revision: int = 0
) -> WorkflowInvocation:
    """A workflow with values for its inputs; 0: its newest revision. Pictures are digests of assets."""
    made = WorkflowInvocation(workflow_id=workflow_id, revision=revision)
    made.inputs.update({name: _sendable(value) for name, value in (inputs or {}).items()})
    return made


def input_of(spec: JobSpec, name: str) -> Any:
    """What a job was asked for under a name that means the same everywhere, as "seed"; None: it does not say.

    Whole numbers are ints, also those that go as digits. Of a raw graph nothing is known.
    """
    if spec.HasField("workflow"):
        return _plain(name, spec.workflow.inputs.fields[name]) if name in spec.workflow.inputs.fields else None
    image = spec.image
    if not spec.HasField("image") or name not in image.DESCRIPTOR.fields_by_name:
        return None
    has_presence = image.DESCRIPTOR.fields_by_name[name].has_presence
    return getattr(image, name) if not has_presence or image.HasField(name) else None  # type: ignore[arg-type]  # checked


def count_of(spec: JobSpec) -> int:
    """How many images a job makes; 0: not known."""
    return _whole(input_of(spec, "count"))


def size_of(spec: JobSpec) -> tuple[int, int]:
    """Width and height of a job's images; 0: not known."""
    return _whole(input_of(spec, "width")), _whole(input_of(spec, "height"))


def _whole(value: Any) -> int:
    # Authors of workflows may call anything by these names.
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def whole_numbers(value: Any) -> Any:
    """JSON with its whole numbers as ints: a Struct knows doubles only, and 20 steps would be 20.0."""
    match value:
        case float() if value.is_integer() and abs(value) <= _EXACT:
            return int(value)
        case dict():
            return {key: whole_numbers(each) for key, each in value.items()}
        case list():
            return [whole_numbers(each) for each in value]
        case _:
            return value


def _plain(name: str, value: Value) -> Any:
    plain = whole_numbers(MessageToDict(value))  # of a Value: whatever it holds
    return int(plain) if name == "seed" and isinstance(plain, str) and plain.isdecimal() else plain


def _sendable(value: InputValue) -> InputValue:
    match value:
        case bool() | str() | None:
            return value
        case int():
            return value if abs(value) <= _EXACT else str(value)
        case float():
            return value
        case Mapping():
            return {name: _sendable(item) for name, item in value.items()}
        case _:
            return [_sendable(item) for item in value]


def spec_of(
    source: Source,
    *,
    backend: str = "",
    backend_labels: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    start_deadline_s: float | None = None,
    execution_deadline_s: float | None = None,
    reuse: bool = False,
    on_uncertain: UncertainPolicy.ValueType = UncertainPolicy.UNCERTAIN_POLICY_UNSPECIFIED,
) -> JobSpec:
    """The source's specification with the options of JobOptions; the source is left as it is."""
    spec = _spec_of_source(source)
    spec.MergeFrom(
        JobSpec(
            backend=backend,
            backend_labels=backend_labels,
            labels=labels,
            priority=priority,
            start_deadline=_duration(start_deadline_s),
            execution_deadline=_duration(execution_deadline_s),
            reuse=reuse,
            on_uncertain=on_uncertain,
        )
    )
    return spec


def _spec_of_source(source: Source) -> JobSpec:
    match source:
        case JobSpec():
            spec = JobSpec()
            spec.CopyFrom(source)
            return spec
        case ImageParameters():
            return JobSpec(image=source)
        case WorkflowInvocation():
            return JobSpec(workflow=source)
        case str():
            return JobSpec(image=ImageParameters(prompt=source))
        case _ as never:
            assert_never(never)


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration
