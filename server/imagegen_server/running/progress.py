"""Progress as watchers get it: of the whole job, never falling while all goes well, with a measured speed. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from imagegen_adapters.contract import Progressed
from imagegen_server.jobs import Job, Slice

STAGE_S: Final = 2.0


class ProgressTracker:
    """Follows one attempt."""

    def __init__(self, handed_over: Slice, piece: Slice) -> None:
        """`handed_over` is what its backend makes, `piece` the part of it that the attempt is for."""
        self.fraction = 0.0
        """Share of the piece."""
        self._handed_over = handed_over
        self._piece = piece
        self._pass: tuple[str, int, int] | None = None
        self._first_step = 0
        self._first_time = 0.0
        self._last_step = 0

    def track(self, progress: Progressed, now: float) -> tuple[Progressed, float | None]:
        """The progress with its image as the job counts, and the speed of the current pass.

        The speed is in steps per second, absent before two different steps of a pass were seen.
        """
        self.fraction = max(self.fraction, min(self._share_of_piece(progress.fraction), 1.0))
        image_index = self._handed_over.first + progress.image_index
        return replace(progress, image_index=image_index), self._speed(progress, now)

    def _share_of_piece(self, fraction: float) -> float:
        if not self._piece.count:
            return fraction
        images_done = self._handed_over.first + fraction * self._handed_over.count - self._piece.first
        return images_done / self._piece.count

    def _speed(self, progress: Progressed, now: float) -> float | None:
        current = (progress.node_id, progress.image_index, progress.steps)
        if not progress.steps or current != self._pass or progress.step < self._last_step:
            self._pass, self._first_step, self._first_time = current, progress.step, now
        self._last_step = progress.step
        steps, elapsed_s = progress.step - self._first_step, now - self._first_time
        return steps / elapsed_s if steps > 0 and elapsed_s > 0 else None


class ProgressBoard:
    """What the attempts of a job have to know of each other, by job and number."""

    def __init__(self) -> None:
        self._fractions: dict[str, dict[int, float]] = {}
        self._on_stage: dict[str, tuple[int, float]] = {}

    def note(self, job_id: str, number: int, fraction: float) -> None:
        """Share of the attempt's slice."""
        self._fractions.setdefault(job_id, {})[number] = fraction

    def forget(self, job_id: str, number: int) -> None:
        fractions = self._fractions.get(job_id, {})
        fractions.pop(number, None)
        if not fractions:
            self._fractions.pop(job_id, None)
        if self._on_stage.get(job_id, (0, 0.0))[0] == number:
            del self._on_stage[job_id]

    def shows(self, job_id: str, number: int, now: float) -> bool:
        """Whether a frame that this attempt has now is shown.

        Watchers have one picture: pictures of several attempts would flicker. One attempt has the stage until it has
        ended, or shown nothing for STAGE_S.
        """
        shown, last_time = self._on_stage.get(job_id, (number, now))
        if shown != number and now - last_time < STAGE_S:
            return False
        self._on_stage[job_id] = number, now
        return True

    def fraction(self, job: Job) -> float:
        """Share of the whole job."""
        return job_fraction(job, self._fractions.get(job.job_id, {}))


def job_fraction(job: Job, fractions: Mapping[int, float]) -> float:
    """Share of the job that is done, from the shares of its running attempts' slices, by number."""
    count, running = job.spec.everything.count, job.running
    if not count:
        return max((fractions.get(attempt.number, 0.0) for attempt in running), default=0.0)
    done = len(job.made - job.under_way) + sum(each.slice.count * fractions.get(each.number, 0.0) for each in running)
    return min(done / count, 1.0)
