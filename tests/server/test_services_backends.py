"""BackendService and ModelService over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_adapters.contract import BackendStatus, Catalog, Device, NamedModel
from tests.server.scripted import ScriptedAdapter
from tests.server.serving import Caller, Refusal, refusal_of, serving, text_to_image

STATUS = BackendStatus(
    version="1.2",
    devices=(Device(name="GPU", memory_total_bytes=8),),
    resident_model="first",
    queue_depth=2,
    instance="a",
)


@pytest.fixture
def one() -> ScriptedAdapter:
    return ScriptedAdapter(current_status=STATUS)


@pytest.fixture
def two() -> ScriptedAdapter:
    return ScriptedAdapter(current_catalog=Catalog(checkpoints=(NamedModel(name="second"), NamedModel(name="third"))))


@pytest.fixture
async def caller(tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        await refreshed(caller, "one")
        await refreshed(caller, "two")
        yield caller


async def refreshed(caller: Caller, name: str) -> backend_pb2.Backend:
    return (await caller.backends.RefreshBackend(backend_pb2.RefreshBackendRequest(name=name))).backend


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def models(caller: Caller, **fields: Any) -> dict[str, model_pb2.Model]:
    answer = await caller.models.ListModels(model_pb2.ListModelsRequest(**fields))
    return {model.name: model for model in answer.models}


# --- backends --------------------------------------------------------------------------------------------------------


async def test_backends_are_listed_in_order_as_they_were_seen(caller: Caller) -> None:
    listed = (await caller.backends.ListBackends(backend_pb2.ListBackendsRequest())).backends
    assert [backend.name for backend in listed] == ["one", "two"]
    first = listed[0]
    assert (first.health, first.version, first.resident_model) == (backend_pb2.BACKEND_HEALTH_HEALTHY, "1.2", "first")
    assert (first.devices[0].name, first.queue_depth, first.reason) == ("GPU", 2, "")
    assert first.capabilities.image_to_image
    assert first.HasField("last_seen_time")


async def test_a_backend_that_went_away_keeps_what_it_said(caller: Caller, one: ScriptedAdapter) -> None:
    one.is_reachable = False
    gone = await refreshed(caller, "one")
    assert (gone.health, gone.reason) == (backend_pb2.BACKEND_HEALTH_UNHEALTHY, "connection refused")
    assert (gone.version, gone.resident_model) == ("1.2", "first")
    assert set(await models(caller, backend="one")) == {"first", "second", "euler", "heun"}


async def test_running_jobs_are_told(caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> None:
    job = await caller.create(text_to_image(backend="two"))
    await two.next_run()
    answer = await caller.backends.GetBackend(backend_pb2.GetBackendRequest(name="two"))
    assert list(answer.backend.running_job_ids) == [job.job_id]


@pytest.mark.parametrize("method", ["GetBackend", "RefreshBackend"])
async def test_an_unknown_backend_is_not_found(caller: Caller, method: str) -> None:
    told = await refused(getattr(caller.backends, method)(getattr(backend_pb2, f"{method}Request")(name="three")))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "BACKEND_NOT_FOUND")
    assert "one, two" in told.message


async def test_nobody_asks_a_backend_twice_at_a_time(caller: Caller, one: ScriptedAdapter) -> None:
    await asyncio.gather(*(refreshed(caller, "one") for _ in range(10)))
    assert one.most_concurrent_calls == 1


async def test_an_adapter_that_breaks_is_unhealthy_and_harms_nobody(caller: Caller, one: ScriptedAdapter) -> None:
    one.current_status = None  # type: ignore[assignment]  # the adapter's fault
    broken = await refreshed(caller, "one")
    assert broken.health == backend_pb2.BACKEND_HEALTH_UNHEALTHY
    one.current_status = STATUS
    assert (await refreshed(caller, "one")).health == backend_pb2.BACKEND_HEALTH_HEALTHY


# --- models ----------------------------------------------------------------------------------------------------------


async def test_models_are_merged_over_backends(caller: Caller) -> None:
    answer = await caller.models.ListModels(model_pb2.ListModelsRequest())
    assert [(model.type, model.name) for model in answer.models] == [
        (model_pb2.MODEL_TYPE_CHECKPOINT, "first"),
        (model_pb2.MODEL_TYPE_CHECKPOINT, "second"),
        (model_pb2.MODEL_TYPE_CHECKPOINT, "third"),
        (model_pb2.MODEL_TYPE_SAMPLER, "euler"),
        (model_pb2.MODEL_TYPE_SAMPLER, "heun"),
    ]
    assert answer.HasField("refresh_time")
    by_name = {model.name: model for model in answer.models}
    assert list(by_name["second"].backends) == ["one", "two"]
    assert by_name["second"].description == "the other one"
    assert list(by_name["first"].resident_backends) == ["one"]


async def test_models_are_filtered(caller: Caller) -> None:
    assert set(await models(caller, type=model_pb2.MODEL_TYPE_SAMPLER)) == {"euler", "heun"}
    assert set(await models(caller, backend="two")) == {"second", "third"}
    assert set(await models(caller, text="IR")) == {"first", "third"}
    assert set(await models(caller, backend="three")) == set()


async def test_a_model_is_got_by_type_and_name(caller: Caller) -> None:
    request = model_pb2.GetModelRequest(type=model_pb2.MODEL_TYPE_CHECKPOINT, name="third")
    assert list((await caller.models.GetModel(request)).model.backends) == ["two"]
    request.type = model_pb2.MODEL_TYPE_VAE
    told = await refused(caller.models.GetModel(request))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")


async def test_models_are_refreshed_on_demand(caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> None:
    one.current_catalog = Catalog(checkpoints=(NamedModel(name="fourth"),))
    two.is_reachable = False
    answer = await caller.models.RefreshModels(model_pb2.RefreshModelsRequest())
    assert {model.name for model in answer.models} == {"fourth", "second", "third"}
    assert list(answer.unreachable_backends) == ["two"]
    told = await refused(caller.models.RefreshModels(model_pb2.RefreshModelsRequest(backend="three")))
    assert (told.reason, list(told.fields)) == ("BACKEND_NOT_FOUND", ["backend"])


async def test_a_restarted_backend_is_asked_for_its_models_again(caller: Caller, one: ScriptedAdapter) -> None:
    one.current_catalog = Catalog(checkpoints=(NamedModel(name="fourth"),))
    await refreshed(caller, "one")
    assert "fourth" not in await models(caller)
    one.current_status = replace(STATUS, instance="b")
    await refreshed(caller, "one")
    assert "fourth" in await models(caller)
