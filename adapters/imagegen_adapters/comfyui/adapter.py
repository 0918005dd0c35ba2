"""The ComfyUI adapter of the contract."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

from imagegen_adapters.comfyui.attempt import Attempt, driven
from imagegen_adapters.comfyui.backend import CAPABILITIES, Backend
from imagegen_adapters.comfyui.client import Timing, open_client
from imagegen_adapters.comfyui.link import open_link
from imagegen_adapters.comfyui.listing import FOLDERS
from imagegen_adapters.comfyui.workflow import build_loading, render
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Adapter,
    BackendStatus,
    Capabilities,
    Catalog,
    Handle,
    ImageParameters,
    PreviewWish,
    RawGraph,
    Run,
    Task,
)
from imagegen_adapters.errors import Unreachable, Violation
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.options import PATIENCE, check_names, read_patience


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
        limit_s = self._backend.timing.status_s
        try:
            async with asyncio.timeout(limit_s):
                info = await self._backend.refresh_info()
                queue_depth = await self._backend.client.queue_remaining()
        except TimeoutError:
            raise Unreachable(f"the backend did not answer within {limit_s:g} s") from None
        except Unreachable:
            self._backend.doubt_catalog()
            raise
        return BackendStatus(
            version=info.version,
            devices=info.devices,
            resident_model=self._backend.resident_model,
            queue_depth=queue_depth,
        )

    async def catalog(self) -> Catalog:
        return await self._backend.refresh_catalog()

    async def rescan(self) -> None:
        self._backend.doubt_catalog()  # it looks through its folders whenever it is asked

    async def node_definitions(self) -> bytes:
        return await self._backend.node_definitions()

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        return self._backend.validate(source)

    def render(self, source: ImageParameters | RawGraph) -> RawGraph:
        return render(self._backend.completed(source))

    async def model_metadata(self, kind: str, name: str) -> Mapping[str, str]:
        folder = FOLDERS.get(kind)
        if folder is None:
            return {}
        # Embeddings are named without their ending.
        filename = f"{name}.safetensors" if kind == "embeddings" else name
        return await self._backend.client.model_metadata(folder, filename)

    async def load_model(self, name: str) -> None:
        """By a picture of one step that is shown to nobody: there is no other way."""
        seed = uuid4().int % 2**63  # what it made before would come from its cache, and nothing be loaded
        parameters = ImageParameters(prompt="", model=name, width=64, height=64, steps=1, seed=seed)
        source = await self._backend.resolve(parameters)
        assert isinstance(source, ImageParameters), "what it was made of"
        graph = build_loading(source, self._backend.classes or NodeClasses())
        task = Task(attempt_id=str(uuid4()), source=graph, preview=PreviewWish(enabled=False))
        async with self.run(task) as run:
            async for _ in run:
                pass

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
    """An adapter for the server at `config.url`, which need not be there yet. Raises ValueError for bad options.

    Option "client_id": the websocket client id. Give the one of stored handles, and their attempts' progress and
    previews go on after a restart of this process; their results are found with any.
    Option "patience_s": the seconds of silence after which an attempt is given up.
    """
    check_names(config, "client_id", PATIENCE)
    timing = timing or Timing()
    timing = replace(timing, unreachable_s=read_patience(config, timing.unreachable_s))
    client_id = config.options.get("client_id") or uuid4().hex
    async with (
        open_client(config.url, timing, headers=config.headers) as client,
        open_link(client, client_id, timing) as link,
    ):
        backend = Backend(client, link, timing)
        try:
            yield ComfyUIAdapter(backend)
        finally:
            await backend.close()
