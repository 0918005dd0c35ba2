"""Many watchers on one job, a quarter of them stalled: the others must not notice."""

import asyncio
import socket
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import grpc
import pytest

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.job_pb2 import ImageParameters
from imagegen_client import Client
from tests.e2e.conftest import Stack, ready
from tests.e2e.stack import DURABLE, SseEvent, durable, imagegen, read_events
from tests.fakes.comfyui.server import open_fake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WATCHERS_PER_WAY = 100
STALLED_PER_WAY = 25
STEPS = 100
MAX_GROWTH_BYTES = 120 * 1024 * 1024
"""25 stalled readers of each kind would hold some 330 MB of previews if anything queued for them."""


async def watch_over_sse(session: aiohttp.ClientSession, job_id: str) -> list[SseEvent]:
    async with session.get(f"/api/v1/jobs/{job_id}/events?last_event_id=earliest") as stream:
        return [event async for event in read_events(stream)]


async def watch_over_grpc(address: str, job_id: str, stack: AsyncExitStack) -> list[JobEvent]:
    # A subchannel of its own, as 100 clients have.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))
    request = WatchJobRequest(job_id=job_id, resume_token="earliest")
    return [response.event async for response in ImageGenServiceStub(channel).WatchJob(request)]


async def stall_over_sse(url: str, job_id: str, stack: AsyncExitStack) -> None:
    """Asks for the events and never reads."""
    host, port = url.removeprefix("http://").split(":")
    connection = stack.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (host, int(port)))
    request = f"GET /api/v1/jobs/{job_id}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
    await loop.sock_sendall(connection, request.encode())


async def stall_over_grpc(address: str, job_id: str, stack: AsyncExitStack) -> None:
    """Opens the stream, takes one event and never reads again."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 65536),
    ]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=options))
    call = ImageGenServiceStub(channel).WatchJob(WatchJobRequest(job_id=job_id))
    await call.read()
    stack.callback(call.cancel)


@pytest.mark.skipif(sys.platform != "linux", reason="reads memory from /proc")
async def test_stalled_watchers_hold_up_nobody_and_cost_no_memory(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(open_fake(step_s=0.05))
        fake.worker.preview_size = 512
        process = await stack.enter_async_context(
            imagegen("up", "--comfyui", fake.url, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", data_dir=tmp_path)
        )
        running: Stack = await ready(process)
        client = await stack.enter_async_context(Client(running.grpc))
        job = await client.create_job(ImageParameters(prompt="a crowd", width=512, height=512, steps=STEPS, seed=1))

        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(running.url, connector=connector))
        for _ in range(STALLED_PER_WAY):
            await stall_over_sse(running.url, job.job_id, stack)
            await stall_over_grpc(running.grpc, job.job_id, stack)
        before = process.resident_bytes
        healthy = WATCHERS_PER_WAY - STALLED_PER_WAY
        sse = [asyncio.create_task(watch_over_sse(session, job.job_id)) for _ in range(healthy)]
        grpcs = [asyncio.create_task(watch_over_grpc(running.grpc, job.job_id, stack)) for _ in range(healthy)]
        seen_over_sse = await asyncio.gather(*sse)
        seen_over_grpc = await asyncio.gather(*grpcs)
        grown = process.resident_bytes - before

        final = await client.get_job(job.job_id)
        expected = list(range(1, final.sequence + 1))
        for events in seen_over_sse:
            assert durable(events) == expected
            steps = [int(e.data["progress"].get("step", 0)) for e in events if e.event == "progress"]
            assert len(steps) > STEPS / 4
        for responses in seen_over_grpc:
            assert [e.sequence for e in responses if e.WhichOneof("event") in DURABLE] == expected
            frames = [e.preview.frame for e in responses if e.WhichOneof("event") == "preview"]
            assert frames == sorted(set(frames))
            assert len(frames) > STEPS / 20
        assert fake.sockets.opened == 1
        assert grown < MAX_GROWTH_BYTES
