"""Progress as watchers get it: never falling, with a measured speed. Pure."""

from dataclasses import replace

from imagegen_adapters.contract import Progressed


class ProgressTracker:
    """Follows one attempt."""

    def __init__(self) -> None:
        self._fraction = 0.0
        self._pass: tuple[str, int, int] | None = None
        self._first_step = 0
        self._first_time = 0.0
        self._last_step = 0

    def track(self, progress: Progressed, now: float) -> tuple[Progressed, float | None]:
        """The progress with its fraction within 0..1 and not below any before, and the speed of the current pass.

        The speed is in steps per second, absent before two different steps of a pass were seen.
        """
        self._fraction = min(max(progress.fraction, self._fraction), 1.0)
        return replace(progress, fraction=self._fraction), self._speed(progress, now)

    def _speed(self, progress: Progressed, now: float) -> float | None:
        current = (progress.node_id, progress.image_index, progress.steps)
        if not progress.steps or current != self._pass or progress.step < self._last_step:
            self._pass, self._first_step, self._first_time = current, progress.step, now
        self._last_step = progress.step
        steps, elapsed_s = progress.step - self._first_step, now - self._first_time
        return steps / elapsed_s if steps > 0 and elapsed_s > 0 else None
