"""How runs end: cancelled, left, failed, lost; and what becomes of the job at the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from imagegen_adapters.a1111.adapter import A1111Adapter, open_a1111
from imagegen_adapters.contract import (
    Accepted,
    ImageReady,
    Phase,
    PhaseChanged,
    Progressed,
    Run,
    Task,
    Update,
    Warned,
)
from imagegen_adapters.errors import (
    AdapterError,
    Cancelled,
    GpuFault,
    Interrupted,
    Lost,
    NodeFailed,
    NoOutput,
    OutOfMemory,
    Rejected,
    Uncertain,
    Unintelligible,
    Unreachable,
)
from tests.adapters.a1111.conftest import REQUEST, SHORT, collect, config_for, run_to_end, task_for
from tests.fakes.a1111 import FakeA1111, open_fake

LONG = replace(REQUEST, steps=10**6)


@pytest.fixture(params=[True, False], ids=["webui", "nowebui"])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[FakeA1111]:
    """A server in each of its modes."""
    async with open_fake(is_webui=request.param) as fake:
        yield fake


@asynccontextmanager
async def running(fake: FakeA1111, task: Task, **limits: float) -> AsyncIterator[tuple[A1111Adapter, Run]]:
    """A run whose first step is done."""
    async with open_a1111(config_for(fake), replace(SHORT, **limits)) as adapter, adapter.run(task) as run:  # type: ignore[arg-type]  # names of limits
        await until(run, Progressed)
        yield adapter, run


async def until(run: Run, kind: type[Update]) -> list[Update]:
    updates = []
    async with asyncio.timeout(10):
        async for update in run:
            updates.append(update)
            if isinstance(update, kind):
                return updates
    raise AssertionError(f"no {kind.__name__} came")


async def ending(run: Run) -> tuple[list[Update], AdapterError | None]:
    """What still came, and what the run ended in."""
    updates = []
    try:
        async with asyncio.timeout(10):
            async for update in run:
                updates.append(update)  # noqa: PERF401  # kept when it raises
    except AdapterError as error:
        return updates, error
    return updates, None


def codes(updates: list[Update]) -> list[str]:
    return [update.code for update in updates if isinstance(update, Warned)]


# --- cancel ---------------------------------------------------------------------------------------------------------


async def test_cancel_stops_the_running_job(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (_, run):
        await run.cancel()
        updates, error = await ending(run)
        assert isinstance(error, Cancelled)
        assert not codes(updates)
        assert not any(isinstance(update, ImageReady) for update in updates), "the picture is unfinished"
        assert not either.engine.jobs


async def test_cancel_before_the_server_has_anything(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async with adapter.run(task_for(LONG)) as first:
        await until(first, Progressed)
        async with adapter.run(task_for(LONG)) as second:
            await second.cancel()
            _, error = await ending(second)
            assert isinstance(error, Cancelled)
        assert len(fake.engine.received) == 1
        assert fake.engine.interrupts == 0


async def test_cancel_at_once(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async with adapter.run(task_for(LONG)) as run:
        await run.cancel()
        await run.cancel()
        _, error = await ending(run)
    assert isinstance(error, Cancelled)


async def test_a_queued_job_is_stopped_when_its_turn_comes(either: FakeA1111) -> None:
    foreign = either.post_foreign()
    await either.engine.wait_until(lambda: either.engine.state.job_count > 0)
    async with (
        open_a1111(config_for(either), replace(SHORT, cancel_s=60.0)) as adapter,
        adapter.run(task_for(LONG)) as run,
    ):
        await until(run, Accepted)
        await either.engine.wait_until(lambda: len(either.engine.jobs) == 2)
        await run.cancel()
        await either.wait_for_requests(5)  # polls that see the stranger's job at work
        assert either.engine.interrupts == 0
        either.engine.jobs[0].is_cut_short = True
        await foreign
        assert not either.engine.state.interrupted, "the stranger's job was left alone"
        _, error = await ending(run)
        assert isinstance(error, Cancelled)
        assert not either.engine.jobs


async def test_a_cancel_that_takes_too_long_is_told_and_pursued_behind_the_scenes(fake: FakeA1111) -> None:
    foreign = fake.post_foreign()
    await fake.engine.wait_until(lambda: fake.engine.state.job_count > 0)
    async with open_a1111(config_for(fake), replace(SHORT, cancel_s=0.1, leave_s=0.1)) as adapter:
        async with adapter.run(task_for(LONG)) as run:
            await until(run, Accepted)
            await run.cancel()
            updates, error = await ending(run)
            assert codes(updates) == ["CANCEL_NOT_CONFIRMED"]
            assert isinstance(error, Cancelled)
        fake.engine.jobs[0].is_cut_short = True
        await foreign
        await fake.engine.wait_until(lambda: not fake.engine.jobs)
        assert fake.engine.interrupts > 0


async def test_a_server_that_ignores_interrupts(either: FakeA1111) -> None:
    either.faults.ignores_interrupts = True
    async with running(either, task_for(LONG), cancel_s=0.2) as (_, run):
        await run.cancel()
        updates, error = await ending(run)
        assert codes(updates) == ["CANCEL_NOT_CONFIRMED"]
        assert isinstance(error, Cancelled)
        assert either.engine.interrupts > 1


async def test_cancel_while_the_model_is_loaded() -> None:
    async with open_fake(load_s=0.3) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        async with adapter.run(task_for(replace(LONG, model="other_tiny"))) as run:
            async for update in run:
                if update == PhaseChanged(phase=Phase.LOADING_MODEL):
                    break
            await run.cancel()
            _, error = await ending(run)
        assert isinstance(error, Cancelled)


async def test_cancel_before_the_first_model_is_loaded() -> None:
    async with open_fake(load_s=0.2, is_loaded=False) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        async with adapter.run(task_for(LONG)) as run:
            await until(run, Accepted)
            assert fake.engine.state.job_count == 0, "the server says that it is idle"
            await run.cancel()
            _, error = await ending(run)
        assert isinstance(error, Cancelled)
        assert not fake.engine.jobs


async def test_cancel_between_two_posts_keeps_what_is_there(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async with adapter.run(task_for(replace(REQUEST, count=50))) as run:
        await until(run, ImageReady)
        await run.cancel()
        _, error = await ending(run)
    assert isinstance(error, Cancelled)
    assert len(fake.engine.received) < 50
    assert not fake.engine.jobs


async def test_cancel_after_the_end_changes_nothing(adapter: A1111Adapter) -> None:
    async with adapter.run(task_for()) as run:
        await until(run, ImageReady)
        await run.cancel()
        _, error = await ending(run)
    assert error is None


async def test_leaving_the_block_stops_the_job(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)):
        pass
    assert either.engine.interrupts > 0
    assert not either.engine.jobs


async def test_a_cancelled_consumer_stops_the_job(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async def consume() -> None:
        async with adapter.run(task_for(LONG)) as run:
            await collect(run)

    consumer = asyncio.create_task(consume())
    await fake.engine.wait_until(lambda: fake.engine.state.sampling_step > 0)
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert not fake.engine.jobs


async def test_a_detached_run_leaves_the_job_alone(fake: FakeA1111) -> None:
    async with running(fake, task_for(LONG)) as (_, run):
        run.detach()
    assert fake.engine.interrupts == 0
    assert len(fake.engine.jobs) == 1


async def test_closing_the_adapter_does_not_wait_for_jobs(fake: FakeA1111) -> None:
    async with open_a1111(config_for(fake), replace(SHORT, leave_s=0.01)) as adapter:
        fake.faults.ignores_interrupts = True
        async with adapter.run(task_for(LONG)) as run:
            await until(run, Progressed)
    assert len(fake.engine.jobs) == 1


async def test_one_job_at_a_time_is_at_the_server(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async with adapter.run(task_for(LONG)) as first:
        await until(first, Progressed)
        async with adapter.run(task_for()) as second:
            assert len(fake.engine.jobs) == 1
            await first.cancel()
            assert isinstance((await ending(first))[1], Cancelled)
            assert any(isinstance(update, ImageReady) for update in await collect(second))


async def test_reattaching_is_not_offered(adapter: A1111Adapter) -> None:
    task = task_for()
    async with adapter.reattach(task, adapter.handle_for(task.attempt_id)) as run:
        await run.cancel()
        run.detach()
        with pytest.raises(Lost):
            await collect(run)


async def test_what_an_earlier_process_left_is_stopped_and_lost(adapter: A1111Adapter, fake: FakeA1111) -> None:
    task = task_for(replace(LONG, count=2))
    async with open_a1111(config_for(fake), SHORT) as earlier, earlier.run(task) as run:
        await until(run, Progressed)
        run.detach()
    assert fake.engine.jobs
    async with adapter.reattach(task, adapter.handle_for(task.attempt_id)) as again:
        with pytest.raises(Lost):
            await collect(again)
    await fake.engine.wait_until(lambda: not fake.engine.jobs)
    assert not fake.engine.succeeded


async def test_what_an_earlier_process_left_cannot_be_told_without_task_ids(nowebui: FakeA1111) -> None:
    task = task_for(LONG)
    async with running(nowebui, task) as (adapter, run):
        run.detach()
        assert isinstance(await fate_of(adapter, task), Uncertain)
        nowebui.engine.jobs[0].is_cut_short = True
        await nowebui.engine.wait_until(lambda: not nowebui.engine.jobs)
        assert isinstance(await fate_of(adapter, task), Lost), "nothing runs, and something has run"
    assert nowebui.engine.interrupts == 0


async def test_a_server_without_task_ids_that_has_run_nothing_may_be_loading_its_model(nowebui: FakeA1111) -> None:
    async with open_a1111(config_for(nowebui), SHORT) as adapter:
        assert isinstance(await fate_of(adapter, task_for()), Uncertain)


async def fate_of(adapter: A1111Adapter, task: Task) -> AdapterError | None:
    async with adapter.reattach(task, adapter.handle_for(task.attempt_id)) as run:
        return (await ending(run))[1]


async def test_memory_is_freed_only_while_nothing_runs(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (adapter, _):
        await adapter.free_memory()
        assert either.engine.loaded_model is not None
    either.faults.is_memory_full = True
    async with open_a1111(config_for(either), SHORT) as adapter:
        async with adapter.run(task_for()) as run:
            with pytest.raises(OutOfMemory):
                await collect(run)
        await adapter.free_memory()
        assert any(isinstance(update, ImageReady) for update in await run_to_end(adapter, task_for()))


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("is_out_of_memory", OutOfMemory),
        ("gives_nan", NodeFailed),
        ("breaks_gpu", GpuFault),
        ("loses_images", NoOutput),
    ],
)
async def test_a_job_that_fails_at_the_server(either: FakeA1111, fault: str, expected: type[AdapterError]) -> None:
    either.faults.set({fault: True})
    async with open_a1111(config_for(either), SHORT) as adapter:
        async with adapter.run(task_for()) as run:
            with pytest.raises(expected):
                await collect(run)
        # The failed task stays active for ever; the next one is told apart from it.
        assert any(isinstance(update, ImageReady) for update in await run_to_end(adapter, task_for()))


async def test_somebody_elses_interrupt_is_told_from_a_finished_picture(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (_, run):
        either.engine.interrupt()
        updates, error = await ending(run)
        assert isinstance(error, Interrupted)
        assert not any(isinstance(update, ImageReady) for update in updates)


async def test_a_mark_of_an_earlier_interrupt_means_nothing(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.engine.interrupt()  # while idle: the flag stays set until a job begins
    assert any(isinstance(update, ImageReady) for update in await run_to_end(adapter, task_for()))


async def test_a_job_whose_connection_broke_is_not_posted_again(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (_, run):
        either.drop_job_connections()
        await ending(run)
        assert len(either.engine.received) == 1


async def test_a_job_whose_connection_broke_is_stopped_where_it_can_be_told(fake: FakeA1111) -> None:
    """Nobody would get its images, and the attempt that takes its place would wait behind it."""
    async with running(fake, task_for(LONG)) as (_, run):
        fake.drop_job_connections()
        _, error = await ending(run)
    assert isinstance(error, Lost)
    assert not fake.engine.succeeded
    assert not fake.engine.jobs


async def test_a_cancel_reaches_a_job_whose_connection_broke(fake: FakeA1111) -> None:
    async with running(fake, task_for(LONG)) as (_, run):
        fake.drop_job_connections()
        await run.cancel()
        updates, error = await ending(run)
    assert isinstance(error, Cancelled)
    assert not [update for update in updates if isinstance(update, Warned)]
    assert not fake.engine.jobs


async def test_without_task_ids_a_broken_connection_is_uncertain(nowebui: FakeA1111) -> None:
    """The running job could be anybody's, so it is not stopped either."""
    async with running(nowebui, task_for(LONG)) as (_, run):
        nowebui.drop_job_connections()
        _, error = await ending(run)
    assert isinstance(error, Uncertain)
    assert nowebui.engine.interrupts == 0


async def test_a_restart_in_the_middle_is_lost(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (_, run):
        await either.restart()
        _, error = await ending(run)
        assert isinstance(error, Lost)
        assert error.backend_died


async def test_a_server_that_dies_is_noticed_by_refused_connections(either: FakeA1111) -> None:
    async with running(either, task_for(LONG)) as (_, run):
        await either.stop()
        _, error = await ending(run)
        assert isinstance(error, Unreachable)
        assert error.backend_died


@pytest.mark.parametrize("is_webui", [True, False])
async def test_a_server_that_falls_silent_can_be_asked_later_only_by_task_ids(is_webui: bool) -> None:
    async with (
        open_fake(is_webui=is_webui) as fake,
        running(fake, task_for(LONG), request_s=0.1, silence_s=0.3, leave_s=0.1) as (_, run),
    ):
        fake.faults.is_silent = True
        _, error = await ending(run)
        assert type(error) is (Unreachable if is_webui else Uncertain)


async def test_an_answer_that_never_comes_is_lost(either: FakeA1111) -> None:
    either.faults.keeps_job_answers = True
    async with running(either, task_for(replace(REQUEST, steps=30)), answer_s=0.2) as (_, run):
        _, error = await ending(run)
        assert isinstance(error, Lost)


async def test_a_job_that_stands_still_is_uncertain(either: FakeA1111) -> None:
    """It is there, and may go on at any time."""
    async with running(either, task_for(LONG), stall_s=0.3, leave_s=0.1) as (_, run):
        either.engine.gate.clear()
        _, error = await ending(run)
        assert isinstance(error, Uncertain)


async def test_a_closed_port_is_no_silence(nowebui: FakeA1111) -> None:
    """A server that is shut down gracefully takes no connections any more, and finishes its jobs."""
    async with running(nowebui, task_for(replace(REQUEST, steps=60)), silence_s=0.1) as (_, run):
        await nowebui.close_port()
        updates, error = await ending(run)
        assert error is None
        assert any(isinstance(update, ImageReady) for update in updates)


async def test_garbage_is_unintelligible(either: FakeA1111) -> None:
    async with running(either, task_for(replace(REQUEST, steps=60))) as (_, run):
        either.faults.sends_garbage = True
        _, error = await ending(run)
        assert isinstance(error, Unintelligible)


async def test_slow_answers_change_nothing(either: FakeA1111) -> None:
    either.faults.answer_delay_s = 0.05
    async with open_a1111(config_for(either), SHORT) as adapter:
        assert any(isinstance(update, ImageReady) for update in await run_to_end(adapter, task_for()))


async def test_a_refused_connection_is_unreachable(fake: FakeA1111, adapter: A1111Adapter) -> None:
    await adapter.catalog()
    await fake.stop()
    async with adapter.run(task_for()) as run:
        with pytest.raises(Unreachable):
            await collect(run)


async def test_what_the_server_refuses_names_our_field(fake: FakeA1111, adapter: A1111Adapter) -> None:
    broken = replace(REQUEST, init_image="0" * 64)
    task = replace(task_for(broken), files={"0" * 64: b"no picture"})
    async with adapter.run(task) as run:
        with pytest.raises(Rejected) as refused:
            await collect(run)
    assert [violation.field for violation in refused.value.violations] == ["image.init_image"]
    # The server keeps that task as a ghost in its queue; the next run is not disturbed by it.
    assert fake.engine.tasks.pending
    assert any(isinstance(update, ImageReady) for update in await run_to_end(adapter, task_for()))


async def test_a_format_that_the_server_cannot_send_is_noticed_before_the_work(
    fake: FakeA1111, adapter: A1111Adapter
) -> None:
    fake.engine.options["samples_format"] = "avif"
    async with adapter.run(task_for()) as run:
        with pytest.raises(Unintelligible):
            await collect(run)
    assert not fake.engine.received


# --- whose progress -------------------------------------------------------------------------------------------------


async def test_the_first_model_load_looks_idle_and_is_waited_for(either: FakeA1111) -> None:
    either.engine.loaded_model = None
    either.engine.load_s = 0.2
    async with open_a1111(config_for(either), replace(SHORT, answer_s=0.05)) as adapter:
        updates = await run_to_end(adapter, task_for())
        assert PhaseChanged(phase=Phase.WAITING) in updates
        assert any(isinstance(update, ImageReady) for update in updates)


async def test_a_strangers_progress_is_not_ours(either: FakeA1111) -> None:
    foreign = either.post_foreign()
    await either.engine.wait_until(lambda: either.engine.state.job_count > 0)
    async with open_a1111(config_for(either), SHORT) as adapter, adapter.run(task_for()) as run:
        assert PhaseChanged(phase=Phase.SAMPLING) not in await until(run, Accepted)
        await either.wait_for_requests(5)
        either.engine.jobs[0].is_cut_short = True
        await foreign
        updates, error = await ending(run)
        assert error is None
        progress = [update for update in updates if isinstance(update, Progressed)]
        assert all(update.steps == REQUEST.steps for update in progress), "the stranger's job has another number"
