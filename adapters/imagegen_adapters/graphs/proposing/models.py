"""Where models come from: checkpoints, diffusion models, LoRAs, and what goes with them. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from imagegen_adapters.graphs.graph import Link, Node
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.proposing.drafts import Drafts, label, spelled
from imagegen_adapters.graphs.proposing.stages import Relation, Stage
from imagegen_adapters.graphs.proposing.tracing import Tracer, Visit

_LORA_INPUTS: Final = frozenset({"lora_name", "strength_model", "model"})
"""What loaders have that can stand in a chain."""
_MODEL_INPUT: Final = re.compile(r".*(ckpt|checkpoint|unet|diffusion|model).*", re.IGNORECASE)
_CHECKPOINT_INPUT: Final = re.compile(r".*(ckpt|checkpoint).*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Something that is loaded beside the model."""

    input: str
    """Pattern of the input's name: loaders of ComfyUI and of its extensions use the same ones."""
    class_type: str = ".*"
    """Pattern of the class."""
    name: str
    model_type: str
    title: str
    group: str = "Models"

    def is_loaded_by(self, class_type: str, input_name: str) -> bool:
        return bool(re.fullmatch(self.input, input_name) and re.fullmatch(self.class_type, class_type))


_PARTS: Final = (
    _Part(input="vae_name", name="vae", model_type="vaes", title="VAE"),
    _Part(
        input=r"clip_name\d*",
        class_type="(?!.*CLIPVision).*",
        name="text_encoder",
        model_type="text_encoders",
        title="Text encoder",
    ),
    _Part(
        input="clip_name",
        class_type=".*CLIPVision.*",
        name="clip_vision",
        model_type="clip_visions",
        title="CLIP vision model",
    ),
    _Part(
        input="control_net_name", name="controlnet", model_type="controlnets", title="ControlNet", group="ControlNet"
    ),
    _Part(
        input="model_name",
        class_type=".*Upscale.*",
        name="upscaler",
        model_type="upscalers",
        title="Upscaler",
        group="",
    ),
    _Part(input="lora_name", name="lora", model_type="loras", title="LoRA"),
)


def model_type_of(class_type: str, input_name: str) -> str:
    """The list of a catalogue that an input of a loader is about."""
    part = next((part for part in _PARTS if part.is_loaded_by(class_type, input_name)), None)
    if part is not None:
        return part.model_type
    return "checkpoints" if _CHECKPOINT_INPUT.fullmatch(input_name) else "diffusion_models"


def propose_models(tracer: Tracer, stages: Sequence[Stage], drafts: Drafts) -> None:
    """`model` and `loras` of each sampler."""
    for stage in stages:
        visits = list(_model_walk(tracer, stage))
        for visit in visits:
            if not tracer.links(visit.node, "MODEL"):
                _propose_loader(tracer, visit, drafts, stage)
        _propose_loras(tracer, visits, drafts, stage)


def propose_parts(tracer: Tracer, stages: Sequence[Stage], nodes: Sequence[Node], drafts: Drafts) -> None:
    """VAE, text encoders, ControlNets, upscalers, and LoRAs that are no part of a chain."""
    has_second_pass = any(stage.relation is Relation.AGAIN for stage in stages)
    for node in nodes:
        for input_name in node.inputs:
            for part in _PARTS:
                if part.is_loaded_by(node.class_type, input_name):
                    drafts.add(
                        part.name,
                        InputType.MODEL,
                        [tracer.spot(node, input_name)],
                        reason=f"the file that {label(node)} loads",
                        title=part.title,
                        group="Second pass" if part.name == "upscaler" and has_second_pass else part.group,
                        model_type=part.model_type,
                    )


def _model_walk(tracer: Tracer, stage: Stage) -> Iterator[Visit]:
    def follow(node: Node) -> Sequence[Link]:
        return tracer.links(node, "MODEL")

    return tracer.walk(stage.starts(follow), follow)


def _propose_loader(tracer: Tracer, visit: Visit, drafts: Drafts, stage: Stage) -> None:
    for input_name in visit.node.inputs:
        spot = tracer.spot(visit.node, input_name, is_certain=visit.is_certain)
        if spot is not None and isinstance(spot.value, str) and _MODEL_INPUT.fullmatch(input_name):
            drafts.add(
                f"{stage.relation.prefix}model",
                InputType.MODEL,
                [spot],
                reason=f"{label(visit.node)} loads what reaches `model` of {label(stage.sampler)}",
                title=f"Model{stage.relation.words}",
                group=stage.relation.group(""),
                model_type=model_type_of(visit.node.class_type, input_name),
            )
            return


def _propose_loras(tracer: Tracer, visits: Sequence[Visit], drafts: Drafts, stage: Stage) -> None:
    # Seen from the sampler the last one comes first.
    chain = [visit for visit in reversed(visits) if visit.node.inputs.keys() >= _LORA_INPUTS]
    drafts.add(
        f"{stage.relation.prefix}loras",
        InputType.LORAS,
        [tracer.own_spot(visit.node, "lora_name", is_certain=visit.is_certain) for visit in chain],
        reason=f"{spelled([visit.node for visit in chain])} on the way of the model to {label(stage.sampler)}",
        title=f"LoRAs{stage.relation.words}",
        help_text="They take the place of those that the graph holds",
        group=stage.relation.group(""),
    )
