"""Places jobs on backends, one after the other in their order. Pure. `scheduling` says by which rules."""

from collections.abc import Iterator, Sequence
from typing import Final

from imagegen_server.scheduling.ordering import FairOrder, Turn
from imagegen_server.scheduling.situation import Situation, WaitingJob, WaitReason
from imagegen_server.scheduling.timelines import Coming, Option, Placement, Predictor, Timeline

LOOK_AHEAD: Final = 16
"""So many of the order are considered at once."""
PATIENCE_S: Final = 10.0
"""For so long after its turn has come within its flow, jobs of other owners may overtake one."""
BATCH_PATIENCE_S: Final = 60.0
"""The same where its flow was served since it was submitted: for the next of a batch nobody looks at the clock."""
SAME_TIME_S: Final = 60.0
"""An owner's jobs that were submitted within this may overtake one another."""
CLEARLY_S, CLEARLY_SHARE = 1.0, 0.1
"""What waiting for a better backend must save: seconds, and share of the time."""
SPLIT_S, SPLIT_SHARE = 5.0, 0.25
"""What a split must save."""


class Planner:
    """Places the jobs of one situation."""

    def __init__(self, situation: Situation) -> None:
        self.placements: list[Placement] = []
        self.timelines = [Timeline(each) for each in situation.backends if each.is_available]
        self.ready: list[WaitingJob] = []
        self.delayed: list[WaitingJob] = []
        self._at = situation
        self._placed = set[str]()
        self._able: dict[str, list[Timeline]] = {}
        self._costs: dict[str, float] = {}
        self._predict = Predictor(situation.estimator, self.timelines)
        for job in situation.jobs:
            if not job.is_paused and not situation.paused(job.owner):
                (self.ready if job.not_before <= situation.now else self.delayed).append(job)

    @property
    def has_open(self) -> bool:
        return any(timeline.is_open for timeline in self.timelines)

    def has_room(self, job: WaitingJob) -> bool:
        return job.is_running or self._at.room(job.owner) > 0

    def able(self, job: WaitingJob) -> list[Timeline]:
        """Where it can go."""
        able = self._able.get(job.job_id)
        if able is None:
            accepting = [each for each in self.timelines if self._at.accepts(job.job_id, each.name)]
            able = [each for each in accepting if each.name not in job.failed_on] or accepting
            self._able[job.job_id] = able
        return able

    def reason(self, job: WaitingJob) -> WaitReason:
        """What it waits for."""
        if job.is_paused:
            return WaitReason.PAUSED
        if self._at.paused(job.owner):
            return WaitReason.QUEUE_PAUSED
        if not self.able(job):
            return WaitReason.NO_BACKEND
        if job.not_before > self._at.now:
            return WaitReason.RETRY_DELAY
        return WaitReason.TURN if self.has_room(job) else WaitReason.OWNER_LIMIT

    def cost_s(self, job: WaitingJob) -> float:
        """What its owner is charged: the same wherever it goes, as nobody chooses to get a slow backend."""
        cost_s = self._costs.get(job.job_id)
        if cost_s is None:
            runs = self._predict.runs(job, job.passes)
            cost_s = self._costs[job.job_id] = min((runs[each.name].seconds for each in self.able(job)), default=0.0)
        return cost_s

    # --- placing -----------------------------------------------------------------------------------------------------

    def place_all(self, *, until_full: bool) -> None:
        """Places the jobs in order: with `until_full` those that are ready, until nothing is open; else all."""
        for _ in self.placing(until_full=until_full):
            pass

    def placing(self, *, until_full: bool) -> Iterator[None]:
        """The same in small steps."""
        order = FairOrder(
            self._at.jobs,
            shares=self._at.shares,
            cost_s=self.cost_s,
            can_go=lambda job: bool(self.able(job)),
            room=self._at.room,
            now=self._at.now,
        )
        order.add(self.ready)
        coming = Coming(self._at, [] if until_full else self.delayed)
        unsettled = list(self.ready)
        while True:
            first = order.first(1)
            if first and until_full and not self._has_use_of_open(unsettled):
                break
            start_s = min(each.free_s for each in self.able(first[0].job)) if first else coming.next_s
            if start_s is None:
                break
            order.advance(self._at.now + start_s)
            if not coming.let_in(order, start_s):
                self._place(order, coming)
            yield
        self._split()

    def in_order(self, jobs: Sequence[WaitingJob]) -> list[WaitingJob]:
        """Jobs that nothing can be foreseen of, as they would go if they could."""
        order = FairOrder(
            self._at.jobs,
            shares=self._at.shares,
            cost_s=self.cost_s,
            can_go=lambda _: True,
            room=lambda _: len(jobs),
            now=self._at.now,
        )
        order.add(jobs)
        return [turn.job for turn in order.first(len(jobs))]

    def _has_use_of_open(self, unsettled: list[WaitingJob]) -> bool:
        """Whether something could still be started now. Takes out for whom it cannot: what is closed stays so."""
        while unsettled:
            job = unsettled[-1]
            names = (timeline.name for timeline in self.timelines if timeline.is_open)
            if job.job_id not in self._placed and any(self._at.accepts(job.job_id, name) for name in names):
                return True
            unsettled.pop()
        return False

    def _place(self, order: FairOrder, coming: Coming) -> None:
        turns = order.first(LOOK_AHEAD)
        index, option = 0, self._best(turns[0], coming)
        if option.load.seconds > 0:
            overtaking = self._overtaking(turns, option, coming)
            index, option = overtaking or (index, option)
        job, timeline = turns[index].job, option.timeline
        order.take(index)
        is_start_known = timeline.is_known and coming.is_sure(job)
        placement = Placement(
            job=job,
            parts=[option],
            is_now=timeline.is_open and coming.earliest_s(job) <= 0,
            is_start_known=is_start_known,
            is_finish_known=is_start_known and option.is_measured,
            reason=coming.reason(job),
        )
        timeline.fill(option.finish_s, job.work.model, is_known=option.is_measured)
        coming.note(placement)
        self.placements.append(placement)
        self._placed.add(job.job_id)

    def _best(self, turn: Turn, coming: Coming) -> Option:
        job = turn.job
        earliest_s = coming.earliest_s(job)
        options = [self._predict.option(timeline, job, job.passes, earliest_s) for timeline in self.able(job)]
        first_s = min(option.start_s for option in options)
        # The first of equals stays: that is the order of the configuration.
        best = min(options, key=lambda option: option.finish_s)
        prompt = min((option for option in options if option.start_s <= first_s), key=lambda option: option.finish_s)
        is_sure = best.timeline.is_known and best.run.is_measured and prompt.run.is_measured
        saves_s = prompt.finish_s - best.finish_s
        is_clear = saves_s > max(CLEARLY_S, CLEARLY_SHARE * (prompt.finish_s - first_s))
        # Predictions fail: it is not held back for longer than the other backend would have needed for it.
        has_patience = self._at.now + first_s - turn.since < prompt.finish_s - first_s
        return best if is_sure and is_clear and has_patience else prompt

    def _overtaking(self, turns: Sequence[Turn], option: Option, coming: Coming) -> tuple[int, Option] | None:
        """Who goes before the first one because its model is resident there; by its index."""
        timeline, passed = option.timeline, list[Turn]()
        for index, turn in enumerate(turns):
            job = turn.job
            if job.move is not None or turn.rank != turns[0].rank:
                return None
            if timeline not in self.able(job):
                continue
            if index and timeline.resident and job.work.model == timeline.resident:
                theirs = self._best(turn, coming)
                until = self._at.now + theirs.finish_s
                if theirs.timeline is timeline and all(_lets_pass(each, turn, until) for each in passed):
                    return index, theirs
            passed.append(turn)
        return None

    def _split(self) -> None:
        """Has backends that are left over take passes of jobs that have several."""
        for placement in self.placements:
            job, whole = placement.job, placement.parts[0]
            if job.passes < 2 or not whole.run.is_measured or whole.timeline.free_s > whole.finish_s:
                continue
            idle = [
                timeline
                for timeline in self.able(job)
                if timeline.free_s <= whole.start_s and (timeline.is_idle or not placement.is_now)
            ]
            parts = self._shared_out(job, whole, idle)
            finish_s = max(part.finish_s for part in parts)
            saves_s = whole.finish_s - finish_s
            if len(parts) > 1 and saves_s > max(SPLIT_S, SPLIT_SHARE * (whole.finish_s - whole.start_s)):
                placement.parts = parts
                placement.is_finish_known = placement.is_start_known and all(part.is_measured for part in parts)
                for part in parts:
                    part.timeline.fill(part.finish_s, job.work.model, is_known=part.is_measured)

    def _shared_out(self, job: WaitingJob, whole: Option, idle: Sequence[Timeline]) -> list[Option]:
        """Each pass goes where it is finished first. Only where it was measured: a guess may be off by any factor."""
        options = [self._predict.option(timeline, job, 1, whole.start_s) for timeline in idle]
        following = [self._with_passes(job, whole, 1), *(option for option in options if option.run.is_measured)]
        shares = dict[str, Option]()
        for _ in range(job.passes):
            index = min(range(len(following)), key=lambda each: following[each].finish_s)
            option = following[index]
            shares[option.timeline.name] = option
            following[index] = self._with_passes(job, option, option.passes + 1)
        return list(shares.values())

    def _with_passes(self, job: WaitingJob, option: Option, passes: int) -> Option:
        return option._replace(passes=passes, run=self._predict.runs(job, passes)[option.timeline.name])


def _lets_pass(passed: Turn, turn: Turn, until: float) -> bool:
    """Whether the one may be overtaken by the other, which will be done by then."""
    if passed.flow == turn.flow:
        return turn.job.queue_time - passed.job.queue_time <= SAME_TIME_S
    is_of_batch = passed.since > passed.job.queue_time
    return until - passed.since <= (BATCH_PATIENCE_S if is_of_batch else PATIENCE_S)
