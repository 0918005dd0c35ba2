"""The adapter for servers that speak the API of A1111."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from uuid import uuid4

from imagegen_adapters.a1111.catalog import MODEL_OPTION, find_violations, resolve_names
from imagegen_adapters.a1111.client import Client, Timeouts, open_client
from imagegen_adapters.a1111.knowledge import Knowledge
from imagegen_adapters.a1111.orphan import Orphan, settle
from imagegen_adapters.a1111.protocol import GlobalProgress, Memory
from imagegen_adapters.a1111.requests import MAX_BATCH_SIZE, find_request_violations, plan_posts, task_id
from imagegen_adapters.a1111.run import A1111Run
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    BackendStatus,
    Capabilities,
    Catalog,
    Device,
    Handle,
    ImageParameters,
    PreviewWish,
    RawGraph,
    Run,
    Task,
)
from imagegen_adapters.errors import AdapterError, Lost, Rejected, Unreachable, Violation
from imagegen_adapters.options import PATIENCE, check_names, read_patience
from imagegen_adapters.updates import UpdateBuffer

CAPABILITIES = Capabilities(
    image_to_image=True,
    inpainting=True,
    hires=True,
    loras=True,
    model_loading=True,
    previews=True,
    max_batch_size=MAX_BATCH_SIZE,
)
NO_GRAPHS = Violation("graph", "A1111 servers take no graphs; use a ComfyUI backend")
NO_PREVIEW = PreviewWish(enabled=False)
PREVIEW_EVERY = "preview_every_n_steps"


@asynccontextmanager
async def open_a1111(config: BackendConfig, timeouts: Timeouts | None = None) -> AsyncIterator["A1111Adapter"]:
    """The adapter for one server, connected lazily; closing it drops what still runs there, without stopping it.

    `config.options` may hold "preview_every_n_steps": previews then come every so many steps instead of as the server
    is set up (every 10). It is an override that holds for our jobs only; without it no preview setting is touched.
    And "patience_s": the seconds of silence after which a job is given up. Raises ValueError for other options.
    """
    check_names(config, PREVIEW_EVERY, PATIENCE)
    preview_every = _read_preview_every(config)
    limits = timeouts or Timeouts()
    limits = replace(limits, silence_s=read_patience(config, limits.silence_s))
    async with open_client(config.url, limits, headers=config.headers) as client:
        adapter = A1111Adapter(client, timeouts=limits, preview_every_n_steps=preview_every)
        try:
            yield adapter
        finally:
            await adapter.abandon()


class A1111Adapter:
    """Implements `contract.Adapter`. One job at a time is at the server."""

    def __init__(self, client: Client, *, timeouts: Timeouts, preview_every_n_steps: int | None) -> None:
        self._client = client
        self._timeouts = timeouts
        self._preview_every_n_steps = preview_every_n_steps
        self._knowledge = Knowledge(client)
        self._job_lock = asyncio.Lock()
        self._drivers: set[asyncio.Task[None]] = set()

    @property
    def kind(self) -> str:
        return "a1111"

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def status(self) -> BackendStatus:
        try:
            async with asyncio.timeout(self._timeouts.status_s):
                return await self._ask_status()
        except TimeoutError as exc:
            raise Unreachable(f"the server did not answer within {self._timeouts.status_s:g} s") from exc

    async def catalog(self) -> Catalog:
        return (await self._knowledge.fetch_catalog()).as_contract()

    async def node_definitions(self) -> bytes:
        return b"{}"

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        if isinstance(source, RawGraph):
            return [NO_GRAPHS]
        catalog = self._knowledge.catalog
        return [*find_request_violations(source), *(find_violations(source, catalog) if catalog else ())]

    async def rescan(self) -> None:
        # The server answers only after its running job.
        if await self._is_idle():
            await self._client.rescan()

    def render(self, source: ImageParameters | RawGraph) -> RawGraph:
        raise NotImplementedError(NO_GRAPHS.description)

    async def model_metadata(self, kind: str, name: str) -> Mapping[str, str]:
        return await self._client.lora_metadata(name) if kind == "loras" else {}

    async def load_model(self, name: str) -> None:
        """By the setting, so that it stays for jobs that name no model, and by a small picture: Forge loads only then,
        and A1111 not where the setting says so already, while the model of the last job is loaded.
        """
        request = ImageParameters(prompt="", model=name, width=64, height=64, steps=1)
        catalog = await self._knowledge.fetch_catalog()
        violations = find_violations(request, catalog)
        if violations:
            raise Rejected(violations[0].description, violations)
        async with self._job_lock:
            await self._client.set_options({MODEL_OPTION: resolve_names(request, catalog).checkpoint})
        async with self._run(Task(attempt_id=str(uuid4()), source=request, preview=NO_PREVIEW), request) as run:
            async for _ in run:
                pass

    async def free_memory(self) -> None:
        # Unloading waits for nobody: in the middle of a job it would take the model away under it.
        if await self._is_idle():
            await self._client.unload_checkpoint()
            self._knowledge.note_unloaded((await self._client.global_progress()).timestamp)

    def handle_for(self, attempt_id: str) -> Handle:
        return Handle(remote_id=task_id(attempt_id, 0))

    def run(self, task: Task) -> AbstractAsyncContextManager[Run]:
        if isinstance(task.source, RawGraph):
            return _failed(Rejected(NO_GRAPHS.description, [NO_GRAPHS]))
        return self._run(task, task.source)

    @asynccontextmanager
    async def reattach(self, task: Task, handle: Handle) -> AsyncIterator[Run]:  # noqa: ARG002  # contract
        error: AdapterError = Lost("A1111 servers take no graphs")
        if isinstance(task.source, ImageParameters):
            task_ids = [post.task_id for post in plan_posts(task.attempt_id, task.source)]
            error = await settle(self._client, Orphan(task_ids=task_ids), self._timeouts)
        async with _failed(error) as run:
            yield run

    async def abandon(self) -> None:
        """Stops following every attempt."""
        for driver in self._drivers:
            driver.cancel()
        await asyncio.gather(*self._drivers, return_exceptions=True)

    @asynccontextmanager
    async def _run(self, task: Task, request: ImageParameters) -> AsyncIterator[Run]:
        run = A1111Run(
            task,
            request,
            client=self._client,
            knowledge=self._knowledge,
            timeouts=self._timeouts,
            preview_every_n_steps=self._preview_every_n_steps,
        )
        driver = run.start(self._job_lock)
        self._drivers.add(driver)
        driver.add_done_callback(self._drivers.discard)
        try:
            yield run
        finally:
            if run.is_detached:
                driver.cancel()
            else:
                # If the server does not obey in time, the driver goes on without us.
                await run.cancel()
            await asyncio.wait({driver}, timeout=self._timeouts.leave_s)

    async def _ask_status(self) -> BackendStatus:
        instance = await self._knowledge.notice_restart()
        progress = await self._client.global_progress()
        memory = await self._client.memory()
        # Failed tasks stay in the queue for ever, so its length counts only while something runs.
        depth = 0 if progress.is_idle else 1 + await self._client.pending_tasks()
        return BackendStatus(
            version=self._knowledge.version,
            devices=() if memory is None else (_device(memory),),
            resident_model=await self._find_resident_model(progress),
            queue_depth=depth,
            instance=instance,
        )

    async def _is_idle(self) -> bool:
        # A server whose job waits for its turn looks idle too, so the queue is asked as well.
        return (await self._client.global_progress()).is_idle and not await self._client.pending_tasks()

    async def _find_resident_model(self, progress: GlobalProgress) -> str:
        """After an override the setting is restored, but the model of the last job stays loaded."""
        if self._knowledge.is_unloaded(progress.timestamp):
            return ""
        last, catalog = self._knowledge.last_answer, self._knowledge.catalog or await self._knowledge.fetch_catalog()
        if last is not None and last.timestamp == progress.timestamp and last.model:
            name = last.model
        else:
            name = str((await self._knowledge.read_options()).get(MODEL_OPTION) or "")
        checkpoint = catalog.find_checkpoint(name)
        return checkpoint.name if checkpoint else name


class _FailedRun:
    """A run that ended before it began."""

    def __init__(self, error: AdapterError) -> None:
        self._buffer = UpdateBuffer()
        self._buffer.fail(error)

    def __aiter__(self) -> UpdateBuffer:
        return self._buffer

    async def cancel(self) -> None:
        pass

    def detach(self) -> None:
        pass


@asynccontextmanager
async def _failed(error: AdapterError) -> AsyncIterator[Run]:
    yield _FailedRun(error)


def _device(memory: Memory) -> Device:
    return Device(
        name="cuda" if memory.is_cuda else "cpu",
        memory_total_bytes=memory.total_bytes,
        memory_free_bytes=memory.free_bytes,
    )


def _read_preview_every(config: BackendConfig) -> int | None:
    text = config.options.get(PREVIEW_EVERY)
    if text is None:
        return None
    if not text.isdecimal() or int(text) > 500:
        raise ValueError(f"backend {config.name!r}: option {PREVIEW_EVERY!r} must be from 0 to 500")
    return int(text)
