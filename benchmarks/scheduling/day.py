"""A day of mixed load: who asks for what and when, and the machines that there are. From a seed, always the same."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    name: str
    s_per_unit: float
    """Seconds per megapixel-step on a machine of speed 1."""
    load_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    name: str
    speed: float
    models: frozenset[str]
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A job, and what it really takes, which nobody knows beforehand."""

    job_id: str
    owner: str
    time: float
    model: Model
    pixels: int
    steps: int
    noise: tuple[float, ...]
    """By pass, what its duration is multiplied with."""

    @property
    def passes(self) -> int:
        return len(self.noise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy a day is."""

    name: str
    visits_per_hour: float
    """Of each of the two who come now and then."""
    sittings: int
    """Of the one who works at the screen: half an hour each, a picture a minute."""
    dump_jobs: int
    """How many jobs the one with the batches submits at once, every four hours."""


LOADS: Final = (
    Load(name="light", visits_per_hour=4, sittings=6, dump_jobs=60),
    Load(name="busy", visits_per_hour=12, sittings=12, dump_jobs=260),
    Load(name="overload", visits_per_hour=20, sittings=20, dump_jobs=460),
)

MODELS: Final = (
    Model(name="sd15", s_per_unit=0.5, load_s=4),
    Model(name="anime", s_per_unit=0.5, load_s=5),
    Model(name="sdxl", s_per_unit=0.8, load_s=9),
    Model(name="photo", s_per_unit=0.8, load_s=10),
    Model(name="flux", s_per_unit=1.6, load_s=15),
)
_ALL = frozenset(model.name for model in MODELS)
MACHINES: Final = (
    Machine(name="attic", speed=0.25, models=frozenset({"sd15", "anime"}), slots=1),
    Machine(name="tower", speed=1.0, models=_ALL, slots=2),
    Machine(name="rack", speed=1.0, models=_ALL - {"anime"}, slots=2),
    Machine(name="office", speed=0.5, models=frozenset({"sd15", "sdxl", "photo"}), slots=1),
)
FAILURE: Final = "rack"
"""The machine that dies in the middle of the day, and comes back after half an hour."""
FAILURE_S: Final = HOUR_S / 2


def requests(load: Load, *, seed: int, hours: float) -> list[Request]:
    """What is asked for, in order of time."""
    rng = random.Random(f"{seed} {load.name}")
    asked = [*_screen(rng, load, hours), *_visits(rng, load, hours), *_dumps(rng, load, hours)]
    asked.sort(key=lambda each: each[0])
    return [
        Request(
            job_id=f"{number:05}",
            owner=owner,
            time=time,
            model=model,
            pixels=pixels,
            steps=steps,
            noise=tuple(rng.lognormvariate(0, 0.1) for _ in range(passes)),
        )
        for number, (time, owner, model, pixels, steps, passes) in enumerate(asked)
    ]


_Asked = tuple[float, str, Model, int, int, int]


def _screen(rng: random.Random, load: Load, hours: float) -> Iterator[_Asked]:
    """Somebody at a screen: one picture after another, of one model for a while."""
    for _ in range(max(1, round(load.sittings * hours / 24))):
        time, model = rng.uniform(0, hours * HOUR_S), rng.choice(MODELS)
        end = time + HOUR_S / 2
        while time < end:
            yield time, "screen", model, 512 * 512, 20, 1
            time += rng.expovariate(1 / 60)


def _visits(rng: random.Random, load: Load, hours: float) -> Iterator[_Asked]:
    """Two who come now and then, with a few pictures of some model."""
    for owner in ("guest", "friend"):
        time = rng.expovariate(load.visits_per_hour / HOUR_S)
        while time < hours * HOUR_S:
            size = rng.choice((512 * 512, 768 * 768, 1024 * 1024))
            yield time, owner, rng.choice(MODELS), size, rng.choice((20, 30)), rng.choice((1, 1, 2, 4))
            time += rng.expovariate(load.visits_per_hour / HOUR_S)


def _dumps(rng: random.Random, load: Load, hours: float) -> Iterator[_Asked]:
    """Somebody who submits hundreds of jobs at once, of all models mixed."""
    for number in range(max(1, round(hours / 4))):
        for job in range(load.dump_jobs):
            time = (number * 4 + 0.5) * HOUR_S + job * 0.2
            size = rng.choice((512 * 512, 768 * 768, 1024 * 1024))
            yield time, "dumper", rng.choice(MODELS), size, rng.choice((20, 30)), rng.choice((1, 1, 2, 8))
