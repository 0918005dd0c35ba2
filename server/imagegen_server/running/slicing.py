"""Which images of a job an attempt makes. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import Job, JobSpec, Slice


def part_of(source: ImageParameters | RawGraph, piece: Slice) -> ImageParameters | RawGraph:
    """The part of the request that one attempt makes: image i has the seed that it would have in the whole."""
    if not isinstance(source, ImageParameters):
        return source
    return replace(source, seed=source.seed + piece.first, count=piece.count)


def passes_in(spec: JobSpec, pieces: Sequence[Slice]) -> int:
    """How many passes they are; a graph is one."""
    return sum(-(-piece.count // spec.batch_size) if piece.count else 1 for piece in pieces)


def cut(spec: JobSpec, missing: Sequence[Slice], passes: int) -> tuple[Slice, list[Slice]]:
    """The first of what is missing, of at most so many passes, and the rest. An attempt's images are neighbours."""
    first, *others = missing
    count = min(passes * spec.batch_size, first.count)
    if count == first.count:
        return first, others
    rest = Slice(first=first.first + count, count=first.count - count)
    return Slice(first=first.first, count=count), [rest, *others]


def handed_over(job: Job, number: int) -> Slice:
    """What the backend makes for an attempt: if it was taken up again, all that was asked for at first."""
    attempt_id = job.attempts[number - 1].attempt_id
    return next(attempt.slice for attempt in job.attempts if attempt.attempt_id == attempt_id)


def within(missing: Sequence[Slice], old: Slice) -> Slice | None:
    """The first of what is missing that an earlier attempt at `old` was to make; None: nothing of it is missing."""
    if not old.count:
        return missing[0] if missing else None
    for each in missing:
        shared = range(max(each.first, old.first), min(each.images.stop, old.images.stop))
        if shared:
            return Slice(first=shared.start, count=len(shared))
    return None
