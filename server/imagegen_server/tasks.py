"""Tasks that live exactly as long as a block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class _BlockEnded(Exception):
    """Makes a TaskGroup cancel its tasks."""


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose tasks are cancelled at the end of the block instead of waited for.

    A task that fails ends the block, as in a TaskGroup. Unlike there, an exception of the block itself comes out as it
    is and not inside a group, so that callers can name it in an `except`.
    """
    failure: Exception | None = None
    task = asyncio.current_task()
    assert task is not None
    cancels_before = task.cancelling()
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:  # noqa: BLE001  # raised again below, outside of the group
                failure = error
            raise _BlockEnded
    except* _BlockEnded:
        pass
    # A TaskGroup that waits for tasks that it has cancelled loses a cancel that comes meanwhile (Python 3.11, 3.12).
    if task.cancelling() > cancels_before:
        raise asyncio.CancelledError
    if failure is not None:
        raise failure


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs them as tasks of a `task_group`."""
    async with task_group() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)
        yield


async def to_its_end(tasks: asyncio.TaskGroup, work: Coroutine[Any, Any, T]) -> T:
    """Carries the work out as one of `tasks`, and gives its result. It goes on when the caller goes away."""
    outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def carry_out() -> None:
        try:
            result = await work
        except Exception as error:  # noqa: BLE001  # handed to the caller
            if not outcome.done():
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(result)

    def conclude(_: object) -> None:
        work.close()  # a task that is cancelled at once has not begun with it
        outcome.cancel()

    tasks.create_task(carry_out()).add_done_callback(conclude)
    return await outcome
