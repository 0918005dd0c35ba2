"""How long a run takes on a backend, learned from the runs that it has made. Pure.

What a run costs is kept for each backend, model and recipe, by size: pixels, steps and images. Of every size the newest
few durations are kept, and their middle third counts: a machine that slept once moves nothing, and one that has become
slower is believed after a few runs. A size that was never measured is scaled from the nearest one that was, in
proportion to `Work.units`; where several sizes were measured, a line through them tells which part of a run does not
grow with its size. Steps and images can be scaled far, pixels cannot: a tiny picture says nothing about a large one.
"""

import json
import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen_server.scheduling.work import Work

MAX_KEYS: Final = 512
"""Combinations of backend, model and recipe; of more, the one not used for longest is forgotten."""
MAX_SIZES: Final = 16
"""Sizes of one of them."""
WINDOW: Final = 8
"""Durations of one size."""
MAX_STRETCH: Final = 4
"""How many times the pixels of what was measured an image may have, or the other way round, to count as measured."""
GUESSED_LOAD_S: Final = 10.0
"""Of a model, where nothing was ever loaded."""
GUESSED_S_PER_UNIT: Final = 1.0
"""Where nothing was ever run."""
ASSUMED_LEAST_SHARE: Final = 0.05
"""Below it, how far a run is says nothing about its speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one run took."""

    backend: str
    work: Work
    run_s: float
    """Without waiting there and without loading the model."""
    load_s: float | None
    """None: nothing was loaded, or it cannot be told."""


class Estimator:
    """Predicts from samples. Bounded in memory; not safe for several threads."""

    def __init__(self) -> None:
        self._runs: OrderedDict[_Key, _Runs] = OrderedDict()
        self._loads: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._guesses: dict[tuple[str, Work], float] = {}

    def learn(self, sample: Sample) -> None:
        """Takes in a run that ended well."""
        work = sample.work
        if not (math.isfinite(sample.run_s) and sample.run_s > 0):
            return
        runs = _recent(self._runs, (sample.backend, work.model, work.recipe), _Runs)
        runs.add(work, sample.run_s)
        if sample.load_s is not None and math.isfinite(sample.load_s) and sample.load_s > 0:
            _recent(self._loads, (sample.backend, work.model), _Window).add(sample.load_s)
        self._guesses.clear()

    def run_s(self, backend: str, work: Work) -> float | None:
        """How long the work takes there, without loading; None: that model or graph, or anything near that size, was
        never measured there.

        Work that names no model gets what the backend used last.
        """
        runs = self._runs_of(backend, work)
        return runs.predict(work) if runs is not None and runs.is_near(work) else None

    def guess_s(self, backend: str, work: Work) -> float:
        """The same for placing, where any order of magnitude is better than none.

        From the nearest that is known: this model here, at whatever size; elsewhere, at the relative speed of the two
        backends; other models here; other backends; a constant.
        """
        key = backend, work
        if key not in self._guesses:
            if len(self._guesses) > 16 * MAX_KEYS:
                self._guesses.clear()
            self._guesses[key] = self._guess(backend, work)
        return self._guesses[key]

    def megapixel_steps_per_second(self, backend: str) -> float | None:
        """Steps of 1024 x 1024 pixels that it does in a second, over all that it has run lately; None: not measured.

        Graphs tell nothing of their size, so they do not count.
        """
        runs = [each for (name, _, _), each in self._runs.items() if name == backend]
        sizes = [(size.pixels * size.steps * size.images, seconds) for each in runs for size, seconds in each.middles()]
        measured = [(amount, seconds) for amount, seconds in sizes if amount]
        if not measured:
            return None
        return sum(amount for amount, _ in measured) / 2**20 / sum(seconds for _, seconds in measured)

    def load_s(self, backend: str, model: str) -> float | None:
        """How long that backend loads the model; None: it was never seen to."""
        window = self._loads.get((backend, model))
        return None if window is None else window.middle

    def guess_load_s(self, backend: str, model: str) -> float:
        """The same for placing: from other models there, this one elsewhere, or a constant."""
        known = self.load_s(backend, model)
        if known is not None:
            return known
        here = [window.middle for key, window in self._loads.items() if key[0] == backend]
        elsewhere = [window.middle for key, window in self._loads.items() if key[1] == model]
        return _mean(here or elsewhere or [GUESSED_LOAD_S])

    def remaining_s(self, backend: str, work: Work, *, elapsed_s: float, fraction: float) -> float | None:
        """How long a run goes on that has run for `elapsed_s` (without waiting and loading) and is so far.

        The prediction counts at first, its own speed more and more. None: neither is known.
        """
        predicted_s = self.run_s(backend, work)
        fraction = min(max(fraction, 0.0), 1.0)
        by_progress = elapsed_s * (1 - fraction) / fraction if fraction >= ASSUMED_LEAST_SHARE else None
        if predicted_s is None:
            return by_progress
        if by_progress is None:
            # A run that is overdue may end at any time; how soon, nobody knows.
            return max(predicted_s - elapsed_s, 0.1 * predicted_s)
        return (1 - fraction) * predicted_s * (1 - fraction) + fraction * by_progress

    def forget(self, backend: str) -> None:
        """Another machine may get this name."""
        for runs in [key for key in self._runs if key[0] == backend]:
            del self._runs[runs]
        for loads in [key for key in self._loads if key[0] == backend]:
            del self._loads[loads]
        self._guesses.clear()

    def to_json(self) -> str:
        """All that is known, for `from_json`."""
        return json.dumps(
            {
                "runs": [[*key, runs.to_list()] for key, runs in self._runs.items()],
                "loads": [[*key, window.to_list()] for key, window in self._loads.items()],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Estimator":
        """What `to_json` wrote; anything else gives one that knows nothing."""
        estimator = cls()
        try:
            estimator._read(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return cls()
        return estimator

    def _read(self, document: Mapping[str, Any]) -> None:
        for backend, model, recipe, sizes in document["runs"][-MAX_KEYS:]:
            for pixels, steps, images, durations in sizes:
                work = Work(
                    model=str(model), pixels=int(pixels), steps=int(steps), images=int(images), recipe=str(recipe)
                )
                for run_s in _positive(durations):
                    self.learn(Sample(backend=str(backend), work=work, run_s=run_s, load_s=None))
        for backend, model, durations in document["loads"][-MAX_KEYS:]:
            for duration in _positive(durations):
                _recent(self._loads, (str(backend), str(model)), _Window).add(duration)

    def _runs_of(self, backend: str, work: Work) -> "_Runs | None":
        runs = self._runs.get((backend, work.model, work.recipe))
        return self._newest(backend, work) if runs is None and not work.model else runs

    def _newest(self, backend: str, work: Work) -> "_Runs | None":
        """Of whatever model was used last, if possible at such a size."""
        keys = [key for key in reversed(self._runs) if (key[0], key[2]) == (backend, work.recipe)]
        newest = [self._runs[key] for key in keys]
        return next((runs for runs in newest if runs.is_near(work)), newest[0] if newest else None)

    def _guess(self, backend: str, work: Work) -> float:
        known = self._runs_of(backend, work)
        if known is not None:
            return known.predict(work)
        elsewhere = [
            runs.predict(work) * self._slowness(backend, other)
            for (other, model, recipe), runs in self._runs.items()
            if (model, recipe) == (work.model, work.recipe)
        ]
        if elsewhere:
            return _mean(elsewhere)
        here = [runs.s_per_unit for key, runs in self._runs.items() if key[0] == backend]
        anywhere = [runs.s_per_unit for runs in self._runs.values()]
        return _mean(here or anywhere or [GUESSED_S_PER_UNIT]) * work.units

    def _slowness(self, backend: str, other: str) -> float:
        """How much longer the same work takes on `backend` than on `other`, as far as both have done the same."""
        ratios = [
            runs.s_per_unit / self._runs[other, model, recipe].s_per_unit
            for (name, model, recipe), runs in self._runs.items()
            if name == backend and (other, model, recipe) in self._runs
        ]
        return _mean(ratios or [1.0])


_Key = tuple[str, str, str]
"""Backend, model and recipe."""


class _Window:
    """The newest durations of one thing."""

    def __init__(self) -> None:
        self._durations: deque[float] = deque(maxlen=WINDOW)
        self.middle = 0.0
        """The mean of the middle third."""

    def add(self, duration: float) -> None:
        self._durations.append(duration)
        ordered = sorted(self._durations)
        cut = len(ordered) // 3
        self.middle = _mean(ordered[cut : len(ordered) - cut])

    def to_list(self) -> list[float]:
        return [round(duration, 3) for duration in self._durations]


class _Runs:
    """Durations by size."""

    def __init__(self) -> None:
        self._sizes: OrderedDict[Work, _Window] = OrderedDict()
        self._fixed_s = 0.0
        self.s_per_unit = 0.0

    def add(self, work: Work, run_s: float) -> None:
        _recent(self._sizes, work, _Window, limit=MAX_SIZES).add(run_s)
        points = [(size.units, window.middle) for size, window in self._sizes.items()]
        self._fixed_s = _fixed_part(points)
        self.s_per_unit = _mean(seconds / units for units, seconds in points)

    def predict(self, work: Work) -> float:
        window = self._sizes.get(work)
        if window is not None:
            return window.middle
        nearest = min(self._sizes, key=lambda size: _distance(size, work))
        growing_s = self._sizes[nearest].middle - self._fixed_s
        return self._fixed_s + growing_s * work.units / nearest.units

    def is_near(self, work: Work) -> bool:
        """Whether a prediction of it is more than a guess."""
        return any(
            size.pixels <= MAX_STRETCH * work.pixels and work.pixels <= MAX_STRETCH * size.pixels
            for size in self._sizes
        )

    def middles(self) -> list[tuple[Work, float]]:
        """What was measured of each size."""
        return [(size, window.middle) for size, window in self._sizes.items()]

    def to_list(self) -> list[Any]:
        return [[size.pixels, size.steps, size.images, window.to_list()] for size, window in self._sizes.items()]


def _distance(size: Work, work: Work) -> tuple[float, float]:
    """How little the one says about the other: pixels count before all else."""
    pixels = max(size.pixels, 1) / max(work.pixels, 1)
    return abs(math.log(pixels)), abs(math.log(size.units / work.units))


def _fixed_part(points: list[tuple[float, float]]) -> float:
    """Seconds that do not grow with the size: where the line through the points begins, if it can be so."""
    mean_units, mean_s = _mean(units for units, _ in points), _mean(seconds for _, seconds in points)
    spread = sum((units - mean_units) ** 2 for units, _ in points)
    if spread < (0.1 * mean_units) ** 2:
        return 0.0
    slope = sum((units - mean_units) * (seconds - mean_s) for units, seconds in points) / spread
    # Half of the shortest run at most, so that noise cannot make small work cost nothing by its size.
    return min(max(mean_s - slope * mean_units, 0.0), 0.5 * min(seconds for _, seconds in points))


def _recent(items: OrderedDict[Any, Any], key: Any, make: Any, *, limit: int = MAX_KEYS) -> Any:
    """The item, made if need be, as the one used last; the one not used for longest goes when there are too many."""
    if key not in items:
        items[key] = make()
    items.move_to_end(key)
    while len(items) > limit:
        items.popitem(last=False)
    return items[key]


def _positive(durations: Iterable[Any]) -> list[float]:
    return [float(each) for each in durations if math.isfinite(each) and each > 0]


def _mean(values: Iterable[float]) -> float:
    items = list(values)
    return sum(items) / len(items)
