"""How samplers sample: steps, guidance, sampler, scheduler, denoising, seed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.proposing.drafts import Draft, Drafts, label
from imagegen_adapters.graphs.proposing.stages import Relation, Stage
from imagegen_adapters.graphs.proposing.texts import conditioning_walk
from imagegen_adapters.graphs.proposing.tracing import Spot, Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """Something that every sampler has in some way."""

    name: str
    type: InputType
    inputs: tuple[str, ...]
    """What nodes call it."""
    title: str
    help: str = ""
    is_own: bool = False
    """Whether a pass over a finished picture has one of its own, even if it is equal now."""
    is_common: bool = False
    """Whether samplers that build upon each other have it together, even if it differs now."""


_SETTINGS: Final = (
    _Setting(name="steps", type=InputType.INT, inputs=("steps",), title="Steps", is_own=True),
    _Setting(
        name="cfg_scale",
        type=InputType.FLOAT,
        inputs=("cfg", "cfg_conds"),
        title="CFG scale",
        help="How closely the picture follows the prompt",
    ),
    _Setting(name="sampler", type=InputType.CHOICE, inputs=("sampler_name",), title="Sampler"),
    _Setting(name="scheduler", type=InputType.CHOICE, inputs=("scheduler",), title="Scheduler"),
    _Setting(
        name="denoise",
        type=InputType.FLOAT,
        inputs=("denoise",),
        title="Denoise",
        help="Share of the picture that is made anew: 0 leaves it as it is, 1 forgets it",
        is_own=True,
    ),
    _Setting(name="seed", type=InputType.SEED, inputs=("seed", "noise_seed"), title="Seed", is_common=True),
)


def propose_sampling(tracer: Tracer, stages: Sequence[Stage], drafts: Drafts) -> None:
    """The settings of each sampler. Samplers of which a setting is equal share it."""
    for setting in _SETTINGS:
        shared: list[tuple[Spot, Draft]] = []
        for stage in stages:
            _propose_setting(tracer, stage, setting, drafts, shared)
        if setting.name == "cfg_scale":
            _propose_guidance(tracer, stages, drafts)
    _propose_switch(tracer, stages, drafts)


def _propose_setting(
    tracer: Tracer, stage: Stage, setting: _Setting, drafts: Drafts, shared: list[tuple[Spot, Draft]]
) -> None:
    spot = stage.spot(tracer, *setting.inputs)
    if spot is None or (setting.name == "denoise" and not _starts_from_picture(tracer, stage)):
        return
    is_own = setting.is_own and stage.relation is Relation.AGAIN
    is_common = setting.is_common and stage.relation in (Relation.CONTINUED, Relation.AGAIN)
    equal = next((draft for other, draft in shared if (is_common or other.value == spot.value) and not is_own), None)
    if equal is not None:
        drafts.join(equal, [spot])
        return
    draft = drafts.add(
        f"{stage.relation.prefix}{setting.name}",
        setting.type,
        [spot],
        reason=f"`{spot.target.input_name}` of {label(tracer.graph.nodes[spot.target.node_id])}"
        + ("" if spot.target.node_id == stage.sampler.node_id else f", which {label(stage.sampler)} samples by"),
        title=f"{setting.title}{stage.relation.words}",
        help_text=setting.help,
        group=stage.relation.group("Sampling"),
    )
    if draft is not None and not is_own:
        shared.append((spot, draft))


def _starts_from_picture(tracer: Tracer, stage: Stage) -> bool:
    """Whether its latent holds a picture, so that denoising in part makes sense."""
    return bool(stage.before) or any(_encodes_picture(tracer, visit.node) for visit in stage.start)


def _encodes_picture(tracer: Tracer, node: Node) -> bool:
    # What has a size of its own, or is for models that see the picture beside it, gives an empty latent.
    is_empty = "width" in node.inputs or node.class_type == "InstructPixToPixConditioning"
    takes_picture = tracer.links(node, "IMAGE") and tracer.gives(node, "LATENT")
    return node.class_type == "LoadLatent" or bool(takes_picture and not is_empty)


def _propose_guidance(tracer: Tracer, stages: Sequence[Stage], drafts: Drafts) -> None:
    spots = [
        tracer.spot(visit.node, "guidance", is_certain=visit.is_certain)
        for stage in stages
        for visit in conditioning_walk(tracer, stage)
    ]
    first = next(filter(None, spots), None)
    if first is not None:
        drafts.add(
            "distilled_cfg_scale",
            InputType.FLOAT,
            [spot for spot in spots if spot is not None and spot.value == first.value],
            reason=f"`guidance` of {label(tracer.graph.nodes[first.target.node_id])}, on the way of the prompt",
            title="Distilled guidance",
            help_text="How closely models that were distilled with guidance, as Flux, follow the prompt",
            group="Sampling",
        )


def _propose_switch(tracer: Tracer, stages: Sequence[Stage], drafts: Drafts) -> None:
    """The step at which one sampler stops and the next one goes on."""
    for stage in stages:
        start = stage.spot(tracer, "start_at_step") if stage.relation is Relation.CONTINUED else None
        for before in stage.before:
            end = tracer.spot(before, "end_at_step")
            if start is not None and end is not None and start.value == end.value:
                drafts.add(
                    "switch_step",
                    InputType.INT,
                    [end, start],
                    reason=f"{label(before)} stops where {label(stage.sampler)} goes on",
                    title="Switch at step",
                    help_text="The step from which on the second model works; below the number of steps",
                    group="Sampling",
                )
