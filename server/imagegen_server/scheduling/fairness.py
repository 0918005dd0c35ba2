"""Who is next: fair shares between owners, and the age of what waits. Pure.

Start-time fair queueing: each owner has a virtual time, which grows by the predicted seconds of what is started for
it, divided by its weight. Who is least far goes next, so that owners who wait get seconds in proportion to their
weights, whatever the number and length of their jobs. Having been away earns nothing: nobody begins before the floor,
which is where the last of those who wait is. When all work is done, all are alike again.

Within an owner a *flow* is its jobs of one priority. A flow that has got nothing for AGING_S counts one class higher,
after twice that two, until one of its jobs is started: whoever is served steadily does not rise, and nobody starves.
"""

import heapq
from collections.abc import Callable, Collection
from typing import Final

AGING_S: Final = 600.0
"""A flow rises one class each time that it has waited so long."""
MAX_OWNERS: Final = 1000
"""So many are remembered; of more, those that have got least beyond the floor are forgotten."""


class FairShares:
    """What each owner has got. `weights` gives an owner's weight, above 0.

    `scheduling.book` settles, charges and notes the start, for each job that is started.
    """

    def __init__(self, weights: Callable[[str], float]) -> None:
        self._weights = weights
        self._times: dict[str, float] = {}
        self._starts: dict[tuple[str, int], float] = {}
        self._floor = 0.0

    def time(self, owner: str) -> float:
        """How far the owner is; the one who is least far goes next."""
        return max(self._times.get(owner, 0.0), self._floor)

    def advance_of(self, owner: str, seconds: float) -> float:
        """By how much so many seconds advance the owner."""
        return seconds / self._weights(owner)

    def charge(self, owner: str, seconds: float) -> None:
        """Counts what is started for the owner. Negative: gives back what it did not take."""
        self._times[owner] = self.time(owner) + self.advance_of(owner, seconds)

    def started(self, owner: str, priority: int, now: float) -> None:
        """Notes that a job of this flow was started."""
        self._starts[owner, priority] = now

    def last_start(self, owner: str, priority: int) -> float:
        """When a job of this flow was started last, as far as it matters; minus infinity: not at all."""
        return self._starts.get((owner, priority), float("-inf"))

    def settle(self, contending: Collection[str], waiting: Collection[str]) -> None:
        """Raises the floor to the least far of the owners whose jobs could be started if there were room for them.

        `waiting` are all owners with jobs that wait. What the floor has reached is forgotten, and the starts of those
        who do not wait.
        """
        self._floor = max(self._floor, min(map(self.time, contending), default=0.0))
        ahead = [(owner, time) for owner, time in self._times.items() if time > self._floor]
        self._times = dict(heapq.nlargest(MAX_OWNERS, ahead, key=lambda each: each[1]))
        self._starts = {flow: start for flow, start in self._starts.items() if flow[0] in waiting}

    def rest(self) -> None:
        """All work is done: what somebody got while nobody else wanted it is not held against the owner."""
        self._floor = max(self._times.values(), default=self._floor)
        self._times.clear()
        self._starts.clear()


def risen(waiting_since: float, now: float) -> int:
    """By how many classes a flow has risen that has got nothing since then."""
    return int(max(now - waiting_since, 0.0) // AGING_S)
