"""What the conformance suite needs to know about a backend in order to hold its adapter to the contract.

One module in `subjects` for each kind of adapter. It offers

    def fake() -> AbstractAsyncContextManager[Subject]     starts the fake backend, which misbehaves on command
    def live(url: str) -> AbstractAsyncContextManager[Subject]     a real server; only where there can be one

Entering gives a backend without attempts; leaving ends it, with everything that still runs there. A test gets a fresh
one. The suite builds its tasks from the subject's requests by `dataclasses.replace`, so that a new test needs nothing
from the subjects.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from imagegen_adapters.contract import Adapter, ImageParameters, RawGraph
from imagegen_adapters.errors import AdapterError


class Moment(Enum):
    """When the suite injects a fault."""

    BEFORE_OPEN = "before_open"
    """Before the adapter is opened."""
    BEFORE_RUN = "before_run"
    """After the adapter was opened and has asked for the catalogue, before the run: the fault waits for the run."""
    DURING_RUN = "during_run"
    """When the first `Progressed` of a `paced` request with at least one step done has arrived."""


class Fault(Enum):
    """What a backend can do to us: once, to the next attempt or to the running one, unless said otherwise."""

    REFUSED = "refused"
    """Connections are refused from the start and for good."""
    DROPPED_SOCKET = "dropped_socket"
    """The connection that tells about the attempt is cut; a new one is accepted, and the attempt runs on."""
    SILENCE = "silence"
    """No frame and no answer about the attempt arrives any more, on connections that stay open."""
    DEATH = "death"
    """The backend's process ends: connections are cut and refused, for good."""
    DUPLICATES = "duplicates"
    """Every frame or answer comes twice."""
    EARLY_FRAMES = "early_frames"
    """Frames about the attempt arrive before the answer to its submission."""
    OUT_OF_MEMORY = "out_of_memory"
    """The device runs out of memory."""
    EVICTED_HISTORY = "evicted_history"
    """The backend forgets the attempt at the moment when it ends."""
    RESTART = "restart"
    """The backend ends and comes back at the same address, with nothing remembered."""
    GARBAGE = "garbage"
    """Frames or answers about the attempt are not what the protocol says."""
    SLOWNESS = "slowness"
    """Every answer takes long, but comes."""
    NODE_FAILURE = "node_failure"
    """A node, or the backend's own code, raises."""
    FOREIGN_INTERRUPT = "foreign_interrupt"
    """Somebody else stops our attempt at the backend."""

    @property
    def moment(self) -> Moment:
        match self:
            case Fault.REFUSED:
                return Moment.BEFORE_OPEN
            case (
                Fault.DUPLICATES
                | Fault.EARLY_FRAMES
                | Fault.OUT_OF_MEMORY
                | Fault.EVICTED_HISTORY
                | Fault.SLOWNESS
                | Fault.NODE_FAILURE
            ):
                return Moment.BEFORE_RUN
            case _:
                return Moment.DURING_RUN


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run may end after a fault: in success, or by one of these errors (exactly these classes)."""

    errors: tuple[type[AdapterError], ...] = ()
    is_success_allowed: bool = False


SUCCESS = Ending(is_success_allowed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What this backend promises beyond the contract, or cannot keep of it."""

    reproduces_pixels: bool = True
    """The same request gives the same pixels."""
    reproduces_bytes: bool = True
    """The same request gives the same bytes, metadata included."""
    has_one_seed_per_pass: bool = False
    """The images of one pass of `batch_size` are made from the seed of its first one (ComfyUI)."""
    kept_area_tolerance: float = 0.0
    """Inpainting: mean difference per channel value (0..255) in the black area of the mask, away from its edge."""
    tells_of_attempts: bool = True
    """It can be asked whether it is at work on an attempt that nobody hears of any more."""
    sends_previews: bool = True
    """A `paced` request brings at least one preview frame. False: whether it does is the live server's setting."""
    has_foreign_jobs: bool = True
    """`submit_foreign` works: the backend takes jobs of others."""


class Subject(Protocol):
    """One backend under test. Everything but `open_adapter` looks from the backend's side."""

    @property
    def is_live(self) -> bool:
        """A real server: no faults, and it may have jobs of others."""

    @property
    def promises(self) -> Promises: ...

    @property
    def faults(self) -> Mapping[Fault, Ending]:
        """The faults that it can inject, and what a run ends in. Absent ones make no sense here; empty if live."""

    @property
    def patience_s(self) -> float:
        """No run of a `quick` or `paced` request takes longer than this, with whatever fault."""

    def open_adapter(self) -> AbstractAsyncContextManager[Adapter]:
        """An adapter on this backend, with time limits short enough for tests. May be opened more than once."""

    # Requests. Small (128 x 128 or near), few steps, `model` named, count 1.

    def quick(self) -> ImageParameters:
        """Ends by itself as soon as possible; at least 4 steps, so that there is progress to see."""

    def paced(self) -> ImageParameters:
        """Ends by itself after about half a second, so that something can happen to it on its way."""

    def endless(self) -> ImageParameters:
        """Runs until it is stopped (on live servers: for minutes)."""

    def graph(self) -> RawGraph:
        """A valid graph that ends soon and gives one image. Called only where `Capabilities.graphs`."""

    # The backend's side.

    async def inject(self, fault: Fault) -> None:
        """Makes the backend misbehave. Only faults of `faults`, at their moment."""

    async def attempts(self) -> int:
        """Our attempts that are queued or running at the backend now, those of `submit_foreign` not counted."""

    async def submit_foreign(self) -> str:
        """Queues an endless job of somebody else; gives its id once the backend has it."""

    async def has_foreign(self, job_id: str) -> bool:
        """Whether that job is still queued or running, untouched."""

    async def finish_foreign(self, job_id: str) -> None:
        """Ends that job, so that what waits behind it can run."""

    async def event_sockets(self) -> int | None:
        """Long-lived event sockets that are open now; None where the protocol has none."""
