"""Finds out what became of a job whose answer can reach nobody any more, and stops it where it can be told apart."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from imagegen_adapters.a1111.client import Client, Timeouts
from imagegen_adapters.errors import AdapterError, Lost, Uncertain, Unreachable

log = structlog.get_logger()

_NEVER = ("", "0")
"""When the server's last job began, if none has since its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A job without anybody who waits for it, as far as it is known."""

    task_ids: Sequence[str]
    """Of its POSTs, of which at most one is at the server."""
    instance: str = ""
    """Of the server that got it; empty: not known."""
    was_at_work: bool = False
    """Whether the server was seen at work on it."""
    has_task_ids: bool | None = None
    """Whether the server tells about tasks by id; None: not known."""


async def settle(client: Client, orphan: Orphan, limits: Timeouts) -> AdapterError:
    """What the attempt ends in: Lost if the server has nothing of it any more, because it was stopped or by itself.

    Left alone it would be made to its end, before the attempt that takes its place. Without task ids nothing is
    stopped, as the running job could be anybody's: Uncertain, unless nothing runs.
    """
    clock = asyncio.get_running_loop()
    deadline = clock.time() + limits.leave_s
    refused_since: float | None = None
    while True:
        message = ""
        try:
            ending = await _look(client, orphan, limits)
            if ending is not None:
                return ending
            refused_since = None
        except AdapterError as error:
            log.debug("orphan not settled", task_ids=orphan.task_ids, error=str(error))
            message = f"{error}; the job may still be running there"
            refused_since = (refused_since or clock.time()) if error.backend_died else None
        if refused_since is not None and clock.time() - refused_since >= limits.refused_s:
            return Unreachable("the server's process has ended, and the job with it", backend_died=True)
        if clock.time() >= deadline:
            if not message:
                return Uncertain("the server still has the job, and did not stop it in time")
            return unanswered(message, has_task_ids=orphan.has_task_ids)
        await asyncio.sleep(limits.pace.max_s)


def unanswered(message: str, *, has_task_ids: bool | None) -> AdapterError:
    """The error for a server that has stopped answering: whether it can be asked later makes the difference."""
    return Uncertain(message) if has_task_ids is False else Unreachable(message)


async def _look(client: Client, orphan: Orphan, limits: Timeouts) -> AdapterError | None:
    """The ending, if it can be told already."""
    if orphan.instance and (instance := await client.app_id()) and instance != orphan.instance:
        return Lost("the server has restarted", backend_died=True)
    if orphan.has_task_ids is False or not await client.tells_tasks():
        return await _look_without_ids(client, orphan, limits)
    for task_id in orphan.task_ids:
        task = await client.task_progress(task_id)
        if task is None or not (task.is_active or task.is_queued):
            continue
        if not task.is_active:
            return None
        # A task that failed stays active until the next one starts.
        if not (await client.global_progress()).is_idle:
            await client.interrupt()
            return None
    return Lost("the server has nothing of the job any more, and gives its images to nobody else")


async def _look_without_ids(client: Client, orphan: Orphan, limits: Timeouts) -> AdapterError:
    for _ in range(2):  # between two jobs it looks idle for an instant
        document = await client.global_progress()
        if not document.is_idle:
            return Uncertain("the server is at work and cannot tell on what: it may still be this job")
        await asyncio.sleep(limits.pace.max_s)
    has_begun_any = document.timestamp not in _NEVER
    if not orphan.was_at_work and not has_begun_any:
        return Uncertain("the server may be loading its first model for this job: it cannot tell")
    return Lost("nothing runs at the server any more", backend_died=not has_begun_any)
