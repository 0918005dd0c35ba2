"""What to start now, and what is foreseen: both are the same list of placements. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from imagegen_server.scheduling.planning import Planner
from imagegen_server.scheduling.situation import Decision, Place, Situation

HOLD_CHECK_S: Final = 2.0
"""A job that was held back for a better backend is looked at again after this."""


def decide(situation: Situation) -> list[Decision]:
    """What to start now, in order. Several decisions for one job split its passes."""
    planner = Planner(situation)
    if not planner.has_open:
        return []
    planner.place_all(until_full=True)
    return [
        Decision(placement.job.job_id, part.timeline.name, part.passes)
        for placement in planner.placements
        if placement.is_now
        for part in placement.parts
    ]


def foresee(situation: Situation) -> Mapping[str, Place]:
    """The place of every job, if nothing changes."""
    places: Mapping[str, Place] = {}
    for places in foreseeing(situation):  # noqa: B007  # the last ones count
        pass
    return places


def foreseeing(situation: Situation) -> Iterator[Mapping[str, Place]]:
    """The same in small steps, for a queue that is too long for one: the last that it gives are the places."""
    planner = Planner(situation)
    length, places = len(situation.jobs), dict[str, Place]()
    for _ in planner.placing(until_full=False):
        yield places
    for placement in planner.placements:
        places[placement.job.job_id] = Place(
            ahead=len(places),
            length=length,
            start_s=placement.start_s if placement.is_start_known else None,
            finish_s=placement.finish_s if placement.is_finish_known else None,
            backend=max(placement.parts, key=lambda part: part.passes).timeline.name,
            reason=placement.reason,
        )
    for job in planner.in_order([job for job in situation.jobs if job.job_id not in places]):
        places[job.job_id] = Place(ahead=len(places), length=length, reason=planner.reason(job))
    yield places


def next_look(situation: Situation) -> float | None:
    """When to decide again although nothing has happened; None: never. Asked after what was decided is started."""
    planner, now = Planner(situation), situation.now
    looks = [job.not_before for job in planner.delayed]
    waiting = [job for job in planner.ready if planner.has_room(job)]
    if waiting:
        looks += [now + timeline.opens_in_s for timeline in planner.timelines if timeline.opens_in_s is not None]
    if planner.has_open and any(timeline.is_open for job in waiting for timeline in planner.able(job)):
        looks.append(now + HOLD_CHECK_S)
    return min(looks, default=None)


def book(situation: Situation, decision: Decision) -> float:
    """Charges the owner of a job that is being started, and gives how many seconds.

    To be called for each decision that is carried out.
    """
    planner, shares = Planner(situation), situation.shares
    job = next(job for job in situation.jobs if job.job_id == decision.job_id)
    contending = {job.owner}
    for each in planner.ready:
        if each.owner not in contending and planner.has_room(each) and planner.able(each):
            contending.add(each.owner)
    shares.settle(contending, {each.owner for each in situation.jobs})
    seconds = planner.cost_s(job) * decision.passes / job.passes
    shares.charge(job.owner, seconds)
    shares.started(job.owner, job.priority, situation.now)
    return seconds
