"""The order in which jobs that wait are to go. Pure.

1. Jobs that were moved to the front, the newest move first.
2. All others by class: the priority, risen by the time that the flow has got nothing.
3. Within a class the owner that has got least goes next, see `fairness`.
4. Within a flow (an owner's jobs of one priority) those go first of which a part runs already, then the oldest.

`moves` says where those stand that somebody moved.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final, TypeAlias

from imagegen_server.jobs import MoveKind
from imagegen_server.scheduling.fairness import AGING_S, FairShares, risen
from imagegen_server.scheduling.moves import lines
from imagegen_server.scheduling.situation import WaitingJob

REFRESH_S: Final = AGING_S / 10
"""How exactly the rising of classes is followed when looking ahead."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A job in the order."""

    job: WaitingJob
    rank: float
    """Its class; infinity: moved to the front."""
    flow: int
    since: float
    """When its turn came within its flow."""


class FairOrder:
    """The jobs in their order, as far ahead as they are looked at.

    Whoever is looked at counts as started then, so that the order behind it is the one that it would be. `take` makes
    it so; all the rest can still change. Nothing of it reaches `shares`.
    """

    def __init__(
        self,
        jobs: Sequence[WaitingJob],
        *,
        shares: FairShares,
        cost_s: Callable[[WaitingJob], float],
        can_go: Callable[[WaitingJob], bool],
        room: Callable[[str], int],
        now: float,
    ) -> None:
        """All jobs have their places in it, but only those that are `add`ed may go.

        `cost_s` is what an owner is charged for a job, `room` how many more of an owner may be started. What cannot go
        is passed over; that is asked only of those whose turn has come.
        """
        self._shares = shares
        self._cost_s = cost_s
        self._can_go = can_go
        self._room_at_first = room
        self._now = self._refreshed = now
        self._flows: list[_Flow] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._queue_times: dict[str, float] = {}
        self._flows_of: defaultdict[str, set[int]] = defaultdict(set)
        self._times: dict[str, float] = {}
        self._room: dict[str, int] = {}
        self._keys: dict[int, _Key] = {}
        self._heap: list[_Key] = []
        self._looked_at: list[_Pick] = []
        self._gone = set[str]()
        for flow, line in lines(jobs):
            self._line_up(flow, line)

    def add(self, jobs: Iterable[WaitingJob]) -> None:
        """From now on these may go."""
        self._put_back()
        for job in jobs:
            flow, place = self._places[job.job_id]
            heappush(self._flows[flow].waiting, (place, job))
        self._refresh(range(len(self._flows)))

    def first(self, count: int) -> list[Turn]:
        """The next ones, at most so many."""
        while len(self._looked_at) < count:
            flow = self._next_flow()
            if flow is None:
                break
            self._look_at(flow, self._flows[flow].waiting[0][1])
        return [pick.turn for pick in self._looked_at[:count]]

    def take(self, index: int) -> None:
        """Starts the one that is so far behind the first of those looked at."""
        turn = self._looked_at[index].turn
        if index:
            self._put_back()
            self._look_at(turn.flow, turn.job)
        self._looked_at.pop(0)

    def give_room(self, owner: str) -> None:
        """One of the owner's jobs has ended."""
        self._put_back()
        self._room[owner] = self._room_of(owner) + 1
        self._refresh(self._flows_of[owner])

    def advance(self, now: float) -> None:
        """Goes on to a later time."""
        self._now = max(self._now, now)
        if self._now >= self._refreshed + REFRESH_S:
            self._refreshed = self._now
            self._put_back()
            self._refresh(range(len(self._flows)))

    def _line_up(self, flow: tuple[str, int] | None, line: Iterable[tuple[WaitingJob, float]]) -> None:
        index = len(self._flows)
        if flow is None:
            self._flows.append(_Flow("", float("inf"), float("-inf")))
        else:
            self._flows.append(_Flow(*flow, self._shares.last_start(*flow)))
            self._flows_of[flow[0]].add(index)
        for place, (job, queue_time) in enumerate(line):
            self._places[job.job_id] = index, place
            self._queue_times[job.job_id] = queue_time
            self._flows_of[job.owner].add(index)

    def _look_at(self, index: int, job: WaitingJob) -> None:
        """Counts it as started."""
        flow, owner = self._flows[index], job.owner
        self._looked_at.append(_Pick(self._turn(index, job), self._time_of(owner), self._room_of(owner), flow.started))
        flow.remove(job)
        self._gone.add(job.job_id)
        flow.started = self._now
        self._times[owner] = self._time_of(owner) + self._shares.advance_of(owner, self._cost_s(job))
        self._room[owner] = self._room_of(owner) - (not job.is_running)
        self._refresh({index, *self._flows_of[owner]})

    def _put_back(self) -> None:
        """Forgets whom it has looked at."""
        changed = set[int]()
        while self._looked_at:
            pick = self._looked_at.pop()
            job, index = pick.turn.job, pick.turn.flow
            self._times[job.owner], self._room[job.owner] = pick.time_before, pick.room_before
            self._gone.discard(job.job_id)
            self._flows[index].started = pick.started_before
            heappush(self._flows[index].waiting, (self._places[job.job_id][1], job))
            changed |= {index, *self._flows_of[job.owner]}
        self._refresh(changed)

    def _refresh(self, flows: Iterable[int]) -> None:
        for index in flows:
            flow = self._flows[index]
            while flow.waiting and not self._can_go(flow.waiting[0][1]):
                heappop(flow.waiting)
            job = flow.waiting[0][1] if flow.waiting else None
            if job is None or (not job.is_running and self._room_of(job.owner) <= 0):
                self._keys.pop(index, None)
                continue
            turn = self._turn(index, job)
            key = (-turn.rank, self._time_of(flow.owner), self._queue_times[job.job_id], index)
            if self._keys.get(index) != key:
                self._keys[index] = key
                heappush(self._heap, key)

    def _next_flow(self) -> int | None:
        while self._heap:
            key = self._heap[0]
            if self._keys.get(key[-1]) == key:
                return key[-1]
            heappop(self._heap)
        return None

    def _turn(self, index: int, job: WaitingJob) -> Turn:
        flow = self._flows[index]
        since = max(self._queue_times[job.job_id], flow.started)
        is_next = job.move is not None and job.move.kind is MoveKind.AFTER and job.move.anchor in self._gone
        rank = float("inf") if is_next else flow.priority + risen(since, self._now)
        return Turn(job, rank, index, since)

    def _time_of(self, owner: str) -> float:
        time = self._times.get(owner)
        return self._shares.time(owner) if time is None else time

    def _room_of(self, owner: str) -> int:
        room = self._room.get(owner)
        return self._room_at_first(owner) if room is None else room


_Key: TypeAlias = tuple[float, float, float, int]
"""Smaller goes first: class, what the owner has got, age; the flow's index."""


@dataclass(slots=True)
class _Flow:
    owner: str
    priority: float
    started: float
    """When one of its jobs was started last."""
    waiting: list[tuple[int, WaitingJob]] = field(default_factory=list)
    """A heap, by place."""

    def remove(self, job: WaitingJob) -> None:
        if self.waiting[0][1] is job:
            heappop(self.waiting)
        else:
            self.waiting = [entry for entry in self.waiting if entry[1] is not job]
            heapify(self.waiting)


@dataclass(frozen=True, slots=True)
class _Pick:
    """Somebody who was looked at, and how things were before."""

    turn: Turn
    time_before: float
    room_before: int
    started_before: float
