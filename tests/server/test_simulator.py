"""The scheduler in a day's load, cut short: `python -m benchmarks.scheduling` has the long form."""

import pytest

from benchmarks.scheduling.__main__ import compare
from benchmarks.scheduling.day import LOADS, MODELS, Load, Machine, Request
from benchmarks.scheduling.figures import misses
from benchmarks.scheduling.policies import Ours
from benchmarks.scheduling.replay import Replay


@pytest.mark.parametrize("load", LOADS[1:2], ids=lambda load: load.name)
def test_waits_and_swaps_less_than_simple_ones_and_starves_nobody(load: Load) -> None:
    figures, forecasts = compare(load, seed=1, hours=2)
    assert misses(figures[0], figures[1:]) == []
    assert forecasts


def test_two_batches_with_a_model_each_do_not_push_each_other_out_every_time() -> None:
    """And somebody who comes with one picture does not wait for it."""
    machine = Machine(name="only", speed=1.0, models=frozenset(model.name for model in MODELS), slots=1)
    first, second, third = MODELS[:3]
    batches = [
        (1.0 + number / 10, owner, model) for number in range(30) for owner, model in (("a", first), ("b", second))
    ]
    asked = sorted([*batches, *((100.0 * number, "visitor", third) for number in range(1, 4))])
    requests = [
        Request(job_id=f"{number:03}", owner=owner, time=time, model=model, pixels=10**6, steps=20, noise=(1.0,))
        for number, (time, owner, model) in enumerate(asked)
    ]
    outcome = Replay(Ours(), requests, [machine]).run()
    visits = [outcome.starts[each.job_id] - each.time for each in requests if each.owner == "visitor"]
    assert outcome.swaps < len(requests) / 2
    assert max(visits) < 45


def test_is_reproduced_by_its_seed() -> None:
    assert compare(LOADS[0], seed=3, hours=1) == compare(LOADS[0], seed=3, hours=1)
