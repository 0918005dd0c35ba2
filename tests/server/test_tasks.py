"""Tasks that live as long as a block."""

import asyncio

import pytest

from imagegen_server.tasks import running, task_group, to_its_end


async def test_a_cancel_that_comes_while_a_block_ends_is_not_lost() -> None:
    """Else who was to stop would go on with whatever follows the block."""
    is_ending, may_end = asyncio.Event(), asyncio.Event()
    went_on = False

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            is_ending.set()
            await may_end.wait()

    async def work() -> None:
        nonlocal went_on
        async with running(slow_to_end()):
            await asyncio.sleep(0)
        went_on = True

    task = asyncio.create_task(work())
    async with asyncio.timeout(10):
        await is_ending.wait()
        task.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not went_on


async def test_a_limit_that_passes_while_a_block_ends_is_told() -> None:
    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), running(slow_to_end()):
            await asyncio.sleep(0)


async def test_work_that_is_cancelled_before_it_begins_leaves_nothing_and_nobody_waiting() -> None:
    async def work() -> None:
        raise AssertionError("it must not begin")

    async with task_group() as tasks:
        caller = asyncio.create_task(to_its_end(tasks, work()))
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(caller, 5)
