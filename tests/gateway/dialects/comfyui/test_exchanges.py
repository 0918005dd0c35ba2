"""What clients do with ComfyUI, done here: a stock client, Open WebUI as recorded, prompts of several at once."""

import asyncio
import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import websocket

from tests.adapters.comfyui.recordings import load
from tests.fakes.comfyui import FakeComfyUI
from tests.gateway.dialects.comfyui.client import ComfyClient, endless, graph
from tests.gateway.dialects.comfyui.order import check_order
from tests.gateway.dialects.pictures import opened, png

RECORDED = Path(__file__).parents[3] / "recordings" / "comfyui" / "open_webui.json"


@pytest.mark.parametrize(
    ("scenario", "has_metadata"), [("text_to_image_legacy", False), ("text_to_image_metadata", True)]
)
def test_the_rules_of_order_are_those_of_the_real_server(scenario: str, has_metadata: bool) -> None:
    recording = load(scenario)
    check_order(recording.messages, recording.prompt(0), has_metadata=has_metadata)


@pytest.mark.parametrize("has_metadata", [False, True])
async def test_a_prompt_is_told_in_the_real_servers_order(comfy: ComfyClient, has_metadata: bool) -> None:
    async with comfy.connect(has_flags=has_metadata) as socket:
        prompt_id = await comfy.queue(graph(steps=8), socket.client_id)
        await socket.until_ended(prompt_id)
        entry = await comfy.history(prompt_id)
    check_order(socket.messages, prompt_id, has_metadata=has_metadata)
    [executed] = [message["data"] for message in socket.texts if message["type"] == "executed"]
    assert executed["output"] == entry["outputs"]["9"]
    previews = [message for message in socket.messages if isinstance(message, bytes)]
    assert previews
    assert all(preview[:4] == (b"\0\0\0\4" if has_metadata else b"\0\0\0\1") for preview in previews)
    if not has_metadata:
        assert all(preview[4:10] == b"\0\0\0\1\xff\xd8" for preview in previews)


def stock_client(server: str, nodes: dict[str, Any]) -> dict[str, list[bytes]]:
    """As programs do it that were written after ComfyUI's own example: prompt, websocket, history, view."""
    socket = websocket.WebSocket()
    socket.connect(f"ws://{server}/ws?clientId=stock", timeout=10)  # type: ignore[no-untyped-call]  # typed in part
    request = urllib.request.Request(  # our own address
        f"http://{server}/prompt", data=json.dumps({"prompt": nodes, "client_id": "stock"}).encode()
    )
    with urllib.request.urlopen(request) as answer:
        prompt_id = json.loads(answer.read())["prompt_id"]
    sent: dict[str, list[bytes]] = {}
    current = ""
    while True:
        message = socket.recv()
        if isinstance(message, bytes):
            sent.setdefault(current, []).append(message[8:])
            continue
        content = json.loads(message)
        if content["type"] == "executing" and content["data"]["prompt_id"] == prompt_id:
            if content["data"]["node"] is None:
                break
            current = content["data"]["node"]
    socket.close()
    with urllib.request.urlopen(f"http://{server}/history/{prompt_id}") as answer:
        outputs = json.loads(answer.read())[prompt_id]["outputs"]
    for node_id, output in outputs.items():
        for image in output["images"]:
            query = urllib.parse.urlencode(image)
            with urllib.request.urlopen(f"http://{server}/view?{query}") as answer:
                sent.setdefault(node_id, []).append(answer.read())
    return sent


async def test_a_stock_client_gets_saved_and_sent_pictures(comfy: ComfyClient) -> None:
    nodes = graph(
        {
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 2}},
            "10": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}},
        }
    )
    got = await asyncio.to_thread(stock_client, comfy.url.removeprefix("http://"), nodes)
    saved, sent = ([opened(data) for data in got[node_id]] for node_id in ("9", "10"))
    assert [picture.size for picture in saved + sent] == [(64, 64)] * 4
    assert [picture.tobytes() for picture in saved] == [picture.tobytes() for picture in sent]


async def test_open_webui_generates_and_edits_as_recorded(comfy: ComfyClient, fakes: tuple[FakeComfyUI, ...]) -> None:
    """Its requests one after the other, with the answers' own ids and names put in."""
    names: dict[str, str] = {"fake.safetensors": fakes[0].checkpoints[0]}
    socket: aiohttp.ClientWebSocketResponse | None = None
    images: list[dict[str, str]] = []
    for request in json.loads(RECORDED.read_text())["requests"]:
        text = json.dumps(request)
        for recorded, ours in names.items():
            text = text.replace(recorded, ours)
        match json.loads(text):
            case {"path": path, "headers": headers} if path.startswith("/ws"):
                socket = await comfy.http.ws_connect(f"{comfy.url}{path}", headers=headers)
            case {"form": [field, *_], "path": path, "headers": headers}:
                form = aiohttp.FormData()
                form.add_field("image", png(), filename=field["filename"], content_type="image/png")
                form.add_field("type", "input")
                status, answer = await send(comfy, "POST", path, headers, data=form)
                assert status == 200
                names[field["filename"]] = answer["name"]
            case {"body": body, "path": path, "headers": headers}:
                status, answer = await send(comfy, "POST", path, headers, json=body)
                assert status == 200, answer
                assert socket is not None
                await wait_as_it_does(socket, answer["prompt_id"])
                status, history = await send(comfy, "GET", f"/history/{answer['prompt_id']}", headers)
                images += images_as_it_reads(history[answer["prompt_id"]], body["prompt"])
            case {"path": "/object_info", "headers": headers}:
                status, classes = await send(comfy, "GET", "/object_info", headers)
                choices = classes["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0]
                assert choices == [name for fake in fakes for name in fake.checkpoints]
    assert len(images) == 3
    for image in images:
        assert opened(await comfy.get("view", params=image)).size in {(320, 256), (64, 64)}


async def send(comfy: ComfyClient, method: str, path: str, headers: dict[str, str], **body: Any) -> tuple[int, Any]:
    async with comfy.http.request(method, comfy.url + path, headers=headers, **body) as response:
        return response.status, json.loads(await response.read())


async def wait_as_it_does(socket: aiohttp.ClientWebSocketResponse, prompt_id: str) -> None:
    async with asyncio.timeout(10), socket:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT and message.json()["type"] == "executing":
                data = message.json()["data"]
                if data["node"] is None and data["prompt_id"] == prompt_id:
                    return


def images_as_it_reads(entry: dict[str, Any], nodes: dict[str, Any]) -> list[dict[str, str]]:
    shown = ((nodes[node_id]["class_type"], output) for node_id, output in entry["outputs"].items())
    return [image for kind, output in shown if kind in {"SaveImage", "PreviewImage"} for image in output["images"]]


async def test_a_failure_is_told_with_its_node_and_open_webui_sees_it_fail(
    comfy: ComfyClient, fakes: tuple[FakeComfyUI, ...]
) -> None:
    fakes[0].faults.fail_next = "node"
    async with comfy.connect() as socket:
        prompt_id = await comfy.queue(graph(), socket.client_id)
        error = await socket.until("execution_error", prompt_id=prompt_id)
        await socket.until_ended(prompt_id)
    assert (error["node_id"], error["node_type"]) == ("3", "KSampler")
    assert "something went wrong in the node" in error["exception_message"]
    entry = await comfy.history(prompt_id)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["messages"][-1] == ["execution_error", {**error, "executed": []}]
    headers = {"User-Agent": "Mozilla/5.0"}
    async with comfy.http.get(f"{comfy.url}/history/{prompt_id}", headers=headers) as response:
        assert response.status == 500
        assert "something went wrong in the node" in (response.reason or "")


async def test_prompts_run_where_what_they_need_is_and_side_by_side(
    comfy: ComfyClient, fakes: tuple[FakeComfyUI, ...]
) -> None:
    async with comfy.connect() as one, comfy.connect() as other:
        first = await comfy.queue(endless(), one.client_id)
        await one.until("progress", prompt_id=first)
        second = await comfy.queue(graph(model="fake_flux.safetensors"), one.client_id)
        await one.until_ended(second)
        third = await comfy.queue(graph(model="fake_flux.safetensors", seed=8), other.client_id)
        await other.until_ended(third)
        assert one.types(third) == other.types(first) == other.types(second) == []
        assert await comfy.is_queued(first, "queue_running")
        await comfy.post("interrupt", {"prompt_id": first})
        await one.until("execution_interrupted", prompt_id=first)
        await one.until_ended(first)
    assert [len(fake.prompts_of(foreign=False)) for fake in fakes] == [0, 0]
