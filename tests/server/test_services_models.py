"""What ModelService tells of models, and has loaded, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_adapters.contract import Capabilities, Catalog, NamedModel
from imagegen_adapters.errors import OutOfMemory
from tests.server.scripted import ScriptedAdapter
from tests.server.serving import Caller, Refusal, refusal_of, serving

SHA256 = "ab" * 32
FIRST = Catalog(
    checkpoints=(NamedModel(name="sdxl"), NamedModel(name="sd15")),
    diffusion_models=(NamedModel(name="flux", size_bytes=23),),
    loras=(NamedModel(name="ink"),),
    text_encoders=(NamedModel(name="clip_l"),),
    controlnets=(NamedModel(name="depth"),),
    clip_visions=(NamedModel(name="vit"),),
)
SECOND = Catalog(checkpoints=(NamedModel(name="sdxl", sha256=SHA256),), diffusion_models=(NamedModel(name="flux"),))


@pytest.fixture
def one() -> ScriptedAdapter:
    return ScriptedAdapter(current_catalog=FIRST)


@pytest.fixture
def two() -> ScriptedAdapter:
    return ScriptedAdapter(current_catalog=SECOND)


@pytest.fixture
async def caller(tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": one, "two": two}) as caller:
        await asked_again(caller)
        yield caller


async def asked_again(caller: Caller) -> None:
    for name in ("one", "two"):
        await caller.backends.RefreshBackend(backend_pb2.RefreshBackendRequest(name=name))


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def loading(caller: Caller, name: str, backend: str = "", **options: Any) -> Awaitable[model_pb2.LoadModelResponse]:
    call: Awaitable[model_pb2.LoadModelResponse] = caller.models.LoadModel(
        model_pb2.LoadModelRequest(name=name, backend=backend), **options
    )
    return call


def getting(caller: Caller, type_: model_pb2.ModelType.ValueType, name: str) -> Awaitable[model_pb2.GetModelResponse]:
    call: Awaitable[model_pb2.GetModelResponse] = caller.models.GetModel(
        model_pb2.GetModelRequest(type=type_, name=name)
    )
    return call


# --- what there is ---------------------------------------------------------------------------------------------------


async def test_every_type_is_listed_with_what_is_known_of_it(caller: Caller) -> None:
    listed = (await caller.models.ListModels(model_pb2.ListModelsRequest())).models

    assert {(model.type, model.name) for model in listed} >= {
        (model_pb2.MODEL_TYPE_DIFFUSION_MODEL, "flux"),
        (model_pb2.MODEL_TYPE_TEXT_ENCODER, "clip_l"),
        (model_pb2.MODEL_TYPE_CONTROLNET, "depth"),
        (model_pb2.MODEL_TYPE_CLIP_VISION, "vit"),
    }
    by_name = {model.name: model for model in listed}
    assert (by_name["sdxl"].sha256, by_name["flux"].size_bytes) == (SHA256, 23)


async def test_what_a_file_says_about_itself_is_asked_once(
    caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    one.metadata["checkpoints", "sdxl"] = {"modelspec.title": "XL", "tags": "x" * 10_000}
    for _ in range(2):
        model = (await getting(caller, model_pb2.MODEL_TYPE_CHECKPOINT, "sdxl")).model
        assert (model.metadata["modelspec.title"], len(model.metadata["tags"])) == ("XL", 4096)
    assert (one.metadata_calls, two.metadata_calls) == (1, 0)
    listed = (await caller.models.ListModels(model_pb2.ListModelsRequest(text="sdxl"))).models
    assert not listed[0].metadata

    one.current_catalog = Catalog(checkpoints=(NamedModel(name="sdxl"),))
    await caller.models.RefreshModels(model_pb2.RefreshModelsRequest())
    await getting(caller, model_pb2.MODEL_TYPE_CHECKPOINT, "sdxl")
    assert one.metadata_calls == 2


async def test_a_model_is_told_also_when_nobody_can_be_asked(caller: Caller, one: ScriptedAdapter) -> None:
    one.metadata["loras", "ink"] = {"a": "b"}
    one.is_reachable = False
    assert not (await getting(caller, model_pb2.MODEL_TYPE_LORA, "ink")).model.metadata


async def test_near_names_are_told(caller: Caller) -> None:
    told = await refused(getting(caller, model_pb2.MODEL_TYPE_DIFFUSION_MODEL, "fluxx"))

    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    assert told.message == "no such diffusion model 'fluxx'; allowed: flux"


async def test_a_refresh_has_backends_look_through_their_folders(caller: Caller, one: ScriptedAdapter) -> None:
    assert one.rescans == 0
    await caller.models.RefreshModels(model_pb2.RefreshModelsRequest(backend="one"))
    assert one.rescans == 1


# --- loading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sdxl", "flux"])
async def test_a_model_is_loaded_wherever_it_is(caller: Caller, name: str) -> None:
    answer = await loading(caller, name)

    assert list(answer.model.resident_backends) == ["one", "two"]
    assert not answer.failures


async def test_where_it_could_not_be_loaded_is_told(caller: Caller, one: ScriptedAdapter) -> None:
    one.load_failure = OutOfMemory("the device is too small")
    answer = await loading(caller, "flux")

    assert list(answer.model.resident_backends) == ["two"]
    assert [(failure.backend, failure.message) for failure in answer.failures] == [("one", "the device is too small")]
    told = await refused(loading(caller, "flux", "one"))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_UNREACHABLE")
    assert "one: the device is too small" in told.message


async def test_backends_that_are_not_healthy_are_left_out(
    caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter
) -> None:
    one.is_reachable = False
    await asked_again(caller)

    assert list((await loading(caller, "flux")).model.resident_backends) == ["two"]
    assert "connection refused" in (await refused(loading(caller, "sd15"))).message
    assert "one: connection refused" in (await refused(loading(caller, "sd15", "one"))).message
    assert one.loads == []


@pytest.mark.parametrize(
    ("name", "backend", "code", "message"),
    [
        ("fluxx", "", grpc.StatusCode.NOT_FOUND, "no such model 'fluxx'; allowed: flux"),
        ("sd15", "two", grpc.StatusCode.NOT_FOUND, "no such model 'sd15'"),
        ("flux", "three", grpc.StatusCode.NOT_FOUND, "no backend is called 'three'"),
        ("ink", "", grpc.StatusCode.INVALID_ARGUMENT, "'ink' is a lora: only"),
    ],
)
async def test_what_cannot_be_loaded(
    caller: Caller, name: str, backend: str, code: grpc.StatusCode, message: str
) -> None:
    told = await refused(loading(caller, name, backend))

    assert told.code == code
    assert told.message.startswith(message)


async def test_a_kind_that_loads_only_for_jobs(tmp_path: Path) -> None:
    async with serving(tmp_path, {"one": ScriptedAdapter(capabilities=Capabilities())}) as caller:
        await caller.backends.RefreshBackend(backend_pb2.RefreshBackendRequest(name="one"))
        assert "only for jobs" in (await refused(loading(caller, "first"))).message


async def test_a_load_goes_on_when_its_caller_has_gone_and_is_made_once(caller: Caller, one: ScriptedAdapter) -> None:
    one.may_load.clear()
    again = asyncio.ensure_future(loading(caller, "sd15"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await loading(caller, "sd15", timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert one.loads == ["sd15"]

    one.may_load.set()
    assert list((await again).model.resident_backends) == ["one"]


async def test_memory_is_given_back_where_it_can_be(caller: Caller, one: ScriptedAdapter, two: ScriptedAdapter) -> None:
    await loading(caller, "flux")
    answer = await caller.models.UnloadModels(model_pb2.UnloadModelsRequest(backend="one"))
    assert (list(answer.backends), len(answer.failures)) == (["one"], 0)
    flux = (await getting(caller, model_pb2.MODEL_TYPE_DIFFUSION_MODEL, "flux")).model
    assert list(flux.resident_backends) == ["two"]

    two.is_reachable = False
    answer = await caller.models.UnloadModels(model_pb2.UnloadModelsRequest())
    assert list(answer.backends) == ["one"]
    one.is_reachable = False
    await asked_again(caller)
    told = await refused(caller.models.UnloadModels(model_pb2.UnloadModelsRequest()))
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "BACKEND_UNREACHABLE")
