"""The built-in backend: an adapter whose backend lives in the same process, on one thread of its own."""

import asyncio
import json
import math
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from typing import TypeAlias, assert_never

import structlog

from imagegen_adapters.comfyui.workflow import render
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Accepted,
    Adapter,
    BackendStatus,
    Capabilities,
    Catalog,
    Handle,
    ImageParameters,
    ModelLoading,
    NamedModel,
    Phase,
    PhaseChanged,
    Planned,
    RawGraph,
    Run,
    Task,
    Update,
)
from imagegen_adapters.demo.attempt import Wish, pieces
from imagegen_adapters.demo.graphs.attempt import graph_pieces
from imagegen_adapters.demo.graphs.checking import graph_violations
from imagegen_adapters.demo.graphs.definitions import DEFINITIONS
from imagegen_adapters.demo.pace import Pace, PreviewClock
from imagegen_adapters.demo.requests import CAPABILITIES, CATALOG, VERSION, chosen, completed, violations
from imagegen_adapters.errors import AdapterError, Cancelled, Lost, NodeFailed, OutOfMemory, Rejected, Violation
from imagegen_adapters.updates import UpdateBuffer

Painter: TypeAlias = Callable[[ImageParameters, str, Mapping[str, bytes], Wish], Iterator[list[Update]]]

_STEP_S = 0.06
"""A step takes at least this long at speed 1, so that a person sees the picture emerge on any machine."""
_LOADING_S = 0.3
_STOP_TIMEOUT_S = 10.0

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_demo(config: BackendConfig, *, paint: Painter = pieces) -> AsyncIterator[Adapter]:
    """The demo painter. Raises ValueError for an option that does not exist or makes no sense.

    Closing stops what is being painted; those runs end by Lost.
    """
    speed = _speed(config.options)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="demo-painter") as executor:
        studio = _Studio(executor, speed, paint)
        try:
            yield _DemoAdapter(studio)
        finally:
            await studio.close()


def _speed(options: Mapping[str, str]) -> float:
    unknown = options.keys() - {"speed"}
    if unknown:
        raise ValueError(f"unknown option {min(unknown)!r} of a demo backend; allowed: speed")
    text = options.get("speed", "1")
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.001 <= speed <= 1000:
        raise ValueError(f"speed {text!r} of a demo backend is no number from 0.001 to 1000")
    return speed


class _DemoAdapter:
    kind = "demo"

    def __init__(self, studio: "_Studio") -> None:
        self._studio = studio

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def status(self) -> BackendStatus:
        return BackendStatus(
            version=VERSION,
            resident_model=self._studio.resident_model,
            queue_depth=self._studio.queue_depth,
            instance=self._studio.instance,
        )

    async def catalog(self) -> Catalog:
        return CATALOG

    async def rescan(self) -> None:
        """It has no folders."""

    async def node_definitions(self) -> bytes:
        return json.dumps(DEFINITIONS).encode()

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        return _violations(source)

    def render(self, source: ImageParameters | RawGraph) -> RawGraph:
        """A graph that paints the same; requests for images are not run as graphs here."""
        if isinstance(source, ImageParameters):
            source = completed(source, self._studio.resident_model)
        return render(source)

    async def model_metadata(self, kind: str, name: str) -> Mapping[str, str]:
        listed: tuple[NamedModel, ...] = getattr(CATALOG, kind)
        model = next((model for model in listed if model.name == name), None)
        return {} if model is None else {"modelspec.title": name, "modelspec.description": model.description}

    async def load_model(self, name: str) -> None:
        wrong = violations(ImageParameters(prompt="", model=name))
        if wrong:
            raise Rejected(wrong[0].description, wrong)
        self._studio.resident_model = name

    async def free_memory(self) -> None:
        """Nothing is held beyond the picture at work, but that a style was loaded is forgotten."""
        self._studio.resident_model = ""

    def handle_for(self, attempt_id: str) -> Handle:
        return Handle(remote_id=attempt_id)

    def run(self, task: Task) -> AbstractAsyncContextManager[Run]:
        return self._studio.run(task)

    @asynccontextmanager
    async def reattach(self, task: Task, handle: Handle) -> AsyncIterator[Run]:  # noqa: ARG002 the contract's names
        yield _EndedRun(Lost("the demo painter ends with its process, and what it was painting with it"))


class _Studio:
    """The backend: paints one attempt at a time, in the order in which they came."""

    def __init__(self, executor: ThreadPoolExecutor, speed: float, paint: Painter) -> None:
        self._executor = executor
        self._pace = Pace(speed)
        self._paint = paint
        self._turn = asyncio.Lock()
        self._runs: set[_DemoRun] = set()
        self.resident_model = ""
        self.instance = uuid.uuid4().hex

    @property
    def queue_depth(self) -> int:
        return len(self._runs)

    @asynccontextmanager
    async def run(self, task: Task) -> AsyncIterator[Run]:
        # In a thread, as large graphs take their time.
        wrong = [*await asyncio.to_thread(_violations, task.source), *_missing_files(task)]
        if wrong:
            yield _EndedRun(Rejected(f"{wrong[0].field}: {wrong[0].description}", wrong))
            return
        updates = UpdateBuffer()
        updates.put(Accepted(handle=Handle(remote_id=task.attempt_id)))
        worker = asyncio.create_task(self._work(task, updates), name=f"demo {task.attempt_id}")
        run = _DemoRun(updates, worker)
        self._runs.add(run)
        worker.add_done_callback(lambda _: self._runs.discard(run))
        try:
            yield run
        finally:
            await run.leave()

    async def close(self) -> None:
        """Stops everything, detached runs included; returns when the thread is idle."""
        workers = [run.stop(Lost("the demo painter was closed")) for run in self._runs]
        if workers:
            await asyncio.wait(workers)

    async def _work(self, task: Task, updates: UpdateBuffer) -> None:
        """Paints one attempt; ends `updates`, unless it is cancelled."""
        try:
            if self._turn.locked():
                updates.put(PhaseChanged(phase=Phase.WAITING))
            async with self._turn:
                await self._perform(task, updates)
            updates.close()
        except AdapterError as exc:
            updates.fail(exc)
        except MemoryError:
            updates.fail(OutOfMemory("this machine has too little memory for a picture of that size"))
        except Exception:  # noqa: BLE001 the edge of a task: logged, and told to whoever iterates
            _log.exception("painter failed", attempt_id=task.attempt_id)
            updates.fail(NodeFailed("the demo painter failed; the log of the server has more"))

    async def _perform(self, task: Task, updates: UpdateBuffer) -> None:
        wish, previews = Wish(), PreviewClock(task.preview)
        work = self._begun(task, wish)
        while True:
            wish.wants_preview = previews.is_due()
            made = await self._pace.kept(self._piece(work), _STEP_S)
            if made is None:
                return
            for update in made:
                previews.note(update)
                updates.put(update)
                if isinstance(update, ModelLoading):
                    await self._pace.rest(_LOADING_S)
                    self.resident_model = update.model

    def _begun(self, task: Task, wish: Wish) -> Iterator[list[Update]]:
        """The work, of which nothing is done yet."""
        match task.source:
            case RawGraph() as graph:
                return graph_pieces(graph, self.resident_model, task.files, wish)
            case ImageParameters() as source:
                model = source.model or self.resident_model or chosen("", CATALOG.checkpoints)
                opening: list[Update] = [Planned(images=source.count)]
                if model != self.resident_model:
                    opening += [PhaseChanged(phase=Phase.LOADING_MODEL, title=model), ModelLoading(model=model)]
                return chain([opening], self._paint(source, model, task.files, wish))
            case _ as never:
                assert_never(never)

    async def _piece(self, work: Iterator[list[Update]]) -> list[Update] | None:
        """The next piece, computed on the thread; None after the last."""
        piece = asyncio.get_running_loop().run_in_executor(self._executor, next, work, None)
        try:
            return await asyncio.shield(piece)
        except asyncio.CancelledError:
            # A thread cannot be stopped: the attempt has ended only when its step has.
            await asyncio.wait([piece])
            raise


class _DemoRun:
    """A run's two ends: the updates for whoever iterates, and the task that paints."""

    def __init__(self, updates: UpdateBuffer, worker: asyncio.Task[None]) -> None:
        self._updates = updates
        self._worker = worker
        self._stop_reason: AdapterError | None = None
        self._is_detached = False
        worker.add_done_callback(self._end)

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._updates

    async def cancel(self) -> None:
        self.stop(Cancelled("the attempt was cancelled"))

    def detach(self) -> None:
        self._is_detached = True

    def stop(self, reason: AdapterError) -> asyncio.Task[None]:
        """Stops painting; iteration ends by `reason` once it has stopped. Only the first call counts."""
        if self._stop_reason is None and not self._worker.done():
            self._stop_reason = reason
            self._worker.cancel()
        return self._worker

    async def leave(self) -> None:
        if not self._is_detached:
            await asyncio.wait([self.stop(Cancelled("the run was left"))], timeout=_STOP_TIMEOUT_S)

    def _end(self, _: asyncio.Task[None]) -> None:
        # Here and not in the task, which may be cancelled before its first line runs.
        self._updates.fail(self._stop_reason or Lost("the demo painter was stopped"))


class _EndedRun:
    """A run that never began."""

    def __init__(self, error: AdapterError) -> None:
        self._updates = UpdateBuffer()
        self._updates.fail(error)

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._updates

    async def cancel(self) -> None:
        """Nothing to stop."""

    def detach(self) -> None:
        """Nothing to leave."""


def _violations(source: ImageParameters | RawGraph) -> Sequence[Violation]:
    return graph_violations(source) if isinstance(source, RawGraph) else violations(source)


def _missing_files(task: Task) -> Iterator[Violation]:
    source = task.source
    if isinstance(source, RawGraph):
        wanted = [(f'graph.images["{key}"]', digest) for key, digest in source.images.items()]
    else:
        wanted = [("image.init_image", source.init_image), ("image.mask", source.mask)]
    for field, digest in wanted:
        if digest and digest not in task.files:
            yield Violation(field, "the image's bytes are missing")
