"""What backends have to do, from now on: what a plan is made of. Pure. Times are seconds from now."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.ordering import FairOrder
from imagegen_server.scheduling.situation import Candidate, Situation, WaitingJob, WaitReason
from imagegen_server.scheduling.work import Work

PREFETCH_S: Final = 3.0
"""A second slot is filled when what runs will be done within this."""
UNKNOWN_S: Final = 60.0
"""Assumed of a backend that cannot tell when it will have done what it has."""
REPORT_S: Final = 0.5
"""Until a backend without a free slot has one, at the least: it has to tell us."""


class Timeline:
    """One backend."""

    def __init__(self, candidate: Candidate) -> None:
        self.name = candidate.name
        self.resident = candidate.resident_model
        self.is_known = candidate.remaining_s is not None
        """Whether `free_s` is more than a guess."""
        self.free_s = UNKNOWN_S if candidate.remaining_s is None else max(candidate.remaining_s, 0.0)
        """When it has done everything."""
        self.is_idle = candidate.free_slots >= candidate.slots
        self._free_slots = candidate.free_slots
        if self.is_idle and candidate.remaining_s is None:
            self.free_s = 0.0
        elif candidate.free_slots <= 0:
            self.free_s = max(self.free_s, REPORT_S)

    @property
    def is_open(self) -> bool:
        """Whether something can be started there now."""
        return self._free_slots > 0 and (self.is_idle or (self.is_known and self.free_s <= PREFETCH_S))

    @property
    def opens_in_s(self) -> float | None:
        """When it will be open by what is predicted; None: it is, or something else must happen first."""
        if self._free_slots <= 0 or self.is_open or not self.is_known:
            return None
        return self.free_s - PREFETCH_S

    def fill(self, until_s: float, model: str, *, is_known: bool) -> None:
        """Has it work until then, and then have that model loaded. Empty: the same as before."""
        if self.is_open:
            self._free_slots -= 1
        self.is_idle = False
        self.free_s, self.resident = until_s, model or self.resident
        self.is_known = self.is_known and is_known


class Prediction(NamedTuple):
    """How long something takes."""

    seconds: float
    is_measured: bool
    """Else it is a guess."""


class Option(NamedTuple):
    """A backend for some passes of a job."""

    timeline: Timeline
    passes: int
    start_s: float
    load: Prediction
    run: Prediction

    @property
    def finish_s(self) -> float:
        return self.start_s + self.load.seconds + self.run.seconds

    @property
    def is_measured(self) -> bool:
        return self.load.is_measured and self.run.is_measured


class Predictor:
    """Asks the estimator, of the same thing only once."""

    def __init__(self, estimator: Estimator, timelines: Sequence[Timeline]) -> None:
        self._estimator = estimator
        self._timelines = timelines
        self._runs: dict[tuple[str, int], dict[str, Prediction]] = {}
        self._runs_of_work: dict[Work, dict[str, Prediction]] = {}
        self._loads: dict[tuple[str, str], Prediction] = {}

    def option(self, timeline: Timeline, job: WaitingJob, passes: int, earliest_s: float) -> Option:
        """What comes of giving it there what it is to do."""
        model, run = job.work.model, self.runs(job, passes)[timeline.name]
        load = NOTHING if not model or model == timeline.resident else self.load(timeline, model)
        return Option(timeline, passes, max(timeline.free_s, earliest_s), load, run)

    def runs(self, job: WaitingJob, passes: int) -> dict[str, Prediction]:
        """So many passes of the job, by backend."""
        runs = self._runs.get((job.job_id, passes))
        if runs is None:
            work = replace(job.work, images=job.work.images * passes)
            runs = self._runs_of_work.get(work) or self._ask(work)
            self._runs[job.job_id, passes] = self._runs_of_work[work] = runs
        return runs

    def load(self, timeline: Timeline, model: str) -> Prediction:
        """Loading the model."""
        load = self._loads.get((timeline.name, model))
        if load is None:
            is_measured = self._estimator.load_s(timeline.name, model) is not None
            load = Prediction(self._estimator.guess_load_s(timeline.name, model), is_measured)
            self._loads[timeline.name, model] = load
        return load

    def _ask(self, work: Work) -> dict[str, Prediction]:
        return {
            each.name: Prediction(
                self._estimator.guess_s(each.name, work), self._estimator.run_s(each.name, work) is not None
            )
            for each in self._timelines
        }


NOTHING: Final = Prediction(0.0, is_measured=True)


@dataclass(slots=True)
class Placement:
    """Where a job goes, and when."""

    job: WaitingJob
    parts: list[Option]
    is_now: bool
    """To be started at once."""
    is_start_known: bool
    is_finish_known: bool
    reason: WaitReason

    @property
    def start_s(self) -> float:
        return min(part.start_s for part in self.parts)

    @property
    def finish_s(self) -> float:
        return max(part.finish_s for part in self.parts)


class Coming:
    """What will happen by itself while looking ahead: pauses end, and jobs end so that their owner may run others."""

    def __init__(self, situation: Situation, delayed: Iterable[WaitingJob]) -> None:
        counts = Counter(job.owner for job in situation.jobs)
        self._limited = {owner for owner, count in counts.items() if situation.room(owner) < count}
        self._delays = {job.job_id: job.not_before - situation.now for job in delayed}
        self._ready = [(self._delays[job.job_id], job.job_id, job) for job in delayed]
        self._ended: list[tuple[float, str, bool]] = []
        self._released: dict[str, float] = {}
        self._unsure = set[str]()
        heapify(self._ready)

    @property
    def next_s(self) -> float | None:
        """When something will happen; None: nothing will."""
        return min([*(event[0] for event in (*self._ready[:1], *self._ended[:1]))], default=None)

    def let_in(self, order: FairOrder, until_s: float) -> bool:
        """Has the order know of what happens until then. Gives whether anything did."""
        jobs, has_room = [], False
        while self._ready and self._ready[0][0] <= until_s:
            jobs.append(heappop(self._ready)[-1])
        if jobs:
            order.add(jobs)
        while self._ended and self._ended[0][0] <= until_s:
            end_s, owner, is_known = heappop(self._ended)
            self._released[owner] = end_s
            if not is_known:
                self._unsure.add(owner)
            order.give_room(owner)
            has_room = True
        return bool(jobs) or has_room

    def note(self, placement: Placement) -> None:
        """A job will end."""
        owner = placement.job.owner
        if owner in self._limited and not placement.job.is_running:
            heappush(self._ended, (placement.finish_s, owner, placement.is_finish_known))

    def earliest_s(self, job: WaitingJob) -> float:
        """Before this it cannot start."""
        return max(self._delays.get(job.job_id, 0.0), self._released.get(job.owner, 0.0))

    def is_sure(self, job: WaitingJob) -> bool:
        """Whether that is more than a guess."""
        return job.owner not in self._unsure

    def reason(self, job: WaitingJob) -> WaitReason:
        """What it waits for."""
        if job.job_id in self._delays:
            return WaitReason.RETRY_DELAY
        return WaitReason.OWNER_LIMIT if job.owner in self._released else WaitReason.TURN
