"""A graph as a sequence of updates that is computed piece by piece. Pure: whoever asks sets the pace."""

import json
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from imagegen_adapters.comfyui.progress import GraphProgress, phase_of
from imagegen_adapters.contract import (
    ImageReady,
    ModelLoading,
    PhaseChanged,
    Planned,
    PlanNode,
    PreviewFrame,
    Progressed,
    RawGraph,
    Update,
)
from imagegen_adapters.demo import files
from imagegen_adapters.demo.attempt import Wish
from imagegen_adapters.demo.fields import Picture
from imagegen_adapters.demo.graphs.batch import MAX_HELD_PIXELS, Batch, Impossible
from imagegen_adapters.demo.graphs.definitions import CLASSES
from imagegen_adapters.demo.graphs.nodes import NODES, Inputs, Outputs
from imagegen_adapters.demo.graphs.sampling import SAMPLERS, sampling_of
from imagegen_adapters.demo.painter import Order, paint
from imagegen_adapters.errors import Rejected, Violation
from imagegen_adapters.graphs.graph import Graph, Node, input_path, is_link, node_path, upload_target

_PICTURE_INPUTS = frozenset({"image", "images", "latent_image", "pixels", "samples"})


def graph_pieces(
    source: RawGraph,
    resident: str,
    uploads: Mapping[str, bytes],
    wish: Wish,
    *,
    max_held_pixels: int = MAX_HELD_PIXELS,
) -> Iterator[list[Update]]:
    """The updates of a graph without violations; each list is one piece of work, at most one step of painting.

    `resident` is the style that needs no loading, `uploads` are the bytes by digest. Raises Rejected when a node cannot
    do what its inputs ask for, or when the pictures that are still needed have more pixels than may be held.
    """
    run = _GraphRun(source, resident, uploads, wish)
    yield [run.plan()]
    for node in run.order:
        yield run.begun(node)
        try:
            yield from run.performed(node)
            run.forget_what_nobody_reads(node, max_held_pixels)
        except Impossible as error:
            path = input_path(node.node_id, error.input_name) if error.input_name else node_path(node.node_id)
            raise Rejected(f"{path}: {error}", [Violation(path, str(error))]) from error
        yield [run.finished(node)]


class _GraphRun:
    """One run: what the nodes gave so far, and how far it is."""

    def __init__(self, source: RawGraph, resident: str, uploads: Mapping[str, bytes], wish: Wish) -> None:
        graph = Graph(json.loads(source.json))
        self.outputs = graph.outputs(CLASSES)
        self.order = graph.execution_order(self.outputs)
        self._graph = graph
        self._source = source
        self._resident = resident
        self._wish = wish
        self._files = {upload_target(key): uploads[digest] for key, digest in source.images.items()}
        self._progress = GraphProgress(graph, self.order)
        self._results: dict[str, Outputs] = {}
        self._readers = Counter(link.source for node in self.order for link in node.links)
        self._images = 0

    def plan(self) -> Planned:
        nodes = (PlanNode(node_id=n.node_id, class_type=n.class_type, title=n.title) for n in self.order)
        return Planned(images=sum(self._images_of(output) for output in self.outputs), nodes=tuple(nodes))

    def begun(self, node: Node) -> list[Update]:
        phase = phase_of(node.class_type)
        updates: list[Update] = [PhaseChanged(phase=phase, node_id=node.node_id, title=node.title)]
        style = node.inputs.get("ckpt_name")
        if node.class_type == "CheckpointLoaderSimple" and style != self._resident:
            self._resident = str(style)
            updates.append(ModelLoading(model=self._resident))
        return [*updates, self._at(node)]

    def performed(self, node: Node) -> Iterator[list[Update]]:
        inputs = self._inputs(node)
        if node.class_type in SAMPLERS:
            self._results[node.node_id] = ((yield from self._sampled(node, inputs)),)
        elif node.node_id in self.outputs:
            yield from self._saved(node, inputs["images"])
        else:
            self._results[node.node_id] = NODES[node.class_type](inputs)

    def forget_what_nobody_reads(self, node: Node, max_held_pixels: int) -> None:
        """The node has read its inputs. Raises Impossible if what is left is too much."""
        self._readers.subtract(link.source for link in node.links)
        self._results = {each: result for each, result in self._results.items() if self._readers[each] > 0}
        held = sum(value.pixels for result in self._results.values() for value in result if isinstance(value, Batch))
        if held > max_held_pixels:
            raise Impossible("", f"the graph needs {held} pixels of pictures at a time; at most {max_held_pixels}")

    def finished(self, node: Node) -> Progressed:
        self._progress.finish(node.node_id)
        return self._at(node)

    def _sampled(self, node: Node, inputs: Inputs) -> Generator[list[Update], None, Batch]:
        latent: Batch = inputs["latent_image"]
        sampling = sampling_of(inputs)
        if not sampling.orders:
            return latent
        pictures = []
        for index, order in enumerate(sampling.orders):
            pictures.append((yield from self._painted(node, order, index, len(sampling.orders))))
        return Batch(frame=latent.frame, count=latent.count, pictures=tuple(pictures), theme=sampling.theme)

    def _painted(self, node: Node, order: Order, index: int, count: int) -> Generator[list[Update], None, Picture]:
        """The steps of one picture of so many; they are counted over all of them."""
        picture = order.start
        for stage in paint(order):
            picture = stage.picture
            step, steps = index * order.steps + stage.step, count * order.steps
            self._progress.step(node.node_id, step, steps)
            updates: list[Update] = [self._at(node, step, steps)]
            if self._wish.wants_preview:
                data = files.jpeg(stage.preview())
                updates.append(PreviewFrame(data=data, media_type="image/jpeg", step=step, node_id=node.node_id))
            yield updates
        assert picture is not None, "an order has at least one step"
        return picture

    def _saved(self, node: Node, images: Batch) -> Iterator[list[Update]]:
        for picture in images.pictures:
            data = files.png(picture, self._source.json, name="prompt")
            yield [
                ImageReady(
                    data=data,
                    media_type="image/png",
                    image_index=self._images,
                    node_id=node.node_id,
                    intermediate=node.class_type == "PreviewImage",
                )
            ]
            self._images += 1

    def _images_of(self, node_id: str) -> int:
        """How many pictures come out of a node: as many as in the empty latent that they go back to, or one."""
        node = self._graph.nodes[node_id]
        if node.class_type == "EmptyLatentImage":
            return int(node.inputs["batch_size"])
        pictures = (link.source for link in node.links if link.input_name in _PICTURE_INPUTS)
        return max((self._images_of(source) for source in pictures), default=1)

    def _inputs(self, node: Node) -> Inputs:
        """What the node is given for the inputs of its class."""
        given = {*node.inputs, *(name for node_id, name in self._files if node_id == node.node_id)}
        return {name: self._value(node, name) for name in CLASSES.by_name[node.class_type].inputs if name in given}

    def _value(self, node: Node, name: str) -> Any:
        if (node.node_id, name) in self._files:
            return self._files[node.node_id, name]
        value = node.inputs[name]
        if is_link(value):
            source, slot = value
            return self._results[source][slot]
        match CLASSES.by_name[node.class_type].inputs[name].type:
            case "INT":
                return int(value)
            case "FLOAT":
                return float(value)
            case _:
                return value

    def _at(self, node: Node, step: int = 0, steps: int = 0) -> Progressed:
        return Progressed(
            fraction=self._progress.fraction,
            phase=phase_of(node.class_type),
            step=step,
            steps=steps,
            node_id=node.node_id,
            title=node.title,
        )
