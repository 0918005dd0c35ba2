"""The texts that reach a sampler's `positive` and `negative`. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from imagegen_adapters.graphs.graph import Link, Node, is_link
from imagegen_adapters.graphs.inputs import Confidence, InputType, Target
from imagegen_adapters.graphs.proposing.drafts import Drafts, label
from imagegen_adapters.graphs.proposing.stages import Stage
from imagegen_adapters.graphs.proposing.tracing import Spot, Tracer, Visit

_POSITIVE: Final = re.compile(r"(^|_)pos(itive)?(_|\d|$)")
# The second of DualCFGGuider lies between both sides; what it has of text, it has of the negative one.
_NEGATIVE: Final = re.compile(r"(^|_)neg(ative)?(_|\d|$)|^cond2$")
_MOST_ENCODERS: Final = 64
_MOST_PIECES: Final = 32
"""Nodes that one text is put together of."""
_OF_A_PART: Final = re.compile(r"ConditioningSet(Area|Mask|Properties|TimestepRange)")
_NO_PROMPT: Final = frozenset(
    {"delimiter", "separator", "find", "replace", "regex_pattern", "substring", "filename_prefix", "lora_name"}
)
"""Inputs of nodes between a text and its encoder that shape it and are no text of their own."""
_TITLE_OF_CORE: Final = re.compile(r"clip ?text ?encode.*|text ?encode.*|.*string.*|.*primitive.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    """A literal that an encoder gets."""

    spot: Spot
    text: str
    writer: Node
    """The node that it stands in."""
    encoder: Node
    field: str
    """The encoder's input that it goes to."""
    stage: Stage


def propose_texts(tracer: Tracer, stages: Sequence[Stage], drafts: Drafts) -> None:
    """`prompt` and `negative_prompt`, as many as there are different ones.

    The positive ones come first: a text that both sides are made of is a prompt.
    """
    _propose(tracer, stages, drafts, name="prompt", title="Prompt", opposite=_NEGATIVE)
    _propose(tracer, stages, drafts, name="negative_prompt", title="Negative prompt", opposite=_POSITIVE)


def conditioning_walk(
    tracer: Tracer, stage: Stage, *, opposite: re.Pattern[str] = _NEGATIVE, whole_only: bool = False
) -> Iterator[Visit]:
    """The nodes that make one side of a sampler's conditioning; if asked, only what counts for the whole picture."""

    def follow(node: Node) -> Sequence[Link]:
        # What a zeroed one gives is empty, whatever it is made of.
        is_left_out = node.class_type == "ConditioningZeroOut" or (whole_only and _OF_A_PART.match(node.class_type))
        return [] if is_left_out else sided(node)

    def sided(node: Node) -> Sequence[Link]:
        links = tracer.links(node, "CONDITIONING")
        return [link for link in links if not opposite.search(link.input_name.lower())]

    def entering(node: Node) -> Sequence[Link]:
        # A guider without a negative side calls its only one `conditioning`.
        is_negative = opposite is _POSITIVE
        return [link for link in sided(node) if not is_negative or _NEGATIVE.search(link.input_name.lower())]

    return tracer.walk(stage.starts(entering), follow)


def _propose(
    tracer: Tracer, stages: Sequence[Stage], drafts: Drafts, *, name: str, title: str, opposite: re.Pattern[str]
) -> None:
    texts: dict[Target, _Text] = {}
    for stage in stages:
        # The first one is what people mean by the prompt.
        for whole_only in (True, False):
            visits = conditioning_walk(tracer, stage, opposite=opposite, whole_only=whole_only)
            encoders = (visit for visit in visits if _is_encoder(tracer, visit.node))
            for visit in islice(encoders, _MOST_ENCODERS):
                for text in _texts(tracer, visit, stage, opposite):
                    texts.setdefault(text.spot.target, text)
    groups = _grouped(tuple(texts.values()))
    for group in groups:
        first = group[0]
        side = "negative" if opposite is _POSITIVE else "positive"
        fields = {text.field for text in texts.values() if text.encoder is first.encoder}
        drafts.add(
            name,
            InputType.TEXT,
            [text.spot for text in group],
            reason=f"the text that {label(first.encoder)} encodes for `{side}` of {label(first.stage.sampler)}",
            title=title if len(groups) == 1 else _title(first, title),
            help_text=f"For `{first.field}` of {label(first.encoder)}" if len(fields) > len(group) else "",
            confidence=Confidence.HIGH if len(groups) == 1 else Confidence.MEDIUM,
        )


def _is_encoder(tracer: Tracer, node: Node) -> bool:
    return bool(tracer.links(node, "CLIP") or not tracer.links(node, "CONDITIONING"))


def _texts(tracer: Tracer, visit: Visit, stage: Stage, opposite: re.Pattern[str]) -> Iterator[_Text]:
    """The literals that an encoder encodes."""
    node = visit.node
    found = [
        _Text(spot=spot, text=str(spot.value), writer=writer, encoder=node, field=name, stage=stage)
        for name in _text_fields(tracer, node)
        if not opposite.search(name.lower())
        for spot, writer in _literals(tracer, node, name, is_certain=visit.is_certain)
    ]

    def rank(text: _Text) -> tuple[bool, bool, bool, int]:
        # What is put around a text comes after it. Of several models in one encoder CLIP gets the gist only, and what
        # the other one (T5, Llama) reads makes the picture; else the longest text is what people mean.
        is_around, is_gist = bool(tracer.links(text.writer, "STRING")), text.field.startswith("clip_")
        return is_around, not text.text.strip(), is_gist, -len(text.text)

    yield from sorted(found, key=rank)


def _literals(tracer: Tracer, node: Node, name: str, *, is_certain: bool) -> Iterator[tuple[Spot, Node]]:
    """Where the text of an input is written: in place, or in the nodes that it is put together of."""

    def written(writer: Node, field: str, is_certain: bool) -> Iterator[tuple[Spot, Node]]:
        spot = tracer.own_spot(writer, field, is_certain=is_certain)
        if spot is not None and isinstance(spot.value, str):
            yield spot, writer

    if not is_link(node.inputs[name]):
        yield from written(node, name, is_certain)
        return
    starts = [(node, link, is_certain) for link in node.links if link.input_name == name]
    visits = tracer.walk(starts, lambda source: tracer.links(source, "STRING"))
    for visit in islice(visits, _MOST_PIECES):
        for field in _text_fields(tracer, visit.node):
            yield from written(visit.node, field, visit.is_certain)


def _text_fields(tracer: Tracer, node: Node) -> list[str]:
    """The inputs of a node that take text for people to write."""
    fields = [name for name in node.inputs if tracer.type_of(node, name) == "STRING" and name not in _NO_PROMPT]
    long = [name for name in fields if (kind := tracer.kind(node, name)) is not None and kind.is_multiline]
    return long or fields


def _grouped(texts: Sequence[_Text]) -> list[list[_Text]]:
    """Texts that are set together: equal ones, and empty ones beside another text of the same encoder."""
    groups: dict[str, list[_Text]] = {}
    spoken: dict[str, str] = {}
    for text in texts:
        if text.text.strip():
            spoken.setdefault(text.encoder.node_id, text.text)
    for text in texts:
        key = text.text if text.text.strip() else spoken.get(text.encoder.node_id, "")
        groups.setdefault(key, []).append(text)
    return list(groups.values())


def _title(text: _Text, title: str) -> str:
    """What tells one of several texts from the others."""
    own = text.writer.title
    if own != text.writer.class_type and not _TITLE_OF_CORE.fullmatch(own):
        return own
    return f"{title}{text.stage.relation.words}"
