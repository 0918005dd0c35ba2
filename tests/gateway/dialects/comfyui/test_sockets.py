"""Websockets: who comes back, who goes away, who does not read."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from imagegen.v1 import job_pb2
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.keys import KeySettings
from tests.fakes.comfyui import FakeComfyUI
from tests.gateway.dialects.comfyui.client import ComfyClient, endless, graph
from tests.gateway.dialects.conftest import House

ENDING = {job_pb2.JOB_STATE_CANCELLING, job_pb2.JOB_STATE_CANCELLED}


async def test_a_client_that_comes_back_hears_what_is_at_work_and_the_end(comfy: ComfyClient) -> None:
    async with comfy.connect(has_flags=True) as before:
        prompt_id = await comfy.queue(endless(), before.client_id)
        await before.until("progress", prompt_id=prompt_id, node="3")
    async with comfy.connect(before.client_id, has_flags=True) as after:
        await after.until("progress", prompt_id=prompt_id, node="3")
        await comfy.post("interrupt", {"prompt_id": prompt_id})
        await after.until_ended(prompt_id)
    assert after.types(prompt_id)[0] == "executing"
    assert "execution_start" not in after.types(prompt_id)
    assert after.types(prompt_id)[-2:] == ["execution_interrupted", "executing"]


@pytest.mark.parametrize(("method", "expected"), [("auto", True), ("none", False)])
async def test_previews_can_be_switched_off_for_a_prompt(comfy: ComfyClient, method: str, expected: bool) -> None:
    async with comfy.connect() as socket:
        prompt_id = await comfy.queue(graph(steps=30), socket.client_id, extra_data={"preview_method": method})
        await socket.until_ended(prompt_id)
    assert any(isinstance(message, bytes) for message in socket.messages) is expected


async def test_a_newer_socket_takes_the_place_of_the_older(comfy: ComfyClient) -> None:
    async with comfy.connect("same") as older, comfy.connect("same") as newer:
        assert await older.next() is None
        assert older.socket.close_code == aiohttp.WSCloseCode.OK
        await older.socket.close()
        prompt_id = await comfy.queue(graph(), "same")
        await newer.until_ended(prompt_id)


async def test_prompts_of_a_plain_client_that_closes_are_given_up(comfy: ComfyClient, house: House) -> None:
    """As Open WebUI when its user presses Stop. A broken line, and a client with feature flags, give up nothing."""
    kept: list[str] = []
    async with comfy.connect(has_flags=True) as page:
        kept.append(await comfy.queue(endless(1), page.client_id))
    async with comfy.connect() as broken:
        kept.append(await comfy.queue(endless(2), broken.client_id))
        transport = broken.socket.get_extra_info("socket")
        assert transport is not None
        broken.socket._response.connection.transport.abort()  # type: ignore[union-attr]  # as when a cable is pulled
    async with comfy.connect() as back:
        kept.append(await comfy.queue(endless(3), back.client_id))
    async with comfy.connect() as gone:
        prompt_id = await comfy.queue(endless(4), gone.client_id)
    async with comfy.connect(back.client_id), asyncio.timeout(10):
        while (await house.client.get_job(prompt_id)).state not in ENDING:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)
        states = [(await house.client.get_job(job_id)).state for job_id in kept]
    assert not set(states) & ENDING


@pytest.mark.parametrize("settings", [{"write_timeout_s": 0.3}])
async def test_a_reader_that_stops_reading_is_cut_off(
    comfy: ComfyClient, house: House, fakes: tuple[FakeComfyUI, ...]
) -> None:
    fakes[0].worker.preview_size = 1024
    host, port = house.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await loop.sock_connect(raw, (host, int(port)))
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        path = "/comfyui/ws?clientId=stuck"
        await loop.sock_sendall(raw, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
        assert (await loop.sock_recv(raw, 12)).startswith(b"HTTP/1.1 101")
        async with comfy.connect() as healthy:
            stuck = await comfy.queue(endless(1), "stuck")
            await healthy.until_ended(await comfy.queue(graph(model="fake_flux.safetensors"), healthy.client_id))
        async with asyncio.timeout(10):
            while stuck in house.gateway.hubs._watchers:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.02)
    assert await comfy.is_queued(stuck, "queue_running")


async def test_flags_come_first_or_not_at_all(comfy: ComfyClient) -> None:
    flags = json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
    for text, answers in (
        ('{"type": "feature_flags", "data": {"supports_preview_metadata": "true"}}', 1),
        ('{"type": "feature_flags", "data": null}', 1),
        ('{"type": "x"}', 0),
    ):
        async with comfy.connect() as client:
            for message in ("no json", "[]", text, flags):
                await client.socket.send_str(message)
            await client.until_ended(await comfy.queue(graph(), client.client_id))
        assert [message["type"] for message in client.texts].count("feature_flags") == answers
        assert all(message[:4] == b"\0\0\0\1" for message in client.messages if isinstance(message, bytes))


async def test_a_page_of_another_site_opens_no_socket(comfy: ComfyClient) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await comfy.http.ws_connect(f"{comfy.url}/ws", headers={"Origin": "http://elsewhere.example"})
    assert caught.value.status == 403


async def test_sockets_end_with_the_gateway(comfy: ComfyClient, house: House) -> None:
    async with comfy.connect() as client:
        prompt_id = await comfy.queue(endless(), client.client_id)
        await client.until("progress", prompt_id=prompt_id)
        house.gateway.hubs.close()
        message: Any = {}
        while message is not None:
            message = await client.next()
        assert client.socket.close_code == aiohttp.WSCloseCode.GOING_AWAY
    assert (await house.client.get_job(prompt_id)).state == job_pb2.JOB_STATE_RUNNING
    await house.client.cancel(prompt_id)


async def test_a_socket_without_a_server_is_closed_to_be_tried_again(http: aiohttp.ClientSession) -> None:
    key = "of-the-configuration"  # so that nobody has to ask the server who may come in
    keys = [KeySettings(name="anna", key=SecretStr(key))]
    settings = GatewaySettings(http="127.0.0.1:0", server="127.0.0.1:1", keys=keys)
    async with (
        serve_gateway(settings) as gateway,
        http.ws_connect(f"{gateway.url}/comfyui/ws", headers={"X-Api-Key": key}) as client,
    ):
        assert (await client.receive(timeout=10)).data == aiohttp.WSCloseCode.TRY_AGAIN_LATER
