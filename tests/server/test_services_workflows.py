"""WorkflowService over a real socket."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1.workflow_pb2 import GetNodeDefinitionsRequest
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter
from tests.server.serving import Caller, Refusal, refusal_of, serving

GRAPHS = replace(DEFAULT_CAPABILITIES, graphs=True)


def loader(*checkpoints: str) -> dict[str, Any]:
    return {"CheckpointLoaderSimple": {"input": {"required": {"ckpt_name": [list(checkpoints)]}}}}


def having(**classes: Any) -> bytes:
    return json.dumps(classes).encode()


@pytest.fixture
def one() -> ScriptedAdapter:
    seeds = {"KSampler": {"input": {"required": {"seed": ["INT", {"max": 2**64 - 1}]}}}}
    return ScriptedAdapter(capabilities=GRAPHS, current_definitions=having(**loader("first"), **seeds))


@pytest.fixture
def two() -> ScriptedAdapter:
    return ScriptedAdapter(capabilities=GRAPHS, current_definitions=having(**loader("second"), Größe={}))


@pytest.fixture
async def caller(tmp_path: Path, one: ScriptedAdapter, two: ScriptedAdapter) -> AsyncIterator[Caller]:
    away = ScriptedAdapter(capabilities=GRAPHS, is_reachable=False)
    adapters = {"one": one, "away": away, "without": ScriptedAdapter(), "two": two}
    async with serving(tmp_path, adapters) as caller:
        await caller.refresh(*adapters)
        yield caller


async def definitions(caller: Caller, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    answer = await caller.workflows.GetNodeDefinitions(GetNodeDefinitionsRequest(**fields))
    return json.loads(answer.json), list(answer.backends)


async def refused(caller: Caller, **fields: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await definitions(caller, **fields)
    return refusal_of(caught.value)


async def test_the_definitions_of_all_that_take_graphs_and_have_answered(caller: Caller) -> None:
    union, backends = await definitions(caller)
    assert backends == ["one", "two"]
    assert list(union) == ["CheckpointLoaderSimple", "KSampler", "Größe"]
    assert union["CheckpointLoaderSimple"] == loader("first", "second")["CheckpointLoaderSimple"]
    assert union["KSampler"]["input"]["required"]["seed"] == ["INT", {"max": 2**64 - 1}]


async def test_those_of_one_backend(caller: Caller) -> None:
    assert await definitions(caller, backend="two") == (loader("second") | {"Größe": {}}, ["two"])
    assert await definitions(caller, backend="away") == ({}, [])
    assert await definitions(caller, backend="without") == ({}, [])


async def test_one_class(caller: Caller) -> None:
    assert await definitions(caller, class_type="Größe") == ({"Größe": {}}, ["one", "two"])
    assert list((await definitions(caller, class_type="KSampler", backend="one"))[0]) == ["KSampler"]


async def test_what_there_is_not(caller: Caller) -> None:
    told = await refused(caller, backend="three")
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "BACKEND_NOT_FOUND")
    told = await refused(caller, class_type="Ksampler")
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "NODE_CLASS_NOT_FOUND")
    told = await refused(caller, class_type="KSampler", backend="two")
    assert told.reason == "NODE_CLASS_NOT_FOUND"
    assert told.message == "backend 'two' has no node class called 'KSampler'"


async def test_a_new_catalogue_brings_new_definitions(caller: Caller, one: ScriptedAdapter) -> None:
    await definitions(caller)
    one.current_definitions = having(**loader("third"))
    one.current_catalog = replace(one.current_catalog)  # an adapter that has found something new gives another one
    before, _ = await definitions(caller)
    await caller.refresh("one")
    after, _ = await definitions(caller)
    assert "KSampler" in before
    assert "KSampler" not in after
    assert after["CheckpointLoaderSimple"] == loader("third", "second")["CheckpointLoaderSimple"]
