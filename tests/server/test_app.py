"""The whole server: starting, stopping, and what outlives it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from imagegen.v1 import (
    asset_pb2,
    backend_pb2,
    image_gen_pb2,
    model_pb2,
    queue_pb2,
    settings_pb2,
    system_pb2,
    workflow_pb2,
)
from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_CANCELLING,
    JOB_STATE_QUEUED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
)
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings
from imagegen_server.errors import CannotStart
from imagegen_server.services.assets import AssetService
from imagegen_server.services.backends import BackendService
from imagegen_server.services.image_gen import ImageGenService
from imagegen_server.services.models import ModelService
from imagegen_server.services.queue import QueueService
from imagegen_server.services.rpc import snake_case
from imagegen_server.services.settings import SettingsService
from imagegen_server.services.system import SystemService
from imagegen_server.services.workflows import WorkflowService
from imagegen_server.wire.errors import decode_failure
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun, frame
from tests.server.serving import calling, kinds, refusal_of, serving, started, text_to_image

SERVICES = {
    image_gen_pb2: ImageGenService,
    asset_pb2: AssetService,
    backend_pb2: BackendService,
    model_pb2: ModelService,
    queue_pb2: QueueService,
    settings_pb2: SettingsService,
    system_pb2: SystemService,
    workflow_pb2: WorkflowService,
}
NAMES = [f"imagegen.v1.{service.__name__}" for service in SERVICES.values()]


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
def lasting() -> ScriptedAdapter:
    """A backend whose attempts can be found again."""
    return ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, reattach=True))


# --- what is served --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", SERVICES, ids=lambda module: SERVICES[module].__name__)
def test_every_rpc_has_its_method(module: object) -> None:
    service = SERVICES[module]  # type: ignore[index]  # modules are its keys
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()  # type: ignore[attr-defined]  # as above
    assert {snake_case(method.name) for method in descriptor.methods} == {
        name for name in vars(service) if not name.startswith("_") and callable(getattr(service, name))
    }


@pytest.mark.parametrize("name", ["", *NAMES])
async def test_health_is_told_per_service(tmp_path: Path, adapter: ScriptedAdapter, name: str) -> None:
    async with serving(tmp_path, {"one": adapter}) as caller:
        health: Any = health_pb2_grpc.HealthStub(caller.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_stranger_can_find_out_everything_by_reflection(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    """As grpcurl does it: list the services, then fetch the files behind them with all that they import."""
    async with serving(tmp_path, {"one": adapter}) as caller:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(caller.channel)  # type: ignore[arg-type]  # typed for one kind

        async def ask(**request: Any) -> Any:
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]))
            (answer,) = [each async for each in call]
            return answer

        listed = (await ask(list_services="")).list_services_response.service
        assert {"grpc.health.v1.Health", *NAMES} <= {service.name for service in listed}
        wanted = {"imagegen/v1/image_gen.proto"}
        files: dict[str, FileDescriptorProto] = {}
        while wanted - files.keys():
            name = (wanted - files.keys()).pop()
            answer = await ask(file_by_filename=name)
            for data in answer.file_descriptor_response.file_descriptor_proto:
                file = FileDescriptorProto.FromString(data)
                files[file.name] = file
                wanted |= set(file.dependency)
        assert {"buf/validate/validate.proto", "google/api/http.proto", "imagegen/v1/event.proto"} <= files.keys()


# --- starting --------------------------------------------------------------------------------------------------------


async def test_a_data_folder_belongs_to_one_server(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": adapter}):
        with pytest.raises(CannotStart, match="in use by another server"):
            async with serving(tmp_path, {"one": adapter}):
                pass
    async with serving(tmp_path, {"one": adapter}):
        pass


async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="cannot be used"):
        async with serving(tmp_path / "file" / "data", {"one": adapter}):
            pass


async def test_a_port_that_is_taken_is_named(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    async with serving(tmp_path / "a", {"one": adapter}) as caller:
        settings = ServerSettings(
            grpc=caller.address, data_dir=tmp_path / "b", backends=(BackendSettings(kind="demo"),)
        )
        with pytest.raises(CannotStart, match=f"cannot listen on {caller.address}"):
            async with serve(settings, open_adapter=lambda _: opened(adapter)):
                pass


@asynccontextmanager
async def opened(adapter: ScriptedAdapter) -> AsyncIterator[Adapter]:
    yield adapter


async def test_what_the_block_raises_comes_out_as_it_is(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    with pytest.raises(LookupError):
        async with serving(tmp_path, {"one": adapter}):
            raise LookupError


async def test_comfyui_gets_the_same_client_id_after_a_restart(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    seen: list[BackendConfig] = []

    @asynccontextmanager
    async def open_adapter(config: BackendConfig) -> AsyncIterator[Adapter]:
        seen.append(config)
        yield adapter

    backends = tuple(
        BackendSettings(name=name, kind=kind, url="http://127.0.0.1:1")
        for name, kind in (("one", "comfyui"), ("two", "comfyui"), ("three", "demo"))
    )
    for _ in range(2):
        settings = ServerSettings(grpc="127.0.0.1:0", data_dir=tmp_path, backends=backends)
        async with serve(settings, open_adapter=open_adapter):
            pass
    one, two, three, *again = seen
    assert again == [one, two, three]
    assert one.options["client_id"] != two.options["client_id"]
    assert three.options == {}


# --- stopping --------------------------------------------------------------------------------------------------------


async def test_watchers_are_told_to_come_back(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    stopping = AsyncExitStack()
    server = await stopping.enter_async_context(started(tmp_path, {"one": adapter}))
    async with calling(server.address) as caller:
        job = await caller.create()
        answers = aiter(caller.jobs.WatchJob(pb.WatchJobRequest(job_id=job.job_id)))
        event = (await anext(answers)).event
        _, rest = await asyncio.gather(stopping.aclose(), remaining(answers))
    told = refusal_of(rest)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert told.retry_after_s is not None
    adapter.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}) as caller:
        events = await caller.events(job.job_id, event.resume_token)
    assert "reset" not in kinds(events)
    assert events[-1].completed.job.state == JOB_STATE_SUCCEEDED


async def remaining(answers: AsyncIterator[pb.WatchJobResponse]) -> grpc.aio.AioRpcError:
    """The error that ends the stream."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [answer async for answer in answers]
    return caught.value


async def test_a_stream_that_breaks_because_the_server_stops_does_not_cancel_its_job(
    tmp_path: Path, adapter: ScriptedAdapter
) -> None:
    async with serving(tmp_path, {"one": adapter}) as caller:
        request = pb.GenerateImagesRequest(spec=text_to_image(), cancel_on_disconnect=True)
        job_id = (await anext(aiter(caller.jobs.GenerateImages(request)))).event.job_id
        await adapter.next_run()
    adapter.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}) as caller:
        assert (await caller.until_ended(job_id)).state == JOB_STATE_SUCCEEDED


# --- what outlives the server ----------------------------------------------------------------------------------------


async def test_waiting_jobs_run_after_a_restart_in_their_order(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    adapter.is_reachable = False
    async with serving(tmp_path, {"one": adapter}) as caller:
        created = [(await caller.create(request_id=f"r{number}")).job_id for number in range(3)]
    adapter.is_reachable = True
    adapter.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}) as caller:
        starts = [(await caller.until_ended(job_id)).start_time.ToNanoseconds() for job_id in created]
        assert starts == sorted(starts)
        again = await caller.jobs.CreateJob(pb.CreateJobRequest(spec=text_to_image(), request_id="r1"))
        assert (again.replayed, again.job.job_id) == (True, created[1])


async def test_an_attempt_that_cannot_be_found_again_is_made_anew(tmp_path: Path, adapter: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create()
        run = await adapter.next_run()
        await caller.until_state(job.job_id, JOB_STATE_RUNNING)
    assert run.was_left.is_set()
    adapter.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}) as caller:
        done = await caller.until_ended(job.job_id)
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 2)
    assert decode_failure(done.attempts[0].error).reason == "ATTEMPT_LOST"


async def test_an_attempt_that_goes_on_is_taken_up_again(tmp_path: Path, lasting: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": lasting}) as caller:
        job = await caller.create(text_to_image(count=2))
        run = await lasting.next_run()
        run.accept("remote-7")
        run.deliver(0)
        async for answer in caller.jobs.WatchJob(pb.WatchJobRequest(job_id=job.job_id)):
            if answer.event.HasField("output_ready"):
                break
    assert run.is_detached
    lasting.kept["remote-7"] = ScriptedRun.complete
    async with serving(tmp_path, {"one": lasting}) as caller:
        done = await caller.until_ended(job.job_id)
        every = await caller.events(job.job_id, "earliest")
    assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 1)
    assert [output.image_index for output in done.outputs] == [0, 1]
    assert lasting.runs[-1].is_reattached
    assert lasting.runs[-1].task.attempt_id == run.task.attempt_id
    assert kinds(every).count("completed") == 1


async def test_frames_of_an_attempt_are_numbered_on(tmp_path: Path, lasting: ScriptedAdapter) -> None:
    def show(run: ScriptedRun) -> None:
        lasting.kept[run.task.attempt_id] = show
        run.put(frame())

    lasting.plays = show
    async with serving(tmp_path, {"one": lasting}) as caller:
        job = await caller.create()
        first = await caller.until_event(job.job_id, "preview")
    async with serving(tmp_path, {"one": lasting}) as caller:
        second = await caller.until_event(job.job_id, "preview")
    assert (first.attempt, second.attempt) == (1, 1)
    assert first.preview.frame < second.preview.frame


async def test_an_attempt_that_the_backend_forgot_is_made_anew(tmp_path: Path, lasting: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": lasting}) as caller:
        job = await caller.create()
        await lasting.next_run()
    lasting.plays = ScriptedRun.complete
    async with serving(tmp_path, {"one": lasting}) as caller:
        done = await caller.until_ended(job.job_id)
    assert (done.state, [run.is_reattached for run in lasting.runs]) == (JOB_STATE_SUCCEEDED, [False, True, False])


async def test_a_cancel_is_not_forgotten(tmp_path: Path, lasting: ScriptedAdapter) -> None:
    lasting.obeys_cancel = False
    async with serving(tmp_path, {"one": lasting}) as caller:
        job = await caller.create()
        run = await lasting.next_run()
        run.accept()
        await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
        await run.cancel_asked.wait()
    lasting.obeys_cancel = True
    lasting.kept[run.task.attempt_id] = ScriptedRun.accept
    async with serving(tmp_path, {"one": lasting}) as caller:
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_CANCELLED
    assert (lasting.runs[-1].is_reattached, lasting.runs[-1].cancels) == (True, 1)


async def test_a_cancel_at_a_backend_that_keeps_nothing_is_done_by_the_restart(
    tmp_path: Path, adapter: ScriptedAdapter
) -> None:
    adapter.obeys_cancel = False
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create()
        run = await adapter.next_run()
        await caller.jobs.CancelJob(pb.CancelJobRequest(job_id=job.job_id))
        await run.cancel_asked.wait()
        assert (await caller.get(job.job_id)).state == JOB_STATE_CANCELLING
    async with serving(tmp_path, {"one": adapter}) as caller:
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_CANCELLED
    assert [run.is_reattached for run in adapter.runs] == [False, True], "it was stopped, and not made again"


async def test_a_job_whose_backend_is_no_longer_configured_moves(tmp_path: Path, lasting: ScriptedAdapter) -> None:
    async with serving(tmp_path, {"one": lasting}) as caller:
        job = await caller.create()
        await lasting.next_run()
    other = ScriptedAdapter(plays=ScriptedRun.complete)
    async with serving(tmp_path, {"two": other}) as caller:
        done = await caller.until_ended(job.job_id)
    assert [attempt.backend for attempt in done.attempts] == ["one", "two"]


async def test_a_pinned_job_waits_until_its_backend_is_configured_again(
    tmp_path: Path, adapter: ScriptedAdapter
) -> None:
    adapter.is_reachable = False
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create(text_to_image(backend="one"))
    other = ScriptedAdapter(plays=ScriptedRun.complete)
    async with serving(tmp_path, {"two": other}) as caller:
        await caller.until_ended((await caller.create()).job_id)
        assert (await caller.get(job.job_id)).state == JOB_STATE_QUEUED
    adapter.is_reachable, adapter.plays = True, ScriptedRun.complete
    async with serving(tmp_path, {"one": adapter}) as caller:
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED


# --- the process -----------------------------------------------------------------------------------------------------


async def start_process(cwd: Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imagegen_server",
        env={**os.environ, **environment},
        cwd=cwd,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    process = await start_process(
        tmp_path, IMAGEGEN_GRPC="127.0.0.1:0", IMAGEGEN_DATA_DIR=str(tmp_path), IMAGEGEN_LOG_FORMAT="json"
    )
    assert process.stderr is not None
    async with asyncio.timeout(15):
        while b"server is ready" not in await process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("environment", "file", "words"),
    [
        ({"IMAGEGEN_GRPC": "0.0.0.0:0"}, "", "allow_unauthenticated"),
        ({"IMAGEGEN_BACKENDS": "sdnext=http://user:secret@127.0.0.1"}, "", "unknown kind of backend 'sdnext'"),
        ({"IMAGEGEN_MAX_ATTEMPTS": "none"}, "", "max_attempts"),
        ({}, "grpc =", "the settings cannot be read"),
    ],
)
async def test_wrong_settings_are_told_in_words(
    tmp_path: Path, environment: dict[str, str], file: str, words: str
) -> None:
    (tmp_path / "imagegen.toml").write_text(file)
    process = await start_process(tmp_path, **environment)
    async with asyncio.timeout(15):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert words in errors.decode()
    assert "secret" not in errors.decode()
    assert "Traceback" not in errors.decode()
