"""Backends that die, fall silent, lose track or run out of memory, and jobs that do that to them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import (
    ATTEMPT_STATE_UNCERTAIN,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_SUCCEEDED,
    UNCERTAIN_POLICY_FAIL,
    UNCERTAIN_POLICY_RETRY,
    Job,
    UncertainPolicy,
)
from imagegen_adapters import errors
from imagegen_adapters.contract import Phase, PhaseChanged
from imagegen_server.running.surroundings import Patience
from imagegen_server.wire.errors import decode_failure
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun
from tests.server.serving import RHYTHM, Caller, serving, text_to_image


def lasting() -> ScriptedAdapter:
    """A backend whose attempts can be found again."""
    return ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, reattach=True))


@pytest.fixture
def one() -> ScriptedAdapter:
    return lasting()


@pytest.fixture
def two() -> ScriptedAdapter:
    return lasting()


@pytest.fixture
async def with_two(tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        await caller.refresh("one", "two")
        yield caller


def breaking(error: Exception) -> Callable[[ScriptedRun], None]:
    """Runs that are accepted and then fail like this."""

    def play(run: ScriptedRun) -> None:
        run.accept()
        run.fail(error)

    return play


def reason(job: Job) -> str:
    return decode_failure(job.error).reason


# --- elsewhere -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [errors.OutOfMemory("too large"), errors.Unreachable("refused", backend_died=True)],
    ids=["memory", "death"],
)
async def test_a_job_goes_on_elsewhere_without_a_pause(
    tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter, error: errors.AdapterError
) -> None:
    """The pause after a failure is for where it failed: here it would outlast the test."""
    rhythm = replace(RHYTHM, patience=Patience(max_backoff_s=1000.0))
    two.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": one, "two": two}, rhythm=rhythm) as caller:
        one.plays = breaking(error)
        two.is_reachable = False
        await caller.refresh("one", "two")
        job = await caller.create()
        await caller.until_event(job.job_id, "attempt_failed")
        two.is_reachable = True
        await caller.refresh("two")
        done = await caller.until_ended(job.job_id)
    assert [each.backend for each in done.attempts] == ["one", "two"]


async def test_a_backend_whose_memory_was_too_small_is_asked_to_free_it(with_two: Caller, one: ScriptedAdapter) -> None:
    one.plays = breaking(errors.OutOfMemory("too large"))
    job = await with_two.create(text_to_image(backend="one"))
    await with_two.until_event(job.job_id, "attempt_failed")
    await with_two.refresh("one")
    assert one.memory_freed >= 1


# --- what nobody can tell --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "state", "attempts"),
    [(UNCERTAIN_POLICY_RETRY, JOB_STATE_SUCCEEDED, 2), (UNCERTAIN_POLICY_FAIL, JOB_STATE_FAILED, 1)],
)
async def test_the_job_says_what_follows_when_nobody_knows_what_became_of_an_attempt(
    tmp_path: Path, one: ScriptedAdapter, policy: UncertainPolicy.ValueType, state: int, attempts: int
) -> None:
    spec = text_to_image()
    spec.on_uncertain = policy
    async with serving(tmp_path, {"one": one}) as caller:
        job = await caller.create(spec)
        run = await one.next_run()
        run.accept()
    one.kept[run.task.attempt_id] = lambda run: run.fail(errors.Uncertain("it may still be running there"))
    one.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": one}) as caller:
        done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.attempts)) == (state, attempts)
    assert done.attempts[0].state == ATTEMPT_STATE_UNCERTAIN
    assert decode_failure(done.attempts[0].error).reason == "ATTEMPT_UNCERTAIN"


# --- jobs that take backends down ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        errors.Unreachable("refused", backend_died=True),
        errors.Lost("restarted", backend_died=True),
        errors.GpuFault("xid"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_job_that_takes_two_backends_down_is_not_tried_on_a_third(
    tmp_path: Path, error: errors.AdapterError
) -> None:
    adapters = {name: ScriptedAdapter(plays=breaking(error)) for name in ("one", "two", "three")}
    async with serving(tmp_path, adapters) as caller:
        await caller.refresh(*adapters)
        job = await caller.create()
        done = await caller.until_ended(job.job_id)
    assert (done.state, reason(done)) == (JOB_STATE_FAILED, "TAKES_BACKENDS_DOWN")
    assert len(done.attempts) == 2
    assert all(each.backend in done.error.message for each in done.attempts)


async def test_a_job_that_only_waited_at_a_backend_that_died_is_not_blamed(tmp_path: Path) -> None:
    def wait_and_see_it_die(run: ScriptedRun) -> None:
        run.accept()
        run.put(PhaseChanged(phase=Phase.WAITING))
        run.fail(errors.Unreachable("refused", backend_died=True))

    adapters = {name: ScriptedAdapter(plays=wait_and_see_it_die) for name in ("one", "two", "three")}
    async with serving(tmp_path, adapters) as caller:
        await caller.refresh(*adapters)
        done = await caller.until_ended((await caller.create()).job_id)
    assert (reason(done), len(done.attempts)) == ("BACKEND_UNREACHABLE", 3)


async def test_a_job_is_not_blamed_for_a_backend_that_was_in_trouble_before(
    tmp_path: Path, one: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": one}, max_takedowns=1) as caller:
        job = await caller.create()
        run = await one.next_run()
        run.accept()
        one.is_reachable = False
        await caller.refresh("one")
        run.fail(errors.GpuFault("the device is lost"))
        await caller.until_event(job.job_id, "attempt_failed")
        one.is_reachable, one.plays = True, ScriptedRun.complete
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


async def test_a_job_whose_only_backend_dies_of_it_twice_is_given_up(tmp_path: Path, one: ScriptedAdapter) -> None:
    one.plays = breaking(errors.Unreachable("refused", backend_died=True))
    async with serving(tmp_path, {"one": one}) as caller:
        done = await caller.until_ended((await caller.create()).job_id)
    assert reason(done) == "TAKES_BACKENDS_DOWN"
    # The last attempt is asked for, too, if the server lives long enough.
    reattached = [run.is_reattached for run in one.runs[:3]]
    assert reattached == [False, True, False], "it was asked for before it was made again"


# --- attempts that were given up -------------------------------------------------------------------------------------


async def moved_on(caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> ScriptedRun:
    """A run that was given up because its backend fell silent; its job was done by the other one."""

    def fall_silent(run: ScriptedRun) -> None:
        run.accept()
        one.is_reachable = False
        run.fail(errors.Unreachable("silent"))

    one.plays, two.plays = fall_silent, ScriptedRun.complete
    two.is_reachable = False
    await caller.refresh("two")
    job = await caller.create()
    await caller.until_event(job.job_id, "attempt_failed")
    two.is_reachable = True
    done = await caller.until_ended(job.job_id)
    assert [each.backend for each in done.attempts] == ["one", "two"]
    return one.runs[0]


async def test_what_a_silent_backend_goes_on_with_is_stopped_when_it_is_back(
    with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    given_up = await moved_on(with_two, one, two)
    one.kept[given_up.task.attempt_id] = ScriptedRun.accept
    one.is_reachable = True
    again = await one.next_run(2)
    await asyncio.wait_for(again.was_left.wait(), 5)
    assert (again.is_reattached, again.task.attempt_id, again.cancels) == (True, given_up.task.attempt_id, 1)


async def test_it_is_stopped_once_and_after_a_restart_too(
    tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    adapters = {"one": one, "two": two}
    async with serving(tmp_path, adapters) as caller:
        await caller.refresh("one", "two")
        given_up = await moved_on(caller, one, two)
    one.kept[given_up.task.attempt_id] = ScriptedRun.accept
    one.is_reachable = True
    for _ in range(2):
        async with serving(tmp_path, adapters) as caller:
            await caller.refresh("one", "two")
            again = await one.next_run(2)
            await asyncio.wait_for(again.was_left.wait(), 5)
            one.plays = ScriptedRun.complete
            await caller.until_ended((await caller.create(text_to_image(backend="one"))).job_id)
    assert [run.is_reattached for run in one.runs] == [False, True, False, False]


def never_ends(run: ScriptedRun) -> None:
    run.accept()


def breaks_us(run: ScriptedRun) -> None:
    run.fail(RuntimeError("the adapter's fault"))


@pytest.mark.parametrize(
    "play", [ScriptedRun.complete, never_ends, breaks_us], ids=["finished", "disobedient", "broken"]
)
async def test_it_is_asked_for_once_whatever_comes_of_it(
    tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter, play: Callable[[ScriptedRun], None]
) -> None:
    rhythm = replace(RHYTHM, patience=replace(RHYTHM.patience, cancel_timeout_s=0.01))
    async with serving(tmp_path, {"one": one, "two": two}, rhythm=rhythm) as caller:
        await caller.refresh("one", "two")
        given_up = await moved_on(caller, one, two)
        one.obeys_cancel = False
        one.kept[given_up.task.attempt_id] = play
        one.is_reachable, one.plays = True, ScriptedRun.complete
        await asyncio.wait_for((await one.next_run(2)).was_left.wait(), 5)
        await caller.until_ended((await caller.create(text_to_image(backend="one"))).job_id)
    assert [run.is_reattached for run in one.runs] == [False, True, False]


async def test_it_is_stopped_although_its_job_was_deleted(
    with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    given_up = await moved_on(with_two, one, two)
    (job,) = (await with_two.jobs.ListJobs(pb.ListJobsRequest())).jobs
    await with_two.jobs.DeleteJob(pb.DeleteJobRequest(job_id=job.job_id))
    one.kept[given_up.task.attempt_id] = ScriptedRun.accept
    one.is_reachable = True
    await asyncio.wait_for((await one.next_run(2)).cancel_asked.wait(), 5)


async def test_a_stop_without_answer_holds_up_no_shutdown_and_is_asked_for_again(
    tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        await caller.refresh("one", "two")
        given_up = await moved_on(caller, one, two)
        one.kept[given_up.task.attempt_id] = never_ends
        one.obeys_cancel, one.is_reachable = False, True
        await asyncio.wait_for((await one.next_run(2)).cancel_asked.wait(), 5)
    assert one.runs[1].is_detached
    one.obeys_cancel = True
    async with serving(tmp_path, {"one": one, "two": two}):
        await asyncio.wait_for((await one.next_run(3)).cancel_asked.wait(), 5)


async def test_a_backend_that_falls_silent_over_the_stop_is_asked_again(
    with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    given_up = await moved_on(with_two, one, two)
    answers = [errors.Unreachable("silent again"), errors.Lost("it is gone")]
    one.kept[given_up.task.attempt_id] = lambda run: run.fail(answers.pop(0))
    one.is_reachable = True
    await one.next_run(3)
    await with_two.refresh("one")
    assert ([run.is_reattached for run in one.runs], answers) == ([False, True, True], [])


async def test_an_attempt_of_a_cancelled_job_is_stopped_too(with_two: Caller, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    job = await with_two.create(text_to_image(backend="one"))
    run = await one.next_run()
    run.accept()
    await with_two.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
    await run.cancel_asked.wait()
    one.is_reachable = False
    run.fail(errors.Unreachable("silent"))
    assert (await with_two.until_ended(job.job_id)).state == JOB_STATE_CANCELLED
    one.obeys_cancel = one.is_reachable = True
    one.kept[run.task.attempt_id] = ScriptedRun.accept
    again = await one.next_run(2)
    await asyncio.wait_for(again.was_left.wait(), 5)
    assert again.cancels == 1
