"""What becomes of an attempt that an earlier process handed over."""

import asyncio

import pytest

from imagegen_adapters.contract import Accepted, Adapter
from imagegen_adapters.errors import AdapterError, Lost, Uncertain
from tests.adapters.conformance.observing import observed, task_of, until_moving
from tests.adapters.conformance.subject import Subject

WITH_VARIANTS = (
    "test_an_attempt_that_cannot_be_found_again_is_stopped_or_uncertain",
    "test_an_unknown_attempt_is_lost_where_that_can_be_told",
)


def _if_unknown(subject: Subject) -> type[AdapterError]:
    return Lost if subject.promises.tells_of_attempts else Uncertain


async def test_an_attempt_is_found_again(subject: Subject, adapter: Adapter) -> None:
    """By another adapter, as after a restart of the server."""
    if not adapter.capabilities.reattach:
        pytest.skip("reattaching not declared")
    task = task_of(subject.paced())
    handle = adapter.handle_for(task.attempt_id)
    async with adapter.run(task) as run:
        async for update in run:
            if isinstance(update, Accepted):
                handle = update.handle
                break
        run.detach()
    async with (
        asyncio.timeout(subject.patience_s),
        subject.open_adapter() as other,
        other.reattach(task, handle) as again,
    ):
        seen = await observed(again)
    assert seen.error is None, repr(seen.error)
    assert len(seen.images) == 1


async def test_an_attempt_that_cannot_be_found_again_is_stopped_or_uncertain(
    subject: Subject, adapter: Adapter
) -> None:
    if adapter.capabilities.reattach or not subject.promises.has_foreign_jobs:
        pytest.skip("found again, or gone with its process")
    task = task_of(subject.endless())
    async with adapter.run(task) as run:
        await until_moving(run, subject.patience_s)
        run.detach()
    async with (
        asyncio.timeout(subject.patience_s),
        adapter.reattach(task, adapter.handle_for(task.attempt_id)) as again,
    ):
        seen = await observed(again)
    assert type(seen.error) is _if_unknown(subject)
    assert bool(await subject.attempts()) is not subject.promises.tells_of_attempts


async def test_an_unknown_attempt_is_lost_where_that_can_be_told(subject: Subject, adapter: Adapter) -> None:
    task = task_of(subject.quick())
    async with asyncio.timeout(subject.patience_s), adapter.reattach(task, adapter.handle_for(task.attempt_id)) as run:
        seen = await observed(run)
    assert type(seen.error) is _if_unknown(subject)
