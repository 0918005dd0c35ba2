"""Plain calls: what is sent, what is repeated, and what comes back."""

import asyncio
import socket

import pytest

from imagegen.v1.asset_pb2 import AssetOrigin, ListAssetsRequest
from imagegen.v1.backend_pb2 import BackendHealth
from imagegen.v1.image_gen_pb2 import CreateJobRequest, ListJobsRequest, RetryJobRequest
from imagegen.v1.job_pb2 import ImageParameters, Job, JobSpec, JobState, UncertainPolicy
from imagegen.v1.model_pb2 import ModelType
from imagegen_client import Client, InvalidRequest, NotFound, NotPossible, Overloaded, Quota, Unavailable
from imagegen_client.specs import Source
from tests.client.conftest import FAST
from tests.client.fake import RESET, SHUTTING_DOWN, FakeServer
from tests.client.proxy import serve_proxy


async def ended_job(client: Client) -> Job:
    async with client.generate("a red fox") as watch:
        events = [event async for event in watch]
    return events[-1].completed.job


@pytest.mark.parametrize(
    "source",
    ["a red fox", ImageParameters(prompt="a red fox"), JobSpec(image=ImageParameters(prompt="a red fox"))],
)
async def test_job_is_made_of_a_prompt_of_parameters_or_of_a_specification(client: Client, source: Source) -> None:
    job = await client.create_job(source)

    assert job.spec.image.prompt == "a red fox"
    assert job.state == JobState.JOB_STATE_QUEUED


async def test_create_whose_answers_are_lost_makes_one_job(server: FakeServer, client: Client) -> None:
    server.lost_answers["CreateJob"] = 3

    job = await client.create_job("a red fox")

    assert list(server.records) == [job.job_id]
    request_ids = {request.request_id for request in server.requests_of(CreateJobRequest)}
    assert len(server.requests_of(CreateJobRequest)) == 4
    assert len(request_ids) == 1
    assert "" not in request_ids


@pytest.mark.parametrize("is_retry", [False, True], ids=["create", "retry"])
async def test_answer_that_the_network_loses_makes_no_second_job(
    server: FakeServer, client: Client, address: str, is_retry: bool
) -> None:
    first = await ended_job(client)
    server.has_accepted.clear()
    port = int(address.rpartition(":")[2])
    async with serve_proxy(port) as (proxy, port), Client(f"127.0.0.1:{port}", backoff=FAST) as behind:
        await behind.list_backends()
        proxy.loses_answers = True
        call = asyncio.create_task(behind.retry_job(first.job_id) if is_retry else behind.create_job("a red fox"))
        await server.has_accepted.wait()
        proxy.cut()
        proxy.loses_answers = False

        job = await call

    assert list(server.records) == [first.job_id, job.job_id]
    requests = server.requests_of(RetryJobRequest if is_retry else CreateJobRequest)[-2:]
    assert requests[0] == requests[1]
    assert requests[0].request_id


async def test_retry_repeats_a_job_with_the_same_or_new_seeds(client: Client) -> None:
    first = await ended_job(client)

    same, other = await client.retry_job(first.job_id), await client.retry_job(first.job_id, new_seeds=True)

    assert (same.retry_of, same.spec) == (first.job_id, first.spec)
    assert len({first.job_id, same.job_id, other.job_id}) == 3
    assert other.spec.image.seed != first.spec.image.seed


async def test_same_request_id_gives_the_same_retry(client: Client) -> None:
    first = await ended_job(client)

    jobs = [await client.retry_job(first.job_id, request_id="mine") for _ in range(2)]

    assert jobs[0].job_id == jobs[1].job_id


async def test_job_that_has_not_ended_is_not_retried(client: Client) -> None:
    job = await client.create_job("a red fox")

    with pytest.raises(NotPossible) as caught:
        await client.retry_job(job.job_id)

    assert caught.value.reason == "JOB_NOT_FINISHED"


async def test_only_what_is_given_is_updated(server: FakeServer, client: Client) -> None:
    job = await client.create_job("a red fox", labels={"old": "1"}, priority=2)

    paused = await client.update_job(job.job_id, paused=True)
    changed = await client.update_job(job.job_id, priority=0, labels={"new": "2"})
    resumed = await client.update_job(job.job_id, labels={}, paused=False)

    assert (paused.paused, paused.spec.priority, dict(paused.spec.labels)) == (True, 2, {"old": "1"})
    assert (changed.paused, changed.spec.priority, dict(changed.spec.labels)) == (True, 0, {"new": "2"})
    assert (resumed.paused, dict(resumed.spec.labels)) == (False, {})
    with pytest.raises(NotPossible):
        await client.update_job((await ended_job(client)).job_id, priority=1)


async def test_every_call_says_who_asks(server: FakeServer, address: str) -> None:
    async with Client(address, owner=" anna ") as client:
        asset = await client.upload(b"x")
        await client.download(asset.digest)
        await ended_job(client)
        await client.queue()

    assert client.owner == "anna"
    assert len(server.owners) == 5
    assert set(server.owners) == {"anna"}


async def test_nobody_in_particular_asks_without_an_owner(server: FakeServer, client: Client) -> None:
    await client.list_backends()

    assert server.owners == [""]


@pytest.mark.parametrize("owner", ["ännä", "a\nb", "\x7f", "a" * 257])
def test_owner_that_no_call_can_carry_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match="at most 256 printable ASCII characters"):
        Client("127.0.0.1:1", owner=owner)


async def test_options_are_added_to_the_source(server: FakeServer, client: Client) -> None:
    source = JobSpec(image=ImageParameters(prompt="a red fox"), labels={"a": "1"}, priority=3)

    await client.create_job(
        source,
        backend="big",
        backend_labels={"gpu": "h200"},
        labels={"b": "2"},
        priority=0,
        start_deadline_s=90,
        execution_deadline_s=0.5,
        on_uncertain=UncertainPolicy.UNCERTAIN_POLICY_FAIL,
    )
    await client.create_job(source)

    given, bare = (request.spec for request in server.requests_of(CreateJobRequest))
    assert (given.backend, dict(given.backend_labels), dict(given.labels)) == (
        "big",
        {"gpu": "h200"},
        {"a": "1", "b": "2"},
    )
    assert (given.priority, given.start_deadline.seconds, given.execution_deadline.nanos) == (0, 90, 500_000_000)
    assert given.HasField("priority")
    assert given.on_uncertain == UncertainPolicy.UNCERTAIN_POLICY_FAIL
    assert bare == source


async def test_generate_takes_the_same_options(server: FakeServer, client: Client) -> None:
    async with client.generate("a red fox", priority=-1):
        pass

    assert server.requests_of(CreateJobRequest)[0].spec.priority == -1


async def test_option_that_does_not_exist_is_an_error(client: Client) -> None:
    with pytest.raises(TypeError, match="prioirty"):
        await client.create_job("a red fox", prioirty=1)  # type: ignore[call-arg]  # what the test is about


async def test_proxy_for_the_web_is_not_asked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async with Client(address, backoff=FAST, give_up_after_s=2.0) as client:
        assert (await client.create_job("a red fox")).job_id


async def test_two_creates_make_two_jobs(client: Client) -> None:
    assert (await client.create_job("a red fox")).job_id != (await client.create_job("a red fox")).job_id


async def test_same_request_id_gives_the_same_job(client: Client) -> None:
    first = await client.create_job("a red fox", request_id="mine")

    assert (await client.create_job("a red fox", request_id="mine")).job_id == first.job_id


async def test_validation_makes_nothing(server: FakeServer, client: Client) -> None:
    job = await client.create_job("a red fox", validate_only=True)

    assert job.job_id == ""
    assert server.records == {}


async def test_refusal_names_the_field_and_is_not_repeated(server: FakeServer, client: Client) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await client.create_job("invalid")

    assert [violation.field for violation in caught.value.violations] == ["spec.image.width"]
    assert len(server.requests) == 1


async def test_full_queue_is_said_and_not_waited_for(server: FakeServer, client: Client) -> None:
    with pytest.raises(Overloaded) as caught:
        await client.create_job("full")

    assert caught.value.retry_after_s == 7.0
    assert caught.value.quotas == (Quota("queue", "at most 5 jobs may wait, and 5 do"),)
    assert len(server.requests) == 1


async def test_calls_are_repeated_while_the_server_is_away(server: FakeServer, client: Client) -> None:
    job = await client.create_job("a red fox")
    server.faults["GetJob"] = [SHUTTING_DOWN, RESET]

    assert (await client.get_job(job.job_id)).job_id == job.job_id


async def test_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    async with Client(address, give_up_after_s=0.05, backoff=FAST) as client:
        with pytest.raises(Unavailable):
            await client.get_job("any")


async def test_list_jobs_goes_through_all_pages(server: FakeServer, client: Client) -> None:
    made = [(await client.create_job(f"fox {number}")).job_id for number in range(5)]

    listed = [job.job_id async for job in client.list_jobs(states=[JobState.JOB_STATE_QUEUED], page_size=2)]

    assert listed == made[::-1]
    pages = server.requests_of(ListJobsRequest)
    assert [page.page_token for page in pages] == ["", "2", "4"]
    assert all(page.page_size == 2 and page.states == [JobState.JOB_STATE_QUEUED] for page in pages)


async def test_cancel_gives_the_job(client: Client) -> None:
    job = await client.create_job("wait for me")

    assert (await client.cancel(job.job_id)).state == JobState.JOB_STATE_CANCELLING


async def test_delete_forgets_the_job(client: Client) -> None:
    job = await client.create_job("a red fox")
    with pytest.raises(NotPossible):
        await client.delete(job.job_id)
    async with client.watch(job.job_id) as watch:
        assert [event async for event in watch]

    await client.delete(job.job_id)

    with pytest.raises(NotFound):
        await client.get_job(job.job_id)


async def test_assets_are_listed_described_and_deleted(server: FakeServer, client: Client) -> None:
    assets = [await client.upload(bytes([number])) for number in range(3)]
    await client.create_job("a red fox")

    listed = [asset async for asset in client.list_assets(origin=AssetOrigin.ASSET_ORIGIN_UPLOAD, page_size=2)]
    await client.delete_asset(assets[0].digest)

    assert [asset.digest for asset in listed] == [asset.digest for asset in assets[::-1]]
    assert (await client.get_asset(assets[1].digest)) == assets[1]
    with pytest.raises(NotFound):
        await client.get_asset(assets[0].digest)


async def test_the_gallery_is_asked_for_what_is_wanted(server: FakeServer, client: Client) -> None:
    wanted = {"text": "red fox", "model": "sdxl", "workflow_id": "portrait", "owner": "", "favorites": True}
    assert [asset async for asset in client.list_assets(**wanted)] == []  # type: ignore[arg-type]  # a table of keywords
    assert server.requests[-1] == ListAssetsRequest(**wanted)  # type: ignore[arg-type]  # the same


async def test_backends_and_models(client: Client) -> None:
    assert [backend.name for backend in await client.list_backends()] == ["demo", "comfyui"]
    assert (await client.get_backend("comfyui")).health == BackendHealth.BACKEND_HEALTH_UNHEALTHY
    assert (await client.refresh_backend("demo")).health == BackendHealth.BACKEND_HEALTH_HEALTHY
    assert [model.name for model in await client.list_models(type=ModelType.MODEL_TYPE_SAMPLER)] == ["euler"]
    assert (await client.get_model(ModelType.MODEL_TYPE_CHECKPOINT, "dusk")).name == "dusk"
    assert (await client.refresh_models()).unreachable_backends == ["comfyui"]


async def test_node_definitions(client: Client) -> None:
    answer = await client.node_definitions(class_type="KSampler")
    assert (answer.json, list(answer.backends)) == ('{"KSampler":{}}', ["comfyui"])


async def test_backend_is_drained_and_taken_back(client: Client) -> None:
    assert (await client.drain_backend("demo")).drained
    assert (await client.get_backend("demo")).drained
    assert not (await client.undrain_backend("demo")).drained
    with pytest.raises(NotFound):
        await client.drain_backend("none")
