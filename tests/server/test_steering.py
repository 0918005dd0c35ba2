"""What people decide about the queue, and what time does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1 import queue_pb2
from imagegen.v1.backend_pb2 import DrainBackendRequest, UndrainBackendRequest
from imagegen.v1.job_pb2 import (
    JOB_STATE_CANCELLING,
    JOB_STATE_EXPIRED,
    JOB_STATE_QUEUED,
    JOB_STATE_SUCCEEDED,
    WAIT_REASON_NO_BACKEND,
    WAIT_REASON_OWNER_LIMIT,
    WAIT_REASON_PAUSED,
    WAIT_REASON_QUEUE_PAUSED,
    Job,
)
from imagegen_adapters import errors
from imagegen_server.config import OwnerSettings
from imagegen_server.wire.errors import decode_failure
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun
from tests.server.serving import Caller, serving, text_to_image


@pytest.fixture
def one() -> ScriptedAdapter:
    return ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, reattach=True))


@pytest.fixture
async def caller(tmp_path: Path, one: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one}) as caller:
        yield caller


def prompts(adapter: ScriptedAdapter) -> list[str]:
    """Of the runs, in their order."""
    return [run.task.source.prompt for run in adapter.runs]  # type: ignore[union-attr]  # no graphs here


async def busy(caller: Caller, one: ScriptedAdapter) -> ScriptedRun:
    """The backend at work on something, so that what comes now waits."""
    await caller.create(text_to_image(prompt="blocker"))
    return await one.next_run()


# --- pauses, drains, moves -------------------------------------------------------------------------------------------


async def test_a_paused_queue_starts_nothing_until_it_is_resumed_also_after_a_restart(
    tmp_path: Path, one: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": one}) as caller:
        await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest())
        job = await caller.create()
        await caller.refresh("one")
        assert (await caller.get(job.job_id)).queue.reason == WAIT_REASON_QUEUE_PAUSED
    async with serving(tmp_path, {"one": one}) as caller:
        await caller.refresh("one")
        assert ((await caller.get(job.job_id)).state, one.runs) == (JOB_STATE_QUEUED, [])
        one.plays = ScriptedRun.complete
        await caller.queue.ResumeQueue(queue_pb2.ResumeQueueRequest())
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


async def test_of_several_decisions_at_once_none_is_lost(caller: Caller) -> None:
    owners = ["ann", "bob", "cid", "dee"]
    await asyncio.gather(*(caller.queue.PauseQueue(queue_pb2.PauseQueueRequest(owner=owner)) for owner in owners))
    assert (await caller.queue.GetQueue(queue_pb2.GetQueueRequest())).queue.paused_owners == owners


async def test_pausing_an_owner_holds_only_the_owners_jobs(caller: Caller, one: ScriptedAdapter) -> None:
    one.plays = ScriptedRun.complete
    await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest(owner="ann"))
    held = await caller.create(text_to_image(prompt="hers"), owner="ann")
    other = await caller.create(text_to_image(prompt="his"), owner="bob")
    await caller.until_ended(other.job_id)
    assert (await caller.get(held.job_id)).state == JOB_STATE_QUEUED
    await caller.queue.ResumeQueue(queue_pb2.ResumeQueueRequest(owner="ann"))
    assert (await caller.until_ended(held.job_id)).state == JOB_STATE_SUCCEEDED


async def test_a_paused_job_lets_others_pass(caller: Caller, one: ScriptedAdapter) -> None:
    blocker = await busy(caller, one)
    paused = await caller.create(text_to_image(prompt="paused"))
    await caller.jobs.UpdateJob(pb.UpdateJobRequest(job_id=paused.job_id, paused=True))
    other = await caller.create(text_to_image(prompt="other"))
    one.plays = ScriptedRun.complete
    blocker.complete()
    await caller.until_ended(other.job_id)
    assert (await caller.get(paused.job_id)).queue.reason == WAIT_REASON_PAUSED
    await caller.jobs.UpdateJob(pb.UpdateJobRequest(job_id=paused.job_id, paused=False))
    await caller.until_ended(paused.job_id)
    assert prompts(one) == ["blocker", "other", "paused"]


async def test_a_moved_job_goes_first_and_a_raised_one_before_the_rest(caller: Caller, one: ScriptedAdapter) -> None:
    blocker = await busy(caller, one)
    jobs = {name: await caller.create(text_to_image(prompt=name)) for name in ("a", "b", "c", "d")}
    await caller.jobs.UpdateJob(pb.UpdateJobRequest(job_id=jobs["c"].job_id, priority=5))
    to_front = queue_pb2.MoveJobRequest(job_id=jobs["d"].job_id, end=queue_pb2.QUEUE_END_FIRST)
    await caller.queue.MoveJob(to_front)
    after = queue_pb2.MoveJobRequest(job_id=jobs["a"].job_id, after_job_id=jobs["b"].job_id)
    await caller.queue.MoveJob(after)
    one.plays = ScriptedRun.complete
    blocker.complete()
    for job in jobs.values():
        await caller.until_ended(job.job_id)
    assert prompts(one) == ["blocker", "d", "c", "b", "a"]


async def test_a_drained_backend_ends_what_it_has_and_gets_nothing_new(tmp_path: Path, one: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": one}) as caller:
        running = await caller.create()
        await one.next_run()
        await caller.backends.DrainBackend(DrainBackendRequest(name="one"))
        job = await caller.create()
        one.runs[0].complete()
        await caller.until_ended(running.job_id)
        assert (await caller.get(job.job_id)).queue.reason == WAIT_REASON_NO_BACKEND
    async with serving(tmp_path, {"one": one}) as caller:
        await caller.refresh("one")
        assert (await caller.get(job.job_id)).state == JOB_STATE_QUEUED
        one.plays = ScriptedRun.complete
        await caller.backends.UndrainBackend(UndrainBackendRequest(name="one"))
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


async def test_an_owner_runs_no_more_than_it_may(tmp_path: Path) -> None:
    adapters = {name: ScriptedAdapter() for name in ("one", "two")}
    owners = {"ann": OwnerSettings(max_running_jobs=1)}
    async with serving(tmp_path, adapters, owners=owners) as caller:
        await caller.refresh("one", "two")
        first = await caller.create(text_to_image(backend="one"), owner="ann")
        run = await adapters["one"].next_run()
        second = await caller.create(text_to_image(backend="two"), owner="ann")
        other = await caller.create(text_to_image(backend="two"), owner="bob")
        (await adapters["two"].next_run()).complete()
        await caller.until_ended(other.job_id)
        assert (await caller.get(second.job_id)).queue.reason == WAIT_REASON_OWNER_LIMIT
        run.complete()
        await caller.until_ended(first.job_id)
        (await adapters["two"].next_run(2)).complete()
        assert (await caller.until_ended(second.job_id)).state == JOB_STATE_SUCCEEDED


# --- deadlines -------------------------------------------------------------------------------------------------------


async def expired(caller: Caller, job: Job) -> tuple[str, Job]:
    done = await caller.until_ended(job.job_id)
    assert done.state == JOB_STATE_EXPIRED
    return decode_failure(done.error).reason, done


async def timed(caller: Caller, name: str, **fields: object) -> Job:
    spec = text_to_image(**fields)
    getattr(spec, name).CopyFrom(Duration(nanos=100_000_000))
    return await caller.create(spec)


async def test_a_job_that_does_not_begin_in_time_expires(caller: Caller, one: ScriptedAdapter) -> None:
    await busy(caller, one)
    reason, done = await expired(caller, await timed(caller, "start_deadline"))
    assert (reason, len(done.attempts)) == ("START_DEADLINE_PASSED", 0)


async def test_a_job_that_does_not_end_in_time_is_stopped(caller: Caller, one: ScriptedAdapter) -> None:
    def play(run: ScriptedRun) -> None:
        run.accept()
        run.deliver(0)

    one.plays = play
    reason, done = await expired(caller, await timed(caller, "execution_deadline", count=2))
    assert (reason, len(done.outputs), one.runs[0].cancels) == ("EXECUTION_DEADLINE_PASSED", 1, 1)


async def test_a_job_that_waits_to_be_tried_again_expires_too(caller: Caller, one: ScriptedAdapter) -> None:
    def vanish(run: ScriptedRun) -> None:
        one.is_reachable = False
        run.fail(errors.Unreachable("connection refused"))

    one.plays = vanish
    reason, done = await expired(caller, await timed(caller, "execution_deadline"))
    assert (reason, len(done.attempts)) == ("EXECUTION_DEADLINE_PASSED", 1)


async def test_a_job_that_is_finished_while_it_is_stopped_has_succeeded(caller: Caller, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    job = await timed(caller, "execution_deadline")
    run = await one.next_run()
    await caller.until_state(job.job_id, JOB_STATE_CANCELLING)
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
    run.complete()
    assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


async def test_deadlines_pass_while_the_server_is_down(tmp_path: Path, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    async with serving(tmp_path, {"one": one}) as caller:
        running = await timed(caller, "execution_deadline")
        run = await one.next_run()
        run.accept()
        waiting = await timed(caller, "start_deadline", prompt="waiting")
    await asyncio.sleep(0.15)
    one.obeys_cancel = True
    one.kept[run.task.attempt_id] = ScriptedRun.accept
    async with serving(tmp_path, {"one": one}) as caller:
        assert (await expired(caller, waiting))[0] == "START_DEADLINE_PASSED"
        assert (await expired(caller, running))[0] == "EXECUTION_DEADLINE_PASSED"
    assert [each.is_reattached for each in one.runs] == [False, True]
    assert one.runs[1].cancels == 1
