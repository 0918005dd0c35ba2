"""The fake sends what the recorded servers sent for the same graphs, in the same order."""

import json
import uuid
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest

from tests.adapters.comfyui.recordings import Recording, answers, load
from tests.fakes.comfyui import CHECKPOINTS, FakeComfyUI, open_fake

FLAGS = '{"type": "feature_flags", "data": {"supports_preview_metadata": true}}'


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


def shape(message: str | bytes) -> str:
    """What kind of message it is, and how its nodes stand; which node is the server's choice."""
    if isinstance(message, bytes):
        return f"event {message[3]}"
    frame = json.loads(message)
    data = frame["data"]
    match frame["type"]:
        case "progress_state":
            states = data["nodes"].values()
            return "progress_state " + " ".join(f"{s['value']}/{s['max']} {s['state']}" for s in states)
        case "progress":
            return f"progress {data['value']}/{data['max']}"
        case "executing":
            return "executing nothing" if data["node"] is None else "executing"
        case "execution_cached":
            return f"execution_cached {len(data['nodes'])}"
        case "executed":
            return f"executed {sorted(data['output'])}"
        case kind:
            return str(kind)


def fields(messages: Iterable[str | bytes]) -> dict[str, frozenset[str]]:
    """Which fields each kind of frame has."""
    frames = [json.loads(message) for message in messages if isinstance(message, str)]
    return {frame["type"]: frozenset(frame["data"]) for frame in frames if frame["type"] != "status"}


def of_prompt(messages: Iterable[str | bytes], prompt_id: str) -> list[str | bytes]:
    """From the start of a prompt to its end; `status`, which all sockets get, only behind the start."""
    picked: list[str | bytes] = []
    is_inside = False
    for message in messages:
        frame: Any = json.loads(message) if isinstance(message, str) else {"type": "", "data": {}}
        is_its = frame["data"].get("prompt_id") == prompt_id
        is_inside |= is_its and frame["type"] == "execution_start"
        if is_inside and frame["type"] != "feature_flags":
            picked.append(message)
        if is_inside and is_its and frame["type"] == "executing" and frame["data"]["node"] is None:
            break
    return picked


async def run(fake: FakeComfyUI, session: aiohttp.ClientSession, graphs: Iterable[Any], *, flags: bool) -> Recording:
    """The same session at the fake."""
    seen = Recording()
    async with session.ws_connect(f"{fake.url}/ws?clientId=me", max_msg_size=0) as socket:
        if flags:
            await socket.send_str(FLAGS)
        for graph in graphs:
            body = {"prompt": graph, "client_id": "me", "prompt_id": str(uuid.uuid4())}
            async with session.post(f"{fake.url}/prompt", json=body) as response:
                prompt_id = (await response.json())["prompt_id"]
            seen.graphs[prompt_id] = graph
            while not of_prompt(seen.messages, prompt_id) or shape(seen.messages[-1]) != "executing nothing":
                seen.messages.append((await socket.receive()).data)
    return seen


def adapted(graph: dict[str, Any]) -> dict[str, Any]:
    """With a model that the fake has."""
    for node in graph.values():
        if "ckpt_name" in node["inputs"]:
            node["inputs"]["ckpt_name"] = CHECKPOINTS[0]
    return graph


@pytest.mark.parametrize(
    ("scenario", "version", "flags", "prompts"),
    [
        ("rerun_cached", "0.3.64", False, slice(0, 4)),
        ("text_to_image_legacy", "0.3.64", False, slice(0, 1)),
        ("runtime_errors", "0.3.64", True, slice(0, 5)),
        ("version_2024_07_20", "2024-07-20", True, slice(0, 2)),
        ("version_0_3_44", "0.3.44", True, slice(0, 2)),
    ],
)
async def test_frames_come_in_the_recorded_order(
    session: aiohttp.ClientSession, scenario: str, version: str, flags: bool, prompts: slice
) -> None:
    recording = load(scenario)
    graphs = [adapted(graph) for graph in list(recording.graphs.values())[prompts]]

    async with open_fake(version, step_s=0.001) as fake:
        seen = await run(fake, session, graphs, flags=flags)

    for ours, theirs in zip(seen.graphs, list(recording.graphs)[prompts], strict=True):
        recorded = of_prompt(recording.messages, theirs)
        imitated = of_prompt(seen.messages, ours)
        assert list(map(shape, imitated)) == list(map(shape, recorded))
        assert fields(imitated) == fields(recorded)


@pytest.mark.parametrize(
    ("scenario", "flags", "node_id", "input_name"),
    [
        ("text_to_image_metadata", True, "3", "seed"),
        ("save_image_websocket_metadata", True, "3", "seed"),
        ("save_image_websocket_legacy", False, "5", "batch_size"),
    ],
)
async def test_frames_of_a_warm_server_come_in_the_recorded_order(
    session: aiohttp.ClientSession, scenario: str, flags: bool, node_id: str, input_name: str
) -> None:
    """These found nodes in the cache that an earlier session had left there: all that do not need the named one."""
    recording = load(scenario)
    graphs = [adapted(graph) for graph in recording.graphs.values()]
    earlier = json.loads(json.dumps(graphs[0]))
    earlier[node_id]["inputs"][input_name] += 1

    async with open_fake(step_s=0.001) as fake:
        seen = await run(fake, session, [earlier, *graphs], flags=flags)

    for ours, theirs in zip(list(seen.graphs)[1:], recording.graphs, strict=True):
        imitated = of_prompt(seen.messages, ours)
        assert list(map(shape, imitated)) == list(map(shape, of_prompt(recording.messages, theirs)))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, answer in answers().items()
        if "graph" in answer and answer["graph"] is not None and answer["status"] in {200, 400}
    ],
)
async def test_prompts_are_refused_in_the_recorded_words(session: aiohttp.ClientSession, name: str) -> None:
    answer = answers()[name]
    graph = answer["graph"]
    async with open_fake() as fake:
        checkpoints = fake.object_info()["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
        recorded = json.dumps(answer["json"]).replace("tiny_random.safetensors", checkpoints[0])
        text = json.dumps(graph).replace("tiny_random.safetensors", checkpoints[0])

        async with session.post(f"{fake.url}/prompt", data=f'{{"prompt": {text}}}') as response:
            imitated = await response.json()

    assert response.status == answer["status"]
    assert outline(imitated) == outline(json.loads(recorded))


def outline(answer: dict[str, Any]) -> Any:
    """What a client can go by."""
    node_errors = answer["node_errors"] or {}
    return (
        answer.get("error", {}).get("type"),
        answer.get("error", {}).get("message"),
        {
            (node_id, error["type"], error["message"], error["extra_info"].get("input_name"))
            for node_id, entry in node_errors.items()
            for error in entry["errors"]
        },
    )
