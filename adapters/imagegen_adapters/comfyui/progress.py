"""How far a prompt is, over its whole graph. Pure.

Every node that is to run weighs one, a sampler as much as it has steps; what the server finds in its cache weighs
nothing. A node with a bar counts by its share, all others when they are finished. The fraction never falls, although
weights can turn out to be wrong.
"""

from collections.abc import Iterable

from imagegen_adapters.comfyui.protocol import NodeState
from imagegen_adapters.contract import Phase
from imagegen_adapters.graphs.graph import Graph, Node

_DEFAULT_STEPS = 20


def phase_of(class_type: str) -> Phase:
    """What a backend does while a node of this class is at work."""
    if "Sampler" in class_type and "Select" not in class_type:
        return Phase.SAMPLING
    if "Loader" in class_type:
        return Phase.LOADING_MODEL
    if class_type.startswith("VAEDecode"):
        return Phase.DECODING
    if class_type.startswith(("CLIPTextEncode", "VAEEncode")):
        return Phase.ENCODING
    if class_type.startswith(("Save", "PreviewImage")):
        return Phase.SAVING
    return Phase.PROCESSING


def model_named_by(node: Node) -> str:
    """The model that a loader node loads; empty where it does not name one."""
    for name, value in node.inputs.items():
        if name.endswith(("_name", "_name1")) and isinstance(value, str):
            return value
    return ""


class GraphProgress:
    """Adds up what the nodes of one prompt report."""

    def __init__(self, graph: Graph, order: Iterable[Node]) -> None:
        self._weights = {node.node_id: _weight(graph, node) for node in order}
        self._shares = dict.fromkeys(self._weights, 0.0)
        self._fraction = 0.0

    @property
    def fraction(self) -> float:
        total = sum(self._weights.values())
        if total:
            done = sum(weight * self._shares[node_id] for node_id, weight in self._weights.items())
            self._fraction = max(self._fraction, min(1.0, done / total))
        return self._fraction

    def skip(self, nodes: Iterable[str]) -> None:
        """These were found in the cache."""
        for node_id in nodes:
            self._weights.pop(node_id, None)
            self._shares.pop(node_id, None)

    def step(self, node_id: str, value: float, maximum: float) -> None:
        if node_id in self._shares and maximum > 0:
            self._shares[node_id] = max(self._shares[node_id], min(1.0, value / maximum))

    def finish(self, node_id: str) -> None:
        if node_id in self._shares:
            self._shares[node_id] = 1.0

    def take_in(self, states: Iterable[NodeState]) -> None:
        for state in states:
            if state.is_finished:
                self.finish(state.node)
            else:
                self.step(state.node, state.value, state.maximum)


def _weight(graph: Graph, node: Node) -> float:
    if phase_of(node.class_type) is not Phase.SAMPLING:
        return 1.0
    first, last = node.inputs.get("start_at_step"), node.inputs.get("end_at_step")
    # SamplerCustom and its kin have no steps of their own: these are where the sigmas come from.
    steps = node.inputs.get("steps", graph.literal(_source(node, "sigmas"), "steps"))
    if not isinstance(steps, int):
        return float(_DEFAULT_STEPS)
    if isinstance(first, int) and isinstance(last, int):  # KSamplerAdvanced runs a part of them
        steps = min(steps, last) - first
    return float(max(1, steps))


def _source(node: Node, input_name: str) -> str:
    return next((link.source for link in node.links if link.input_name == input_name), "")


def checkpoint_of(graph: Graph) -> str:
    """The model that a graph samples with; empty where it names none."""
    for node in graph.nodes.values():
        for input_name in ("ckpt_name", "unet_name"):
            if isinstance(node.inputs.get(input_name), str):
                return str(node.inputs[input_name])
    return ""
