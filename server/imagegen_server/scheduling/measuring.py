"""What an attempt's updates tell about how long things take. Pure."""

from imagegen_adapters.contract import (
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    Progressed,
    Update,
)
from imagegen_server.scheduling.estimates import Estimator, Sample
from imagegen_server.scheduling.work import Work

LEAST_LOAD_S = 0.5
"""A1111 says that it loads a model before every job; shorter than this, it had it already, if it may have had it."""


class RunMeter:
    """Follows one attempt from its start.

    `started` and every `now` are of one clock. An attempt that another process began (`is_adopted`) is followed for its
    progress, and gives no sample. With `needs_load` the backend has another model loaded when it begins.
    """

    def __init__(
        self, backend: str, work: Work, started: float, *, is_adopted: bool = False, needs_load: bool = False
    ) -> None:
        self.fraction = 0.0
        """How far the attempt is, 0..1."""
        self.is_loading = False
        """Whether a model is being loaded."""
        self.is_waiting = False
        """Whether it waits in the backend's own queue."""
        self._backend = backend
        self._work = work
        self._is_adopted = is_adopted
        self._needs_load = needs_load
        self._since = started
        self._run_s = 0.0
        self._load_s = 0.0
        self._images = 0
        self._has_sampled = False
        self._is_cached = False

    def note(self, update: Update, now: float) -> None:
        """Takes in the next update."""
        match update:
            case PhaseChanged(phase=phase):
                self._turn(now, is_waiting=phase is Phase.WAITING)
                self._has_sampled = self._has_sampled or phase is Phase.SAMPLING
            case ModelLoading(model=model) if not model or self._work.model in {"", model}:
                # Other loaders (LoRA, VAE) are part of the run: they come with every run of its kind.
                self._turn(now, is_loading=True)
            case Progressed():
                self.fraction = max(self.fraction, min(update.fraction, 1.0))
                if update.step > 0:
                    self._has_sampled = True
                    self._turn(now)
            case Planned(nodes=nodes) if nodes:
                cached = [node.class_type for node in nodes if node.cached]
                # A graph whose sampler was found in the cache did next to nothing.
                self._is_cached = len(cached) == len(nodes) or any("Sampler" in name for name in cached)
            case ImageReady(intermediate=False):
                self._images += 1
                self._turn(now)
            case _:
                pass

    def elapsed_s(self, now: float) -> float:
        """How long it has been running, without waiting there and without loading the model."""
        return self._run_s + (0.0 if self.is_loading or self.is_waiting else max(now - self._since, 0.0))

    def remaining_s(self, estimator: Estimator, now: float) -> float | None:
        """How long the backend will be at work on it, from now or from when its turn comes; None: not known."""
        run_s = estimator.remaining_s(self._backend, self._work, elapsed_s=self.elapsed_s(now), fraction=self.fraction)
        if run_s is None or self._has_sampled or not (self._needs_load or self.is_loading):
            return run_s
        load_s = estimator.load_s(self._backend, self._work.model)
        if load_s is None:
            return None
        loaded_s = self._load_s + (now - self._since if self.is_loading else 0.0)
        return run_s + max(load_s - loaded_s, 0.0)

    def sample(self, now: float) -> Sample | None:
        """What the run took, once it has ended well; None: it tells nothing."""
        self._turn(now)
        has_worked = self._images > 0 and not (self._is_cached and not self._has_sampled)
        if self._is_adopted or not has_worked or self._run_s <= 0:
            return None
        was_loaded = self._load_s > 0 if self._needs_load else self._load_s >= LEAST_LOAD_S
        run_s = self._run_s if was_loaded else self._run_s + self._load_s
        return Sample(backend=self._backend, work=self._work, run_s=run_s, load_s=self._load_s if was_loaded else None)

    def _turn(self, now: float, *, is_waiting: bool = False, is_loading: bool = False) -> None:
        """Counts the time since the last turn for what it was, and goes over to something else."""
        passed = max(now - self._since, 0.0)
        if self.is_loading:
            self._load_s += passed
        elif not self.is_waiting:
            self._run_s += passed
        self._since = now
        self.is_waiting, self.is_loading = is_waiting, is_loading
