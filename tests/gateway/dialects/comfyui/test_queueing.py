"""Prompts over HTTP: ids, order, lists, stopping, forgetting, owners."""

import uuid
from typing import Any

import pytest

from imagegen_gateway.keys import KeySettings
from tests.fakes.comfyui import FakeComfyUI
from tests.gateway.dialects.comfyui.client import ComfyClient, endless, graph
from tests.gateway.dialects.conftest import House

KEYS = {"keys": [KeySettings(name=name, key=f"{name}-0123456789abcdef") for name in ("anna", "bert")]}  # type: ignore[arg-type]  # pydantic makes a SecretStr of it


async def test_a_chosen_id_holds_and_makes_posting_twice_safe(comfy: ComfyClient, house: House) -> None:
    prompt_id = str(uuid.uuid4())
    nodes = graph()
    assert await comfy.queue(nodes, "c", prompt_id=prompt_id) == prompt_id
    assert await comfy.queue(nodes, "c", prompt_id=prompt_id) == prompt_id
    status, answer = await comfy.post("prompt", {"prompt": graph(seed=8), "client_id": "c", "prompt_id": prompt_id})
    assert (status, answer["error"]["type"]) == (409, "request_id_reused")
    entry = await comfy.ended(prompt_id)
    assert entry["status"]["completed"] is True
    assert [job.spec.labels["comfyui.prompt_id"] async for job in house.client.list_jobs()] == [prompt_id]


async def test_history_keeps_graph_and_extra_data_as_they_were(comfy: ComfyClient) -> None:
    nodes = graph(seed=2**64 - 1)
    flow = {"version": 0.4, "last_node_id": 9, "nodes": [{"flags": {}}, None], "large": 1e300}
    extra_data = {"extra_pnginfo": {"workflow": flow}}
    prompt_id = await comfy.queue(nodes, "me", extra_data=extra_data)
    entry = await comfy.ended(prompt_id)
    number, *rest = entry["prompt"]
    assert number > 0
    assert rest == [prompt_id, nodes, {**extra_data, "client_id": "me"}, ["9"]]
    assert entry["meta"]["9"]["real_node_id"] == "9"
    assert [name for name, _ in entry["status"]["messages"]] == [
        "execution_start",
        "execution_cached",
        "execution_success",
    ]


async def test_what_waits_is_listed_in_order_and_taken_out(comfy: ComfyClient) -> None:
    running = await comfy.queue(endless(), "c")
    await comfy.running(running)
    handed_over = await comfy.queue(endless(1), "c")  # the backend takes a second one
    waiting = [await comfy.queue(graph(seed=seed), "c") for seed in (2, 3)]
    first = await comfy.queue(graph(seed=4), "c", front=True)
    listed = (await comfy.get("queue"))["queue_pending"]
    order = [entry[1] for entry in listed if entry[1] != handed_over]
    assert order == [first, *waiting]
    assert sorted(listed, key=lambda entry: entry[0]) == listed
    assert (await comfy.get("prompt"))["exec_info"]["queue_remaining"] == 5
    assert await comfy.post("queue", {"delete": [waiting[0], running, "unknown"]}) == (200, b"")
    assert not await comfy.is_queued(waiting[0], "queue_pending")
    assert await comfy.is_queued(running, "queue_running")
    assert await comfy.history(waiting[0]) is None
    await comfy.post("queue", {"clear": True})
    await comfy.post("interrupt")
    assert (await comfy.ended(running))["status"]["messages"][-1][0] == "execution_interrupted"


async def test_history_is_given_in_pieces_and_forgotten(comfy: ComfyClient) -> None:
    prompts = [await comfy.queue(graph(seed=seed)) for seed in range(3)]
    for prompt_id in prompts:
        await comfy.ended(prompt_id)
    assert list(await comfy.get("history")) == prompts
    assert list(await comfy.get("history?max_items=2")) == prompts[1:]
    assert list(await comfy.get("history?offset=1&max_items=1")) == prompts[1:2]
    await comfy.post("history", {"delete": [prompts[0]]})
    assert list(await comfy.get("api/history")) == prompts[1:]
    await comfy.post("history", {"clear": True})
    assert await comfy.get("history") == {}


async def test_only_what_was_aimed_at_runs(comfy: ComfyClient, fakes: tuple[FakeComfyUI, ...]) -> None:
    nodes = graph({"10": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}}})
    prompt_id = await comfy.queue(nodes, partial_execution_targets=["10"])
    entry = await comfy.ended(prompt_id)
    assert entry["outputs"].keys() == {"10"}
    assert entry["outputs"]["10"]["images"][0]["type"] == "temp"


@pytest.mark.parametrize("settings", [KEYS])
async def test_owners_see_and_touch_their_own_only(comfy: ComfyClient) -> None:
    anna, bert = ({"Authorization": f"Bearer {name}-0123456789abcdef"} for name in ("anna", "bert"))
    status, answer = await comfy.post("prompt", {"prompt": graph()})
    assert (status, answer["error"]["type"]) == (401, "unauthenticated")
    async with comfy.connect("same", headers=anna) as own, comfy.connect("same", headers=bert) as foreign:
        status, answer = await comfy.post("prompt", {"prompt": endless(), "client_id": "same"}, headers=anna)
        prompt_id = answer["prompt_id"]
        await own.until("progress", prompt_id=prompt_id)
        for path, body in (("interrupt", {}), ("interrupt", {"prompt_id": prompt_id}), ("queue", {"clear": True})):
            assert (await comfy.post(path, body, headers=bert))[0] == 200
        assert await comfy.get("queue", headers=bert) == {"queue_running": [], "queue_pending": []}
        assert len((await comfy.get("queue", headers=anna))["queue_running"]) == 1
        await comfy.post("interrupt", headers=anna)
        await own.until_ended(prompt_id)
        assert await comfy.history(prompt_id, headers=bert) is None
        await comfy.post("history", {"delete": [prompt_id]}, headers=bert)
        assert await comfy.history(prompt_id, headers=anna) is not None
        assert foreign.types(prompt_id) == []


CASES: list[tuple[str, Any, int, str]] = [
    ("prompt", {}, 400, "no_prompt"),
    ("prompt", {"prompt": []}, 400, "prompt_no_outputs"),
    ("prompt", {"prompt": {"nodes": [], "links": []}}, 400, "invalid_prompt"),
    ("prompt", {"prompt": {"1": {"class_type": "Nope", "inputs": {}}}}, 400, "invalid_prompt"),
    ("prompt", {"prompt": graph(), "number": -1}, 400, "unsupported_number"),
    ("prompt", {"prompt": graph(), "prompt_id": "a b"}, 400, "invalid_prompt_id"),
    ("prompt", {"prompt": graph(), "extra_data": None}, 400, "invalid_extra_data"),
    ("prompt", {"prompt": graph(), "partial_execution_targets": ["3"]}, 400, "prompt_no_outputs"),
    ("prompt", {"prompt": graph(), "partial_execution_targets": []}, 400, "prompt_no_outputs"),
    ("free", {"unload_models": True}, 501, "unsupported"),
    ("queue", {"delete": "all"}, 400, "invalid_request"),
    ("nothing", {}, 404, "request_failed"),
]


async def test_what_cannot_be_is_refused_in_comfyuis_shape(comfy: ComfyClient) -> None:
    for path, body, status, kind in CASES:
        answer = await comfy.post(path, body)
        assert (answer[0], answer[1]["error"]["type"]) == (status, kind), (path, body)
        assert answer[1]["error"].keys() == {"type", "message", "details", "extra_info"}
        assert answer[1]["node_errors"] == {}
    nodes = graph(steps=0, model="nope")
    status, answer = await comfy.post("prompt", {"prompt": nodes})
    assert status == 400
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    found = {node_id: [error["type"] for error in entry["errors"]] for node_id, entry in answer["node_errors"].items()}
    assert found == {"4": ["value_not_in_list"], "3": ["value_smaller_than_min"]}
    assert answer["node_errors"]["4"]["dependent_outputs"] == ["9"]
    assert answer["node_errors"]["4"]["class_type"] == "CheckpointLoaderSimple"
