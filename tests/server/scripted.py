"""A backend that does what a test tells it: an Adapter whose runs are driven from outside."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from PIL import Image

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Accepted,
    Adapter,
    BackendStatus,
    Capabilities,
    Catalog,
    Handle,
    ImageParameters,
    ImageReady,
    NamedModel,
    Phase,
    PreviewFrame,
    Progressed,
    RawGraph,
    Task,
    Update,
)
from imagegen_adapters.errors import AdapterError, Cancelled, Lost, Unreachable, Violation
from imagegen_adapters.updates import UpdateBuffer


def picture(shade: int = 0, size: tuple[int, int] = (64, 64), format_name: str = "PNG") -> bytes:
    """A picture of one colour; different bytes for each shade."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade % 256, shade // 256 % 256, 0)).save(buffer, format_name)
    return buffer.getvalue()


def progressed(step: int, steps: int = 4, *, fraction: float | None = None) -> Progressed:
    return Progressed(
        fraction=step / steps if fraction is None else fraction, phase=Phase.SAMPLING, step=step, steps=steps
    )


def frame(shade: int = 0, size: tuple[int, int] = (64, 64)) -> PreviewFrame:
    return PreviewFrame(data=picture(shade, size, "JPEG"), media_type="image/jpeg", step=shade)


class ScriptedRun:
    """One attempt. Tests call `put`, `deliver`, `finish` and `fail`."""

    def __init__(self, task: Task, *, is_reattached: bool, obeys_cancel: bool) -> None:
        self.task = task
        self.is_reattached = is_reattached
        self.updates = UpdateBuffer()
        self.cancels = 0
        self.is_detached = False
        self.was_left = asyncio.Event()
        self.cancel_asked = asyncio.Event()
        self._obeys_cancel = obeys_cancel

    # --- for the server ---

    def __aiter__(self) -> AsyncIterator[Update]:
        return self.updates

    async def cancel(self) -> None:
        self.cancels += 1
        self.cancel_asked.set()
        if self._obeys_cancel:
            self.updates.fail(Cancelled("cancelled"))

    def detach(self) -> None:
        self.is_detached = True

    # --- for the test ---

    def put(self, *updates: object) -> None:
        for update in updates:
            self.updates.put(update)  # type: ignore[arg-type]  # tests may send nonsense

    def accept(self, remote_id: str = "") -> None:
        self.put(Accepted(handle=Handle(remote_id=remote_id or self.task.attempt_id)))

    def deliver(self, image_index: int = 0) -> bytes:
        source = self.task.source
        seed = source.seed + image_index if isinstance(source, ImageParameters) else None
        data = picture(image_index + 1)
        image = ImageReady(data=data, media_type="image/png", image_index=image_index, seed=seed)
        self.put(image)
        return data

    def finish(self) -> None:
        self.updates.close()

    def fail(self, error: AdapterError | Exception) -> None:
        self.updates.fail(error)

    def complete(self) -> None:
        """The whole of a successful attempt."""
        self.accept()
        self.put(progressed(1), progressed(4))
        count = self.task.source.count if isinstance(self.task.source, ImageParameters) else 1
        for image_index in range(count):
            self.deliver(image_index)
        self.finish()


DEFAULT_CAPABILITIES = Capabilities(
    image_to_image=True, inpainting=True, hires=True, model_loading=True, previews=True, max_batch_size=4
)
DEFAULT_CATALOG = Catalog(
    checkpoints=(NamedModel(name="first"), NamedModel(name="second", description="the other one")),
    samplers=(NamedModel(name="euler"), NamedModel(name="heun")),
)


@dataclass
class ScriptedAdapter:
    """Implements `contract.Adapter`. One object lives through restarts of the server, like a real backend."""

    kind: str = "demo"
    capabilities: Capabilities = DEFAULT_CAPABILITIES
    current_catalog: Catalog = DEFAULT_CATALOG
    current_definitions: bytes = b"{}"
    current_status: BackendStatus = field(default_factory=lambda: BackendStatus(version="1.0", instance="a"))
    is_reachable: bool = True
    obeys_cancel: bool = True
    plays: Callable[[ScriptedRun], None] | None = None
    """Called with each run as it begins."""
    runs: list[ScriptedRun] = field(default_factory=list)
    kept: dict[str, Callable[[ScriptedRun], None]] = field(default_factory=dict)
    """What `reattach` finds, by remote id; called with the run."""
    status_calls: int = 0
    catalog_calls: int = 0
    rescans: int = 0
    metadata: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """What `model_metadata` tells, by list and name."""
    metadata_calls: int = 0
    loads: list[str] = field(default_factory=list)
    """The names that `load_model` was asked for."""
    may_load: asyncio.Event = field(default_factory=asyncio.Event)
    """`load_model` waits for it; set at first."""
    load_failure: AdapterError | None = None
    """What `load_model` raises."""
    memory_freed: int = 0
    concurrent_calls: int = 0
    most_concurrent_calls: int = 0
    _began: asyncio.Condition = field(default_factory=asyncio.Condition)
    _remembered: Catalog | None = None

    def __post_init__(self) -> None:
        self.may_load.set()

    async def status(self) -> BackendStatus:
        self.status_calls += 1
        self.concurrent_calls += 1
        self.most_concurrent_calls = max(self.most_concurrent_calls, self.concurrent_calls)
        try:
            await asyncio.sleep(0)
            if not self.is_reachable:
                raise Unreachable("connection refused")
            return self.current_status
        finally:
            self.concurrent_calls -= 1

    async def catalog(self) -> Catalog:
        self.catalog_calls += 1
        if not self.is_reachable:
            raise Unreachable("connection refused")
        self._remembered = self.current_catalog
        return self.current_catalog

    async def rescan(self) -> None:
        self.rescans += 1

    async def node_definitions(self) -> bytes:
        return self.current_definitions

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        if isinstance(source, RawGraph):
            if not self.capabilities.graphs:
                return [Violation("graph", "this kind of backend takes no graphs")]
            return [] if "class_type" in source.json else [Violation('graph.json["1"]', "has no class_type")]
        return [*self._beyond(source), *self._unknown(source)]

    def render(self, source: ImageParameters | RawGraph) -> RawGraph:
        """Not a graph that runs, but one that tells what it was made of."""
        if isinstance(source, RawGraph):
            return source
        graph = {"1": {"class_type": "Scripted", "inputs": {"prompt": source.prompt, "model": source.model}}}
        images = {f"1.{name}": digest for name in ("init_image", "mask") if (digest := getattr(source, name))}
        return RawGraph(json=json.dumps(graph), images=images)

    async def model_metadata(self, kind: str, name: str) -> Mapping[str, str]:
        self.metadata_calls += 1
        if not self.is_reachable:
            raise Unreachable("connection refused")
        return self.metadata.get((kind, name), {})

    async def load_model(self, name: str) -> None:
        self.loads.append(name)
        await self.may_load.wait()
        if self.load_failure is not None:
            raise self.load_failure
        self.current_status = replace(self.current_status, resident_model=name)

    async def free_memory(self) -> None:
        if not self.is_reachable:
            raise Unreachable("connection refused")
        self.memory_freed += 1
        self.current_status = replace(self.current_status, resident_model="")

    def handle_for(self, attempt_id: str) -> Handle:
        return Handle(remote_id=attempt_id, client_id="scripted-client")

    def run(self, task: Task) -> AbstractAsyncContextManager[ScriptedRun]:
        return self._open(ScriptedRun(task, is_reattached=False, obeys_cancel=self.obeys_cancel), self.plays)

    def reattach(self, task: Task, handle: Handle) -> AbstractAsyncContextManager[ScriptedRun]:
        run = ScriptedRun(task, is_reattached=True, obeys_cancel=self.obeys_cancel)
        return self._open(run, self.kept.get(handle.remote_id, lambda run: run.fail(Lost("it is gone"))))

    async def next_run(self, number: int = 1) -> ScriptedRun:
        """The run with this number, from 1, once it has begun."""
        async with asyncio.timeout(10), self._began:
            await self._began.wait_for(lambda: len(self.runs) >= number)
        return self.runs[number - 1]

    @asynccontextmanager
    async def _open(self, run: ScriptedRun, play: Callable[[ScriptedRun], None] | None) -> AsyncIterator[ScriptedRun]:
        self.runs.append(run)
        async with self._began:
            self._began.notify_all()
        if play is not None:
            play(run)
        try:
            yield run
        finally:
            run.was_left.set()

    def _beyond(self, source: ImageParameters) -> list[Violation]:
        violations = []
        if source.init_image and not self.capabilities.image_to_image:
            violations.append(Violation("image.init_image", "this kind of backend takes no initial image"))
        if source.batch_size > self.capabilities.max_batch_size:
            violations.append(Violation("image.batch_size", f"at most {self.capabilities.max_batch_size}"))
        return violations

    def _unknown(self, source: ImageParameters) -> list[Violation]:
        if self._remembered is None:
            return []
        violations = []
        for path, wanted, known in (
            ("image.model", source.model, self._remembered.checkpoints),
            ("image.sampler", source.sampler, self._remembered.samplers),
        ):
            names = [each.name for each in known]
            if wanted and wanted not in names:
                violations.append(Violation(path, f"no such name {wanted!r}; allowed: {', '.join(names)}"))
        return violations


def opener(adapters: dict[str, ScriptedAdapter]) -> Callable[[BackendConfig], AbstractAsyncContextManager[Adapter]]:
    """`open_adapter` for a server with these backends, by name."""

    @asynccontextmanager
    async def open_scripted(config: BackendConfig) -> AsyncIterator[Adapter]:
        yield adapters[config.name]

    return open_scripted
