"""The scheduler in a day's load, cut short: `python -m benchmarks.scheduling` has the long form."""

import pytest

from benchmarks.scheduling.__main__ import compare
from benchmarks.scheduling.day import LOADS, Load
from benchmarks.scheduling.figures import misses


@pytest.mark.parametrize("load", LOADS[1:2], ids=lambda load: load.name)
def test_waits_and_swaps_less_than_simple_ones_and_starves_nobody(load: Load) -> None:
    figures, forecasts = compare(load, seed=1, hours=2)
    assert misses(figures[0], figures[1:]) == []
    assert forecasts


def test_is_reproduced_by_its_seed() -> None:
    assert compare(LOADS[0], seed=3, hours=1) == compare(LOADS[0], seed=3, hours=1)
