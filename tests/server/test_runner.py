"""Bringing jobs to backends: what becomes of an attempt, whatever the backend does."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import (
    ATTEMPT_STATE_FAILED,
    ATTEMPT_STATE_SUCCEEDED,
    ATTEMPT_STATE_UNCERTAIN,
    JOB_STATE_CANCELLED,
    JOB_STATE_FAILED,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    Job,
    JobSpec,
    RawGraph,
)
from imagegen_adapters import contract, errors
from imagegen_adapters.contract import Capabilities, ImageParameters, ImageReady, NamedModel, Warned
from imagegen_server.running.surroundings import Patience
from imagegen_server.wire.errors import REASONS, decode_failure
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun, frame, picture, progressed
from tests.server.serving import RHYTHM, Caller, kinds, serving, text_to_image


@pytest.fixture
def one() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
def two() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, one: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one}) as caller:
        yield caller


@pytest.fixture
async def with_two(tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        yield caller


def reason(job: Job) -> str:
    return decode_failure(job.error).reason


async def ended(caller: Caller, **fields: object) -> Job:
    return await caller.until_ended((await caller.create(text_to_image(**fields))).job_id)


def failing_with(*failures: Exception) -> "Play":
    """The first runs fail like this, the others succeed."""
    return Play(list(failures))


class Play:
    def __init__(self, failures: list[Exception]) -> None:
        self._failures = failures

    def __call__(self, run: ScriptedRun) -> None:
        if self._failures:
            run.accept()
            run.fail(self._failures.pop(0))
        else:
            run.complete()


# --- success ---------------------------------------------------------------------------------------------------------


async def test_a_job_ends_with_all_of_its_images(caller: Caller, one: ScriptedAdapter) -> None:
    one.plays = ScriptedRun.complete
    job = await ended(caller, count=3, seed=5)
    assert job.state == JOB_STATE_SUCCEEDED
    assert [(output.index, output.image_index, output.seed) for output in job.outputs] == [
        (0, 0, 5),
        (1, 1, 6),
        (2, 2, 7),
    ]
    assert job.attempts[0].state == ATTEMPT_STATE_SUCCEEDED
    assert not job.HasField("error")


async def test_the_attempt_is_stored_before_it_is_handed_over(caller: Caller, one: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await one.next_run()
    stored = await caller.get(job.job_id)
    assert stored.attempts[0].remote_id == run.task.attempt_id
    assert stored.state == JOB_STATE_RUNNING


async def test_the_backend_gets_what_was_asked_for(caller: Caller, one: ScriptedAdapter) -> None:
    spec = text_to_image(prompt="a hare", seed=3)
    spec.backend_options.update({"demo": {"tiling": True}, "other": {"x": 1}})
    spec.preview.max_rate_hz = 4
    await caller.create(spec)
    task = (await one.next_run()).task
    assert isinstance(task.source, ImageParameters)
    assert (task.source.prompt, task.source.seed, task.source.model) == ("a hare", 3, "first")
    assert (task.options, task.preview.max_rate_hz) == ({"tiling": True}, 4)


async def test_the_backend_gets_a_mask_that_it_cannot_misread(caller: Caller, one: ScriptedAdapter) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 64), (255, 255, 255, 0)).save(buffer, "PNG")
    digest = (await caller.write(buffer.getvalue())).digest
    job = await caller.create(text_to_image(init_image=digest, mask=digest))
    task = (await one.next_run()).task
    assert isinstance(task.source, ImageParameters)
    assert task.files[task.source.init_image] == buffer.getvalue()
    with Image.open(io.BytesIO(task.files[task.source.mask])) as mask:
        assert (mask.mode, mask.getextrema()) == ("L", (0, 0))
    assert (await caller.get(job.job_id)).spec.image.mask == digest


async def test_the_resident_model_is_taken_where_none_was_named(tmp_path: Path, one: ScriptedAdapter) -> None:
    one.current_status = replace(one.current_status, resident_model="second")
    one.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": one}) as caller:
        assert (await ended(caller)).spec.image.model == "second"


async def test_a_run_without_an_image_fails(caller: Caller, one: ScriptedAdapter) -> None:
    def play(run: ScriptedRun) -> None:
        run.accept()
        run.put(ImageReady(data=picture(), media_type="image/png", intermediate=True))
        run.finish()

    one.plays = play
    job = await ended(caller)
    assert (job.state, reason(job), len(job.attempts)) == (JOB_STATE_FAILED, "NO_OUTPUT", 1)
    assert len(job.outputs) == 1


async def test_an_output_that_cannot_be_read_is_left_out_with_a_warning(caller: Caller, one: ScriptedAdapter) -> None:
    def play(run: ScriptedRun) -> None:
        run.accept()
        run.put(ImageReady(data=b"broken", media_type="image/png"), Warned(code="SIZE_ADJUSTED", message="smaller"))
        run.deliver(1)
        run.finish()

    one.plays = play
    job = await ended(caller, count=2)
    assert job.state == JOB_STATE_SUCCEEDED
    assert [output.image_index for output in job.outputs] == [1]
    assert [warning.code for warning in job.warnings] == ["OUTPUT_UNREADABLE", "SIZE_ADJUSTED"]


async def test_progress_never_falls_and_previews_are_numbered(caller: Caller, one: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await one.next_run()
    run.accept()
    call = caller.jobs.WatchJob(pb.WatchJobRequest(job_id=job.job_id))
    fractions, frames, sent = [], [], 0
    async with asyncio.timeout(10):
        async for answer in call:
            event = answer.event
            if event.HasField("progress"):
                fractions.append(event.progress.fraction)
            if event.HasField("preview"):
                frames.append(event.preview.frame)
            if kinds([event])[0] in {"caught_up", "preview"} and sent < 3:
                sent += 1
                run.put(progressed(1, fraction=[0.5, 0.3, 0.9][sent - 1]), frame(sent))
            elif sent == 3 and len(frames) == 3 and not run.updates.is_closed:
                run.deliver()
                run.finish()
    assert fractions == sorted(fractions)
    assert frames == [1, 2, 3]


async def test_as_many_are_there_at_once_as_the_backend_takes(tmp_path: Path) -> None:
    """The second one only once it is known how long the first will take."""
    adapter = ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, max_concurrent_runs=2))
    async with serving(tmp_path, {"one": adapter}) as caller:
        adapter.plays = ScriptedRun.complete
        await ended(caller)
        adapter.plays = None
        created = [await caller.create() for _ in range(3)]
        await adapter.next_run(3)
        assert (await caller.get(created[2].job_id)).queue.length == 1
        (await adapter.next_run(2)).complete()
        (await adapter.next_run(4)).complete()
        (await adapter.next_run(3)).complete()
        for job in created:
            assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


# --- failure ---------------------------------------------------------------------------------------------------------

FATAL = [kind("why") for kind in REASONS if not kind.can_retry and kind is not errors.Cancelled]
PASSING = [kind("why") for kind in REASONS if kind.can_retry]


@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
async def test_what_a_retry_cannot_help_ends_the_job(
    caller: Caller, one: ScriptedAdapter, error: errors.AdapterError
) -> None:
    one.plays = failing_with(error)
    job = await ended(caller)
    assert (job.state, reason(job), len(job.attempts)) == (JOB_STATE_FAILED, REASONS[type(error)], 1)
    assert job.error.message == job.attempts[0].error.message == "why"


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_what_may_pass_is_tried_again(caller: Caller, one: ScriptedAdapter, error: errors.AdapterError) -> None:
    one.plays = failing_with(error)
    job = await ended(caller)
    assert job.state == JOB_STATE_SUCCEEDED
    broken = ATTEMPT_STATE_UNCERTAIN if isinstance(error, errors.Uncertain) else ATTEMPT_STATE_FAILED
    assert [attempt.state for attempt in job.attempts] == [broken, ATTEMPT_STATE_SUCCEEDED]
    assert decode_failure(job.attempts[0].error).reason == REASONS[type(error)]


async def test_a_job_is_tried_so_many_times_and_no_more(caller: Caller, one: ScriptedAdapter) -> None:
    one.plays = failing_with(*(errors.OutOfMemory(f"attempt {number}") for number in (1, 2, 3, 4)))
    job = await ended(caller)
    assert (job.state, len(job.attempts), job.error.message) == (JOB_STATE_FAILED, 3, "attempt 3")


async def test_a_fault_of_ours_ends_the_job_without_telling_details(caller: Caller, one: ScriptedAdapter) -> None:
    one.plays = failing_with(RuntimeError("secret"))
    job = await ended(caller)
    assert (job.state, reason(job)) == (JOB_STATE_FAILED, "INTERNAL")
    assert "secret" not in str(job)


async def test_violations_of_the_backend_are_kept(caller: Caller, one: ScriptedAdapter) -> None:
    one.plays = failing_with(errors.Rejected("no", [errors.Violation("image.model", "gone")]))
    job = await ended(caller)
    assert decode_failure(job.error).violations == (errors.Violation("image.model", "gone"),)


async def test_the_next_attempt_goes_elsewhere(with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> None:
    one.plays = two.plays = failing_with(errors.Unreachable("silent"))
    job = await ended(with_two)
    assert job.state == JOB_STATE_SUCCEEDED
    first, second = (attempt.backend for attempt in job.attempts)
    assert first != second


async def test_a_job_moves_even_if_the_other_backend_lacks_the_chosen_model(
    with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    """Nobody asked for the model that the first backend chose."""
    for adapter, name in ((one, "only-one"), (two, "only-two")):
        adapter.current_catalog = replace(adapter.current_catalog, checkpoints=(NamedModel(name=name),))
    await with_two.refresh("one", "two")
    one.plays = two.plays = failing_with(errors.Lost("restarted"), errors.OutOfMemory("too large"))
    job = await ended(with_two)
    assert job.state == JOB_STATE_SUCCEEDED
    assert job.spec.image.model == f"only-{job.attempts[-1].backend}"


async def test_images_that_are_stored_are_not_stored_again(caller: Caller, one: ScriptedAdapter) -> None:
    def first_half(run: ScriptedRun) -> None:
        run.accept()
        run.deliver(0)
        run.fail(errors.Lost("restarted"))
        one.plays = ScriptedRun.complete

    one.plays = first_half
    job = await ended(caller, count=2)
    assert [(output.image_index, output.attempt) for output in job.outputs] == [(0, 1), (1, 2)]


async def test_files_of_a_graph_that_are_stored_are_not_stored_again(tmp_path: Path) -> None:
    """Which node's file comes first, and with it the running number, differs from run to run."""
    adapter = ScriptedAdapter(capabilities=Capabilities(graphs=True))

    def of_nodes(run: ScriptedRun, *node_ids: str) -> None:
        run.accept()
        for number, node_id in enumerate(node_ids):
            image = ImageReady(data=picture(ord(node_id)), media_type="image/png", image_index=number, node_id=node_id)
            run.put(image)

    def first_half(run: ScriptedRun) -> None:
        of_nodes(run, "a", "b")
        run.fail(errors.Lost("restarted"))
        adapter.plays = second_half

    def second_half(run: ScriptedRun) -> None:
        of_nodes(run, "c", "b", "b", "a")
        run.finish()

    adapter.plays = first_half
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create(JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}')))
        done = await caller.until_ended(job.job_id)
    assert [(output.node_id, output.image_index) for output in done.outputs] == [("a", 0), ("b", 1), ("c", 2), ("b", 3)]


async def test_a_backend_that_is_away_costs_no_attempts(caller: Caller, one: ScriptedAdapter) -> None:
    def vanish(run: ScriptedRun) -> None:
        one.is_reachable = False
        run.fail(errors.Unreachable("connection reset"))
        one.plays = ScriptedRun.complete

    one.plays = vanish
    job = await caller.create()
    await caller.until_event(job.job_id, "attempt_failed")
    for _ in range(3):
        await caller.refresh("one")
    assert len((await caller.get(job.job_id)).attempts) == 1
    one.is_reachable = True
    done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 2)


def falling_silent(adapter: ScriptedAdapter) -> ScriptedAdapter:
    """The first run is accepted, and then nothing is heard of it."""

    def fall_silent(run: ScriptedRun) -> None:
        run.accept()
        run.fail(errors.Unreachable("silent"))
        adapter.plays = ScriptedRun.complete

    adapter.plays = fall_silent
    adapter.capabilities = replace(DEFAULT_CAPABILITIES, reattach=True)
    return adapter


async def test_what_a_silent_backend_went_on_with_is_taken_up_and_not_made_twice(
    tmp_path: Path, one: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": falling_silent(one)}) as caller:
        job = await caller.create()
        first = await one.next_run(1)
        one.kept[first.task.attempt_id] = ScriptedRun.complete
        done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 2)
    assert [run.is_reattached for run in one.runs] == [False, True]


async def test_what_a_silent_backend_has_lost_is_made_again_in_the_same_attempt(
    tmp_path: Path, one: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": falling_silent(one)}) as caller:
        done = await ended(caller)
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 2)
    assert [run.is_reattached for run in one.runs] == [False, True, False]
    assert len({run.task.attempt_id for run in one.runs}) == 1


async def test_what_is_lost_after_it_was_taken_up_costs_an_attempt(tmp_path: Path, one: ScriptedAdapter) -> None:
    def lose(run: ScriptedRun) -> None:
        run.accept()
        run.fail(errors.Lost("restarted"))

    async with serving(tmp_path, {"one": falling_silent(one)}) as caller:
        job = await caller.create()
        first = await one.next_run(1)
        one.kept[first.task.attempt_id] = lose
        done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 3)
    assert [run.is_reattached for run in one.runs] == [False, True, False]
    assert one.runs[2].task.attempt_id != first.task.attempt_id


async def test_a_job_that_no_backend_can_run_any_more_is_refused_with_reasons(
    caller: Caller, one: ScriptedAdapter
) -> None:
    await caller.create()
    blocker = await one.next_run()
    waiting_job = await caller.create(text_to_image(model="second"))
    one.current_catalog = replace(one.current_catalog, checkpoints=(NamedModel(name="first"),))
    await caller.refresh("one")
    one.plays = failing_with(errors.Rejected("no such model"))
    blocker.complete()
    assert reason(await caller.until_ended(waiting_job.job_id)) == "BACKEND_REJECTED"


async def test_a_pinned_job_waits_for_its_backend(with_two: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> None:
    one.plays = two.plays = ScriptedRun.complete
    for name in ("two", "one"):
        assert (await ended(with_two, backend=name)).attempts[0].backend == name


async def test_graphs_go_where_graphs_are_taken(tmp_path: Path, one: ScriptedAdapter) -> None:
    two = ScriptedAdapter(capabilities=Capabilities(graphs=True))
    two.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        job = await caller.create(JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}')))
        done = await caller.until_ended(job.job_id)
    assert (done.state, done.attempts[0].backend) == (JOB_STATE_SUCCEEDED, "two")
    assert not done.outputs[0].HasField("seed")


async def test_an_attempt_outlives_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """It is neither stopped at the backend nor given up: a later look takes it up again."""
    adapter = ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, reattach=True))
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create()
        run = await adapter.next_run()
        run.accept()
        (tmp_path / "assets" / "unfinished").rmdir()
        run.deliver()
        await asyncio.wait_for(run.was_left.wait(), 5)
        assert run.is_detached
        assert (await caller.get(job.job_id)).state == JOB_STATE_RUNNING


class AdapterOfLargeGraphs(ScriptedAdapter):
    """Judging a graph takes so long that it must not be done in the event loop."""

    def validate(self, source: ImageParameters | contract.RawGraph) -> Sequence[errors.Violation]:
        assert threading.current_thread() is not threading.main_thread()
        return super().validate(source)


async def test_graphs_are_judged_in_threads(tmp_path: Path) -> None:
    adapter = AdapterOfLargeGraphs(capabilities=Capabilities(graphs=True), plays=ScriptedRun.complete)
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create(JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}')))
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


class StumblingAdapter(ScriptedAdapter):
    """From some time on it fails over every question."""

    is_stumbling = False

    def validate(self, source: ImageParameters | contract.RawGraph) -> Sequence[errors.Violation]:
        if self.is_stumbling:
            raise RuntimeError("the adapter's fault")
        return super().validate(source)


async def test_a_graph_that_cannot_be_judged_holds_up_nobody(tmp_path: Path) -> None:
    adapter = StumblingAdapter(capabilities=Capabilities(graphs=True))
    async with serving(tmp_path, {"one": adapter}) as caller:
        jobs = [await caller.create(JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}'))) for _ in "ab"]
        run = await adapter.next_run()
        adapter.is_stumbling, adapter.plays = True, ScriptedRun.complete
        await caller.refresh("one")
        run.complete()
        assert [(await caller.until_ended(job.job_id)).state for job in jobs] == [JOB_STATE_SUCCEEDED] * 2


async def test_what_runs_outlives_a_look_that_fails(caller: Caller, one: ScriptedAdapter) -> None:
    running, waiting = [await caller.create() for _ in "ab"]
    run = await one.next_run()
    working, one.capabilities = one.capabilities, None  # type: ignore[assignment]  # nothing can be started with it
    run.complete()
    assert (await caller.until_ended(running.job_id)).state == JOB_STATE_SUCCEEDED
    assert (await caller.get(waiting.job_id)).state == JOB_STATE_QUEUED
    one.capabilities = working


async def test_what_nobody_can_follow_is_stopped_before_it_is_made_again(tmp_path: Path, one: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": one}) as caller:
        job = await caller.create()
        (await one.next_run()).accept()
    one.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": one}) as caller:
        done = await caller.until_ended(job.job_id)
    assert done.state == JOB_STATE_SUCCEEDED
    assert [run.is_reattached for run in one.runs] == [False, True, False]
    assert [run.task.attempt_id == one.runs[0].task.attempt_id for run in one.runs] == [True, True, False]


# --- cancel ----------------------------------------------------------------------------------------------------------


async def cancel(caller: Caller, job_id: str) -> None:
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job_id))


async def test_an_attempt_that_finished_first_wins_over_the_cancel(caller: Caller, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    job = await caller.create()
    run = await one.next_run()
    await cancel(caller, job.job_id)
    await run.cancel_asked.wait()
    run.complete()
    assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


async def test_what_breaks_after_a_cancel_ends_cancelled(caller: Caller, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    job = await caller.create(text_to_image(count=2))
    run = await one.next_run()
    run.accept()
    run.deliver(0)
    await cancel(caller, job.job_id)
    await run.cancel_asked.wait()
    run.fail(errors.Unreachable("connection reset"))
    done = await caller.until_ended(job.job_id)
    assert (done.state, reason(done), len(done.outputs)) == (JOB_STATE_CANCELLED, "CANCELLED_BY_CALLER", 1)
    assert len(done.attempts) == 1


async def test_a_backend_that_does_not_obey_is_left_alone(tmp_path: Path, one: ScriptedAdapter) -> None:
    one.obeys_cancel = False
    rhythm = replace(RHYTHM, patience=Patience(cancel_timeout_s=0.01))
    async with serving(tmp_path, {"one": one}, rhythm=rhythm) as caller:
        job = await caller.create()
        run = await one.next_run()
        await cancel(caller, job.job_id)
        done = await caller.until_ended(job.job_id)
    assert done.state == JOB_STATE_CANCELLED
    assert [warning.code for warning in done.warnings] == ["CANCEL_NOT_CONFIRMED"]
    await asyncio.wait_for(run.was_left.wait(), 5)


async def test_a_cancel_without_answer_holds_up_no_stop_and_goes_on_after_it(tmp_path: Path) -> None:
    adapter = ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, reattach=True), obeys_cancel=False)
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create()
        run = await adapter.next_run()
        run.accept()
        await cancel(caller, job.job_id)
        await run.cancel_asked.wait()
    assert run.is_detached
    adapter.obeys_cancel = True
    adapter.kept[run.task.attempt_id] = lambda again: None
    async with serving(tmp_path, {"one": adapter}) as caller:
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_CANCELLED
    assert adapter.runs[-1].is_reattached


async def test_a_cancelled_job_makes_room_for_the_next(caller: Caller, one: ScriptedAdapter) -> None:
    first = await caller.create()
    await one.next_run()
    second = await caller.create()
    await cancel(caller, first.job_id)
    (await one.next_run(2)).complete()
    assert (await caller.until_ended(second.job_id)).state == JOB_STATE_SUCCEEDED


async def test_a_cancel_at_any_moment_ends_the_job_once(caller: Caller, one: ScriptedAdapter) -> None:
    """Cancels race with hand-over and completion; whoever wins, there is one end."""
    one.plays = ScriptedRun.complete
    for _ in range(10):
        job = await caller.create()
        await cancel(caller, job.job_id)
        events = await caller.events(job.job_id, "earliest")
        assert kinds(events).count("completed") == 1
        assert events[-1].completed.job.state in {JOB_STATE_CANCELLED, JOB_STATE_SUCCEEDED}
