"""The samplers of a graph, whatever their class, and how they build upon each other. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final

from imagegen_adapters.graphs.graph import Link, Node
from imagegen_adapters.graphs.proposing.tracing import Spot, Start, Tracer, Visit

_MOST_STAGES: Final = 8
"""Nobody asks for more settings than those of so many samplers; it also bounds the walks."""
_MOST_SETTINGS: Final = 16
_SETTING_TYPES: Final = ("NOISE", "GUIDER", "SAMPLER", "SIGMAS")
_SAMPLER_INPUTS: Final = frozenset({"seed", "noise_seed", "steps", "sigmas", "noise", "sampler_name"})


class Relation(Enum):
    """How a sampler stands to those before it."""

    MAIN = "main"
    """The first of the graph."""
    CONTINUED = "continued"
    """It goes on where another one stopped, without noise of its own."""
    AGAIN = "again"
    """It works over what another one has made."""
    BESIDE = "beside"
    """It has nothing to do with the others."""

    @property
    def prefix(self) -> str:
        """What the names of its own inputs begin with."""
        return {Relation.CONTINUED: "refiner_", Relation.AGAIN: "hires_"}.get(self, "")

    @property
    def words(self) -> str:
        """What their titles end with."""
        return {Relation.CONTINUED: " (refiner)", Relation.AGAIN: " (second pass)"}.get(self, "")

    def group(self, main: str) -> str:
        """The heading over its own inputs, where those of the first sampler stand under `main`."""
        if self is Relation.MAIN:
            return main
        return "Other samplers" if self is Relation.BESIDE else "Second pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A sampler with the nodes that hold its settings: noise, guider, sampler, sigmas."""

    sampler: Node
    relation: Relation
    settings: tuple[Visit, ...]
    """Without the sampler itself."""
    start: tuple[Visit, ...]
    """What its latent is made of, up to other samplers."""
    before: tuple[Node, ...]
    """The samplers that its latent comes from."""

    @property
    def nodes(self) -> Iterator[tuple[Node, bool]]:
        """The nodes that hold its settings, and whether the way there is certain."""
        yield self.sampler, True
        for visit in self.settings:
            yield visit.node, visit.is_certain

    def starts(self, pick: Callable[[Node], Iterable[Link]]) -> Iterator[Start]:
        """The links of its nodes that are to be followed."""
        for node, is_certain in self.nodes:
            for link in pick(node):
                yield node, link, is_certain

    def spot(self, tracer: Tracer, *names: str) -> Spot | None:
        """A setting, by the first of these names that one of the nodes has."""
        for node, is_certain in self.nodes:
            for name in names:
                spot = tracer.spot(node, name, is_certain=is_certain)
                if spot is not None:
                    return spot
        return None


def find_stages(tracer: Tracer, nodes: Sequence[Node]) -> tuple[Stage, ...]:
    """The samplers among nodes that are in the order of their execution, in that order.

    Left out are those that only prepare what another one needs, as the picture of a hint.
    """
    samplers = [node for node in nodes if _is_sampler(tracer, node)]
    ids = {node.node_id for node in samplers}
    found = samplers[:_MOST_STAGES]
    starts = {node.node_id: tuple(_start(tracer, node, ids)) for node in found}
    before = {
        node_id: tuple(visit.node for visit in visits if visit.node.node_id in ids)
        for node_id, visits in starts.items()
    }
    helpers = _helpers(tracer, found, before)
    stages: list[Stage] = []
    on_main = set[str]()
    for sampler in found:
        if sampler.node_id not in helpers:
            settings = tuple(_settings(tracer, sampler))
            start, earlier = starts[sampler.node_id], before[sampler.node_id]
            goes_on = any(node.node_id in on_main for node in earlier)
            relation = _relation(sampler, settings, is_first=not stages, goes_on=goes_on)
            if relation is not Relation.BESIDE:
                on_main.add(sampler.node_id)
            stages.append(Stage(sampler=sampler, relation=relation, settings=settings, start=start, before=earlier))
    return tuple(stages)


def _relation(sampler: Node, settings: Sequence[Visit], *, is_first: bool, goes_on: bool) -> Relation:
    if is_first:
        return Relation.MAIN
    if not goes_on:
        return Relation.BESIDE
    adds_none = sampler.inputs.get("add_noise") in ("disable", False)
    if adds_none or any(visit.node.class_type == "DisableNoise" for visit in settings):
        return Relation.CONTINUED
    return Relation.AGAIN


def _helpers(tracer: Tracer, samplers: Sequence[Node], before: Mapping[str, Sequence[Node]]) -> set[str]:
    """The samplers of which another one needs the picture, but does not go on from it."""

    def follow(node: Node) -> Sequence[Link]:
        gives_image = tracer.gives(node, "IMAGE")
        return [link for link in node.links if gives_image or tracer.type_of(node, link.input_name) != "LATENT"]

    helpers = set[str]()
    for sampler in samplers:
        needed = {
            visit.node.node_id for visit in tracer.walk([(sampler, link, True) for link in follow(sampler)], follow)
        }
        helpers |= (needed & before.keys()) - _line(sampler.node_id, before)
    return helpers


def _line(sampler_id: str, before: Mapping[str, Sequence[Node]]) -> set[str]:
    """The samplers whose latents go into that of this one, with what goes into theirs."""
    line = set[str]()
    pending = [sampler_id]
    while pending:
        for node in before.get(pending.pop(), ()):
            if node.node_id not in line:
                line.add(node.node_id)
                pending.append(node.node_id)
    return line


def _is_sampler(tracer: Tracer, node: Node) -> bool:
    """Whether it makes a latent, or a picture, of one by a model: what no other kind of node takes and gives."""
    if not _SAMPLER_INPUTS & node.inputs.keys() or not tracer.gives(node, "LATENT", "IMAGE"):
        return False
    types = {type_ for link in node.links for type_ in tracer.type_of(node, link.input_name).split(",")}
    is_guided = "GUIDER" in types or {"MODEL", "CONDITIONING"} <= types
    return is_guided and bool({"LATENT", "IMAGE"} & types)


def _settings(tracer: Tracer, sampler: Node) -> Iterable[Visit]:
    def follow(node: Node) -> Sequence[Link]:
        return tracer.links(node, *_SETTING_TYPES)

    return islice(tracer.walk([(sampler, link, True) for link in follow(sampler)], follow), _MOST_SETTINGS)


def _start(tracer: Tracer, sampler: Node, samplers: set[str]) -> Iterable[Visit]:
    def follow(node: Node) -> Sequence[Link]:
        return [] if node.node_id in samplers else tracer.links(node, "LATENT", "IMAGE")

    latents = tracer.links(sampler, "LATENT") or tracer.links(sampler, "IMAGE")
    return tracer.walk([(sampler, link, True) for link in latents], follow)
