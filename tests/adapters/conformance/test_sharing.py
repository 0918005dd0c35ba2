"""Several runs, slow consumers and an adapter that is closed too early."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import CoroutineType

import pytest

import imagegen_adapters
from imagegen_adapters.contract import Accepted, Adapter, PreviewFrame, Progressed
from imagegen_adapters.errors import AdapterError
from tests.adapters.conformance.observing import images_of, observed, performed, task_of, until, until_moving
from tests.adapters.conformance.subject import Subject


async def test_runs_at_once_get_their_own_updates(subject: Subject, adapter: Adapter) -> None:
    if adapter.capabilities.max_concurrent_runs < 2:
        pytest.skip("one run at a time")
    sources = [replace(subject.paced(), seed=1000 * (i + 1)) for i in range(adapter.capabilities.max_concurrent_runs)]
    outcomes = await asyncio.gather(
        *(performed(adapter, source, subject.patience_s * len(sources)) for source in sources)
    )
    assert [[image.seed for image in seen.images] for seen in outcomes] == [[source.seed] for source in sources]
    for seen in outcomes:
        fractions = [update.fraction for update in seen.of(Progressed)]
        assert fractions == sorted(fractions)


async def test_runs_one_after_another(subject: Subject, adapter: Adapter) -> None:
    for seed in (1, 2, 3):
        images = await images_of(adapter, replace(subject.quick(), seed=seed), subject.patience_s)
        assert [image.seed for image in images] == [seed]


async def test_the_backend_sees_one_socket(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        await asyncio.gather(adapter.status(), adapter.catalog())
        sockets = await subject.event_sockets()
    await images_of(adapter, subject.quick(), subject.patience_s)
    if sockets is None:
        pytest.skip("the protocol has no event socket")
    assert sockets == 1
    assert await subject.event_sockets() in (0, 1)


async def test_a_slow_consumer_loses_only_old_progress(subject: Subject, adapter: Adapter) -> None:
    async def is_idle() -> bool:
        return await subject.attempts() == 0

    async def has_begun() -> bool:
        return await subject.attempts() == 1

    async with adapter.run(task_of(replace(subject.paced(), count=2))) as run:
        await until(has_begun, subject.patience_s)
        # Some backends get a run in several parts, with nothing there between them.
        quiet = 0
        while quiet < 20:
            quiet = quiet + 1 if await is_idle() else 0
            await asyncio.sleep(0.01)
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
    assert seen.error is None
    assert len(seen.of(Accepted)) == 1
    assert [image.image_index for image in seen.images] == [0, 1]
    assert len(seen.of(Progressed)) <= 3
    assert len(seen.of(PreviewFrame)) <= 2


async def test_the_status_tells_of_our_attempt(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.endless())) as run:
        await until_moving(run, subject.patience_s)
        status = await asyncio.wait_for(adapter.status(), 10)
    assert status.queue_depth >= 1


async def test_freeing_memory_harms_nothing(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.paced())) as run:
        await until_moving(run, subject.patience_s)
        await adapter.free_memory()
        seen = await asyncio.wait_for(observed(run), subject.patience_s)
    assert len(seen.images) == 1
    await adapter.free_memory()
    assert len(await images_of(adapter, subject.quick(), subject.patience_s)) == 1


async def test_closing_with_an_open_run_does_not_hang(subject: Subject) -> None:
    async with subject.open_adapter() as adapter:
        block = adapter.run(task_of(subject.endless()))
        run = await block.__aenter__()
        await until_moving(run, subject.patience_s)
        iteration = asyncio.create_task(observed(run))
        await asyncio.sleep(0)
    seen = await asyncio.wait_for(iteration, subject.patience_s)
    await asyncio.wait_for(block.__aexit__(None, None, None), subject.patience_s)
    assert isinstance(seen.error, AdapterError)
    assert not _adapter_tasks()


async def test_an_adapter_leaves_no_task_behind(subject: Subject) -> None:
    async with subject.open_adapter() as adapter:
        await images_of(adapter, subject.quick(), subject.patience_s)
        async with adapter.run(task_of(subject.endless())) as run:
            await until_moving(run, subject.patience_s)
            run.detach()
    assert not _adapter_tasks()


def _adapter_tasks() -> list[str]:
    """Tasks that run adapters' code, and not a fake's."""
    packages = str(Path(imagegen_adapters.__file__).parent)
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return [
        c.__qualname__
        for c in coroutines
        if isinstance(c, CoroutineType) and c.cr_code.co_filename.startswith(packages)
    ]


async def test_an_adapter_that_was_not_used_closes(subject: Subject) -> None:
    async with asyncio.timeout(subject.patience_s), subject.open_adapter():
        pass
