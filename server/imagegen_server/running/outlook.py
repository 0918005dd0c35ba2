"""What the scheduler is told about jobs and backends. Remembers what is dear to find out."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from imagegen_adapters.contract import RawGraph
from imagegen_server.backend import Backend
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Job, JobState
from imagegen_server.quotas import Quotas
from imagegen_server.running.attempts import AttemptDriver
from imagegen_server.running.eligibility import Eligibility
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.queue_control import QueueControl
from imagegen_server.running.retrying import failed_on, last_failure_time, pause_s
from imagegen_server.running.slicing import passes_in
from imagegen_server.scheduling import Candidate, Situation, WaitingJob
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.fairness import FairShares
from imagegen_server.scheduling.work import Work, work_of

APPRAISAL_S: Final = 0.2
_NO_LIMIT: Final = 1_000_000


class Outlook:
    """Belongs to the runner."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        estimator: Estimator,
        orphans: Orphans,
        control: QueueControl,
        quotas: Callable[[], Quotas],
        clock: Callable[[], float],
        max_pause_s: float,
    ) -> None:
        self.eligibility = Eligibility(fleet)
        self._fleet = fleet
        self._estimator = estimator
        self._orphans = orphans
        self._control = control
        self._quotas = quotas
        self._clock = clock
        self._max_pause_s = max_pause_s
        self._shares = FairShares(lambda owner: quotas().of(owner).weight)
        self._works: dict[str, Work] = {}
        self._waiting: dict[str, tuple[Job, WaitingJob]] = {}
        self._loaded: dict[str, tuple[str, float, str]] = {}
        """By backend the model that an attempt of ours has used there, when, and at which instance."""

    async def appraise(self, jobs: Iterable[Job]) -> bool:
        """Finds out about graphs in a thread, before they are met in the loop. Gives whether all are known now.

        It ends after a while, so that others need not wait; what is not known yet is not placed yet.
        """
        until = asyncio.get_running_loop().time() + APPRAISAL_S
        for job in jobs:
            if not isinstance(job.spec.source, RawGraph) or self._is_appraised(job):
                continue
            if asyncio.get_running_loop().time() > until:
                return False
            if job.job_id not in self._works:
                self._works[job.job_id] = await asyncio.to_thread(work_of, job.spec.source, 1)
            await self.eligibility.judge_graph(job)
        return True

    def keep_only(self, jobs: Collection[Job]) -> None:
        """Forgets all other jobs."""
        self.eligibility.keep_only(jobs)
        kept = {job.job_id for job in jobs}
        self._works = {job_id: work for job_id, work in self._works.items() if job_id in kept}
        self._waiting = {job_id: known for job_id, known in self._waiting.items() if job_id in kept}

    def work(self, job: Job, images: int) -> Work:
        """What so many images of the job are to a backend, as far as is known."""
        source = job.spec.source
        return self._works.get(job.job_id, Work()) if isinstance(source, RawGraph) else work_of(source, images)

    def rest(self) -> None:
        """Nothing waits and nothing runs."""
        self._shares.rest()

    def note_end(self, driver: AttemptDriver) -> None:
        """An attempt has ended: the backend's status will tell what is loaded only later."""
        if driver.has_begun:
            instance = driver.backend.health.status.instance
            self._loaded[driver.backend.name] = driver.work.model, self._clock(), instance
        # Its owner was charged for all of it.
        self._shares.charge(driver.owner, -driver.charged_s * (1.0 - driver.share_done))

    def resident_model(self, backend: Backend, drivers: Iterable[AttemptDriver]) -> str:
        """The model that the backend will have loaded when it has done what it has; empty: not known."""
        here = [driver for driver in drivers if driver.backend is backend]
        if here:
            return here[-1].work.model
        status = backend.health.status
        model, time, instance = self._loaded.get(backend.name, ("", 0.0, ""))
        is_news = time > (backend.health.last_seen or 0.0)
        # Not every backend tells; one that has not restarted still has what it had.
        is_still_so = not status.resident_model and status.instance == instance
        return model if is_news or is_still_so else status.resident_model

    def situation(
        self, jobs: Sequence[Job], drivers: Collection[AttemptDriver], *, without: Collection[str]
    ) -> Situation:
        """How things are. Of the `jobs` those wait that miss something, were appraised, and are not `without`."""
        missing = [
            job for job in jobs if job.job_id not in without and _misses_something(job) and self._is_appraised(job)
        ]
        accepting = {job.job_id: self._accepting(job) for job in missing}
        taken = Counter(job.owner for job in jobs if job.state is not JobState.QUEUED or job.job_id in without)
        return Situation(
            now=self._clock(),
            jobs=[self._waiting_job(job, accepting[job.job_id]) for job in missing],
            backends=[self._candidate(each, drivers) for each in self._fleet],
            accepts=lambda job_id, backend: backend in accepting[job_id],
            estimator=self._estimator,
            shares=self._shares,
            room=lambda owner: self._room(owner, taken),
            paused=self._control.holds,
        )

    def _is_appraised(self, job: Job) -> bool:
        is_graph = isinstance(job.spec.source, RawGraph)
        return not is_graph or (job.job_id in self._works and self.eligibility.is_judged(job))

    def _accepting(self, job: Job) -> frozenset[str]:
        names = self.eligibility.accepting(job)
        if not job.attempts:
            return names
        # What is being stopped there must not be begun there again.
        return names - {name for name in names if self._orphans.is_being_stopped(job.job_id, name)}

    def _waiting_job(self, job: Job, accepting: Collection[str]) -> WaitingJob:
        known = self._waiting.get(job.job_id)
        if known is None or known[0] is not job:
            known = self._waiting[job.job_id] = job, self._new_waiting_job(job)
        if not job.attempts:
            return known[1]
        # Whether a failed job pauses depends on how the backends are.
        return self._with_pause(known[1], job, accepting)

    def _new_waiting_job(self, job: Job) -> WaitingJob:
        count = job.spec.everything.count
        return WaitingJob(
            job_id=job.job_id,
            owner=job.owner,
            priority=job.spec.priority,
            queue_time=job.queue_time,
            work=self.work(job, min(job.spec.batch_size, count) if count else 1),
            passes=passes_in(job.spec, job.missing),
            is_paused=job.is_paused,
            is_running=job.state is JobState.RUNNING,
            move=job.move,
        )

    def _with_pause(self, waiting: WaitingJob, job: Job, accepting: Collection[str]) -> WaitingJob:
        # Where it may still be going on is the best place for it.
        avoided = frozenset(name for name in failed_on(job) if self._orphans.find(job.job_id, name) is None)
        if any(each.is_open and each.name in accepting and each.name not in avoided for each in self._fleet):
            return replace(waiting, failed_on=avoided)
        return replace(waiting, failed_on=avoided, not_before=last_failure_time(job) + pause_s(job, self._max_pause_s))

    def _candidate(self, backend: Backend, drivers: Iterable[AttemptDriver]) -> Candidate:
        here = [driver for driver in drivers if driver.backend is backend]
        remaining = [driver.remaining_s() for driver in here]
        known = [each for each in remaining if each is not None]
        return Candidate(
            name=backend.name,
            is_available=backend.is_open,
            free_slots=backend.slots - len(here),
            slots=backend.slots,
            remaining_s=sum(known) if len(known) == len(remaining) else None,
            resident_model=self.resident_model(backend, here),
        )

    def _room(self, owner: str, taken: Mapping[str, int]) -> int:
        may = self._quotas().of(owner).max_running_jobs
        return may - taken.get(owner, 0) if may else _NO_LIMIT


def _misses_something(job: Job) -> bool:
    return job.state is JobState.QUEUED or (job.state is JobState.RUNNING and bool(job.missing))
