"""Everything at once: our server and gateway on the demo backend, a chat model, Open WebUI, and two people."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from imagegen.v1.job_pb2 import Job
from imagegen_client.client import Client
from tests.e2e.programs import Program, free_port, running, server_program
from tests.openwebui.account import Account, open_account
from tests.openwebui.browser import Browser, open_browser
from tests.openwebui.chat_model import open_chat_model
from tests.openwebui.installing import Installer
from tests.openwebui.program import OpenWebUI, open_webui

JOB_TIMEOUT_S = 60.0
_POLL_S = 0.1
KEY = "openwebui-key-of-the-tests"
KEYS = [{"name": "openwebui", "key": KEY, "acts_for_users": True}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What the tests look at from outside."""

    server: Program
    gateway: Program
    webui: OpenWebUI
    client: Client
    """Sees all jobs of our server."""
    admin: Browser
    guest: Browser
    """A user without rights of an admin."""
    installer: Installer

    async def jobs(self, prompt: str) -> list[Job]:
        """Our server's jobs whose prompt or graph holds these words, newest first."""
        jobs = [job async for job in self.client.list_jobs()]
        return [job for job in jobs if prompt in job.spec.image.prompt or prompt in job.spec.graph.json]

    async def accepted(self, prompt: str) -> Job:
        """The only one of these, as soon as it is there."""
        async with asyncio.timeout(JOB_TIMEOUT_S):
            while not (jobs := await self.jobs(prompt)):  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(_POLL_S)
        assert len(jobs) == 1, f"{len(jobs)} jobs where one was expected"
        return jobs[0]

    async def job(self, prompt: str) -> Job:
        """The only one of these, once it has ended."""
        job_id = (await self.accepted(prompt)).job_id
        async with asyncio.timeout(JOB_TIMEOUT_S), self.client.watch(job_id) as watch:
            async for _ in watch:
                pass
        return await self.client.get_job(job_id)


@asynccontextmanager
async def open_stack(
    venv: Path,
    folder: Path,
    *,
    demo_speed: float = 1.0,
    webui_settings: Mapping[str, str] = MappingProxyType({}),
    gateway_settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Stack]:
    """Starts it in empty folders, and ends it all with the block. Nothing is installed in Open WebUI yet."""
    async with AsyncExitStack() as stack:
        backends = [{"kind": "demo", "options": {"speed": str(demo_speed)}}]
        server = server_program(folder / "imagegen", backends)
        chat_model_url = await stack.enter_async_context(open_chat_model())
        (folder / "webui").mkdir()
        webui = await stack.enter_async_context(
            open_webui(venv, folder / "webui", chat_model_url=chat_model_url, settings=webui_settings)
        )
        gateway = _gateway(server, webui.url, gateway_settings)
        await stack.enter_async_context(running(server, gateway))
        admin = await stack.enter_async_context(open_account(webui.url, "admin"))
        guest = await stack.enter_async_context(open_account(webui.url, "guest", admin=admin))
        yield Stack(
            server=server,
            gateway=gateway,
            webui=webui,
            client=await stack.enter_async_context(Client(server.address)),
            admin=await stack.enter_async_context(open_browser(admin)),
            guest=await stack.enter_async_context(open_browser(guest)),
            installer=_installer(admin, gateway, folder),
        )


def _gateway(server: Program, openwebui_url: str, settings: Mapping[str, str]) -> Program:
    address = f"127.0.0.1:{free_port()}"
    return Program(
        "gateway",
        "imagegen_client",
        ("--server", server.address, "gateway", "--http", address),
        address=f"http://{address}",
        ready="imagegen is at",
        env={
            "IMAGEGEN_KEYS": json.dumps(KEYS),
            "IMAGEGEN_OPENWEBUI_URL": openwebui_url,
            "IMAGEGEN_CORS_ORIGINS": openwebui_url,  # direct connections come from its page
            **settings,
        },
    )


def _installer(admin: Account, gateway: Program, folder: Path) -> Installer:
    return Installer(
        url=admin.url,
        token=admin.token,
        gateway=gateway.address,
        gateway_key=KEY,
        state=folder / "state",
    )
