"""Who asks, and how much each may ask for, over a real socket."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1 import job_pb2, queue_pb2
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.errors import Violation
from imagegen_server.config import OwnerSettings
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun
from tests.server.serving import Caller, Refusal, asking, refusal_of, serving, text_to_image

OWNERS = {"anna": OwnerSettings(max_queued_jobs=2)}


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    """A server where nothing is started, so that what is accepted waits."""
    async with serving(tmp_path, {"one": ScriptedAdapter()}, max_queued_jobs=4, owners=OWNERS) as caller:
        await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest())
        yield caller


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def creating(caller: Caller, owner: str = "", **fields: Any) -> Awaitable[pb.CreateJobResponse]:
    return caller.jobs.CreateJob(pb.CreateJobRequest(spec=text_to_image(), **fields), metadata=asking(owner))


# --- owners ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "owner"), [("anna", "anna"), (" Anna B. ", "Anna B."), ("", ""), ("a" * 256, "a" * 256)]
)
async def test_a_job_belongs_to_who_asked_for_it(caller: Caller, given: str, owner: str) -> None:
    job = await caller.create(owner=given)
    assert job.owner == owner
    assert (await caller.get(job.job_id)).owner == owner
    assert (await creating(caller, given, validate_only=True)).job.owner == owner


async def test_a_job_of_a_stream_has_its_owner(caller: Caller) -> None:
    call = caller.jobs.GenerateImages(pb.GenerateImagesRequest(spec=text_to_image()), metadata=asking("anna"))
    async for answer in call:
        assert (await caller.get(answer.event.job_id)).owner == "anna"
        break
    call.cancel()


async def test_jobs_are_listed_by_owner(caller: Caller) -> None:
    annas = await caller.create(owner="anna")
    await caller.create(owner="bert")
    listed = (await caller.jobs.ListJobs(pb.ListJobsRequest(owner="anna"))).jobs
    assert [job.job_id for job in listed] == [annas.job_id]


@pytest.mark.parametrize("metadata", [asking("a" * 257), asking("anna") + asking("bert")])
async def test_an_owner_that_breaks_the_rule_is_refused(caller: Caller, metadata: tuple[tuple[str, str], ...]) -> None:
    for call in (
        caller.jobs.CreateJob(pb.CreateJobRequest(spec=text_to_image()), metadata=metadata),
        caller.jobs.RetryJob(pb.RetryJobRequest(job_id="nobody"), metadata=metadata),
    ):
        told = await refused(call)
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert list(told.fields) == ["imagegen-owner"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in caller.jobs.GenerateImages(pb.GenerateImagesRequest(spec=text_to_image()), metadata=metadata):
            pass
    assert list(refusal_of(caught.value).fields) == ["imagegen-owner"]


async def test_a_request_id_is_one_of_its_owner(caller: Caller) -> None:
    annas = (await creating(caller, "anna", request_id="r")).job
    berts = (await creating(caller, "bert", request_id="r")).job
    again = await creating(caller, "anna", request_id="r")
    assert annas.job_id != berts.job_id
    assert (again.job.job_id, again.replayed) == (annas.job_id, True)


# --- quotas ----------------------------------------------------------------------------------------------------------


async def test_an_owner_may_have_only_so_many_waiting(caller: Caller) -> None:
    first = (await creating(caller, "anna", request_id="r")).job
    await caller.create(owner="anna")
    told = await refused(creating(caller, "anna"))
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert told.quota == {"owner:anna": "2 jobs of this owner wait already; at most 2 may"}
    assert told.retry_after_s == 10.0
    assert (await creating(caller, "anna", request_id="r")).job.job_id == first.job_id
    assert (await caller.create(owner="bert")).owner == "bert"
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=first.job_id))
    assert (await caller.create(owner="anna")).owner == "anna"


async def test_a_full_queue_is_full_for_everyone(caller: Caller) -> None:
    for owner in ("anna", "bert", "carl", ""):
        await caller.create(owner=owner)
    for owner in ("anna", ""):
        told = await refused(creating(caller, owner))
        assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
        assert told.quota == {"queue": "4 jobs wait already; at most 4 may"}


async def test_of_those_who_come_at_once_only_so_many_get_in_as_there_is_room(caller: Caller) -> None:
    answers = await asyncio.gather(*(creating(caller, "anna") for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(answer, pb.CreateJobResponse) for answer in answers) == 2
    reasons = {refusal_of(answer).reason for answer in answers if isinstance(answer, grpc.aio.AioRpcError)}
    assert reasons == {"QUOTA_EXCEEDED"}


async def test_of_twins_that_come_at_once_each_gets_the_one_job(caller: Caller) -> None:
    await caller.create(owner="anna")
    answers = await asyncio.gather(*(creating(caller, "anna", request_id="r") for _ in range(6)))
    assert len({answer.job.job_id for answer in answers}) == 1


@dataclass
class Examiner(ScriptedAdapter):
    """Takes its time over the first graph that it sees."""

    has_begun: threading.Event = field(default_factory=threading.Event)
    may_end: threading.Event = field(default_factory=threading.Event)

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        if not self.has_begun.is_set():
            self.has_begun.set()
            self.may_end.wait(10)
        return super().validate(source)


async def test_a_twin_that_comes_out_of_its_check_too_late_gets_the_one_job(tmp_path: Path) -> None:
    """The first of them has the last place by then, and is no longer on its way to the store."""
    examiner = Examiner(capabilities=replace(DEFAULT_CAPABILITIES, graphs=True))
    spec = job_pb2.JobSpec(graph=job_pb2.RawGraph(json='{"1": {"class_type": "SaveImage"}}'))
    request = pb.CreateJobRequest(spec=spec, request_id="r")
    async with serving(tmp_path, {"one": examiner}, max_queued_jobs=1) as caller:
        await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest())
        late = caller.jobs.CreateJob(request)
        assert await asyncio.to_thread(examiner.has_begun.wait, 10)
        first = await caller.jobs.CreateJob(request)
        examiner.may_end.set()
        answer = await late
    assert (answer.job.job_id, answer.replayed) == (first.job.job_id, True)


async def test_a_retry_counts_as_a_job(tmp_path: Path) -> None:
    async with serving(tmp_path, {"one": ScriptedAdapter(plays=ScriptedRun.complete)}, owners=OWNERS) as caller:
        job = await caller.until_ended((await caller.create()).job_id)
        await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest())
        for _ in range(2):
            await caller.create(owner="anna")
        told = await refused(caller.jobs.RetryJob(pb.RetryJobRequest(job_id=job.job_id), metadata=asking("anna")))
        assert told.reason == "QUOTA_EXCEEDED"
