"""A backend dies under a job: the job goes on elsewhere, and everybody can see what happened."""

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import ready
from tests.e2e.stack import imagegen, read_events
from tests.fakes.comfyui.server import open_fake

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(60)]


async def test_a_job_whose_backend_dies_is_done_by_another(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        fakes = {name: await stack.enter_async_context(open_fake(step_s=0.02)) for name in ("comfyui", "comfyui-2")}
        backends = ", ".join(f"comfyui={fake.url}" for fake in fakes.values())
        process = await stack.enter_async_context(
            imagegen(
                "up", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0",
                data_dir=tmp_path, env={"IMAGEGEN_BACKENDS": backends},
            )
        )  # fmt: skip
        session = await stack.enter_async_context(aiohttp.ClientSession((await ready(process)).url))
        spec = {"image": {"prompt": "a harbour", "width": 64, "height": 64, "steps": 30, "seed": "1", "count": 2}}
        async with session.post("/api/v1/jobs", json={"spec": spec}) as answer:
            job_id = (await answer.json())["job"]["job_id"]

        died, kinds = "", list[str]()
        async with session.get(f"/api/v1/jobs/{job_id}/events?last_event_id=earliest") as stream:
            async for event in read_events(stream):
                kinds.append(event.event)
                if event.event == "output_ready" and not died:
                    async with session.get(f"/api/v1/jobs/{job_id}") as answer:
                        died = (await answer.json())["job"]["attempts"][0]["backend"]
                    await fakes[died].stop_listening()
        assert kinds.count("attempt_failed") == 1
        assert kinds[-1] == "completed"

        async with session.get(f"/api/v1/jobs/{job_id}") as answer:
            job = (await answer.json())["job"]
        assert job["state"] == "JOB_STATE_SUCCEEDED"
        first, second = job["attempts"]
        assert first["state"] == "ATTEMPT_STATE_FAILED"
        assert first["error"]["details"][0]["reason"] == "BACKEND_UNREACHABLE"
        assert (first["backend"], first["image_count"]) == (died, 2)
        assert second["state"] == "ATTEMPT_STATE_SUCCEEDED"
        assert second["backend"] != died
        assert (second["first_image"], second["image_count"]) == (1, 1), "the image that was there is not made again"
        assert [output["attempt"] for output in job["outputs"]] == [1, 2]

        async with session.get(f"/api/v1/backends/{died}") as answer:
            backend = (await answer.json())["backend"]
        assert backend["health"] == "BACKEND_HEALTH_UNHEALTHY"
        assert backend["reason"]
