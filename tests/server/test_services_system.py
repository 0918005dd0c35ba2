"""SystemService over a real socket: what there is, and what changes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import pytest

from imagegen.v1 import queue_pb2, settings_pb2, system_pb2, workflow_pb2
from imagegen.v1.backend_pb2 import BACKEND_HEALTH_UNHEALTHY, Backend, DrainBackendRequest
from imagegen.v1.image_gen_pb2 import DeleteJobRequest
from imagegen_adapters.contract import Catalog, NamedModel
from imagegen_server.changes import Topic
from imagegen_server.services.system import TOPICS
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import RHYTHM, Caller, calling, refusal_of, serving, started, text_to_image

Condition = Callable[["Watched"], bool]


@dataclass
class Watched:
    """What was told of the system up to now, as a page would hold it."""

    call: grpc.aio.UnaryStreamCall[system_pb2.WatchSystemRequest, system_pb2.WatchSystemResponse]
    backends: dict[str, Backend] = field(default_factory=dict)
    queue: queue_pb2.Queue = field(default_factory=queue_pb2.Queue)
    changed: list[tuple[str, str]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    async def until(self, condition: Condition) -> None:
        async with asyncio.timeout(10):
            while not condition(self):
                self._take((await anext(aiter(self.call))).event)

    def _take(self, event: system_pb2.SystemEvent) -> None:
        kind = str(event.WhichOneof("event"))
        self.kinds.append(kind)
        match kind:
            case "backend":
                self.backends[event.backend.name] = event.backend
            case "queue":
                assert event.queue != self.queue, "told twice"
                self.queue = event.queue
            case "changed":
                self.changed.append((system_pb2.Topic.Name(event.changed.topic), event.changed.id))


@asynccontextmanager
async def watched(caller: Caller) -> AsyncIterator[Watched]:
    """A stream that has told all that there was."""
    seen = Watched(caller.system.WatchSystem(system_pb2.WatchSystemRequest()))
    try:
        await seen.until(lambda seen: "ready" in seen.kinds)
        yield seen
    finally:
        seen.call.cancel()


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter, "two": ScriptedAdapter()}) as caller:
        await caller.refresh("one", "two")
        yield caller


def test_every_topic_is_told() -> None:
    assert TOPICS.keys() | {Topic.BACKENDS, Topic.QUEUE} == set(Topic)
    assert set(TOPICS.values()) == set(system_pb2.Topic.values()) - {system_pb2.TOPIC_UNSPECIFIED}


async def test_a_watcher_is_told_what_there_is_and_then_each_change(caller: Caller, adapter: ScriptedAdapter) -> None:
    async with watched(caller) as seen:
        assert seen.kinds == ["backend", "backend", "queue", "ready"]
        assert list(seen.backends) == ["one", "two"]

        job = await caller.create(text_to_image(backend="one"))
        run = await adapter.next_run()
        await seen.until(lambda seen: seen.queue.running == 1)
        await seen.until(lambda seen: list(seen.backends["one"].running_job_ids) == [job.job_id])
        run.complete()
        await seen.until(lambda seen: (seen.queue.running, seen.queue.queued) == (0, 0))
        await seen.until(lambda seen: not seen.backends["one"].running_job_ids)

        await caller.backends.DrainBackend(DrainBackendRequest(name="two"))
        await seen.until(lambda seen: seen.backends["two"].drained)
        adapter.is_reachable = False
        await seen.until(lambda seen: seen.backends["one"].health == BACKEND_HEALTH_UNHEALTHY)
        assert seen.backends["one"].reason == "connection refused"
        await caller.queue.PauseQueue(queue_pb2.PauseQueueRequest())
        await seen.until(lambda seen: seen.queue.paused)
        assert not seen.changed

        adapter.is_reachable = True
        adapter.current_catalog = Catalog(checkpoints=(NamedModel(name="new"),))
        await caller.refresh("one")
        await seen.until(lambda seen: ("TOPIC_MODELS", "") in seen.changed)
        await caller.settings.UpdateSettings(
            settings_pb2.UpdateSettingsRequest(
                settings=settings_pb2.Settings(defaults=settings_pb2.GenerationDefaults(steps=9))
            )
        )
        await caller.jobs.DeleteJob(DeleteJobRequest(job_id=job.job_id))
        variant = workflow_pb2.Workflow(workflow_id="mine", title="Mine", base="text-to-image")
        await caller.workflows.CreateWorkflow(workflow_pb2.CreateWorkflowRequest(workflow=variant))
        await caller.workflows.DeleteWorkflow(workflow_pb2.DeleteWorkflowRequest(workflow_id="mine"))
        told = {("TOPIC_SETTINGS", ""), ("TOPIC_JOBS", job.job_id), ("TOPIC_WORKFLOWS", "mine")}
        await seen.until(lambda seen: told <= set(seen.changed))


async def test_jobs_that_are_too_old_are_told_as_forgotten(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    rhythm = replace(RHYTHM, first_tidying_s=0.0, tidying_s=0.02)
    adapter.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}, rhythm=rhythm, keep_jobs=1) as caller, watched(caller) as seen:
        first = await caller.create()
        await caller.until_ended(first.job_id)
        await caller.create()
        await seen.until(lambda seen: ("TOPIC_JOBS", first.job_id) in seen.changed)


async def test_a_quiet_stream_shows_that_it_lives_and_ends_with_the_server(tmp_path: Path) -> None:
    rhythm = replace(RHYTHM, heartbeat_s=0.05)
    async with started(tmp_path, {"one": ScriptedAdapter()}, rhythm=rhythm) as server:
        channel = calling(server.address)
        caller = await channel.__aenter__()
        seen = Watched(caller.system.WatchSystem(system_pb2.WatchSystemRequest()))
        await seen.until(lambda seen: "alive" in seen.kinds)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await seen.until(lambda _: False)
    assert (caught.value.code(), refusal_of(caught.value).reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    await channel.__aexit__(None, None, None)


async def test_it_tells_what_it_is_and_how_much_it_keeps(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.create(text_to_image(backend="one"))
    data = picture()
    await caller.write(data)
    told = await caller.system.GetSystem(system_pb2.GetSystemRequest())
    assert (told.assets, told.assets_bytes, told.jobs) == (1, len(data), 1)
    assert told.free_bytes > 0
    assert told.version
    assert told.HasField("start_time")
    assert list(told.backend_kinds) == ["demo", "comfyui", "a1111"]
    assert told.backend_changes_allowed
