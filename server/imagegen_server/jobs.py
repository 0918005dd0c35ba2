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
class JobSpec:
    """What was asked for, all defaults resolved but the model, which the first attempt resolves."""

    source: ImageParameters | RawGraph
    preview: PreviewOptions = PreviewOptions()
    backend: str = ""
    """The only backend that may run the job; empty: any that can."""
    labels: Mapping[str, str] = field(default_factory=dict)
    backend_options: Mapping[str, Any] = field(default_factory=dict)
    """By kind of backend."""

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
    end_time: float | None = None
    failure: Failure | None = None


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

    @property
    def attempt(self) -> Attempt | None:
        """The attempt that is under way."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.state is AttemptState.RUNNING else None
