"""How large, how many, how long. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.inputs import Confidence, InputType
from imagegen_adapters.graphs.proposing.drafts import Drafts, label
from imagegen_adapters.graphs.proposing.stages import Relation, Stage
from imagegen_adapters.graphs.proposing.tracing import Spot, Tracer, Visit

_SIDES: Final = ("width", "height")
_LENGTHS: Final = ("length", "video_frames", "num_frames")
_SCALES: Final = ("scale_by", "upscale_by")


def propose_size(tracer: Tracer, stages: Sequence[Stage], nodes: Sequence[Node], drafts: Drafts) -> None:
    """The size that the first sampler works in, and how much it makes; then by how much that is enlarged."""
    for stage in stages:
        source = _source(tracer, stage)
        if stage.relation is Relation.MAIN:
            _propose_sides(tracer, source, drafts, stage.relation)
            _propose_amount(tracer, stage, drafts)
        elif stage.relation is Relation.AGAIN:
            _propose_sides(tracer, source, drafts, stage.relation)
    _propose_scale(tracer, stages, nodes, drafts)


def _source(tracer: Tracer, stage: Stage) -> Visit | None:
    """What decides on the size that a sampler gets: rather the latent than a picture that it is made of."""
    sized = [visit for visit in stage.start if _has_size(tracer, visit.node, stage.relation)]
    return next((visit for visit in sized if visit.type == "LATENT"), next(iter(sized), None))


def _has_size(tracer: Tracer, node: Node, relation: Relation) -> bool:
    # With a place it crops or pastes.
    is_sized = all(_side(node, side) for side in _SIDES) and "x" not in node.inputs
    return is_sized and (relation is Relation.AGAIN or not tracer.links(node, "LATENT"))


def _side(node: Node, side: str) -> str:
    """What a node calls its width or height."""
    return side if side in node.inputs else next((name for name in node.inputs if name.endswith(f"_{side}")), "")


def _propose_sides(tracer: Tracer, source: Visit | None, drafts: Drafts, relation: Relation) -> None:
    if source is None:
        return
    for side in _SIDES:
        drafts.add(
            f"{relation.prefix}{side}",
            InputType.INT,
            [tracer.spot(source.node, _side(source.node, side), is_certain=source.is_certain)],
            reason=f"`{_side(source.node, side)}` of {label(source.node)}, which gives the latent its size",
            title=f"{side.capitalize()}{relation.words}",
            help_text="Pixels",
            group=relation.group("Size"),
            # A picture may be scaled again; a latent has its size.
            confidence=Confidence.HIGH if source.type == "LATENT" else Confidence.MEDIUM,
        )


def _propose_amount(tracer: Tracer, stage: Stage, drafts: Drafts) -> None:
    makers = [visit for visit in stage.start if not tracer.links(visit.node, "LATENT")]
    repeaters = [visit for visit in stage.start if visit.node.class_type == "RepeatLatentBatch"]
    count = _first_spot(tracer, makers, ("batch_size",)) or _first_spot(tracer, repeaters, ("amount",))
    _add_number(tracer, drafts, "count", count, title="Count", help_text="Pictures that are made at once")
    length = _first_spot(tracer, makers, _LENGTHS)
    _add_number(tracer, drafts, "length", length, title="Length", help_text="Frames")


def _propose_scale(tracer: Tracer, stages: Sequence[Stage], nodes: Sequence[Node], drafts: Drafts) -> None:
    """Factors of enlarging between samplers; of a graph without samplers, wherever it is."""
    again = [stage for stage in stages if stage.relation is Relation.AGAIN]
    places = [visit for stage in again for visit in stage.start]
    places += [Visit(node=node, type="", is_certain=False) for stage in again for node in [stage.sampler]]
    if not stages:
        places = [Visit(node=node, type="", is_certain=False) for node in nodes]
    spot = _first_spot(tracer, places, _SCALES)
    group = "Second pass" if stages else ""
    _add_number(tracer, drafts, "scale", spot, title="Scale", help_text="Factor for width and height", group=group)


def _first_spot(tracer: Tracer, visits: Iterable[Visit], names: Sequence[str]) -> Spot | None:
    for visit in visits:
        for name in names:
            spot = tracer.spot(visit.node, name, is_certain=visit.is_certain)
            if spot is not None:
                return spot
    return None


def _add_number(
    tracer: Tracer, drafts: Drafts, name: str, spot: Spot | None, *, title: str, help_text: str, group: str = "Size"
) -> None:
    if spot is not None:
        node = tracer.graph.nodes[spot.target.node_id]
        type_ = InputType.FLOAT if name == "scale" else InputType.INT
        reason = f"`{spot.target.input_name}` of {label(node)}"
        drafts.add(name, type_, [spot], reason=reason, title=title, help_text=help_text, group=group)
