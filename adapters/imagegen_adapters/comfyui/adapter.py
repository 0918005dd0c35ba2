"""The ComfyUI adapter of the contract."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

from imagegen_adapters.comfyui.attempt import Attempt, driven
from imagegen_adapters.comfyui.backend import CAPABILITIES, Backend
from imagegen_adapters.comfyui.client import Timing, open_client
from imagegen_adapters.comfyui.link import open_link
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Adapter,
    BackendStatus,
    Capabilities,
    Catalog,
    Handle,
    ImageParameters,
    RawGraph,
    Run,
    Task,
)
from imagegen_adapters.errors import Unreachable, Violation

_STATUS_S = 9.0
"""For both questions that `status` asks; the contract gives it ten seconds."""


class ComfyUIAdapter:
    """Drives one ComfyUI server. `open_comfyui` makes it."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def kind(self) -> str:
        return "comfyui"

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def status(self) -> BackendStatus:
        try:
            async with asyncio.timeout(_STATUS_S):
                info = await self._backend.refresh_info()
                queue_depth = await self._backend.client.queue_remaining()
        except TimeoutError:
            raise Unreachable("the backend did not tell its status in time") from None
        return BackendStatus(
            version=info.version,
            devices=info.devices,
            resident_model=self._backend.resident_model,
            queue_depth=queue_depth,
        )

    async def catalog(self) -> Catalog:
        return await self._backend.refresh_catalog()

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        return self._backend.validate(source)

    async def free_memory(self) -> None:
        await self._backend.free_memory()

    def handle_for(self, attempt_id: str) -> Handle:
        return Handle(remote_id=attempt_id, client_id=self._backend.link.client_id)

    def run(self, task: Task) -> AbstractAsyncContextManager[Run]:
        return driven(Attempt(self._backend, task), self._backend)

    def reattach(self, task: Task, handle: Handle) -> AbstractAsyncContextManager[Run]:
        return driven(Attempt(self._backend, task, handle=handle), self._backend)


@asynccontextmanager
async def open_comfyui(config: BackendConfig, timing: Timing | None = None) -> AsyncIterator[Adapter]:
    """An adapter for the server at `config.url`, which need not be there yet.

    Option "client_id": the websocket client id. Give the one of stored handles, and their attempts' progress and
    previews go on after a restart of this process; their results are found with any.
    """
    timing = timing or Timing()
    client_id = config.options.get("client_id") or uuid4().hex
    async with open_client(config.url, timing) as client, open_link(client, client_id, timing) as link:
        backend = Backend(client, link, timing)
        try:
            yield ComfyUIAdapter(backend)
        finally:
            await backend.close()
