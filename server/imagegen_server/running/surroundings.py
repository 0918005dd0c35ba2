"""What every attempt works with."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from imagegen_server.assets import AssetStore
from imagegen_server.changes import Changes
from imagegen_server.hub import Hub
from imagegen_server.ledger import Ledger
from imagegen_server.running.experience import Experience
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.progress import ProgressBoard
from imagegen_server.running.retrying import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what may not come."""

    cancel_timeout_s: float = 60.0
    """A backend that has not confirmed a cancel by then is left alone, with a warning."""
    gpu_fault_hold_s: float = 60.0
    """So long a backend with a broken GPU gets nothing new, even if it answers."""
    out_of_memory_hold_s: float = 5.0
    """The same for one whose memory was too small; meanwhile it is asked to free it."""
    max_backoff_s: float = 30.0
    """Longest pause before a job is tried again where it failed; the first is of one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every attempt works with."""

    ledger: Ledger
    hub: Hub
    assets: AssetStore
    orphans: Orphans
    experience: Experience
    executor: Executor
    """For previews."""
    clock: Callable[[], float]
    limits: Limits
    patience: Patience
    board: ProgressBoard = field(default_factory=ProgressBoard)
    changes: Changes = field(default_factory=Changes)
