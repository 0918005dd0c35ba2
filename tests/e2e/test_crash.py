"""The server process is killed in mid-job: nothing that was accepted is lost, and nobody sees a gap."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from imagegen.v1.job_pb2 import ImageParameters, JobState
from imagegen_client import Client
from tests.e2e.stack import DURABLE, SseEvent, durable, imagegen, read_events
from tests.fakes.comfyui.server import open_fake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


async def test_watchers_and_job_survive_a_killed_server(tmp_path: Path) -> None:
    grpc, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(open_fake(step_s=0.05))
        backends = {"IMAGEGEN_BACKENDS": f"comfyui={fake.url}"}
        gateway = await stack.enter_async_context(
            imagegen("--server", grpc, "gateway", "--http", http, data_dir=tmp_path)
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(f"http://{http}"))
        client = await stack.enter_async_context(Client(grpc, give_up_after_s=30))
        killed_mid_job = asyncio.Event()

        async def watch_over_sse(job_id: str) -> list[SseEvent]:
            events = []
            async with session.get(f"/api/v1/jobs/{job_id}/events?last_event_id=earliest") as stream:
                async for event in read_events(stream):
                    events.append(event)
                    if event.event == "progress" and int(event.data["progress"].get("step", 0)) > 5:
                        killed_mid_job.set()
            return events

        async def watch_over_grpc(job_id: str) -> list[int]:
            async with client.watch(job_id, resume_token="earliest") as watched:
                return [e.sequence async for e in watched if e.WhichOneof("event") in DURABLE]

        async with imagegen("server", "--grpc", grpc, data_dir=tmp_path, env=backends) as first:
            await gateway.expect("ready|listening|http://")
            job = await client.create_job(ImageParameters(prompt="a storm", width=128, height=128, steps=60, seed=3))
            queued = await client.create_job(ImageParameters(prompt="later", width=128, height=128, steps=2, seed=4))
            over_sse = asyncio.create_task(watch_over_sse(job.job_id))
            over_grpc = asyncio.create_task(watch_over_grpc(job.job_id))
            await killed_mid_job.wait()
            first.kill()
            await first.wait()
        async with imagegen("server", "--grpc", grpc, data_dir=tmp_path, env=backends):
            seen_over_sse, seen_over_grpc = await asyncio.gather(over_sse, over_grpc)
            final = await client.get_job(job.job_id)
            assert final.state == JobState.JOB_STATE_SUCCEEDED
            assert len(final.attempts) == 1, "the attempt that ComfyUI still had was not made twice"
            expected = list(range(1, final.sequence + 1))
            assert durable(seen_over_sse) == expected
            assert seen_over_grpc == expected
            async with client.watch(queued.job_id, resume_token="earliest") as watched:
                states = [e.completed.job.state async for e in watched if e.HasField("completed")]
            assert states == [JobState.JOB_STATE_SUCCEEDED]
