"""When a job is answered with what an earlier one has made: the key, then over a real socket."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.asset_pb2 import DeleteAssetRequest
from imagegen.v1.job_pb2 import JOB_STATE_QUEUED, JOB_STATE_SUCCEEDED, Job, JobSpec, RawGraph
from imagegen_adapters import contract
from imagegen_adapters.contract import BackendStatus, Capabilities, Warned
from imagegen_server import jobs
from imagegen_server.assets import AssetStore
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import AssetOrigin, Output
from imagegen_server.reuse import is_complete, key_of
from imagegen_server.services.reusing import Reuse
from imagegen_server.stores.store import Store
from tests.server.material import a_job, an_asset
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import Caller, asking, kinds, refusal_of, serving, text_to_image
from tests.server.test_services_invocations import inputs_of, running
from tests.server.workplace import Ticks

# --- what is the same ------------------------------------------------------------------------------------------------

SPEC = jobs.JobSpec(source=contract.ImageParameters(prompt="a fox", seed=7, init_image="a" * 64))
GRAPH = jobs.JobSpec(source=contract.RawGraph(json="{}", images={"1.image": "a" * 64}))


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"a": "b"}},
        {"priority": 3},
        {"preview": jobs.PreviewOptions(enabled=False)},
        {"backend": "one"},
        {"backend_labels": {"gpu": "big"}},
        {"start_deadline_s": 3.0},
        {"reuse": True},
        {"invocation": jobs.Invocation(workflow_id="w", revision=1, inputs={})},
    ],
)
def test_what_does_not_decide_about_pixels_is_left_out(fields: dict[str, Any]) -> None:
    assert key_of(replace(SPEC, **fields)) == key_of(SPEC)


def test_in_which_order_things_are_said_does_not_matter() -> None:
    one = {"a1111": {"tiling": True, "clip_skip": 2}, "comfyui": {}}
    other = {"comfyui": {}, "a1111": {"clip_skip": 2, "tiling": True}}
    assert key_of(replace(SPEC, backend_options=one)) == key_of(replace(SPEC, backend_options=other))


def test_what_decides_about_pixels_is_not() -> None:
    changes: list[dict[str, Any]] = [
        {"seed": 8},
        {"count": 2},
        {"batch_size": 2},
        {"model": "m"},
        {"init_image": "b" * 64},
        {"loras": (contract.Lora(name="warm"),)},
        {"distilled_cfg_scale": 3.5},
    ]
    specs = [
        SPEC,
        *(replace(SPEC, source=replace(SPEC.source, **fields)) for fields in changes),
        replace(SPEC, backend_options={"a1111": {"tiling": True}}),
        GRAPH,
        replace(GRAPH, source=contract.RawGraph(json="{}", images={"1.image": "b" * 64})),
        replace(GRAPH, source=contract.RawGraph(json="{ }", images={"1.image": "a" * 64})),
    ]
    assert len({key_of(spec) for spec in specs}) == len(specs)


def ended(*image_indexes: int, count: int = 2, **fields: Any) -> jobs.Job:
    outputs = tuple(
        Output(
            index=index,
            asset=an_asset(),
            image_index=image_index,
            seed=None,
            node_id="",
            intermediate=False,
            attempt=1,
        )
        for index, image_index in enumerate(image_indexes)
    )
    spec = jobs.JobSpec(source=contract.ImageParameters(prompt="a fox", model="m", count=count))
    known: dict[str, Any] = {"state": jobs.JobState.SUCCEEDED, "outputs": outputs}
    return replace(a_job(spec=spec), **known | fields)


def by_products(job: jobs.Job) -> jobs.Job:
    return replace(job, outputs=tuple(replace(output, intermediate=True) for output in job.outputs))


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (ended(1, 0), True),
        (ended(0), False),
        (ended(0, 1, state=jobs.JobState.CANCELLED), False),
        (ended(0, 1, warnings=(Warned(code="BACKEND_RECONNECTED", message=""),)), True),
        (ended(0, 1, warnings=(Warned(code="SETTING_REPLACED", message=""),)), False),
        (ended(0, spec=SPEC), False),  # nobody knows the model
        (ended(0, spec=GRAPH), True),
        (ended(spec=GRAPH), False),
        (by_products(ended(0, 1)), False),
    ],
)
def test_only_a_job_that_has_all_answers_others(job: jobs.Job, expected: bool) -> None:
    assert is_complete(job) == expected


async def test_what_answers_again_is_kept_as_if_it_was_made_again(store: Store, tmp_path: Path) -> None:
    clock = Ticks()
    assets = AssetStore(tmp_path / "assets", store, max_bytes=1_000_000, clock=clock)
    first, second = [await assets.put(picture(shade), origin=AssetOrigin.OUTPUT) for shade in (1, 2)]
    reuse = Reuse(store=store, assets=assets, fleet=Fleet([]))
    await reuse.keep([replace(ended(0).outputs[0], asset=first)])
    assert [each.digest for each in await store.oldest_assets(limit=5)] == [second.digest, first.digest]
    assert await assets.get(first.digest) == first


# --- over a real socket ----------------------------------------------------------------------------------------------


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter(plays=ScriptedRun.complete, capabilities=Capabilities(graphs=True))


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter}, max_queued_jobs=1) as caller:
        await caller.refresh("one")
        yield caller
        for job in (await caller.jobs.ListJobs(pb.ListJobsRequest())).jobs:
            await caller.until_ended(job.job_id)


def reusing(spec: JobSpec) -> JobSpec:
    copy = JobSpec(reuse=True)
    copy.MergeFrom(spec)
    return copy


def fox(**fields: Any) -> JobSpec:
    return text_to_image(seed=7, **fields)


async def done(caller: Caller, spec: JobSpec, **fields: Any) -> Job:
    return await caller.until_ended((await caller.create(spec, **fields)).job_id)


async def test_the_same_is_answered_at_once_with_the_same_outputs(caller: Caller, adapter: ScriptedAdapter) -> None:
    first = await done(caller, fox(count=2), owner="anna")
    again = await caller.create(reusing(fox(count=2, labels={"album": "foxes"}, priority=3)), owner="bert")
    assert (again.state, again.reused_from, again.owner) == (JOB_STATE_SUCCEEDED, first.job_id, "bert")
    assert [each.asset for each in again.outputs] == [each.asset for each in first.outputs]
    assert [each.seed for each in again.outputs] == [each.seed for each in first.outputs]
    assert [each.attempt for each in again.outputs] == [0, 0]
    assert again.spec.image == first.spec.image  # the model that was chosen included
    assert again.spec.reuse
    assert len(adapter.runs) == 1


async def test_its_events_are_complete_and_its_watchers_see_nothing_special(caller: Caller) -> None:
    await done(caller, fox(count=2))
    again = await caller.create(reusing(fox(count=2)))
    events = await caller.events(again.job_id, "earliest")
    assert kinds(events) == ["state_changed", "output_ready", "output_ready", "completed"]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert events[0].state_changed.to == JOB_STATE_QUEUED
    completed = events[-1].completed.job
    assert (completed.state, completed.reused_from) == (JOB_STATE_SUCCEEDED, again.reused_from)
    assert kinds(await caller.events(again.job_id)) == ["snapshot", "completed"]
    request = pb.GenerateImagesRequest(spec=reusing(fox(count=2)))
    watched = [answer.event async for answer in caller.jobs.GenerateImages(request)]
    assert kinds(watched) == kinds(events)


async def test_nothing_is_reused_unasked(caller: Caller) -> None:
    first = await done(caller, fox())
    again = await done(caller, fox())
    assert (first.reused_from, again.reused_from) == ("", "")
    assert (await caller.create(reusing(fox()))).reused_from == again.job_id


@pytest.mark.parametrize("spec", [fox(prompt="a cat"), fox(count=2), text_to_image(), text_to_image(seed=8)], ids=str)
async def test_what_is_not_the_same_runs(caller: Caller, spec: JobSpec) -> None:
    await done(caller, fox())
    assert (await done(caller, reusing(spec))).reused_from == ""


async def test_a_seed_that_the_server_chose_can_be_asked_for(caller: Caller) -> None:
    first = await done(caller, text_to_image())
    assert (await caller.create(reusing(first.spec))).reused_from == first.job_id


async def test_an_answer_answers_others_and_names_who_ran(caller: Caller) -> None:
    first = await done(caller, fox())
    second = await caller.create(reusing(fox()))
    await caller.jobs.DeleteJob(pb.DeleteJobRequest(job_id=first.job_id))
    third = await caller.create(reusing(fox()))
    assert (second.reused_from, third.reused_from) == (first.job_id, first.job_id)


async def test_graphs_and_workflows_are_reused_too(caller: Caller) -> None:
    graph = JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}'))
    first = await done(caller, graph)
    assert (await caller.create(reusing(graph))).reused_from == first.job_id
    invoked = running("text-to-image", prompt="a fox", seed=7)
    image = await done(caller, text_to_image(prompt="a fox", seed=7))
    again = await caller.create(reusing(invoked))
    assert again.reused_from == image.job_id
    assert inputs_of(again)["model"] == image.spec.image.model
    open_seed = await done(caller, reusing(running("text-to-image", prompt="a fox")))
    assert open_seed.reused_from == ""


async def test_where_no_model_is_named_that_which_would_be_taken_counts(
    caller: Caller, adapter: ScriptedAdapter
) -> None:
    first = await done(caller, fox())
    assert first.spec.image.model == "first"
    adapter.current_status = BackendStatus(resident_model="second")
    await caller.refresh("one")
    other = await done(caller, reusing(fox()))
    assert (other.spec.image.model, other.reused_from) == ("second", "")
    assert (await caller.create(reusing(fox(model="first")))).reused_from == first.job_id


async def test_the_model_of_a_backend_that_may_not_have_the_job_does_not_count(tmp_path: Path) -> None:
    one, two = ScriptedAdapter(plays=ScriptedRun.complete), ScriptedAdapter(plays=ScriptedRun.complete)
    two.current_status = BackendStatus(resident_model="second")
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        await caller.refresh("one", "two")
        await done(caller, fox(model="first"))
        again = await done(caller, reusing(fox(backend="two")))
        assert (again.spec.image.model, again.reused_from) == ("second", "")


async def test_when_a_picture_is_gone_it_is_made_again(caller: Caller) -> None:
    first = await done(caller, fox())
    await caller.assets.DeleteAsset(DeleteAssetRequest(digest=first.outputs[0].asset.digest))
    again = await done(caller, reusing(fox()))
    assert (again.reused_from, again.state) == ("", JOB_STATE_SUCCEEDED)


async def test_an_answer_lets_retention_begin_anew(caller: Caller, tmp_path: Path) -> None:
    await done(caller, fox())
    before = kept_since(tmp_path)
    await caller.create(reusing(fox()))
    assert kept_since(tmp_path) > before


def kept_since(folder: Path) -> float:
    """Of the one picture; callers are not told."""
    with closing(sqlite3.connect(folder / "imagegen.db")) as database:
        (row,) = database.execute("SELECT kept_since FROM assets")
        return float(row[0])


async def test_an_answer_needs_no_room_in_the_queue(caller: Caller, adapter: ScriptedAdapter) -> None:
    await done(caller, fox())
    adapter.plays = None
    at_work = await caller.create(fox())
    run = await adapter.next_run(2)
    waiting = await caller.create(fox())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.create(fox())
    assert refusal_of(caught.value).reason == "QUEUE_FULL"
    assert (await caller.create(reusing(fox()))).state == JOB_STATE_SUCCEEDED
    adapter.plays = ScriptedRun.complete
    run.complete()
    await caller.until_ended(at_work.job_id)
    await caller.until_ended(waiting.job_id)


async def test_a_check_tells_what_would_be_answered(caller: Caller) -> None:
    first = await done(caller, fox())
    told = await caller.create(reusing(fox()), validate_only=True)
    assert (told.job_id, told.reused_from, told.state) == ("", first.job_id, JOB_STATE_SUCCEEDED)
    assert len((await caller.jobs.ListJobs(pb.ListJobsRequest())).jobs) == 1


async def test_the_same_request_id_gives_one_answer(caller: Caller) -> None:
    await done(caller, fox())
    request = pb.CreateJobRequest(spec=reusing(fox()), request_id="r")
    first, second = [await caller.jobs.CreateJob(request, metadata=asking("anna")) for _ in range(2)]
    assert (first.job.job_id, first.replayed, second.replayed) == (second.job.job_id, False, True)


async def test_what_is_repeated_is_made_again(caller: Caller, adapter: ScriptedAdapter) -> None:
    await done(caller, fox())
    answered = await caller.create(reusing(fox()))
    again = (await caller.jobs.RetryJob(pb.RetryJobRequest(job_id=answered.job_id))).job
    assert (again.reused_from, again.spec.reuse) == ("", False)
    await caller.until_ended(again.job_id)
    assert len(adapter.runs) == 2
