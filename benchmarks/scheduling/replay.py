"""Runs a day against a policy, event by event. Time is simulated; nothing waits."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final, Protocol

from benchmarks.scheduling.day import Machine, Request

HANDOVER_S: Final = 0.5
"""From the decision until an idle machine begins."""
FIXED_S: Final = 0.8
"""Of every run, beside its images."""


@dataclass(slots=True, kw_only=True)
class Run:
    """Passes of a job at a machine."""

    request: Request
    machine: "Station"
    passes: tuple[int, ...]
    handed_over: float
    began: float | None = None
    load_s: float = 0.0
    ends: tuple[float, ...] = ()
    """When each pass is done; empty before it began."""


@dataclass(slots=True, kw_only=True)
class Station:
    """A machine at work. It makes its runs one after the other."""

    machine: Machine
    is_up: bool = True
    resident: str = ""
    runs: list[Run] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.machine.name

    def can_run(self, request: Request) -> bool:
        return self.is_up and request.model.name in self.machine.models


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A job of which something is missing."""

    request: Request
    missing: tuple[int, ...]
    failed_on: frozenset[str] = frozenset()
    is_running: bool = False


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a day."""

    starts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    swaps: int = 0


Choice = tuple[Waiting, Station, int]
"""So many of its missing passes are to run there."""


class Policy(Protocol):
    """Decides who goes where."""

    name: str

    def choose(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Iterable[Choice]:
        """What to start now; `waiting` is in order of time."""

    def handed_over(self, run: Run) -> None:
        """A run was given to a machine."""

    def ended(self, run: Run, now: float, *, well: bool) -> None:
        """A run has ended."""

    def next_look(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> float | None:
        """When to ask again although nothing has happened."""


class Replay:
    """One day under one policy."""

    def __init__(
        self,
        policy: Policy,
        requests: Sequence[Request],
        machines: Sequence[Machine],
        *,
        failure: tuple[str, float, float] | None = None,
    ) -> None:
        """`failure`: which machine dies, when, and when it is back."""
        self.now = 0.0
        self.outcome = Outcome()
        self.stations = [Station(machine=machine) for machine in machines]
        self._policy = policy
        self._waiting: dict[str, Waiting] = {}
        self._left: dict[str, int] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._look_at: float | None = None
        for request in requests:
            self._at(request.time, lambda request=request: self._arrive(request))  # type: ignore[misc]
        if failure is not None:
            station = next(each for each in self.stations if each.name == failure[0])
            self._at(failure[1], lambda: self._die(station))
            self._at(failure[2], lambda: self._come_back(station))

    @property
    def waiting(self) -> list[Waiting]:
        """In order of time."""
        return sorted(self._waiting.values(), key=lambda each: each.request.job_id)

    def run(self, *, every_s: float = 0.0, inspect: Callable[["Replay"], None] = lambda _: None) -> Outcome:
        """Until everything is done; has it inspected every so many seconds."""
        next_s = every_s
        while self._events:
            time = self._events[0][0]
            if every_s and time > next_s:
                self.now = next_s
                inspect(self)
                next_s += every_s
                continue
            self.now = time
            while self._events and self._events[0][0] <= time:
                heappop(self._events)[-1]()
            self._decide()
        assert not self._left, "jobs were lost"
        return self.outcome

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (time, self._count, action))

    def _decide(self) -> None:
        for waiting, station, passes in self._policy.choose(self.waiting, self.stations, self.now):
            assert len(station.runs) < station.machine.slots
            assert station.can_run(waiting.request)
            self._hand_over(waiting, station, passes)
        look = self._policy.next_look(self.waiting, self.stations, self.now)
        if look is not None and look != self._look_at:
            assert look > self.now
            self._look_at = look
            self._at(look, lambda: None)

    def _hand_over(self, waiting: Waiting, station: Station, passes: int) -> None:
        taken, waiting.missing = waiting.missing[:passes], waiting.missing[passes:]
        waiting.is_running = True
        if not waiting.missing:
            del self._waiting[waiting.request.job_id]
        run = Run(request=waiting.request, machine=station, passes=taken, handed_over=self.now)
        station.runs.append(run)
        self._policy.handed_over(run)
        if len(station.runs) == 1:
            self._at(self.now + HANDOVER_S, lambda: self._begin(run))

    def _begin(self, run: Run) -> None:
        station, request = run.machine, run.request
        if run not in station.runs or run.began is not None:
            return
        run.began = self.now
        self.outcome.starts.setdefault(request.job_id, self.now)
        if station.resident != request.model.name:
            self.outcome.swaps += 1
            run.load_s = request.model.load_s * request.noise[0]
            station.resident = request.model.name
        run.ends = tuple(_pass_ends(run))
        self._at(run.ends[-1], lambda: self._end(run))

    def _end(self, run: Run) -> None:
        if run not in run.machine.runs:
            return
        self._policy.ended(run, self.now, well=True)
        self._deliver(run.request, len(run.passes))
        run.machine.runs.remove(run)
        if run.machine.runs:
            self._begin(run.machine.runs[0])

    def _deliver(self, request: Request, passes: int) -> None:
        self._left[request.job_id] -= passes
        if not self._left[request.job_id]:
            del self._left[request.job_id]
            self.outcome.ends[request.job_id] = self.now

    def _arrive(self, request: Request) -> None:
        self._left[request.job_id] = request.passes
        self._waiting[request.job_id] = Waiting(request=request, missing=tuple(range(request.passes)))

    def _die(self, station: Station) -> None:
        station.is_up, station.resident = False, ""
        runs, station.runs = station.runs, []
        for run in runs:
            self._policy.ended(run, self.now, well=False)
            made = sum(end <= self.now for end in run.ends)
            if made:
                self._deliver(run.request, made)
            job = self._waiting.setdefault(run.request.job_id, Waiting(request=run.request, missing=()))
            job.missing = tuple(sorted((*job.missing, *run.passes[made:])))
            job.failed_on |= {station.name}
            job.is_running = any(each.request is run.request for other in self.stations for each in other.runs)

    def _come_back(self, station: Station) -> None:
        station.is_up = True


def _pass_ends(run: Run) -> Iterable[float]:
    assert run.began is not None
    request, time = run.request, run.began + run.load_s + FIXED_S
    for index in run.passes:
        units = request.pixels * request.steps / 1e6
        time += units * request.model.s_per_unit * request.noise[index] / run.machine.machine.speed
        yield time
