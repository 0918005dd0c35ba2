"""How long a run waits."""

import asyncio

import pytest

from imagegen_adapters.comfyui.client import Timing
from imagegen_adapters.comfyui.patience import CancelWish, NotConfirmedError, Outage
from imagegen_adapters.errors import Cancelled, Unreachable


async def test_wishing_twice_while_the_first_wish_takes_effect() -> None:
    """What is broken off may need a while to end."""
    wish = CancelWish(1.0)
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with wish.breaks_off():
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await may_end.wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    wish.make()
    await ending.wait()
    wish.make()
    may_end.set()
    with pytest.raises(Cancelled):
        await working


REFUSED = Unreachable("refused", backend_died=True)
SILENT = Unreachable("silent")
TIMING = Timing(refused_s=3.0, unreachable_s=30.0)


def given_up_at(*answers: tuple[float, Unreachable]) -> float | None:
    """When an outage that begins at 0 is given up, for what was heard and when."""
    outage = Outage(TIMING, 0.0)
    for now, answer in answers:
        try:
            outage.judge(answer, CancelWish(20.0), now)
        except Unreachable:
            return now
    return None


def test_a_server_that_only_refuses_is_dead_within_seconds() -> None:
    assert given_up_at((1, REFUSED), (2.5, REFUSED), (4, REFUSED)) == 4


def test_a_server_that_is_silent_is_waited_for() -> None:
    assert given_up_at((10, SILENT), (29, SILENT), (30, SILENT)) == 30


def test_refusals_with_something_else_between_them_prove_nothing() -> None:
    assert given_up_at((1, REFUSED), (3, SILENT), (5, REFUSED), (7, REFUSED)) is None


async def test_a_dead_server_confirms_no_cancel() -> None:
    wish, outage = CancelWish(20.0), Outage(TIMING, 0.0)
    wish.make()
    outage.judge(REFUSED, wish, 1.0)
    with pytest.raises(NotConfirmedError):
        outage.judge(REFUSED, wish, 4.0)
