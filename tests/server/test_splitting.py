"""Jobs of several images on several backends."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import (
    ATTEMPT_STATE_CANCELLED,
    ATTEMPT_STATE_FAILED,
    ATTEMPT_STATE_SUCCEEDED,
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_FAILED,
    JOB_STATE_SUCCEEDED,
    Job,
)
from imagegen_adapters import errors
from imagegen_adapters.contract import BackendStatus, ImageParameters, NamedModel
from imagegen_adapters.demo.requests import CATALOG
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings
from imagegen_server.running.experience import KEY
from imagegen_server.scheduling.estimates import Estimator, Sample
from imagegen_server.scheduling.work import work_of
from imagegen_server.stores.store import open_store
from imagegen_server.wire.errors import decode_failure
from imagegen_server.wire.jobs import JobCodec
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun, progressed
from tests.server.serving import Caller, calling, kinds, serving, text_to_image

BACKENDS = ("one", "two")
DEMO_WORK = ImageParameters(prompt="", model=CATALOG.checkpoints[0].name, width=64, height=64, steps=1)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Of a server that knows that both backends need ten seconds for an image, and as long to load a model."""
    estimator = Estimator()
    for backend in BACKENDS:
        for source in (DEMO_WORK, ImageParameters(prompt="", model="first")):  # the newest is that of no model
            work = work_of(source, 1)
            estimator.learn(Sample(backend=backend, work=work, run_s=10.0, load_s=10.0))
    async with open_store(f"sqlite:///{tmp_path / 'imagegen.db'}", JobCodec()) as store:
        await store.set_value(KEY, estimator.to_json().encode())
    return tmp_path


@pytest.fixture
def adapters() -> dict[str, ScriptedAdapter]:
    """Backends with the model loaded whose attempts can be found again."""
    status = BackendStatus(version="1.0", instance="a", resident_model="first")
    capabilities = replace(DEFAULT_CAPABILITIES, reattach=True)
    return {name: ScriptedAdapter(current_status=status, capabilities=capabilities) for name in BACKENDS}


async def split_job(
    caller: Caller, adapters: dict[str, ScriptedAdapter], **fields: object
) -> tuple[Job, list[ScriptedRun]]:
    """A job that both backends are at work on, and its runs in the order of their images."""
    await caller.refresh(*BACKENDS)
    job = await caller.create(text_to_image(**{"count": 4, "seed": 7, "model": "first", **fields}))
    runs = [await adapter.next_run() for adapter in adapters.values()]
    return job, sorted(runs, key=seed_of)


def seed_of(run: ScriptedRun) -> int:
    assert isinstance(run.task.source, ImageParameters)
    return run.task.source.seed


async def test_images_are_shared_out_and_each_is_what_it_would_be_in_one_run(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    async with serving(folder, adapters) as caller:
        job, (first, second) = await split_job(caller, adapters)
        second.complete()
        first.complete()
        done = await caller.until_ended(job.job_id)
    assert done.state == JOB_STATE_SUCCEEDED
    assert sorted((each.image_index, each.seed) for each in done.outputs) == [(0, 7), (1, 8), (2, 9), (3, 10)]
    assert sorted((each.first_image, each.image_count) for each in done.attempts) == [(0, 2), (2, 2)]
    assert [each.state for each in done.attempts] == [ATTEMPT_STATE_SUCCEEDED] * 2


async def test_the_pictures_are_the_same_as_in_one_run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    spec = text_to_image(count=4, seed=7, model=DEMO_WORK.model, width=64, height=64, steps=1)
    pictures = []
    for names, where in ((BACKENDS, folder), (BACKENDS[:1], tmp_path_factory.mktemp("unsplit"))):
        backends = tuple(BackendSettings(name=name, kind="demo", options={"speed": "1000"}) for name in names)
        settings = ServerSettings(grpc="127.0.0.1:0", data_dir=where, backends=backends)
        async with serve(settings) as server, calling(server.address) as caller:
            await caller.refresh(*names)
            done = await caller.until_ended((await caller.create(spec)).job_id)
        assert {attempt.backend for attempt in done.attempts} == set(names)
        pictures.append({output.image_index: output.asset.digest for output in done.outputs})
    assert pictures[0] == pictures[1]
    assert len(set(pictures[0].values())) == 4


async def test_watchers_see_the_progress_of_the_whole_job(folder: Path, adapters: dict[str, ScriptedAdapter]) -> None:
    async with serving(folder, adapters) as caller:
        job, (first, second) = await split_job(caller, adapters)
        seen = []
        async for answer in caller.jobs.WatchJob(pb.WatchJobRequest(job_id=job.job_id)):
            kind = kinds([answer.event])[0]
            if kind == "caught_up":
                first.accept()
                first.put(progressed(2, fraction=0.5))
            elif kind == "progress":
                seen.append((answer.event.progress.fraction, answer.event.progress.image_index))
                if len(seen) == 1:
                    second.accept()
                    second.put(progressed(4, fraction=0.5))
                elif len(seen) == 2:
                    second.complete()
            elif kind == "output_ready" and answer.event.output_ready.image_index == 3:
                first.put(progressed(3, fraction=0.75))
                first.complete()
    assert seen[:2] == [(0.25, 0), (0.5, 2)]
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)


async def test_a_slice_that_breaks_is_made_again_without_what_was_delivered(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    async with serving(folder, adapters) as caller:
        job, (first, second) = await split_job(caller, adapters)
        second.accept()
        second.deliver(0)
        second.fail(errors.OutOfMemory("too little memory"))
        broken_on = next(adapter for adapter in adapters.values() if second in adapter.runs)
        others = next(adapter for adapter in adapters.values() if first in adapter.runs)
        others.plays = broken_on.plays = ScriptedRun.complete
        await caller.until_event(job.job_id, "attempt_failed")
        first.complete()
        done = await caller.until_ended(job.job_id)
    assert done.state == JOB_STATE_SUCCEEDED
    assert sorted(each.image_index for each in done.outputs) == [0, 1, 2, 3]
    again = done.attempts[2]
    assert (again.first_image, again.image_count) == (3, 1)
    assert again.backend != next(each.backend for each in done.attempts if each.state == ATTEMPT_STATE_FAILED)


async def test_a_slice_that_fails_for_good_stops_the_others(folder: Path, adapters: dict[str, ScriptedAdapter]) -> None:
    async with serving(folder, adapters) as caller:
        job, (first, second) = await split_job(caller, adapters)
        first.accept()
        first.deliver(0)
        await caller.until_event(job.job_id, "output_ready")
        second.accept()
        second.fail(errors.NodeFailed("no"))
        done = await caller.until_ended(job.job_id)
    assert (done.state, decode_failure(done.error).reason, len(done.outputs)) == (JOB_STATE_FAILED, "NODE_FAILED", 1)
    assert {each.state for each in done.attempts} == {ATTEMPT_STATE_FAILED, ATTEMPT_STATE_CANCELLED}
    assert first.cancels == 1


async def test_a_cancel_reaches_every_attempt(folder: Path, adapters: dict[str, ScriptedAdapter]) -> None:
    for adapter in adapters.values():
        adapter.obeys_cancel = False
    async with serving(folder, adapters) as caller:
        job, (first, second) = await split_job(caller, adapters)
        for run in (first, second):
            run.accept()
        await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
        for run in (first, second):
            await run.cancel_asked.wait()
        first.fail(errors.Cancelled("cancelled"))
        assert (await caller.get(job.job_id)).state == JOB_STATE_CANCELLING
        second.complete()
        done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.outputs)) == (JOB_STATE_CANCELLED, 2)
    assert sorted(each.state for each in done.attempts) == sorted([ATTEMPT_STATE_CANCELLED, ATTEMPT_STATE_SUCCEEDED])


async def test_every_attempt_is_taken_up_again_after_a_restart(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    async with serving(folder, adapters) as caller:
        job, runs = await split_job(caller, adapters)
        for run in runs:
            run.accept()
        runs[0].deliver(0)
        await caller.until_event(job.job_id, "output_ready")
    assert all(run.is_detached for run in runs)
    for adapter in adapters.values():
        adapter.kept[adapter.runs[0].task.attempt_id] = ScriptedRun.complete
    async with serving(folder, adapters) as caller:
        done = await caller.until_ended(job.job_id)
        events = await caller.events(job.job_id, "earliest")
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 2)
    assert sorted((each.image_index, each.seed) for each in done.outputs) == [(0, 7), (1, 8), (2, 9), (3, 10)]
    assert kinds(events).count("completed") == 1
    for adapter in adapters.values():
        assert [run.is_reattached for run in adapter.runs] == [False, True]


async def test_images_of_a_job_without_a_model_are_all_of_one(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    """What breaks is made again where the model is that has made the rest, even if another backend is idle."""
    adapters["two"].current_catalog = replace(adapters["two"].current_catalog, checkpoints=(NamedModel(name="other"),))
    one = adapters["one"]
    async with serving(folder, adapters) as caller:
        await caller.refresh(*BACKENDS)
        blocker = await caller.create(text_to_image(backend="two"))
        await adapters["two"].next_run()
        job = await caller.create(text_to_image(count=2))
        run = await one.next_run()
        run.accept()
        run.deliver(0)
        run.fail(errors.OutOfMemory("too little memory"))
        one.plays = ScriptedRun.complete
        adapters["two"].runs[0].complete()
        await caller.until_ended(blocker.job_id)
        done = await caller.until_ended(job.job_id)
    assert (done.state, done.spec.image.model) == (JOB_STATE_SUCCEEDED, "first")
    assert [each.backend for each in done.attempts] == ["one", "one"]


async def test_slices_of_a_job_without_a_model_are_of_one_too(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    """Although the backends would have chosen different ones."""
    two = adapters["two"]
    two.current_status = replace(two.current_status, resident_model="second")
    async with serving(folder, adapters) as caller:
        job, runs = await split_job(caller, adapters, model="")
        for run in runs:
            run.complete()
        done = await caller.until_ended(job.job_id)
    models = [run.task.source.model for run in runs]  # type: ignore[union-attr]  # no graphs here
    assert models == [done.spec.image.model] * 2
    assert sorted(each.image_index for each in done.outputs) == [0, 1, 2, 3]


async def test_what_a_silent_backend_went_on_with_is_taken_up_although_part_of_it_was_delivered(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    one = adapters["one"]
    async with serving(folder, {"one": one}) as caller:
        await caller.refresh("one")
        job = await caller.create(text_to_image(count=3, seed=5))
        run = await one.next_run()
        run.accept()
        run.deliver(0)
        one.kept[run.task.attempt_id] = ScriptedRun.complete
        run.fail(errors.Unreachable("silent"))
        done = await caller.until_ended(job.job_id)
    assert (done.state, one.runs[1].is_reattached) == (JOB_STATE_SUCCEEDED, True)
    assert [(each.image_index, each.seed, each.attempt) for each in done.outputs] == [(0, 5, 1), (1, 6, 2), (2, 7, 2)]


def delivered(job: Job) -> list[tuple[int, int, int]]:
    return [(each.image_index, each.seed, each.attempt) for each in job.outputs]


async def begun_and_silent(caller: Caller, one: ScriptedAdapter, then: Callable[[ScriptedRun], None]) -> Job:
    """A job of three images whose backend fell silent after the first; `then` plays what is taken up."""
    await caller.refresh("one")
    job = await caller.create(text_to_image(count=3, seed=5))
    run = await one.next_run()
    run.accept()
    run.deliver(0)
    one.kept[run.task.attempt_id] = then
    run.fail(errors.Unreachable("silent"))
    return job


async def test_images_keep_their_places_however_often_a_backend_falls_silent(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    """What it makes is what it was asked for at first, although less and less of that is missing."""
    one = adapters["one"]

    def fall_silent_again(run: ScriptedRun) -> None:
        one.kept[run.task.attempt_id] = ScriptedRun.complete
        run.accept()
        run.deliver(1)
        run.fail(errors.Unreachable("silent"))

    async with serving(folder, {"one": one}) as caller:
        job = await begun_and_silent(caller, one, fall_silent_again)
        done = await caller.until_ended(job.job_id)
    assert delivered(done) == [(0, 5, 1), (1, 6, 2), (2, 7, 3)]
    assert [run.task.source for run in one.runs] == [one.runs[0].task.source] * 3


async def test_images_keep_their_places_over_a_restart_of_the_server(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    one = adapters["one"]
    async with serving(folder, {"one": one}) as caller:
        job = await begun_and_silent(caller, one, ScriptedRun.accept)
        await one.next_run(2)
    one.kept[one.runs[0].task.attempt_id] = ScriptedRun.complete
    async with serving(folder, {"one": one}) as caller:
        done = await caller.until_ended(job.job_id)
    assert delivered(done) == [(0, 5, 1), (1, 6, 2), (2, 7, 2)]
    assert [run.task.source for run in one.runs] == [one.runs[0].task.source] * 3


async def test_what_is_left_of_a_lost_attempt_gets_an_id_of_its_own(
    folder: Path, adapters: dict[str, ScriptedAdapter]
) -> None:
    """By the old one the backend may know more than that."""
    one = adapters["one"]
    async with serving(folder, {"one": one}) as caller:
        job = await begun_and_silent(caller, one, lambda run: run.fail(errors.Lost("it is gone")))
        (await one.next_run(3)).complete()
        done = await caller.until_ended(job.job_id)
    assert delivered(done) == [(0, 5, 1), (1, 6, 3), (2, 7, 3)]
    assert [run.is_reattached for run in one.runs] == [False, True, False]
    assert one.runs[2].task.attempt_id != one.runs[0].task.attempt_id
