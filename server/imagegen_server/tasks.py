"""Tasks that live exactly as long as a block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class _BlockEnded(Exception):
    """Makes a TaskGroup cancel its tasks."""


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose tasks are cancelled at the end of the block instead of waited for.

    A task that fails ends the block, as in a TaskGroup. Unlike there, an exception of the block itself comes out as it
    is and not inside a group, so that callers can name it in an `except`.
    """
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except Exception as error:  # noqa: BLE001  # raised again below, outside of the group
                failure = error
            raise _BlockEnded
    except* _BlockEnded:
        pass
    if failure is not None:
        raise failure


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs them as tasks of a `task_group`."""
    async with task_group() as group:
        for coroutine in coroutines:
            group.create_task(coroutine)
        yield
