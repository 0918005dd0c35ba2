"""ImageGenService over a real socket: everything but the streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.asset_pb2 import DeleteAssetRequest
from imagegen.v1.job_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    ImageParameters,
    Job,
    JobSpec,
)
from imagegen_adapters.errors import Cancelled
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture, progressed
from tests.server.serving import Caller, Refusal, refusal_of, serving, text_to_image


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter}, max_queued_jobs=3) as caller:
        yield caller


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def create(spec: JobSpec | None = None, **fields: Any) -> pb.CreateJobRequest:
    return pb.CreateJobRequest(spec=spec or text_to_image(), **fields)


def seed_of(job: Job) -> int:
    assert job.spec.image.HasField("seed")
    return job.spec.image.seed


# --- CreateJob -------------------------------------------------------------------------------------------------------


async def test_a_job_is_accepted_with_its_defaults_written_back(caller: Caller) -> None:
    job = await caller.create(text_to_image(labels={"album": "foxes"}))
    image = job.spec.image
    assert (image.width, image.height, image.steps, image.cfg_scale, image.count) == (512, 512, 20, 7.0, 1)
    assert 0 <= seed_of(job) < 2**32
    assert job.spec.labels == {"album": "foxes"}
    assert job.resume_token
    assert job.sequence >= 1
    assert len(job.job_id) == 36


async def test_each_job_without_a_seed_gets_its_own(caller: Caller) -> None:
    seeds = {seed_of((await caller.jobs.CreateJob(create(validate_only=True))).job) for _ in range(5)}
    assert len(seeds) > 1


async def test_a_broken_rule_is_refused_with_its_field(caller: Caller) -> None:
    told = await refused(caller.jobs.CreateJob(create(text_to_image(width=65, steps=0))))
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert set(told.fields) == {"spec.image.width", "spec.image.steps"}
    assert "multiple of 8" in told.fields["spec.image.width"]


async def test_a_label_that_no_filter_could_name_is_refused(caller: Caller) -> None:
    told = await refused(caller.jobs.CreateJob(create(text_to_image(labels={"a=b": "c"}))))
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", ['spec.labels["a=b"]'])


async def test_an_unknown_model_is_refused_with_the_allowed_ones(caller: Caller) -> None:
    await caller.until_state((await caller.create()).job_id, JOB_STATE_RUNNING)  # the catalogue is known by now
    told = await refused(caller.jobs.CreateJob(create(text_to_image(model="third"))))
    assert told.reason == "INVALID_REQUEST"
    assert told.fields == {"spec.image.model": "no such model 'third'; allowed: first, second"}


@pytest.mark.parametrize(
    ("spec", "reason", "field"),
    [
        (text_to_image(init_image="0" * 64), "ASSET_NOT_FOUND", "spec.image.init_image"),
        (text_to_image(backend="two"), "BACKEND_NOT_FOUND", "spec.backend"),
    ],
)
async def test_what_does_not_exist_is_not_found(caller: Caller, spec: JobSpec, reason: str, field: str) -> None:
    told = await refused(caller.jobs.CreateJob(create(spec)))
    assert (told.code, told.reason, list(told.fields)) == (grpc.StatusCode.NOT_FOUND, reason, [field])


async def test_validate_only_accepts_nothing(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = (await caller.jobs.CreateJob(create(validate_only=True, request_id="r"))).job
    assert (job.job_id, job.state, job.spec.image.steps) == ("", JOB_STATE_QUEUED, 20)
    assert not (await caller.jobs.ListJobs(pb.ListJobsRequest())).jobs
    told = await refused(caller.jobs.CreateJob(create(text_to_image(width=1), validate_only=True)))
    assert told.reason == "INVALID_REQUEST"


async def test_the_same_request_id_gives_the_first_job(caller: Caller) -> None:
    first = await caller.jobs.CreateJob(create(request_id="r"))
    again = await caller.jobs.CreateJob(create(request_id="r"))
    assert (first.replayed, again.replayed) == (False, True)
    assert first.job.job_id == again.job.job_id
    assert seed_of(first.job) == seed_of(again.job)


async def test_the_same_request_id_at_the_same_time_gives_one_job(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.jobs.CreateJob(create(request_id="r")) for _ in range(8)))
    assert len({answer.job.job_id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7


async def test_the_same_request_id_with_another_body_is_refused(caller: Caller) -> None:
    await caller.create(request_id="r")
    told = await refused(caller.jobs.CreateJob(create(text_to_image(prompt="a hare"), request_id="r")))
    assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_a_replay_does_not_ask_what_has_become_of_the_inputs(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    asset = await caller.write(picture(9))
    spec = text_to_image(init_image=asset.digest)
    job = await caller.create(spec, request_id="r")
    await caller.until_ended(job.job_id)
    await caller.assets.DeleteAsset(DeleteAssetRequest(digest=asset.digest))
    assert (await caller.create(spec, request_id="r")).job_id == job.job_id


async def test_a_full_queue_refuses_and_says_when_to_come_back(caller: Caller, adapter: ScriptedAdapter) -> None:
    running = await caller.create(request_id="r")
    await adapter.next_run()
    for _ in range(3):
        await caller.create()
    told = await refused(caller.jobs.CreateJob(create()))
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert told.retry_after_s is not None
    replayed = await caller.jobs.CreateJob(create(request_id="r"))
    assert (replayed.replayed, replayed.job.job_id) == (True, running.job_id)


async def test_more_images_per_pass_than_images_are_fine(caller: Caller) -> None:
    job = await caller.create(JobSpec(image=ImageParameters(count=1, batch_size=4)))
    assert job.spec.image.batch_size == 4


# --- GetJob, ListJobs ------------------------------------------------------------------------------------------------


async def test_a_running_job_tells_its_progress(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await adapter.next_run()
    run.accept("remote-1")
    run.put(progressed(1), progressed(2))
    async for answer in caller.jobs.WatchJob(pb.WatchJobRequest(job_id=job.job_id)):
        if answer.event.progress.step == 2:
            break
    now = await caller.get(job.job_id)
    assert (now.state, now.progress.step, now.progress.fraction) == (JOB_STATE_RUNNING, 2, 0.5)
    assert (now.attempts[0].backend, now.attempts[0].remote_id) == ("one", "remote-1")
    assert now.spec.image.model == "first"
    assert not now.HasField("queue")


async def test_a_waiting_job_tells_its_place(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.create()
    await adapter.next_run()
    second, third = await caller.create(), await caller.create()
    now = await caller.get(third.job_id)
    assert (now.queue.ahead, now.queue.length) == (1, 2)
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=second.job_id))
    now = await caller.get(third.job_id)
    assert (now.queue.ahead, now.queue.length) == (0, 1)


@pytest.mark.parametrize("method", ["GetJob", "CancelJob", "DeleteJob"])
async def test_an_unknown_job_is_not_found(caller: Caller, method: str) -> None:
    request = getattr(pb, f"{method}Request")(job_id="nobody")
    told = await refused(getattr(caller.jobs, method)(request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    assert told.metadata == {"job_id": "nobody"}


async def test_jobs_are_listed_newest_first_in_pages(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    created = []
    for _ in range(5):
        created.append((await caller.create()).job_id)
        await caller.until_ended(created[-1])
    listed, token = [], ""
    while True:
        page = await caller.jobs.ListJobs(pb.ListJobsRequest(page_size=2, page_token=token))
        assert len(page.jobs) <= 2
        listed += [job.job_id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert listed == created[::-1]


async def test_a_page_token_is_good_for_its_own_listing_only(caller: Caller) -> None:
    await caller.create()
    await caller.create()
    token = (await caller.jobs.ListJobs(pb.ListJobsRequest(page_size=1))).next_page_token
    for request in (
        pb.ListJobsRequest(page_token="nonsense"),
        pb.ListJobsRequest(page_token=token, text="fox"),
        pb.ListJobsRequest(page_token=token, states=[JOB_STATE_QUEUED]),
    ):
        told = await refused(caller.jobs.ListJobs(request))
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


async def test_jobs_are_filtered(caller: Caller, adapter: ScriptedAdapter) -> None:
    fox = await caller.create(text_to_image(prompt="A Red FOX", labels={"album": "animals"}))
    await adapter.next_run()
    sea = await caller.create(text_to_image(prompt="the sea", labels={"album": "water"}))

    async def found(**fields: Any) -> set[str]:
        return {job.job_id for job in (await caller.jobs.ListJobs(pb.ListJobsRequest(**fields))).jobs}

    assert await found(states=[JOB_STATE_RUNNING]) == {fox.job_id}
    assert await found(states=[0, JOB_STATE_RUNNING]) == {fox.job_id, sea.job_id}
    assert await found(text="red fox") == {fox.job_id}
    assert await found(label="album=water") == {sea.job_id}
    assert await found(label="album") == {fox.job_id, sea.job_id}
    assert await found(owner="somebody") == set()


# --- CancelJob, DeleteJob --------------------------------------------------------------------------------------------


async def test_a_waiting_job_is_cancelled_at_once(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.create()
    await adapter.next_run()
    job = await caller.create()
    cancelled = (await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))).job
    assert cancelled.state == JOB_STATE_CANCELLED
    assert not cancelled.attempts
    assert not cancelled.HasField("queue")


async def test_a_running_job_is_cancelled_once_its_backend_confirms(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.obeys_cancel = False
    job = await caller.create()
    run = await adapter.next_run()
    run.accept()
    for _ in range(2):
        asked = (await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))).job
        assert asked.state == JOB_STATE_CANCELLING
    await run.cancel_asked.wait()
    run.fail(Cancelled("stopped"))
    ended = await caller.until_ended(job.job_id)
    assert ended.state == JOB_STATE_CANCELLED
    assert run.cancels == 1
    again = (await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))).job
    assert (again.state, again.sequence) == (JOB_STATE_CANCELLED, ended.sequence)


async def test_a_finished_job_is_left_as_it_is(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    job = await caller.create()
    await caller.until_ended(job.job_id)
    assert (await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))).job.state == JOB_STATE_SUCCEEDED


async def test_only_an_ended_job_is_deleted(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await adapter.next_run()
    told = await refused(caller.jobs.DeleteJob(pb.DeleteJobRequest(job_id=job.job_id)))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_FINISHED")
    run.complete()
    await caller.until_ended(job.job_id)
    await caller.jobs.DeleteJob(pb.DeleteJobRequest(job_id=job.job_id))
    assert (await refused(caller.jobs.GetJob(pb.GetJobRequest(job_id=job.job_id)))).reason == "JOB_NOT_FOUND"


async def test_either_the_job_or_the_delete_of_its_image_is_refused(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    for shade in range(20):
        digest = (await caller.write(picture(shade))).digest
        created, deleted = await asyncio.gather(
            caller.create(text_to_image(init_image=digest)),
            caller.assets.DeleteAsset(DeleteAssetRequest(digest=digest)),
            return_exceptions=True,
        )
        assert isinstance(created, Job) == isinstance(deleted, grpc.aio.AioRpcError)
        if isinstance(created, Job):
            assert (await caller.until_ended(created.job_id)).state == JOB_STATE_SUCCEEDED
