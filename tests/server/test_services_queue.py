"""QueueService, UpdateJob and drains over a real socket."""

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import backend_pb2, job_pb2, queue_pb2
from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import JOB_STATE_QUEUED, JOB_STATE_RUNNING, Job
from imagegen_server.config import OwnerSettings
from tests.server.scripted import ScriptedAdapter, ScriptedRun
from tests.server.serving import Caller, Refusal, kinds, refusal_of, serving, text_to_image


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    owners = {"anna": OwnerSettings(weight=2.0, max_queued_jobs=7, max_running_jobs=3)}
    async with serving(tmp_path, {"one": adapter}, max_queued_jobs=9, owners=owners) as caller:
        yield caller


@pytest.fixture
async def running(caller: Caller, adapter: ScriptedAdapter) -> Job:
    """A job that keeps the only backend busy."""
    job = await caller.create(owner="anna")
    await adapter.next_run()
    return await caller.until_state(job.job_id, JOB_STATE_RUNNING)


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def queue(caller: Caller) -> queue_pb2.Queue:
    return (await caller.queue.GetQueue(queue_pb2.GetQueueRequest())).queue


async def entries(caller: Caller, **fields: Any) -> list[queue_pb2.QueueEntry]:
    answer = await caller.queue.ListQueueEntries(queue_pb2.ListQueueEntriesRequest(**fields))
    return list(answer.entries)


async def order(caller: Caller) -> list[str]:
    return [entry.job_id for entry in await entries(caller)]


async def move(caller: Caller, job_id: str, **to: Any) -> Job:
    return (await caller.queue.MoveJob(queue_pb2.MoveJobRequest(job_id=job_id, **to))).job


async def pause(caller: Caller, owner: str = "") -> queue_pb2.Queue:
    return (await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest(owner=owner))).queue


async def resume(caller: Caller, owner: str = "") -> queue_pb2.Queue:
    return (await caller.queue.ResumeQueue(queue_pb2.ResumeQueueRequest(owner=owner))).queue


async def update(caller: Caller, job_id: str, **fields: Any) -> Job:
    return (await caller.jobs.UpdateJob(pb.UpdateJobRequest(job_id=job_id, **fields))).job


async def reason(caller: Caller, job_id: str) -> job_pb2.WaitReason.ValueType:
    return (await caller.get(job_id)).queue.reason


# --- the queue as it is ----------------------------------------------------------------------------------------------


async def test_an_empty_queue(caller: Caller) -> None:
    assert await queue(caller) == queue_pb2.Queue(max_queued=9)
    assert await entries(caller) == []


async def test_the_queue_in_numbers(caller: Caller, running: Job) -> None:
    first = await caller.create(owner="bert")
    await caller.create(text_to_image(model="second"), owner="bert")
    await caller.create(owner="anna")
    now = await queue(caller)
    assert (now.queued, now.running, now.cancelling, now.max_queued, now.paused) == (3, 1, 0, 9, False)
    assert list(now.owners) == [
        queue_pb2.OwnerCount(owner="anna", queued=1, running=1, max_queued=7, max_running=3, weight=2.0),
        queue_pb2.OwnerCount(owner="bert", queued=2, weight=1.0),
    ]
    assert list(now.models) == [
        queue_pb2.ModelCount(model="", queued=2),
        queue_pb2.ModelCount(model="first", running=1),
        queue_pb2.ModelCount(model="second", queued=1),
    ]
    assert now.oldest_create_time == first.create_time


async def test_a_job_that_is_being_stopped_is_counted_as_such(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.obeys_cancel = False
    stopped = await caller.create()
    await caller.until_state(stopped.job_id, JOB_STATE_RUNNING)
    another = await caller.create()
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=stopped.job_id))
    now = await queue(caller)
    assert (now.queued, now.running, now.cancelling) == (1, 0, 1)
    assert await order(caller) == [another.job_id]


async def test_entries_say_what_waits_and_for_what(caller: Caller, running: Job) -> None:
    job = await caller.create(text_to_image(model="second"), owner="bert")
    (entry,) = await entries(caller)
    assert (entry.job_id, entry.owner, entry.model, entry.priority, entry.paused) == (
        job.job_id,
        "bert",
        "second",
        0,
        False,
    )
    assert entry.create_time == job.create_time
    assert (entry.queue.ahead, entry.queue.length, entry.queue.reason) == (0, 1, job_pb2.WAIT_REASON_TURN)
    # Nothing was measured yet.
    assert not entry.queue.HasField("start_eta")
    assert entry.queue == (await caller.get(job.job_id)).queue


async def test_entries_come_in_order_and_in_pages(caller: Caller, running: Job) -> None:
    created = [(await caller.create(owner="bert")).job_id for _ in range(5)]
    listed, token = [], ""
    while True:
        page = await caller.queue.ListQueueEntries(queue_pb2.ListQueueEntriesRequest(page_size=2, page_token=token))
        assert len(page.entries) <= 2
        listed += [entry.job_id for entry in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert listed == created


async def test_entries_of_one_owner(caller: Caller, running: Job) -> None:
    await caller.create(owner="bert")
    annas = await caller.create(owner="anna")
    assert [entry.job_id for entry in await entries(caller, owner="anna")] == [annas.job_id]


async def test_a_page_token_is_good_for_its_own_listing_only(caller: Caller, running: Job) -> None:
    for _ in range(2):
        await caller.create()
    page = await caller.queue.ListQueueEntries(queue_pb2.ListQueueEntriesRequest(page_size=1))
    for request in (
        queue_pb2.ListQueueEntriesRequest(page_token="nonsense"),
        queue_pb2.ListQueueEntriesRequest(page_token=page.next_page_token, owner="anna"),
    ):
        told = await refused(caller.queue.ListQueueEntries(request))
        assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


async def test_a_checked_request_is_told_its_place(caller: Caller, running: Job) -> None:
    await caller.create()
    request = pb.CreateJobRequest(spec=text_to_image(priority=1), validate_only=True)
    checked = (await caller.jobs.CreateJob(request)).job
    assert (checked.job_id, checked.queue.ahead, checked.queue.length) == ("", 0, 2)
    assert (await queue(caller)).queued == 1


# --- pause, resume ---------------------------------------------------------------------------------------------------


async def test_a_paused_queue_starts_nothing(caller: Caller, adapter: ScriptedAdapter) -> None:
    for _ in range(2):
        assert (await pause(caller)).paused
    job = await caller.create()
    assert await reason(caller, job.job_id) == job_pb2.WAIT_REASON_QUEUE_PAUSED
    assert not (await resume(caller)).paused
    assert (await adapter.next_run()).task.source.prompt == "a red fox"  # type: ignore[union-attr]  # no graph


async def test_a_paused_owner_waits_for_others(caller: Caller, adapter: ScriptedAdapter) -> None:
    assert list((await pause(caller, " anna ")).paused_owners) == ["anna"]
    waiting = await caller.create(owner="anna")
    other = await caller.create(owner="bert")
    await caller.until_state(other.job_id, JOB_STATE_RUNNING)
    assert await reason(caller, waiting.job_id) == job_pb2.WAIT_REASON_QUEUE_PAUSED
    (await adapter.next_run()).complete()
    assert not (await resume(caller, "anna")).paused_owners
    await caller.until_state(waiting.job_id, JOB_STATE_RUNNING)


async def test_a_pause_lasts_over_a_restart(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": adapter}) as caller:
        await pause(caller)
        await pause(caller, "anna")
    async with serving(tmp_path, {"one": adapter}) as caller:
        now = await queue(caller)
        assert (now.paused, list(now.paused_owners)) == (True, ["anna"])


async def test_an_owner_that_nobody_can_be_is_refused(caller: Caller) -> None:
    told = await refused(caller.queue.PauseQueue(queue_pb2.PauseQueueRequest(owner="jörg")))
    assert (told.code, told.reason, list(told.fields)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        ["owner"],
    )


# --- move ------------------------------------------------------------------------------------------------------------


async def test_jobs_are_moved(caller: Caller, running: Job) -> None:
    a, b, c = [(await caller.create()).job_id for _ in range(3)]
    moved = await move(caller, c, end=queue_pb2.QUEUE_END_FIRST)
    assert (moved.job_id, moved.state, moved.queue.ahead) == (c, JOB_STATE_QUEUED, 0)
    assert await order(caller) == [c, a, b]
    await move(caller, c, end=queue_pb2.QUEUE_END_LAST)
    assert await order(caller) == [a, b, c]
    await move(caller, a, after_job_id=b)
    assert await order(caller) == [b, a, c]
    await move(caller, c, before_job_id=a)
    assert await order(caller) == [b, c, a]


async def test_jobs_are_moved_while_nothing_is_started(caller: Caller) -> None:
    await pause(caller)
    a, b = [(await caller.create()).job_id for _ in range(2)]
    assert (await move(caller, b, end=queue_pb2.QUEUE_END_FIRST)).queue.ahead == 0
    assert await order(caller) == [b, a]
    assert (await update(caller, a, priority=5)).queue.ahead == 1


async def test_watchers_are_told_of_a_move(caller: Caller, running: Job) -> None:
    job = await caller.create()
    await move(caller, job.job_id, end=queue_pb2.QUEUE_END_FIRST)
    await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
    told = await caller.events(job.job_id, "earliest")
    assert kinds(told) == ["state_changed", "updated", "completed"]
    assert told[1].updated.job.job_id == job.job_id


async def test_only_what_waits_is_moved(caller: Caller, adapter: ScriptedAdapter, running: Job) -> None:
    job = await caller.create()
    for target, to, named in (
        (running.job_id, {"end": queue_pb2.QUEUE_END_FIRST}, running.job_id),
        (job.job_id, {"before_job_id": running.job_id}, running.job_id),
    ):
        told = await refused(move(caller, target, **to))
        assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_NOT_QUEUED")
        assert told.metadata == {"job_id": named}
    adapter.plays = ScriptedRun.complete
    adapter.runs[0].complete()
    await caller.until_ended(job.job_id)
    assert (await refused(move(caller, job.job_id, end=queue_pb2.QUEUE_END_LAST))).reason == "JOB_NOT_QUEUED"


async def test_what_is_not_there_is_not_moved(caller: Caller, running: Job) -> None:
    job = await caller.create()
    for target, to in (("nobody", {"end": queue_pb2.QUEUE_END_FIRST}), (job.job_id, {"after_job_id": "nobody"})):
        told = await refused(move(caller, target, **to))
        assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
        assert told.metadata == {"job_id": "nobody"}


@pytest.mark.parametrize(
    ("to", "field"),
    [({}, "to"), ({"end": queue_pb2.QUEUE_END_UNSPECIFIED}, "end"), ({"before_job_id": "itself"}, "before_job_id")],
)
async def test_a_move_needs_somewhere_to_go(caller: Caller, to: dict[str, Any], field: str) -> None:
    told = await refused(move(caller, "itself", **to))
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", [field])


# --- UpdateJob -------------------------------------------------------------------------------------------------------


async def test_a_job_gets_another_priority_and_place(caller: Caller, running: Job) -> None:
    first, second = (await caller.create()).job_id, (await caller.create()).job_id
    updated = await update(caller, second, priority=5)
    assert (updated.spec.priority, updated.queue.ahead) == (5, 0)
    assert await order(caller) == [second, first]


async def test_labels_are_replaced_as_a_whole(caller: Caller, running: Job) -> None:
    job = await caller.create(text_to_image(labels={"album": "foxes", "rating": "5"}))
    updated = await update(caller, job.job_id, labels=pb.Labels(labels={"album": "hares"}))
    assert updated.spec.labels == {"album": "hares"}
    listed = (await caller.jobs.ListJobs(pb.ListJobsRequest(label="album=hares"))).jobs
    assert [each.job_id for each in listed] == [job.job_id]
    assert not (await update(caller, job.job_id, labels=pb.Labels())).spec.labels
    assert not (await caller.jobs.ListJobs(pb.ListJobsRequest(label="album"))).jobs


async def test_a_paused_job_waits_until_it_is_resumed(caller: Caller, adapter: ScriptedAdapter, running: Job) -> None:
    job = await caller.create()
    assert (await update(caller, job.job_id, paused=True)).paused
    assert await reason(caller, job.job_id) == job_pb2.WAIT_REASON_PAUSED
    other = await caller.create()
    adapter.runs[0].complete()
    await caller.until_state(other.job_id, JOB_STATE_RUNNING)
    assert (await entries(caller))[0].paused
    assert not (await update(caller, job.job_id, paused=False)).paused
    (await adapter.next_run(2)).complete()
    await caller.until_state(job.job_id, JOB_STATE_RUNNING)


async def test_what_is_not_given_is_left_as_it_is(caller: Caller, running: Job) -> None:
    job = await caller.create(text_to_image(labels={"album": "foxes"}))
    same = await update(caller, job.job_id)
    assert (same.spec, same.sequence, same.paused) == (job.spec, job.sequence, False)


async def test_watchers_are_told_of_an_update(caller: Caller, adapter: ScriptedAdapter, running: Job) -> None:
    await update(caller, running.job_id, labels=pb.Labels(labels={"a": "b"}))
    adapter.runs[0].complete()
    told = [each for each in await caller.events(running.job_id, "earliest") if each.HasField("updated")]
    assert [each.updated.job.spec.labels for each in told] == [{"a": "b"}]


async def test_an_ended_job_is_not_changed(caller: Caller, adapter: ScriptedAdapter, running: Job) -> None:
    adapter.runs[0].complete()
    await caller.until_ended(running.job_id)
    told = await refused(update(caller, running.job_id, priority=1))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "JOB_FINISHED")
    assert told.metadata == {"job_id": running.job_id}


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"priority": 11}, "priority"), ({"labels": pb.Labels(labels={"a=b": ""})}, 'labels.labels["a=b"]')],
)
async def test_an_update_that_breaks_a_rule_is_refused(caller: Caller, fields: dict[str, Any], field: str) -> None:
    told = await refused(update(caller, "nobody", **fields))
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", [field])


async def test_a_job_that_is_not_there_is_not_changed(caller: Caller) -> None:
    assert (await refused(update(caller, "nobody", priority=1))).reason == "JOB_NOT_FOUND"


# --- drains ----------------------------------------------------------------------------------------------------------


async def drain(caller: Caller, name: str = "one") -> backend_pb2.Backend:
    return (await caller.backends.DrainBackend(backend_pb2.DrainBackendRequest(name=name))).backend


async def undrain(caller: Caller, name: str = "one") -> backend_pb2.Backend:
    return (await caller.backends.UndrainBackend(backend_pb2.UndrainBackendRequest(name=name))).backend


async def test_a_drained_backend_gets_no_new_jobs(caller: Caller, adapter: ScriptedAdapter, running: Job) -> None:
    for _ in range(2):
        assert (await drain(caller)).drained
    job = await caller.create()
    adapter.runs[0].complete()
    assert (await caller.until_ended(running.job_id)).outputs
    assert await reason(caller, job.job_id) == job_pb2.WAIT_REASON_NO_BACKEND
    assert not (await undrain(caller)).drained
    await caller.until_state(job.job_id, JOB_STATE_RUNNING)


@pytest.mark.parametrize("call", [drain, undrain])
async def test_an_unknown_backend_is_not_drained(caller: Caller, call: Any) -> None:
    told = await refused(call(caller, "three"))
    assert (told.code, told.reason, list(told.fields)) == (grpc.StatusCode.NOT_FOUND, "BACKEND_NOT_FOUND", ["name"])
