"""RetryJob over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.asset_pb2 import DeleteAssetRequest
from imagegen.v1.job_pb2 import JOB_STATE_CANCELLED, JOB_STATE_SUCCEEDED, Job, JobSpec, RawGraph
from imagegen_adapters.contract import Capabilities
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import Caller, Refusal, asking, refusal_of, serving, text_to_image


@pytest.fixture
def adapter() -> ScriptedAdapter:
    capabilities = Capabilities(graphs=True, image_to_image=True)
    return ScriptedAdapter(plays=ScriptedRun.complete, capabilities=capabilities)


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    """Every job is made at once; the server stops when all have been."""
    async with serving(tmp_path, {"one": adapter}) as caller:
        yield caller
        for job in (await caller.jobs.ListJobs(pb.ListJobsRequest())).jobs:
            await caller.until_ended(job.job_id)


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def ended(caller: Caller, spec: JobSpec | None = None, **fields: Any) -> Job:
    return await caller.until_ended((await caller.create(spec, **fields)).job_id)


def retrying(caller: Caller, job: Job, owner: str = "", **fields: Any) -> Awaitable[pb.RetryJobResponse]:
    return caller.jobs.RetryJob(pb.RetryJobRequest(job_id=job.job_id, **fields), metadata=asking(owner))


async def test_a_job_is_made_again_with_the_same_seeds(caller: Caller) -> None:
    first = await ended(caller, text_to_image(labels={"album": "foxes"}, count=2), owner="anna", request_id="r")
    again = (await retrying(caller, first, owner="bert")).job
    assert (again.retry_of, again.owner, again.request_id) == (first.job_id, "bert", "")
    assert again.spec == first.spec
    done = await caller.until_ended(again.job_id)
    assert done.state == JOB_STATE_SUCCEEDED
    assert [each.asset.digest for each in done.outputs] == [each.asset.digest for each in first.outputs]
    assert (await caller.get(first.job_id)).sequence == first.sequence


async def test_new_seeds_change_the_seed_and_nothing_else(caller: Caller) -> None:
    first = await ended(caller, text_to_image(seed=2**40))
    again = (await retrying(caller, first, new_seeds=True)).job
    assert again.spec.image.seed < 2**32
    again.spec.image.seed = first.spec.image.seed
    assert again.spec == first.spec


async def test_a_cancelled_job_is_made_again(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = None
    job = await caller.create()
    run = await adapter.next_run()
    told = await refused(retrying(caller, job))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_FINISHED")
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
    await run.was_left.wait()
    cancelled = await caller.until_ended(job.job_id)
    assert cancelled.state == JOB_STATE_CANCELLED
    adapter.plays = ScriptedRun.complete
    again = (await retrying(caller, cancelled)).job
    assert (await caller.until_ended(again.job_id)).state == JOB_STATE_SUCCEEDED


async def test_the_seeds_of_a_graph_are_new(caller: Caller) -> None:
    graph = RawGraph(json='{"3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615, "steps": 4}}}')
    first = await ended(caller, JobSpec(graph=graph))
    assert (await retrying(caller, first)).job.spec == first.spec
    again = (await retrying(caller, first, new_seeds=True)).job
    assert "18446744073709551615" not in again.spec.graph.json
    assert '"steps": 4' in again.spec.graph.json


async def test_a_graph_without_seeds_has_no_new_ones(caller: Caller) -> None:
    first = await ended(caller, JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}')))
    told = await refused(retrying(caller, first, new_seeds=True))
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert list(told.fields) == ["new_seeds"]


async def test_an_input_that_is_gone_is_named(caller: Caller) -> None:
    asset = await caller.write(picture(9))
    first = await ended(caller, text_to_image(init_image=asset.digest))
    await caller.assets.DeleteAsset(DeleteAssetRequest(digest=asset.digest))
    told = await refused(retrying(caller, first))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "ASSET_NOT_FOUND")
    assert list(told.fields) == ["spec.image.init_image"]


async def test_what_is_not_there_is_not_made_again(caller: Caller) -> None:
    told = await refused(retrying(caller, Job(job_id="nobody")))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


async def test_the_same_request_id_gives_one_job(caller: Caller) -> None:
    first = await ended(caller)
    answers = await asyncio.gather(*(retrying(caller, first, new_seeds=True, request_id="r") for _ in range(4)))
    assert len({answer.job.job_id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True]
    await caller.until_ended(answers[0].job.job_id)
    await caller.jobs.DeleteJob(pb.DeleteJobRequest(job_id=first.job_id))
    later = await retrying(caller, first, new_seeds=True, request_id="r")
    assert (later.job.job_id, later.replayed) == (answers[0].job.job_id, True)


async def test_a_request_id_stands_for_one_request(caller: Caller) -> None:
    first = await ended(caller, request_id="create")
    await retrying(caller, first, request_id="retry")
    for call in (
        retrying(caller, first, request_id="retry", new_seeds=True),
        retrying(caller, first, request_id="create"),
        caller.jobs.CreateJob(pb.CreateJobRequest(spec=text_to_image(), request_id="retry")),
    ):
        told = await refused(call)
        assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
