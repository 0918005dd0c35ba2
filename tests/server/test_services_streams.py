"""The streams of events over a real socket."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from PIL import Image

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import PREVIEW_DELIVERY_NONE, PREVIEW_DELIVERY_NOTICE, WatchOptions
from imagegen.v1.job_pb2 import JOB_STATE_CANCELLED, JOB_STATE_RUNNING, JOB_STATE_SUCCEEDED, PreviewOptions
from imagegen_adapters.contract import ModelLoading, Phase, PhaseChanged, Planned
from tests.server.scripted import ScriptedAdapter, ScriptedRun, frame, progressed
from tests.server.serving import RHYTHM, Caller, kinds, refusal_of, serving, text_to_image

DURABLE = ("state_changed", "attempt_started", "attempt_failed", "plan", "output_ready", "warning", "completed")


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter}, rhythm=replace(RHYTHM, heartbeat_s=0.1), max_watchers=5) as caller:
        yield caller


def durable(events: list[JobEvent]) -> list[JobEvent]:
    return [event for event in events if event.WhichOneof("event") in DURABLE]


class Stream:
    """An open stream, read event by event."""

    def __init__(self, call: "grpc.aio.UnaryStreamCall[Any, Any]") -> None:
        self.call = call
        self.seen: list[JobEvent] = []

    async def until(self, kind: str) -> JobEvent:
        """Reads up to the next event of this kind."""
        async with asyncio.timeout(10):
            async for answer in self.call:
                event: JobEvent = answer.event
                self.seen.append(event)
                if event.WhichOneof("event") == kind:
                    return event
        raise AssertionError(f"the stream ended without {kind}: {kinds(self.seen)}")


def watch(caller: Caller, job_id: str, resume_token: str = "", **options: Any) -> Stream:
    request = pb.WatchJobRequest(job_id=job_id, resume_token=resume_token, watch=WatchOptions(**options))
    return Stream(caller.jobs.WatchJob(request))


async def test_a_stream_begins_with_a_snapshot_and_ends_after_completed(
    caller: Caller, adapter: ScriptedAdapter
) -> None:
    job = await caller.create()
    run = await adapter.next_run()
    run.accept()
    await caller.until_state(job.job_id, JOB_STATE_RUNNING)
    stream = watch(caller, job.job_id)
    await stream.until("caught_up")
    assert kinds(stream.seen)[0] == "snapshot"
    assert stream.seen[0].snapshot.state == JOB_STATE_RUNNING
    run.complete()
    completed = await stream.until("completed")
    assert completed.completed.job.state == JOB_STATE_SUCCEEDED
    assert completed.sequence == completed.completed.job.sequence
    assert [answer async for answer in stream.call] == []


async def test_earliest_gives_every_durable_event(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    job = await caller.create()
    await caller.until_ended(job.job_id)
    events = await caller.events(job.job_id, "earliest")
    assert [event.sequence for event in durable(events)] == list(range(1, len(durable(events)) + 1))
    assert kinds(durable(events)) == ["state_changed", "attempt_started", "state_changed", "output_ready", "completed"]
    assert all(event.job_id == job.job_id and event.resume_token for event in events)


async def test_every_kind_of_event_is_told(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await adapter.next_run()
    stream = watch(caller, job.job_id)
    await stream.until("caught_up")
    run.accept()
    for kind, update in (
        ("plan", Planned(images=1)),
        ("model_loading", ModelLoading(model="first")),
        ("phase_changed", PhaseChanged(phase=Phase.ENCODING)),
        ("progress", progressed(1)),
        ("preview", frame(1)),
    ):
        run.put(update)
        event = await stream.until(kind)
        assert (event.job_id, event.attempt) == (job.job_id, 1)
    run.complete()
    await stream.until("completed")


async def test_a_watcher_resumes_at_any_event_without_gap_or_duplicate(
    caller: Caller, adapter: ScriptedAdapter
) -> None:
    adapter.plays = ScriptedRun.complete
    job = await caller.create(text_to_image(count=3))
    every = await caller.events(job.job_id, "earliest")
    for seen, event in enumerate(every, start=1):
        before, after = durable(every[:seen]), durable(await caller.events(job.job_id, event.resume_token))
        assert [each.sequence for each in before + after] == [each.sequence for each in durable(every)]


async def test_after_completed_there_is_nothing_to_resume(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    job = await caller.create()
    ended = await caller.until_ended(job.job_id)
    assert kinds(await caller.events(job.job_id, ended.resume_token)) == ["caught_up"]
    assert kinds(await caller.events(job.job_id, (await caller.get(job.job_id)).resume_token)) == ["caught_up"]


async def test_a_finished_job_is_told_by_snapshot_and_completed(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    job = await caller.create()
    await caller.until_ended(job.job_id)
    assert kinds(await caller.events(job.job_id)) == ["snapshot", "completed"]


async def test_a_token_of_another_folder_resets(tmp_path: Path, caller: Caller, adapter: ScriptedAdapter) -> None:
    async with serving(tmp_path / "other", {"one": ScriptedAdapter()}) as other:
        token = (await other.create()).resume_token
    adapter.plays = ScriptedRun.complete
    job = await caller.create()
    await caller.until_ended(job.job_id)
    assert kinds(await caller.events(job.job_id, token))[:2] == ["reset", "snapshot"]


@pytest.mark.parametrize("token", ["nonsense", "A" * 36])
async def test_a_forged_token_is_refused(caller: Caller, token: str) -> None:
    job = await caller.create()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.events(job.job_id, token)
    told = refusal_of(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_RESUME_TOKEN")
    assert list(told.fields) == ["resume_token"]


async def test_an_unknown_job_cannot_be_watched(caller: Caller) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.events("nobody")
    assert refusal_of(caught.value).reason == "JOB_NOT_FOUND"


async def test_too_many_watchers_are_refused(caller: Caller) -> None:
    job = await caller.create()
    streams = [watch(caller, job.job_id) for _ in range(5)]
    for stream in streams:
        await stream.until("caught_up")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watch(caller, job.job_id).until("snapshot")
    told = refusal_of(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS")
    assert told.retry_after_s is not None


async def test_a_silent_stream_shows_that_it_lives(caller: Caller) -> None:
    job = await caller.create()
    stream = watch(caller, job.job_id)
    beat = await stream.until("heartbeat")
    assert (beat.job_id, bool(beat.resume_token)) == (job.job_id, True)


# --- previews --------------------------------------------------------------------------------------------------------


async def test_watchers_get_previews_as_they_want_them(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = await caller.create(text_to_image(preview=PreviewOptions(max_pixels=128)))
    run = await adapter.next_run()
    inline = watch(caller, job.job_id)
    small = watch(caller, job.job_id, max_pixels=32)
    notice = watch(caller, job.job_id, previews=PREVIEW_DELIVERY_NOTICE)
    nothing = watch(caller, job.job_id, previews=PREVIEW_DELIVERY_NONE)
    for stream in (inline, small, notice, nothing):
        await stream.until("caught_up")
    run.accept()
    run.put(frame(1, (256, 192)))
    whole = (await inline.until("preview")).preview
    assert (whole.width, whole.height, whole.media_type) == (128, 96, "image/jpeg")
    assert Image.open(io.BytesIO(whole.data)).size == (128, 96)
    scaled = (await small.until("preview")).preview
    assert (scaled.width, scaled.height, scaled.frame) == (32, 24, whole.frame)
    assert Image.open(io.BytesIO(scaled.data)).size == (32, 24)
    told = (await notice.until("preview")).preview
    assert (told.data, told.width, told.frame) == (b"", 128, 1)
    run.complete()
    await nothing.until("completed")
    assert "preview" not in kinds(nothing.seen)


async def test_a_latecomer_sees_the_newest_preview_at_once(caller: Caller, adapter: ScriptedAdapter) -> None:
    job = await caller.create()
    run = await adapter.next_run()
    run.accept()
    run.put(progressed(1), frame(1))
    await watch(caller, job.job_id).until("preview")
    late = watch(caller, job.job_id)
    await late.until("caught_up")
    assert {"progress", "preview"} <= set(kinds(late.seen))
    assert late.seen[0].snapshot.progress.step == 1


# --- WatchJobs -------------------------------------------------------------------------------------------------------


async def test_one_stream_for_several_jobs_ends_with_the_last(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    first, second = await caller.create(), await caller.create()
    call = caller.jobs.WatchJobs(pb.WatchJobsRequest(job_ids=[first.job_id, second.job_id]))
    async with asyncio.timeout(10):
        events = [answer.event async for answer in call]
    assert sorted(event.job_id for event in events if event.HasField("completed")) == sorted(
        [first.job_id, second.job_id]
    )


async def test_a_stream_of_all_jobs_includes_later_ones(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    stream = Stream(caller.jobs.WatchJobs(pb.WatchJobsRequest()))
    caught_up = await stream.until("caught_up")
    assert (caught_up.job_id, caught_up.sequence) == ("", 0)
    for _ in range(2):
        job = await caller.create()
        assert (await stream.until("completed")).job_id == job.job_id


async def test_waiting_jobs_are_told_their_place(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.create()
    await adapter.next_run()
    job = await caller.create()
    event = await watch(caller, job.job_id).until("queue_updated")
    assert (event.queue_updated.ahead, event.queue_updated.length) == (0, 1)


# --- GenerateImages --------------------------------------------------------------------------------------------------


async def test_generate_creates_and_watches_from_the_first_event(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    call = caller.jobs.GenerateImages(pb.GenerateImagesRequest(spec=text_to_image()))
    events = [answer.event async for answer in call]
    assert [event.sequence for event in durable(events)] == [1, 2, 3, 4, 5]
    assert events[-1].completed.job.state == JOB_STATE_SUCCEEDED


async def test_generate_refuses_as_create_does(caller: Caller) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [answer async for answer in caller.jobs.GenerateImages(pb.GenerateImagesRequest(spec=text_to_image(width=1)))]
    assert list(refusal_of(caught.value).fields) == ["spec.image.width"]


async def test_closing_the_stream_leaves_the_job_running(caller: Caller, adapter: ScriptedAdapter) -> None:
    stream = Stream(caller.jobs.GenerateImages(pb.GenerateImagesRequest(spec=text_to_image())))
    job_id = (await stream.until("attempt_started")).job_id
    stream.call.cancel()
    run = await adapter.next_run()
    run.complete()
    assert (await caller.until_ended(job_id)).state == JOB_STATE_SUCCEEDED
    assert run.cancels == 0


async def test_closing_the_stream_cancels_where_that_was_asked_for(caller: Caller, adapter: ScriptedAdapter) -> None:
    request = pb.GenerateImagesRequest(spec=text_to_image(), cancel_on_disconnect=True)
    stream = Stream(caller.jobs.GenerateImages(request))
    job_id = (await stream.until("attempt_started")).job_id
    await adapter.next_run()
    stream.call.cancel()
    assert (await caller.until_ended(job_id)).state == JOB_STATE_CANCELLED
