"""A short chaos run: processes die and sockets are cut under a few jobs. `python -m tests.chaos` is the long one."""

from pathlib import Path

import pytest

from tests.chaos.checks import violations
from tests.chaos.making import make_plan
from tests.chaos.report import summary
from tests.chaos.run import run_chaos

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def test_nothing_is_lost_or_made_twice_while_everything_breaks(tmp_path: Path) -> None:
    plan = make_plan(7, jobs=30, troubles=7, seconds=14.0)
    evidence = await run_chaos(plan, tmp_path / "data", settle_s=60.0, tell=print)
    print(summary(evidence))
    assert violations(evidence) == []
    assert len(evidence.incidents) == 7
