"""How many jobs may wait, in all and of one owner, and when it is worth asking again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from imagegen_server.config import OwnerSettings
from imagegen_server.errors import Excess, Refused

ANY_OWNER: Final = "*"
"""The entry for every owner without one of its own."""
MIN_RETRY_S: Final = 1.0
MAX_RETRY_S: Final = 60.0
UNFORESEEN_RETRY_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """The limits as they are configured."""

    max_queued_jobs: int
    """Of the whole queue."""
    owners: Mapping[str, OwnerSettings] = field(default_factory=dict)

    def of(self, owner: str) -> OwnerSettings:
        """What this owner may have."""
        return self.owners.get(owner) or self.owners.get(ANY_OWNER) or OwnerSettings()

    def excess(self, owner: str, *, queued: int, queued_of_owner: int) -> Excess | None:
        """The limit that one more job of this owner would exceed; its own goes first, because it says more."""
        may = self.of(owner).max_queued_jobs
        if may and queued_of_owner >= may:
            description = f"{_jobs(queued_of_owner)} of this owner {_wait(queued_of_owner)} already; at most {may} may"
            return Excess(reason="QUOTA_EXCEEDED", subject=f"owner:{owner}", description=description)
        if queued >= self.max_queued_jobs:
            description = f"{_jobs(queued)} {_wait(queued)} already; at most {self.max_queued_jobs} may"
            return Excess(reason="QUEUE_FULL", subject="queue", description=description)
        return None


def refusal(excess: Excess, starts: Iterable[float | None]) -> Refused:
    """The answer to the call; `starts`: in how many seconds the jobs that wait will start, as far as it is foreseen."""
    return Refused(
        excess.reason,
        f"{excess.description}; try again later",
        excess=excess,
        retry_after_s=retry_after_s(starts),
    )


def retry_after_s(starts: Iterable[float | None]) -> float:
    """Until the first of these jobs has made room by starting."""
    foreseen = [start for start in starts if start is not None]
    return min(max(min(foreseen), MIN_RETRY_S), MAX_RETRY_S) if foreseen else UNFORESEEN_RETRY_S


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"
