"""The main job from end to end: ask, watch, get the picture, over every way in."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from imagegen.v1.job_pb2 import ImageParameters
from imagegen_client import Client
from tests.e2e.conftest import Stack
from tests.e2e.stack import SseEvent, durable, read_events, run_command

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]

SPEC = {"prompt": "a red fox", "width": 128, "height": 128, "steps": 6, "seed": "42"}


async def create_over_rest(session: aiohttp.ClientSession, **more: object) -> str:
    async with session.post("/api/v1/jobs", json={"spec": {"image": {**SPEC, **more}}}) as answer:
        assert answer.status == 200, await answer.text()
        job_id = (await answer.json())["job"]["job_id"]
        assert isinstance(job_id, str)
        return job_id


async def test_the_same_request_gives_the_same_picture_over_grpc_rest_and_command_line(
    stack: Stack, tmp_path: Path
) -> None:
    async with aiohttp.ClientSession(stack.url) as session:
        job_id = await create_over_rest(session)
        async with session.get(f"/api/v1/jobs/{job_id}/events") as stream:
            events = [event async for event in read_events(stream)]
        digest = events[-1].data["completed"]["job"]["outputs"][0]["asset"]["digest"]
        async with session.get(f"/api/v1/assets/{digest}") as answer:
            over_rest = await answer.read()

    source = ImageParameters(prompt="a red fox", width=128, height=128, steps=6, seed=42)
    async with Client(stack.grpc) as client, client.generate(source) as watched:
        over_grpc = b""
        async for event in watched:
            if event.HasField("completed"):
                over_grpc = await client.download(event.completed.job.outputs[0].asset.digest)

    file = tmp_path / "fox.png"
    status, _ = await run_command(
        "generate", "a red fox", "--size", "128x128", "--steps", "6", "--seed", "42", "-o", str(file), server=stack.grpc
    )
    assert status == 0
    assert over_rest.startswith(b"\x89PNG")
    assert over_rest == over_grpc == file.read_bytes()


async def test_a_watcher_over_sse_sees_everything_in_order(stack: Stack) -> None:
    async with aiohttp.ClientSession(stack.url) as session:
        job_id = await create_over_rest(session, steps=12, count=2)
        async with session.get(f"/api/v1/jobs/{job_id}/events", params={"last_event_id": "earliest"}) as stream:
            assert stream.content_type == "text/event-stream"
            events = [event async for event in read_events(stream)]
        kinds = [event.event for event in events]
        assert durable(events) == list(range(1, len(durable(events)) + 1))
        assert kinds.count("completed") == 1
        assert kinds[-1] == "completed"
        assert kinds.count("output_ready") == 2
        assert "preview" in kinds
        fractions = [event.data["progress"]["fraction"] for event in events if event.event == "progress"]
        assert fractions == sorted(fractions)
        async with session.get(
            f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": events[-1].token}
        ) as after_the_end:
            assert after_the_end.status == 204


async def test_a_watcher_cut_at_every_durable_event_gets_each_once(stack: Stack) -> None:
    async with aiohttp.ClientSession(stack.url) as session:
        job_id = await create_over_rest(session, steps=10, count=3)
        token, seen, is_over = "earliest", list[SseEvent](), False
        while not is_over:
            async with session.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": token}) as stream:
                is_over = stream.status == 204
                async for event in read_events(stream):
                    seen.append(event)
                    token = event.token
                    if durable([event]):
                        break
        assert durable(seen) == list(range(1, seen[-1].sequence + 1))
        assert [event.event for event in seen if durable([event])][-1] == "completed"


async def test_cancel_stops_the_job(stack: Stack) -> None:
    async with aiohttp.ClientSession(stack.url) as session:
        job_id = await create_over_rest(session, steps=500)
        async with session.get(f"/api/v1/jobs/{job_id}/events") as stream:
            async for event in read_events(stream):
                if event.event == "progress":
                    async with session.post(f"/api/v1/jobs/{job_id}:cancel", json={}) as answer:
                        assert answer.status == 200
                if event.event == "completed":
                    assert event.data["completed"]["job"]["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize(
    ("image", "field", "says"),
    [
        ({"width": 100}, "spec.image.width", "multiple of 8"),
        ({"model": "nope"}, "spec.image.model", "demo-"),
        ({"sampler": "nope"}, "spec.image.sampler", "allowed"),
        ({"init_image": "zz"}, "spec.image.init_image", ""),
        ({"init_image": "0" * 64}, "spec.image.init_image", ""),
        ({"steps": 0}, "spec.image.steps", "1"),
        ({"mask": "0" * 64}, "spec.image", "init_image"),
    ],
)
async def test_bad_input_is_refused_with_the_field_and_what_is_allowed(
    stack: Stack, image: dict[str, object], field: str, says: str
) -> None:
    body = {"spec": {"image": {**SPEC, **image}}}
    async with aiohttp.ClientSession(stack.url) as session, session.post("/api/v1/jobs", json=body) as answer:
        assert answer.content_type == "application/problem+json"
        assert answer.status in {400, 404}
        problem = await answer.json()
    faults = {fault["field"]: fault["description"] for fault in problem["errors"]}
    assert field in faults, problem
    assert says in faults[field]


async def test_the_command_line_speaks_json_and_status(stack: Stack, tmp_path: Path) -> None:
    status, output = await run_command(
        "generate", "a boat", "--size", "64x64", "--steps", "2", "--json", "-o", str(tmp_path / "boat.png"),
        server=stack.grpc,
    )  # fmt: skip
    lines = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert lines[-1]["job"]["state"] == "JOB_STATE_SUCCEEDED"
    status, _ = await run_command("generate", "a boat", "--model", "nope", server=stack.grpc)
    assert status == 2
    status, _ = await run_command("jobs", server="127.0.0.1:1")
    assert status == 4


async def test_terminating_ends_cleanly(own_stack: Stack) -> None:
    own_stack.process.process.terminate()
    assert await own_stack.process.wait() == 0
    assert not [line for line in own_stack.process.lines if "Traceback" in line]


async def test_an_open_stream_does_not_hold_up_the_end(own_stack: Stack) -> None:
    async with aiohttp.ClientSession(own_stack.url) as session:
        job_id = await create_over_rest(session, steps=500)
        async with session.get(f"/api/v1/jobs/{job_id}/events") as stream:
            await anext(read_events(stream))
            own_stack.process.process.terminate()
            assert await asyncio.wait_for(own_stack.process.wait(), 30) == 0
