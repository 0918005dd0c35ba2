"""The pictures and masks that a graph gets from the caller. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from imagegen_adapters.graphs.graph import Link, Node
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.proposing.drafts import Drafts, label
from imagegen_adapters.graphs.proposing.stages import Stage
from imagegen_adapters.graphs.proposing.texts import conditioning_walk
from imagegen_adapters.graphs.proposing.tracing import Spot, Tracer, Visit

_MOST_PICTURES: Final = 15
"""To start from, and as many others: with a mask that is within the 32 that a job can bring along."""
_MOST_MASKED: Final = 16
_MASK_LOADERS: Final = frozenset({"LoadImage", "LoadImageMask"})
"""Of which is known how to make them take such a mask, whatever the graph has them look at."""
_ALPHA_SLOT: Final = 1
"""Of LoadImage: the mask that the picture itself holds."""
_GENERIC_TITLE: Final = re.compile(r"load ?image.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """A loaded picture of which a mask is made."""

    loader: Visit
    is_inverted: bool
    """Whether the graph keeps what others repaint."""


def propose_pictures(tracer: Tracer, stages: Sequence[Stage], nodes: Sequence[Node], drafts: Drafts) -> None:
    """`init_image`, `mask`, then all further pictures that the graph loads."""
    told = _propose_start(tracer, stages[0], drafts) if stages else set[str]()
    others = [node for node in nodes if node.node_id not in told and _picture(tracer, node) is not None]
    masks_only = _masks_only(nodes)
    for node in others[:_MOST_PICTURES]:
        # Nothing is certain about what a picture is for that no sampler starts from.
        visit = Visit(node=node, type="IMAGE", is_certain=False)
        if node.node_id in masks_only or "channel" in node.inputs:
            _add_mask(tracer, _Mask(loader=visit, is_inverted=False), drafts, reason=f"{label(node)} loads a mask")
        else:
            is_known = _is_known_file(_picture(tracer, node))
            _add_picture(tracer, visit, drafts, reason=f"{label(node)} loads a picture", required=not is_known)


def _propose_start(tracer: Tracer, stage: Stage, drafts: Drafts) -> set[str]:
    """The pictures and the mask that a sampler starts from. Gives the nodes that load them."""
    loaders = [visit for visit in stage.start if _picture(tracer, visit.node) is not None][:_MOST_PICTURES]
    mask = next(_masks(tracer, stage), None)
    for visit in loaders:
        reason = f"{label(visit.node)} gives what {label(stage.sampler)} starts from"
        help_text = ""
        if mask is not None and mask.loader.node is visit.node:
            help_text = f"Its {'opaque' if mask.is_inverted else 'transparent'} parts are repainted"
        _add_picture(tracer, visit, drafts, reason=reason, help_text=help_text)
    if mask is not None:
        reason = f"{label(mask.loader.node)} gives the mask of what {label(stage.sampler)} starts from"
        _add_mask(tracer, mask, drafts, reason=reason)
    return {visit.node.node_id for visit in loaders} | ({mask.loader.node.node_id} if mask is not None else set())


def _add_picture(
    tracer: Tracer, visit: Visit, drafts: Drafts, *, reason: str, help_text: str = "", required: bool = True
) -> None:
    title = visit.node.title
    drafts.add(
        "init_image",
        InputType.IMAGE,
        [_picture(tracer, visit.node, is_certain=visit.is_certain)],
        reason=reason,
        title="Picture" if _GENERIC_TITLE.fullmatch(title) else title,
        help_text=help_text,
        required=required,
    )


def _add_mask(tracer: Tracer, mask: _Mask, drafts: Drafts, *, reason: str) -> None:
    """A mask that is white where the picture is to be repainted."""
    if mask.is_inverted or mask.loader.node.class_type not in _MASK_LOADERS:
        # What is loaded for the mask alone can still be given, as the graph wants it.
        _add_picture(tracer, mask.loader, drafts, reason=reason, help_text="A mask, as the graph wants it")
        return
    drafts.add(
        "mask",
        InputType.MASK,
        [_picture(tracer, mask.loader.node, is_certain=mask.loader.is_certain)],
        reason=reason,
        title="Mask",
        help_text="White is repainted",
    )


def _masks(tracer: Tracer, stage: Stage) -> Iterator[_Mask]:
    """The masks that lie over what a sampler starts from."""

    def follow(node: Node) -> Sequence[Link]:
        # Of a picture, only what turns it into a mask as it is: what looks for something in it makes one of its own.
        is_picture = node.class_type == "ImageToMask" or not tracer.gives(node, "MASK")
        return tracer.links(node, "MASK") or (tracer.links(node, "IMAGE") if is_picture else [])

    pictures = {visit.node.node_id for visit in stage.start}
    masked = (visit for visit in (*stage.start, *conditioning_walk(tracer, stage)) if tracer.links(visit.node, "MASK"))
    for start in islice(masked, _MOST_MASKED):
        is_inverted = False
        starts = [(start.node, link, start.is_certain) for link in tracer.links(start.node, "MASK")]
        for visit in tracer.walk(starts, follow):
            is_inverted ^= "invert" in visit.node.class_type.lower()
            is_apart = visit.type == "MASK" or visit.node.node_id not in pictures
            if is_apart and _picture(tracer, visit.node) is not None:
                yield _Mask(loader=visit, is_inverted=is_inverted)


def _masks_only(nodes: Sequence[Node]) -> set[str]:
    """Nodes of which nothing but the second output is used."""
    slots: dict[str, set[int]] = {}
    for node in nodes:
        for link in node.links:
            slots.setdefault(link.source, set()).add(link.slot)
    return {node_id for node_id, used in slots.items() if used == {_ALPHA_SLOT}}


def _picture(tracer: Tracer, node: Node, *, is_certain: bool = True) -> Spot | None:
    """Where a loader of pictures has its file; None: it is none."""
    if not tracer.gives(node, "IMAGE", "MASK"):
        return None
    is_unknown = tracer.classes.find(node.class_type) is None
    for name, value in node.inputs.items():
        kind = tracer.kind(node, name)
        takes_picture = kind is not None and kind.upload == "image"
        if isinstance(value, str) and (takes_picture or (is_unknown and _is_named_loader(node, name))):
            return tracer.spot(node, name, is_certain=is_certain)
    return None


def _is_named_loader(node: Node, input_name: str) -> bool:
    return input_name == "image" and _GENERIC_TITLE.fullmatch(node.class_type) is not None


def _is_known_file(spot: Spot | None) -> bool:
    """Whether the backend has the file that the graph names."""
    return spot is not None and spot.kind is not None and spot.value in (spot.kind.options or ())
