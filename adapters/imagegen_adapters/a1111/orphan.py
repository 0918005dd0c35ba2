"""Stops a job that still runs at the server although its answer can reach nobody any more."""

import asyncio

import structlog

from imagegen_adapters.a1111.client import Client
from imagegen_adapters.errors import AdapterError

log = structlog.get_logger()


async def stop_orphan(client: Client, task_id: str, *, limit_s: float, pace_s: float) -> bool:
    """Whether the server is known to have nothing of the task any more, after at most `limit_s`.

    Left alone it would be made to its end, before the attempt that takes its place, and after a cancel too. Without
    task ids nothing is done: the running job could be anybody's.
    """
    try:
        async with asyncio.timeout(limit_s):
            while (task := await client.task_progress(task_id)) is not None:
                if not task.is_active and not task.is_queued:
                    return True
                if task.is_active:
                    # A task that failed stays active until the next one starts.
                    if (await client.global_progress()).is_idle:
                        return True
                    await client.interrupt()
                await asyncio.sleep(pace_s)
    except (AdapterError, TimeoutError) as error:
        log.debug("orphan not stopped", task_id=task_id, error=str(error))
    return False
