"""Tasks that live exactly as long as a block."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs them while the block is open, and cancels them at its end.

    A task that fails ends the block, as in a TaskGroup. Unlike there, an exception of the block itself comes out as it
    is and not inside a group, so that callers can name it in an `except`.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again below, outside of the group
            failure = error
        finally:
            for task in tasks:
                task.cancel()
    if failure is not None:
        raise failure
