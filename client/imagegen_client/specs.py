"""From what a caller says to a job's specification. Pure."""

from collections.abc import Mapping
from typing import TypedDict, assert_never

from google.protobuf.duration_pb2 import Duration

from imagegen.v1.job_pb2 import ImageParameters, JobSpec, UncertainPolicy

Source = str | ImageParameters | JobSpec
"""What to make: a prompt, the parameters of images, or a whole specification."""


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
    on_uncertain: UncertainPolicy.ValueType
    """What to do after an attempt of which its backend cannot tell whether it still runs."""


def spec_of(
    source: Source,
    *,
    backend: str = "",
    backend_labels: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    start_deadline_s: float | None = None,
    execution_deadline_s: float | None = None,
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
