"""One prompt, from its frames to updates. Pure: frames in, steps out; what a step asks for is done by `attempt`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from imagegen_adapters.comfyui.answers import HistoryEntry
from imagegen_adapters.comfyui.faults import error_of, readable
from imagegen_adapters.comfyui.progress import GraphProgress, model_named_by, phase_of
from imagegen_adapters.comfyui.protocol import (
    Executing,
    ExecutionCached,
    ExecutionFailed,
    ExecutionInterrupted,
    ExecutionStarted,
    ExecutionSucceeded,
    ImageFrame,
    NodeExecuted,
    NodeStepped,
    OutputFile,
    ProgressSnapshot,
    PromptFrame,
)
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.contract import (
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    PlanNode,
    PreviewFrame,
    Progressed,
    Update,
)
from imagegen_adapters.errors import AdapterError, Cancelled, Interrupted, Lost, NodeFailed, NoOutput
from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.node_classes import NodeClasses

_WEBSOCKET_SAVER = "SaveImageWebsocket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A file to fetch, and which image of the job it is."""

    file: OutputFile
    image_index: int
    seed: int | None

    @property
    def is_intermediate(self) -> bool:
        return self.file.folder != "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsShown:
    """These files are there, and will stay."""

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptEnded:
    """Nothing more will come; history has the outcome by now."""


Step: TypeAlias = Update | ResultsShown | PromptEnded


class Tracker:
    """Follows one prompt."""

    def __init__(self, workflow: Workflow, classes: NodeClasses, *, wants_previews: bool) -> None:
        self.has_started = False
        self.has_ended = False
        self._workflow = workflow
        self._nodes = workflow.graph.nodes
        self._wants_previews = wants_previews
        outputs = workflow.graph.outputs(classes)
        self._images = workflow.images or len(outputs)
        self._order = workflow.graph.execution_order(outputs)
        self._progress = GraphProgress(workflow.graph, self._order)
        self._has_plan = False
        self._has_snapshots = False
        self._display_nodes: dict[str, str] = {}
        self._node = ""
        self._announced = set[str]()
        self._steps: dict[str, tuple[int, int]] = {}
        self._reported: Progressed | None = None
        self._known_files = set[tuple[str, str, str]]()
        self._files_of_node: dict[str, int] = {}
        self._sent_images = set[tuple[str, int]]()
        self._images_seen = 0
        self._failure: ExecutionFailed | None = None
        self._blocked: ExecutionFailed | None = None
        self._is_interrupted = False

    @property
    def lacks_sent_images(self) -> bool:
        """Whether images that the graph sends as frames only have not come. They are never sent again."""
        return any(
            sum(sender == node.node_id for sender, _ in self._sent_images)
            < max(1, self._steps.get(node.node_id, (0, 0))[1])
            for node in self._order
            if node.class_type == _WEBSOCKET_SAVER
        )

    @property
    def blocked_reason(self) -> str:
        """Why an ExecutionBlocker kept an output back; empty: none did."""
        return readable(self._blocked.message) if self._blocked is not None else ""

    def feed(self, frame: PromptFrame) -> Iterator[Step]:
        """What a frame of this prompt means. Frames after the end, and repeated ones, mean nothing."""
        if self.has_ended:
            return
        self.has_started = True
        match frame:
            case ExecutionStarted() | ExecutionSucceeded():
                pass
            case ExecutionCached():
                yield from self._on_cached(frame)
            case Executing(node=None):
                self.has_ended = True
                yield PromptEnded()
            case Executing():
                yield from self._on_executing(frame)
            case ProgressSnapshot():
                yield from self._on_snapshot(frame)
            case NodeStepped():
                yield from self._on_step(frame)
            case NodeExecuted():
                yield from self._show(frame.files)
            case ImageFrame():
                yield from self._on_image(frame)
            case ExecutionFailed():
                self._on_failure(frame)
            case ExecutionInterrupted():
                self._is_interrupted = True
            case _ as never:
                assert_never(never)

    def take_files(self, files: Iterable[OutputFile]) -> tuple[Result, ...]:
        """Those of the files that were not shown before, numbered."""
        new = {file.key: file for file in files if file.key not in self._known_files}
        self._known_files.update(new)
        return tuple(self._numbered(file) for file in new.values())

    def verdict(self, entry: HistoryEntry | None, *, is_cancelled: bool) -> AdapterError | None:
        """The error that the prompt ended in; None: it did what it could, see `shortfall`.

        History knows best. Where it has forgotten the prompt, the frames must do.
        """
        failure = entry.failure if entry is not None else self._failure
        is_interrupted = entry.is_interrupted if entry is not None else self._is_interrupted
        if is_interrupted:
            return Cancelled("cancelled") if is_cancelled else Interrupted("somebody else stopped it at the backend")
        if failure is not None:
            return error_of(failure, self._workflow)
        if entry is not None and not entry.is_success:
            return NodeFailed("the backend reported an error without saying which")
        if entry is None and not self.has_ended:
            return Lost("the backend does not know the prompt any more: it restarted, or its queue was cleared")
        return None

    def shortfall(self, delivered: int) -> AdapterError | None:
        """The error for a prompt that ended well but gave fewer images than it must."""
        if delivered == 0 and self._blocked is not None:
            return error_of(self._blocked, self._workflow)
        if delivered == 0:
            return NoOutput("the graph ran to its end but gave no image or other file")
        if delivered < self._workflow.images:
            return NoOutput(f"the backend gave {delivered} of {self._workflow.images} images")
        return None

    def completed(self) -> Progressed:
        """The last progress of an attempt that succeeds."""
        return Progressed(fraction=1.0, phase=Phase.SAVING, node_id=self._node)

    def _on_cached(self, frame: ExecutionCached) -> Iterator[Step]:
        if self._has_plan:
            return
        self._has_plan = True
        self._progress.skip(frame.nodes)
        cached = set(frame.nodes)
        nodes = (
            PlanNode(node_id=node.node_id, class_type=node.class_type, title=node.title, cached=node.node_id in cached)
            for node in self._order
        )
        yield Planned(images=self._images, nodes=tuple(nodes))

    def _on_executing(self, frame: Executing) -> Iterator[Step]:
        assert frame.node is not None
        self._display_nodes[frame.node] = frame.display_node or frame.node
        if not self._has_snapshots:
            # Servers without progress_state run one node after the other: what was at work is finished.
            self._finish_current(besides=frame.node)
        yield from self._turn_to(frame.node)
        yield from self._report()

    def _on_snapshot(self, frame: ProgressSnapshot) -> Iterator[Step]:
        self._has_snapshots = True
        self._display_nodes.update((state.node, state.display_node) for state in frame.nodes)
        self._progress.take_in(frame.nodes)
        for state in frame.nodes:
            if not state.is_finished:
                self._steps[state.node] = int(state.value), int(state.maximum)
        yield from self._report()

    def _on_step(self, frame: NodeStepped) -> Iterator[Step]:
        self._progress.step(frame.node, frame.value, frame.maximum)
        self._steps[frame.node] = int(frame.value), int(frame.maximum)
        yield from self._turn_to(frame.node)
        yield from self._report()

    def _on_image(self, frame: ImageFrame) -> Iterator[Step]:
        node = self._shown(frame.node)
        if node is not None and node.class_type == _WEBSOCKET_SAVER:
            # Its bar counts the images that were sent, from 0: a second one at the same place is a duplicate.
            place = frame.node, self._steps.get(frame.node, (0, 0))[0]
            if place not in self._sent_images:
                self._sent_images.add(place)
                yield self._sent_image(frame)
        elif self._wants_previews:
            yield PreviewFrame(
                data=frame.data,
                media_type=frame.media_type,
                image_index=self._image_index(frame.node),
                step=self._steps.get(frame.node, (0, 0))[0],
                node_id=node.node_id if node is not None else frame.node,
            )

    def _on_failure(self, frame: ExecutionFailed) -> None:
        if frame.is_blocked:
            self._blocked = frame
        else:
            self._failure = frame

    def _show(self, files: Iterable[OutputFile]) -> Iterator[Step]:
        results = self.take_files(files)
        if results:
            yield ResultsShown(results=results)

    def _turn_to(self, node_id: str) -> Iterator[Step]:
        if node_id == self._node:
            return
        self._node = node_id
        node = self._shown(node_id)
        # Asynchronous nodes take turns at every step: each is announced once.
        if node is None or node.node_id in self._announced:
            return
        self._announced.add(node.node_id)
        phase = phase_of(node.class_type)
        yield PhaseChanged(phase=phase, node_id=node.node_id, title=node.title)
        if phase is Phase.LOADING_MODEL:
            yield ModelLoading(model=model_named_by(node))

    def _finish_current(self, *, besides: str) -> None:
        if self._node and self._node != besides:
            self._progress.finish(self._node)

    def _report(self) -> Iterator[Step]:
        if not self._node:
            return
        node = self._shown(self._node)
        step, steps = self._steps.get(self._node, (0, 0))
        has_bar = steps > 1 or step > 0  # nodes without one go from 0 of 1 to finished
        progress = Progressed(
            fraction=self._progress.fraction,
            phase=phase_of(node.class_type) if node is not None else Phase.PROCESSING,
            step=step if has_bar else 0,
            steps=steps if has_bar else 0,
            image_index=self._image_index(self._node),
            node_id=node.node_id if node is not None else "",
            title=node.title if node is not None else "",
        )
        if progress != self._reported:
            self._reported = progress
            yield progress

    def _shown(self, node_id: str) -> Node | None:
        """The node of the caller's graph that this one is, or was expanded from."""
        return self._nodes.get(node_id) or self._nodes.get(self._display_nodes.get(node_id, ""))

    def _image_index(self, node_id: str) -> int:
        its_pass = self._workflow.passes.get(node_id)
        return its_pass.image_index if its_pass is not None else 0

    def _numbered(self, file: OutputFile) -> Result:
        its_pass = self._workflow.passes.get(file.node)
        if its_pass is None:
            return Result(file=file, image_index=self._next_index(), seed=None)
        place = self._files_of_node.get(file.node, 0)
        self._files_of_node[file.node] = place + 1
        return Result(file=file, image_index=its_pass.image_index + place, seed=its_pass.seed)

    def _sent_image(self, frame: ImageFrame) -> ImageReady:
        return ImageReady(
            data=frame.data, media_type=frame.media_type, image_index=self._next_index(), node_id=frame.node
        )

    def _next_index(self) -> int:
        self._images_seen += 1
        return self._images_seen - 1
