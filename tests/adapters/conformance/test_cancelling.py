"""Our attempts can be stopped at any moment, and no others are."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count

import pytest

from imagegen_adapters.contract import Accepted, Adapter, Run, Update
from imagegen_adapters.errors import Cancelled
from tests.adapters.conformance.observing import images_of, observed, performed, task_of, until, until_moving
from tests.adapters.conformance.subject import Subject


async def _until_idle(subject: Subject) -> None:
    async def is_idle() -> bool:
        return await subject.attempts() == 0

    await until(is_idle, subject.patience_s)


async def test_a_running_attempt_is_cancelled(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        await run.cancel()
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
    assert isinstance(seen.error, Cancelled)
    await _until_idle(subject)


async def test_cancelling_twice_is_cancelling(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        await asyncio.gather(run.cancel(), run.cancel())
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
        await run.cancel()
    assert isinstance(seen.error, Cancelled)
    await _until_idle(subject)


async def test_cancelling_at_once(subject: Subject, adapter: Adapter) -> None:
    """Before the backend can have answered."""
    async with adapter.run(task_of(subject.endless())) as run:
        await run.cancel()
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
    assert isinstance(seen.error, Cancelled)
    await _until_idle(subject)


async def test_cancelling_after_the_end_changes_nothing(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.quick())) as run:
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
        await run.cancel()
    assert seen.error is None
    assert len(seen.images) == 1


async def test_leaving_the_block_cancels(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
    await _until_idle(subject)


async def test_leaving_the_block_without_a_look_cancels(subject: Subject, adapter: Adapter) -> None:
    async with asyncio.timeout(subject.patience_s), adapter.run(task_of(subject.endless())):
        pass
    await _until_idle(subject)


async def test_an_exception_in_the_block_cancels_and_passes(subject: Subject, adapter: Adapter) -> None:
    async def fail() -> None:
        async with adapter.run(task_of(subject.endless())) as run:
            await until_moving(run, subject.patience_s)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await _until_idle(subject)


async def test_a_cancelled_consumer_cancels_its_attempt(subject: Subject, adapter: Adapter) -> None:
    is_moving = asyncio.Event()

    async def consume() -> None:
        async with adapter.run(task_of(subject.endless())) as run:
            await until_moving(run, subject.patience_s)
            is_moving.set()
            await observed(run)

    consumer = asyncio.create_task(consume())
    await asyncio.wait_for(is_moving.wait(), subject.patience_s)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(consumer, subject.patience_s)
    await _until_idle(subject)


async def test_a_detached_attempt_runs_on(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        run.detach()
    assert await subject.attempts() == 1


async def test_the_backend_works_on_after_a_cancel(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
    assert len(await images_of(adapter, subject.quick(), subject.patience_s)) == 1


async def test_a_waiting_attempt_of_ours_is_cancelled_alone(subject: Subject, adapter: Adapter) -> None:
    if adapter.capabilities.max_concurrent_runs < 2:
        pytest.skip("one run at a time")
    async with adapter.run(task_of(subject.endless())) as running:
        await until_moving(running, subject.patience_s)
        async with adapter.run(task_of(replace(subject.endless(), seed=77))) as waiting:
            assert isinstance(await asyncio.wait_for(_accepted(waiting), subject.patience_s), Accepted)
            await waiting.cancel()
            seen = await asyncio.wait_for(observed(waiting), subject.patience_s)
        assert isinstance(seen.error, Cancelled)
        assert await subject.attempts() == 1
        await until_moving(running, subject.patience_s)


async def _accepted(run: Run) -> Accepted:
    async for update in run:
        if isinstance(update, Accepted):
            return update
    raise AssertionError("ended before it was accepted")


async def test_a_foreign_job_that_runs_survives(subject: Subject, adapter: Adapter) -> None:
    """Ours waits behind it and is cancelled there."""
    if not subject.promises.has_foreign_jobs:
        pytest.skip("the backend takes no jobs of others")
    foreign = await subject.submit_foreign()
    async with adapter.run(task_of(subject.endless())) as run:

        async def is_there() -> bool:
            return await subject.attempts() == 1

        iteration = asyncio.create_task(observed(run))
        await until(is_there, subject.patience_s)
        await run.cancel()
        await asyncio.sleep(0)
        assert await subject.has_foreign(foreign)
        if iteration.done():
            assert isinstance(iteration.result().error, Cancelled)
        else:
            # A backend that cannot drop what waits confirms when its turn comes.
            await subject.finish_foreign(foreign)
            assert isinstance((await asyncio.wait_for(iteration, subject.patience_s)).error, Cancelled)
    await _until_idle(subject)


async def test_a_foreign_job_that_waits_survives(subject: Subject, adapter: Adapter) -> None:
    if not subject.promises.has_foreign_jobs:
        pytest.skip("the backend takes no jobs of others")
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        foreign = await subject.submit_foreign()
        await run.cancel()
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
    assert isinstance(seen.error, Cancelled)
    await _until_idle(subject)
    assert await subject.has_foreign(foreign)
    await subject.finish_foreign(foreign)


async def test_a_short_run_can_be_cancelled_at_any_moment(subject: Subject, adapter: Adapter) -> None:
    """Whatever wins: the run ends once, by Cancelled or with its image, and the backend is idle."""
    length = len((await performed(adapter, subject.quick(), subject.patience_s)).updates)
    for moment in range(1, min(length, 12)):
        async with asyncio.timeout(subject.patience_s), adapter.run(task_of(subject.quick())) as run:
            seen = await observed(run, _cancelling_at(run, moment))
        assert isinstance(seen.error, Cancelled) if seen.error else len(seen.images) == 1
        await _until_idle(subject)


def _cancelling_at(run: Run, moment: int) -> Callable[[Update], Awaitable[None]]:
    """Cancels the run when the update of that number has come."""
    numbers = count(1)

    async def on_update(_: Update) -> None:
        if next(numbers) == moment:
            await run.cancel()

    return on_update
