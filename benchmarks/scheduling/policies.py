"""Who decides in a replay: the real scheduler, and three simple ones."""

# ruff: noqa: ARG002 # a policy gets more than a simple one needs

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarks.scheduling.day import Request
from benchmarks.scheduling.replay import FIXED_S, Choice, Run, Station, Waiting
from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    Progressed,
    Update,
)
from imagegen_server.scheduling import (
    Candidate,
    Place,
    Situation,
    WaitingJob,
    book,
    decide,
    foresee,
    next_look,
)
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.fairness import FairShares
from imagegen_server.scheduling.measuring import RunMeter
from imagegen_server.scheduling.work import Work


class Ours:
    """The scheduler as it is. What it knows of durations it has learned during the replay."""

    name = "imagegen"

    def __init__(self) -> None:
        self._estimator = Estimator()
        self._shares = FairShares(lambda _: 1.0)
        self._meters: dict[int, _Told] = {}
        self._jobs: dict[str, WaitingJob] = {}

    def choose(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Iterable[Choice]:
        situation = self._situation(waiting, stations, now)
        jobs = {each.request.job_id: each for each in waiting}
        by_name = {station.name: station for station in stations}
        for decision in decide(situation):
            book(situation, decision)
            yield jobs[decision.job_id], by_name[decision.backend], decision.passes

    def handed_over(self, run: Run) -> None:
        others = run.machine.runs[:-1]
        resident = others[-1].request.model.name if others else run.machine.resident
        self._meters[id(run)] = _Told(run, needs_load=resident != run.request.model.name)

    def ended(self, run: Run, now: float, *, well: bool) -> None:
        told = self._meters.pop(id(run))
        told.catch_up(now)
        sample = told.meter.sample(now) if well else None
        if sample is not None:
            self._estimator.learn(sample)

    def next_look(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> float | None:
        return next_look(self._situation(waiting, stations, now))

    def places(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Mapping[str, Place]:
        """What it foresees."""
        return foresee(self._situation(waiting, stations, now))

    def _situation(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Situation:
        jobs = {each.request.job_id: each for each in waiting}
        by_name = {station.name: station for station in stations}
        return Situation(
            now=now,
            jobs=[self._job(each) for each in waiting],
            backends=[self._candidate(station, now) for station in stations],
            accepts=lambda job_id, name: by_name[name].can_run(jobs[job_id].request),
            estimator=self._estimator,
            shares=self._shares,
            room=lambda _: 1000,
            paused=lambda _: False,
        )

    def _job(self, waiting: Waiting) -> WaitingJob:
        # Made anew only where it has changed: queues are long, and looks are many.
        job_id, passes = waiting.request.job_id, len(waiting.missing)
        job = self._jobs.get(job_id)
        if job is None or (job.passes, job.is_running, job.failed_on) != (
            passes,
            waiting.is_running,
            waiting.failed_on,
        ):
            job = self._jobs[job_id] = WaitingJob(
                job_id=job_id,
                owner=waiting.request.owner,
                queue_time=waiting.request.time,
                work=_work(waiting.request),
                passes=passes,
                failed_on=waiting.failed_on,
                is_running=waiting.is_running,
            )
        return job

    def _candidate(self, station: Station, now: float) -> Candidate:
        meters = [self._meters[id(run)] for run in station.runs]
        for told in meters:
            told.catch_up(now)
        left = [told.meter.remaining_s(self._estimator, now) for told in meters]
        known = [seconds for seconds in left if seconds is not None]
        return Candidate(
            name=station.name,
            is_available=station.is_up,
            free_slots=station.machine.slots - len(station.runs),
            slots=station.machine.slots,
            remaining_s=sum(known) if len(known) == len(left) else None,
            resident_model=station.runs[-1].request.model.name if station.runs else station.resident,
        )


class _Told:
    """A run's meter, and the updates that it gets in the course of time."""

    def __init__(self, run: Run, *, needs_load: bool) -> None:
        self._run = run
        work = replace(_work(run.request), images=len(run.passes))
        self.meter = RunMeter(run.machine.name, work, run.handed_over, needs_load=needs_load)
        self.meter.note(Accepted(handle=Handle(remote_id="")), run.handed_over)
        self.meter.note(PhaseChanged(phase=Phase.WAITING), run.handed_over)
        self._coming: list[tuple[float, Update]] | None = None

    def catch_up(self, now: float) -> None:
        run = self._run
        if run.began is None:
            return
        if self._coming is None:
            self._coming = _updates(run)
        while self._coming and self._coming[0][0] <= now:
            time, update = self._coming.pop(0)
            self.meter.note(update, time)
        begun = run.began + run.load_s + FIXED_S
        if now > begun:
            share = (now - begun) / (run.ends[-1] - begun)
            steps = run.request.steps * len(run.passes)
            fraction = int(share * steps) / steps
            self.meter.note(Progressed(fraction=fraction, phase=Phase.SAMPLING, step=1, steps=steps), now)


def _updates(run: Run) -> list[tuple[float, Update]]:
    assert run.began is not None
    loading: list[tuple[float, Update]] = [
        (run.began, PhaseChanged(phase=Phase.LOADING_MODEL)),
        (run.began, ModelLoading(model=run.request.model.name)),
    ]
    images: list[tuple[float, Update]] = [(end, ImageReady(data=b"", media_type="image/png")) for end in run.ends]
    return [
        *(loading if run.load_s else []),
        (run.began + run.load_s, PhaseChanged(phase=Phase.SAMPLING)),
        *images,
    ]


def _work(request: Request) -> Work:
    return Work(model=request.model.name, pixels=request.pixels, steps=request.steps)


class Simple:
    """What the simple ones share: they learn nothing, and a machine gets one job at a time."""

    name = ""

    def handed_over(self, run: Run) -> None:
        """Nothing to note."""

    def ended(self, run: Run, now: float, *, well: bool) -> None:
        """Nothing to learn."""

    def next_look(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> float | None:
        return None


class Fifo(Simple):
    """The oldest job goes to the first free machine that can do it."""

    name = "FIFO"

    def choose(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Iterable[Choice]:
        free = [station for station in stations if station.is_up and not station.runs]
        for job in waiting:
            if not free:
                return
            station = next((each for each in free if each.can_run(job.request)), None)
            if station is not None:
                free.remove(station)
                yield job, station, len(job.missing)


class _Assigning(Simple):
    """Each job gets its machine when it arrives, and waits there in line."""

    def __init__(self) -> None:
        self._machines: dict[str, Station] = {}

    def choose(self, waiting: Sequence[Waiting], stations: Sequence[Station], now: float) -> Iterable[Choice]:
        free = [station for station in stations if station.is_up and not station.runs]
        for job in waiting:
            job_id = job.request.job_id
            if job_id not in self._machines or not self._machines[job_id].is_up:
                able = [station for station in stations if station.can_run(job.request)]
                if not able:
                    continue
                self._machines[job_id] = self._pick(able)
            station = self._machines[job_id]
            if station in free:
                free.remove(station)
                del self._machines[job_id]
                yield job, station, len(job.missing)

    def _pick(self, able: Sequence[Station]) -> Station:
        raise NotImplementedError


class LeastLoaded(_Assigning):
    """The machine with the fewest jobs."""

    name = "least-loaded"

    def _pick(self, able: Sequence[Station]) -> Station:
        lines = Counter(station.name for station in self._machines.values())
        return min(able, key=lambda station: lines[station.name] + len(station.runs))


class Random(_Assigning):
    """Any machine."""

    name = "random"

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._rng = random.Random(seed)

    def _pick(self, able: Sequence[Station]) -> Station:
        return self._rng.choice(able)
