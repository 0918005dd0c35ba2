"""Where jobs stand that somebody moved. Pure.

A job that was moved before another takes that one's turn, whoever owns it, and that one the next turn of its flow; one
that was moved after another goes as soon as that one has gone. A job whose neighbour waits no longer, or was moved away
itself, counts as moved to the front.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from imagegen_server.jobs import MoveKind
from imagegen_server.scheduling.situation import WaitingJob

Entry: TypeAlias = tuple[WaitingJob, float]
"""A job, and since when the turn is waited for that it has: its own, or that of the one with which it goes."""


def lines(jobs: Sequence[WaitingJob]) -> Iterator[tuple[tuple[str, int] | None, Iterable[Entry]]]:
    """Each flow with its jobs in order; None: those that were moved to the front. Every job is in exactly one."""
    anchors = _anchors(jobs)
    at_front, flows = list[WaitingJob](), defaultdict[tuple[str, int], list[WaitingJob]](list)
    before, after = defaultdict[str, list[WaitingJob]](list), defaultdict[str, list[WaitingJob]](list)
    # Of several at the front the one moved last goes first; of several next to a job it is the nearest.
    for job in sorted(jobs, key=lambda each: (-each.move.time if each.move else 0.0, each.job_id)):
        if job.move is None:
            flows[job.owner, job.priority].append(job)
        elif job.job_id not in anchors:
            at_front.append(job)
        elif job.move.kind is MoveKind.BEFORE:
            before[job.move.anchor].append(job)
        else:
            after[job.move.anchor].append(job)
    yield None, _with_followers(at_front, before, after)
    for flow, line in flows.items():
        line.sort(key=lambda job: (not job.is_running, job.queue_time, job.job_id))
        yield flow, _with_followers(line, before, after)


def _anchors(jobs: Sequence[WaitingJob]) -> dict[str, str]:
    """By job the one that it goes with.

    Whoever is put elsewhere takes along nobody who was moved next to it before. So there are no circles, either.
    """
    times = {job.job_id: (job.move.time, job.job_id) if job.move else (job.queue_time, "") for job in jobs}
    return {
        job.job_id: job.move.anchor
        for job in jobs
        if job.move is not None
        and job.move.kind is not MoveKind.FIRST
        and job.move.anchor in times
        and times[job.move.anchor] < (job.move.time, job.job_id)
    }


def _with_followers(
    line: Sequence[WaitingJob], before: dict[str, list[WaitingJob]], after: dict[str, list[WaitingJob]]
) -> Iterator[Entry]:
    """The line with those that go with its jobs. Not recursive: a chain may be as long as the queue."""
    pending = [(job, job.queue_time, False) for job in reversed(line)]
    while pending:
        job, queue_time, is_surrounded = pending.pop()
        if is_surrounded:
            yield job, queue_time
            continue
        pending += [(follower, queue_time, False) for follower in reversed(after.get(job.job_id, ()))]
        pending.append((job, queue_time, True))
        pending += [(follower, queue_time, False) for follower in before.get(job.job_id, ())]
