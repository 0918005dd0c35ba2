"""What must be true of pictures, and of who makes which. Each check gives a sentence for each violation. Pure."""

from collections import Counter
from collections.abc import Iterator

from imagegen.v1.job_pb2 import Attempt, Job, JobState, Output
from tests.chaos.evidence import Accepted, Evidence
from tests.chaos.plan import JobKind
from tests.chaos.reading import images_of, pairs, results_of
from tests.chaos.specs import first_seed


def outputs_are_complete(evidence: Evidence) -> Iterator[str]:
    yield from evidence.unreadable
    for each, job in pairs(evidence):
        final = [output.image_index for output in results_of(job)]
        twice = [index for index, times in Counter(final).items() if times > 1]
        if twice:
            yield f"job {job.job_id} ({each.planned.kind}) has images {twice} more than once"
        if job.state == JobState.JOB_STATE_SUCCEEDED and len(final) != each.planned.count:
            yield f"job {job.job_id} ({each.planned.kind}) has images {final}, asked for were {each.planned.count}"


def pictures_have_their_seeds(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if not each.has_new_seeds and first_seed(job.spec) != each.planned.seed:
            yield f"job {job.job_id} was asked for with seed {each.planned.seed}, and has {first_seed(job.spec)}"
        for output in results_of(job):
            told = evidence.seeds.get((job.job_id, output.index))
            expected = _expected_seed(each, job, output)
            if told != expected:
                yield f"image {output.image_index} of job {job.job_id} was made with seed {told}, and not {expected}"


def attempts_make_what_they_are_for(evidence: Evidence) -> Iterator[str]:
    for each, job in pairs(evidence):
        if each.planned.kind is JobKind.GRAPH:
            continue
        for output in results_of(job):
            attempt = job.attempts[output.attempt - 1]
            if output.image_index not in images_of(attempt):
                yield (
                    f"job {job.job_id}: attempt {attempt.number} is for images {images_of(attempt)}, "
                    f"and gave image {output.image_index}"
                )


def nothing_is_made_again(evidence: Evidence) -> Iterator[str]:
    """No image by two attempts at a time, none that is there already: only passes that are not whole are repeated."""
    for each, job in pairs(evidence):
        running: dict[int, Attempt] = {}
        made: set[int] = set()
        for event in evidence.histories.get(job.job_id, []):
            match event.WhichOneof("event"):
                case "attempt_started":
                    began = job.attempts[event.attempt - 1]
                    for other in running.values():
                        if each.planned.kind is JobKind.GRAPH or set(images_of(other)) & set(images_of(began)):
                            yield f"job {job.job_id}: attempt {began.number} began while {other.number} made the same"
                    again = [first for first in _passes(began, each) if made.issuperset(_pass(first, each))]
                    if again:
                        yield f"job {job.job_id}: attempt {began.number} makes the passes from {again} again"
                    running[began.number] = began
                case "attempt_failed":
                    running.pop(event.attempt, None)
                case "output_ready":
                    made.add(event.output_ready.image_index)


def _passes(attempt: Attempt, each: Accepted) -> Iterator[int]:
    """The first image of each pass of an attempt."""
    return iter(images_of(attempt)[:: each.planned.batch_size])


def _pass(first: int, each: Accepted) -> range:
    return range(first, min(first + each.planned.batch_size, each.planned.count))


def _expected_seed(each: Accepted, job: Job, output: Output) -> int:
    first = first_seed(job.spec)
    if each.planned.kind is JobKind.GRAPH:
        return first
    if job.attempts[output.attempt - 1].backend == "a1111":
        return first + output.image_index
    # A pass of ComfyUI has one seed.
    return first + output.image_index // each.planned.batch_size * each.planned.batch_size
