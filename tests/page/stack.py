"""Server and gateway as processes of their own, which a test may kill and start again."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.programs import Program, gateway_program, running, server_program
from tests.e2e.stack import read_events

DEMO: Sequence[Mapping[str, object]] = ({"name": "demo", "kind": "demo"},)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running server and its gateway."""

    server: Program
    gateway: Program

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.gateway.address

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Asks the gateway as a program would."""
        async with aiohttp.ClientSession(self.url) as session, session.request(method, path, json=body) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def make(self, prompt: str, *, backend: str = "", **parameters: Any) -> str:
        """Asks for a picture; gives the job's id."""
        image = {"prompt": prompt, "width": 256, "height": 256, "steps": 4, **parameters}
        made = await self.call("POST", "/api/v1/jobs", {"spec": {"image": image, "backend": backend}})
        return str(made["job"]["job_id"])

    async def ended(self, job_id: str) -> dict[str, Any]:
        """Waits until a job has ended; gives it."""
        path = f"/api/v1/jobs/{job_id}/events?previews=none"
        async with aiohttp.ClientSession(self.url) as session, session.get(path) as stream:
            stream.raise_for_status()
            async for event in read_events(stream):
                if event.event == "completed":
                    return dict(event.data["completed"]["job"])
        raise AssertionError(f"the stream of {job_id} ended before the job")


@asynccontextmanager
async def running_stack(
    data_dir: Path, backends: Sequence[Mapping[str, object]] = DEMO, *more: Program, **settings: str
) -> AsyncIterator[Stack]:
    """A stack with these backends; `more` are programs that it needs, as fakes, `settings` the server's environment."""
    server = server_program(data_dir, backends, **settings)
    gateway = gateway_program(server)
    async with running(*more, server, gateway):
        yield Stack(server, gateway)
