"""What a job is. Times are seconds since the Unix epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, assert_never

from imagegen_adapters.contract import Handle, ImageParameters, RawGraph, Warned
from imagegen_adapters.errors import Violation


class JobState(Enum):
    """The names of `imagegen.v1.JobState`."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}


class AttemptState(Enum):
    """The names of `imagegen.v1.AttemptState`."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNCERTAIN = "uncertain"


class Incident(Enum):
    """What happened around the end of an attempt that its failure does not tell."""

    NONE = ""
    RESTART = "restart"
    """It was gone, or could not be found out about, when a new process of ours asked: nobody is to blame."""
    TAKEDOWN = "takedown"
    """Its backend died, or its GPU broke, while it was at work on the attempt."""


class UncertainPolicy(Enum):
    """The names of `imagegen.v1.UncertainPolicy`."""

    RETRY = "retry"
    FAIL = "fail"


class MoveKind(Enum):
    FIRST = "first"
    BEFORE = "before"
    AFTER = "after"


class AssetOrigin(Enum):
    """The names of `imagegen.v1.AssetOrigin`."""

    UPLOAD = "upload"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job or an attempt ended without success."""

    reason: str
    """A value of `imagegen.v1.ErrorReason` without its prefix."""
    message: str
    """A sentence for a person."""
    violations: tuple[Violation, ...] = ()
    """Fields at fault, where they are known."""
    node_id: str = ""
    """The node of the graph in which it happened, where that is known."""
    node_type: str = ""
    """Its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a job will end in once its running attempts have been stopped."""

    state: JobState
    """CANCELLED, EXPIRED or FAILED."""
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where somebody put a job that waits."""

    kind: MoveKind
    time: float
    """When; of several jobs at one place the one moved last goes first."""
    anchor: str = ""
    """The job before or after which it goes; empty with FIRST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Images of a job that one attempt makes: `first` .. `first + count - 1`."""

    first: int = 0
    count: int = 0
    """0: all that the graph gives."""

    @property
    def images(self) -> range:
        """Empty for graphs."""
        return range(self.first, self.first + self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOptions:
    """Which frames a job produces."""

    enabled: bool = True
    max_rate_hz: float = 10.0
    max_pixels: int = 0
    """Longest side; 0: as the backend sends them."""
    format: str = ""
    """ "jpeg" or "webp"; empty: as the backend sends them."""
    quality: int = 80
    """1..100, used where a frame is encoded again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The stored workflow that a job runs, with the values of its inputs, defaults and seeds resolved."""

    workflow_id: str
    revision: int
    inputs: Mapping[str, Any]
    """By name, as JSON has them: of whole numbers beyond 2^53 their digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """What was asked for, all defaults resolved but the model, which the first attempt resolves."""

    source: ImageParameters | RawGraph
    """What is handed to backends; of an invocation what it was made into."""
    invocation: Invocation | None = None
    """Where `source` comes from; None: the caller gave it as it is."""
    preview: PreviewOptions = PreviewOptions()
    backend: str = ""
    """The only backend that may run the job; empty: any that can."""
    labels: Mapping[str, str] = field(default_factory=dict)
    backend_options: Mapping[str, Any] = field(default_factory=dict)
    """By kind of backend."""
    priority: int = 0
    """-10 (last) .. 10 (first)."""
    start_deadline_s: float | None = None
    """The first attempt has to begin so long after the job was created; None: no limit."""
    execution_deadline_s: float | None = None
    """The job has to end so long after its first attempt began; None: no limit."""
    on_uncertain: UncertainPolicy = UncertainPolicy.RETRY
    backend_labels: Mapping[str, str] = field(default_factory=dict)
    """A backend must have all of them."""
    reuse: bool = False
    """It may be answered with the outputs of an earlier job that made exactly this."""

    @property
    def everything(self) -> Slice:
        """All images."""
        return Slice(count=self.source.count if isinstance(self.source, ImageParameters) else 0)

    @property
    def model(self) -> str:
        """The checkpoint that is asked for by name; empty: none is, or it is somewhere in the graph."""
        return self.source.model if isinstance(self.source, ImageParameters) else ""

    @property
    def batch_size(self) -> int:
        """Images of one pass; slices are cut between passes."""
        return self.source.batch_size if isinstance(self.source, ImageParameters) else 1

    @property
    def digests(self) -> frozenset[str]:
        """The assets that an attempt needs."""
        match self.source:
            case ImageParameters(init_image=init_image, mask=mask):
                return frozenset({init_image, mask} - {""})
            case RawGraph(images=images):
                return frozenset(images.values())
            case _ as never:
                assert_never(never)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A stored file."""

    digest: str
    """SHA-256, 64 lower-case hexadecimal digits."""
    size_bytes: int
    media_type: str
    width: int
    """Pixels; 0 for what is no image."""
    height: int
    create_time: float
    origin: AssetOrigin
    job_id: str = ""
    """The job that first made it; empty for uploads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One result of a job."""

    index: int
    asset: Asset
    image_index: int
    seed: int | None
    node_id: str
    intermediate: bool
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run on one backend."""

    number: int
    attempt_id: str
    """Lower-case UUID."""
    backend: str
    handle: Handle
    state: AttemptState
    start_time: float
    slice: Slice
    end_time: float | None = None
    failure: Failure | None = None
    incident: Incident = Incident.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for images."""

    job_id: str
    spec: JobSpec
    state: JobState
    create_time: float
    request_id: str = ""
    owner: str = ""
    start_time: float | None = None
    end_time: float | None = None
    attempts: tuple[Attempt, ...] = ()
    outputs: tuple[Output, ...] = ()
    warnings: tuple[Warned, ...] = ()
    failure: Failure | None = None
    sequence: int = 0
    """Sequence number of the newest durable event."""
    retry_of: str = ""
    """The job that this one repeats; empty: none."""
    reused_from: str = ""
    """The job that had made the same before, whose outputs this one was answered with; empty: none."""
    is_paused: bool = False
    """It keeps its place in the queue and is not started."""
    lined_up: float | None = None
    """When it lined up anew; None: it has its place since it was created."""
    move: Move | None = None
    ending: Ending | None = None
    """Set exactly in CANCELLING."""

    @property
    def queue_time(self) -> float:
        """Since when it has its place in the queue."""
        return self.create_time if self.lined_up is None else self.lined_up

    @property
    def running(self) -> tuple[Attempt, ...]:
        """The attempts that are under way, oldest first."""
        return tuple(attempt for attempt in self.attempts if attempt.state is AttemptState.RUNNING)

    @property
    def missing(self) -> tuple[Slice, ...]:
        """What no attempt has made or is making, in order, in as few slices as possible.

        A pass of which one image is missing is missing as a whole.
        """
        if not self.attempts:
            return (self.spec.everything,)
        if not self.spec.everything.count:
            is_taken = any(a.state in {AttemptState.RUNNING, AttemptState.SUCCEEDED} for a in self.attempts)
            return () if is_taken else (self.spec.everything,)
        return _joined(self._missing_passes())

    @property
    def made(self) -> set[int]:
        """The images that no attempt has to make any more. Empty for graphs."""
        made = {output.image_index for output in self.outputs if not output.intermediate}
        for attempt in self.attempts:
            if attempt.state is AttemptState.SUCCEEDED:
                # What a backend left out of a finished run, with a warning, it would leave out again.
                made.update(attempt.slice.images)
        return made

    @property
    def under_way(self) -> set[int]:
        """The images that running attempts are to make, also those that they have made already. Empty for graphs."""
        return {image for attempt in self.running for image in attempt.slice.images}

    def _missing_passes(self) -> list[Slice]:
        made, under_way = self.made, self.under_way
        count, size = self.spec.everything.count, self.spec.batch_size
        passes = [Slice(first=first, count=min(size, count - first)) for first in range(0, count, size)]
        return [each for each in passes if not made.issuperset(each.images) and under_way.isdisjoint(each.images)]


def _joined(passes: list[Slice]) -> tuple[Slice, ...]:
    """Neighbours as one slice."""
    joined: list[Slice] = []
    for each in passes:
        last = joined[-1] if joined else None
        if last is not None and last.first + last.count == each.first:
            joined[-1] = Slice(first=last.first, count=last.count + each.count)
        else:
            joined.append(each)
    return tuple(joined)
