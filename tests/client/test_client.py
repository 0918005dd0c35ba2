"""Plain calls: what is sent, what is repeated, and what comes back."""

import socket

import pytest

from imagegen.v1.asset_pb2 import AssetOrigin
from imagegen.v1.backend_pb2 import BackendHealth
from imagegen.v1.image_gen_pb2 import CreateJobRequest, ListJobsRequest
from imagegen.v1.job_pb2 import ImageParameters, JobSpec, JobState
from imagegen.v1.model_pb2 import ModelType
from imagegen_client import Client, InvalidRequest, NotFound, NotPossible, Overloaded, Unavailable
from imagegen_client.client import Source
from tests.client.conftest import FAST
from tests.client.fake_server import RESET, SHUTTING_DOWN, FakeServer


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


async def test_backends_and_models(client: Client) -> None:
    assert [backend.name for backend in await client.list_backends()] == ["demo", "comfyui"]
    assert (await client.get_backend("comfyui")).health == BackendHealth.BACKEND_HEALTH_UNHEALTHY
    assert (await client.refresh_backend("demo")).health == BackendHealth.BACKEND_HEALTH_HEALTHY
    assert [model.name for model in await client.list_models(type=ModelType.MODEL_TYPE_SAMPLER)] == ["euler"]
    assert (await client.get_model(ModelType.MODEL_TYPE_CHECKPOINT, "dusk")).name == "dusk"
    assert (await client.refresh_models()).unreachable_backends == ["comfyui"]
