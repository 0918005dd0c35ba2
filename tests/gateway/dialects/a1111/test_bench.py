"""So many pictures are worked on at once, whoever goes away meanwhile."""

import asyncio

import pytest

from imagegen_gateway.dialects.a1111.bench import AT_ONCE, Bench


async def test_a_place_is_free_when_the_work_has_ended_and_not_when_its_caller_goes_away() -> None:
    bench, begun, may_end = Bench(), asyncio.Queue[int](), asyncio.Event()

    async def work(number: int) -> int:
        begun.put_nowait(number)
        await may_end.wait()
        return number

    def place(number: int) -> asyncio.Task[int]:
        return asyncio.create_task(bench.do(lambda: work(number)))

    calls = [place(number) for number in range(AT_ONCE + 2)]
    assert [await begun.get() for _ in range(AT_ONCE)] == [0, 1]
    for gone in (calls[0], calls[2]):
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert begun.empty()
    may_end.set()
    assert [await calls[1], await calls[3]] == [1, 3]
    assert begun.get_nowait() == 3


async def test_a_place_is_free_after_a_failure() -> None:
    bench = Bench()

    async def fail() -> None:
        raise ZeroDivisionError

    for _ in range(AT_ONCE + 1):
        with pytest.raises(ZeroDivisionError):
            await bench.do(fail)
