"""What a graph without samplers may be asked for, by the names of inputs alone. Pure."""

from collections.abc import Sequence
from typing import Final

from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.inputs import Confidence, InputType
from imagegen_adapters.graphs.proposing.drafts import Drafts, label
from imagegen_adapters.graphs.proposing.tracing import Tracer, fits

_NAMES: Final = (
    # Input, name, type, title, group
    ("prompt", "prompt", InputType.TEXT, "Prompt", ""),
    ("prompt_text", "prompt", InputType.TEXT, "Prompt", ""),
    ("text", "prompt", InputType.TEXT, "Prompt", ""),
    ("negative_prompt", "negative_prompt", InputType.TEXT, "Negative prompt", ""),
    ("width", "width", InputType.INT, "Width", "Size"),
    ("height", "height", InputType.INT, "Height", "Size"),
    ("n", "count", InputType.INT, "Count", "Size"),
    ("steps", "steps", InputType.INT, "Steps", "Sampling"),
    ("seed", "seed", InputType.SEED, "Seed", "Sampling"),
)


def guess_inputs(tracer: Tracer, nodes: Sequence[Node], drafts: Drafts) -> None:
    """Nodes that ask a service for pictures have such inputs, and no samplers to begin at."""
    for input_name, name, type_, title, group in _NAMES:
        for node in nodes:
            spot = tracer.spot(node, input_name)
            if (
                spot is not None
                and fits(spot.value, spot.kind)
                and isinstance(spot.value, str) is (type_ is InputType.TEXT)
            ):
                reason = f"{label(node)} has an input that is called `{input_name}`"
                drafts.add(name, type_, [spot], reason=reason, title=title, group=group, confidence=Confidence.LOW)
