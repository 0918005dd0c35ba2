"""LoRA loaders of a graph: what stands there, and as many as are wanted in their place. Pure.

A loader passes on the model, and often the text encoder, that it is linked to: output 0 is its input `model`, output 1
its input `clip`. It keeps its id for the last LoRA, so that those who are linked to it need not be changed; those
before it get ids of their own. For no LoRA at all, links to it become links to what it was linked to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from imagegen_adapters.graphs.graph import is_link
from imagegen_adapters.graphs.inputs import Target
from imagegen_server.workflows.values import as_number

LORA_NAME: Final = "lora_name"
PASSED_ON: Final = ("model", "clip")
"""Inputs that a loader passes on, by the number of its output."""
_WEIGHT, _TEXT_ENCODER_WEIGHT = "strength_model", "strength_clip"

Nodes = dict[str, dict[str, Any]]


def loras_in(nodes: Mapping[str, Mapping[str, Any]], targets: Sequence[Target]) -> list[dict[str, Any]] | None:
    """The LoRAs that the graph applies there; None: they cannot be told, as a name or a weight is linked."""
    before = _before(nodes, targets)
    heads = [loader for loader in before if not before[loader]]
    found = []
    for node_id in sorted(before, key=lambda loader: len(_line(before, loader))):
        if not heads or _line(before, node_id)[-1] != heads[0]:
            continue
        inputs = nodes[node_id]["inputs"]
        name, weight = inputs.get(LORA_NAME), as_number(inputs.get(_WEIGHT))
        other = as_number(inputs.get(_TEXT_ENCODER_WEIGHT, weight))
        if not isinstance(name, str) or weight is None or other is None:
            return None
        entry = {"name": name, "weight": weight}
        found.append(entry if other == weight else entry | {"text_encoder_weight": other})
    return found


def replace_loaders(nodes: Nodes, targets: Sequence[Target], loras: Sequence[Mapping[str, Any]]) -> None:
    """Puts the LoRAs where the targets are. Changes `nodes`.

    Of loaders that come one after the other the first gets them, and the others go, so that each applies once.
    """
    before = _before(nodes, targets)
    heads = [loader for loader in before if not before[loader]] if loras else []
    _bypass(nodes, [loader for loader in before if loader not in heads])
    for head in heads:
        _line_up(nodes, head, loras)


def _before(nodes: Mapping[str, Mapping[str, Any]], targets: Iterable[Target]) -> dict[str, str]:
    """By loader the one that comes before it on the way of the model; empty: none."""
    loaders = dict.fromkeys(target.node_id for target in targets if target.node_id in nodes)
    return {loader: _loader_before(nodes, loader, loaders) for loader in loaders}


def _loader_before(nodes: Mapping[str, Mapping[str, Any]], loader: str, loaders: Collection[str]) -> str:
    seen = {loader}
    link = nodes[loader]["inputs"].get(PASSED_ON[0])
    while is_link(link) and link[0] in nodes and link[0] not in seen:
        if link[0] in loaders:
            return str(link[0])
        seen.add(link[0])
        link = nodes[link[0]].get("inputs", {}).get(PASSED_ON[0])
    return ""


def _line(before: Mapping[str, str], loader: str) -> list[str]:
    """The loader and those before it, nearest first."""
    line = [loader]
    while before[line[-1]] and before[line[-1]] not in line:
        line.append(before[line[-1]])
    return line


def _bypass(nodes: Nodes, loaders: Sequence[str]) -> None:
    """Takes loaders out of the graph: links to them become links to what they are linked to."""
    gone = {loader: nodes.pop(loader)["inputs"] for loader in loaders}
    for node in nodes.values():
        inputs = node.get("inputs", {})
        for name, value in inputs.items():
            inputs[name] = _passed_on(gone, value)


def _passed_on(gone: Mapping[str, Mapping[str, Any]], value: Any) -> Any:
    """What is left of a link to a loader that is gone."""
    for _ in gone:  # and no more often: they might be linked in a circle
        if not is_link(value) or value[0] not in gone or not 0 <= value[1] < len(PASSED_ON):
            break
        value = gone[value[0]].get(PASSED_ON[value[1]])
    return value


def _line_up(nodes: Nodes, last: str, loras: Sequence[Mapping[str, Any]]) -> None:
    node_ids = [*_new_ids(nodes, last, len(loras) - 1), last]
    pattern = nodes[last]
    before = {name: pattern["inputs"][name] for name in PASSED_ON if name in pattern["inputs"]}
    for node_id, lora in zip(node_ids, loras, strict=True):
        nodes[node_id] = pattern | {"inputs": pattern["inputs"] | before | _settings(pattern["inputs"], lora)}
        before = {name: [node_id, slot] for slot, name in enumerate(PASSED_ON) if name in before}


def _settings(inputs: Mapping[str, Any], lora: Mapping[str, Any]) -> dict[str, Any]:
    weight = lora.get("weight", 1.0)
    settings = {LORA_NAME: lora["name"], _WEIGHT: weight}
    if _TEXT_ENCODER_WEIGHT in inputs:
        settings[_TEXT_ENCODER_WEIGHT] = lora.get("text_encoder_weight", weight)
    return settings


def _new_ids(nodes: Mapping[str, Any], node_id: str, count: int) -> list[str]:
    numbered = (f"{node_id}-lora-{number}" for number in range(1, len(nodes) + count + 1))
    free = (candidate for candidate in numbered if candidate not in nodes)
    return [next(free) for _ in range(count)]
