"""How strongly ControlNets act. Pure."""

from collections.abc import Sequence

from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.proposing.drafts import Drafts, label
from imagegen_adapters.graphs.proposing.tracing import Tracer


def propose_controls(tracer: Tracer, nodes: Sequence[Node], drafts: Drafts) -> None:
    for node in nodes:
        # Patches of a model are ControlNets in another form.
        if tracer.links(node, "CONTROL_NET", "MODEL_PATCH"):
            drafts.add(
                "controlnet_strength",
                InputType.FLOAT,
                [tracer.spot(node, "strength")],
                reason=f"`strength` of {label(node)}, which applies a ControlNet",
                title="ControlNet strength",
                help_text="How closely the picture follows the hint: 0 leaves it free",
                group="ControlNet",
            )
