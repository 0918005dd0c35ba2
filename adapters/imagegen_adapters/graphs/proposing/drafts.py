"""Proposals in the making: no two of one name, and no place that two of them set. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.graphs.graph import Node
from imagegen_adapters.graphs.inputs import Confidence, GraphInput, InputType, Proposal, Target
from imagegen_adapters.graphs.proposing.tracing import Spot

_MOST_INPUTS: Final = 128
_MOST_TARGETS: Final = 64
_MOST_CHOICES: Final = 1024
_MOST_LETTERS: Final = 128
"""Of a title, and of the names of a target."""
_NUMBERS: Final = (InputType.INT, InputType.FLOAT)
_GROUPS: Final = ("", "Size", "Sampling", "ControlNet", "Second pass", "Other samplers", "Models")
"""In the order in which people look at them."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """An input as far as it is known."""

    name: str
    type: InputType
    spots: list[Spot]
    reason: str
    title: str
    help: str
    group: str
    required: bool
    confidence: Confidence
    model_type: str

    def proposal(self) -> Proposal:
        first = self.spots[0]
        # A primitive allows any value: what is right is said by the input that it is linked to.
        kind = None if first.is_direct else first.kind
        is_number = kind is not None and self.type in _NUMBERS
        options = kind.options or () if kind is not None and self.type in (InputType.CHOICE, InputType.MODEL) else ()
        return Proposal(
            input=GraphInput(
                name=self.name,
                type=self.type,
                targets=tuple(spot.target for spot in self.spots)[:_MOST_TARGETS],
                required=self.required,
                minimum=kind.minimum if kind is not None and is_number else None,
                maximum=kind.maximum if kind is not None and is_number else None,
                step=kind.step if kind is not None and is_number else None,
                choices=tuple(str(option) for option in options[:_MOST_CHOICES]),
                model_type=self.model_type,
                title=self.title[:_MOST_LETTERS],
                help=self.help,
                group=self.group,
            ),
            confidence=self.confidence,
            reason=self.reason,
        )


class Drafts:
    """All inputs that were found, in the order in which they were."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []
        self._taken: set[tuple[Target, bool]] = set()
        self._names: dict[str, int] = {}
        self._titles: set[str] = set()

    def add(
        self,
        name: str,
        type_: InputType,
        spots: Iterable[Spot | None],
        *,
        reason: str,
        title: str,
        help_text: str = "",
        group: str = "",
        model_type: str = "",
        required: bool = False,
        confidence: Confidence = Confidence.HIGH,
    ) -> Draft | None:
        """A new input; None where its places are not there, or another input has them already.

        A second of the same name becomes `name_2`. It is at most as sure as the way to its places.
        """
        free = self._free(type_, spots)
        if not free:
            return None
        number = self._names[name] = self._names.get(name, 0) + 1
        title = f"{title} {number}" if number > 1 and title in self._titles else title
        self._titles.add(title)
        draft = Draft(
            name=name if number == 1 else f"{name}_{number}",
            type=type_,
            spots=free,
            reason=reason,
            title=title,
            help=help_text,
            group=group,
            required=required,
            confidence=_as_sure(confidence, free),
            model_type=model_type,
        )
        self._drafts.append(draft)
        return draft

    def join(self, draft: Draft, spots: Iterable[Spot | None]) -> None:
        """Lets an input set these places, too."""
        free = self._free(draft.type, spots)
        draft.spots += free
        draft.confidence = _as_sure(draft.confidence, free)

    def proposals(self) -> tuple[Proposal, ...]:
        drafts = sorted(self._drafts, key=lambda draft: _GROUPS.index(draft.group))
        return tuple(draft.proposal() for draft in drafts[:_MOST_INPUTS])

    def _free(self, type_: InputType, spots: Iterable[Spot | None]) -> list[Spot]:
        free = []
        for spot in spots:
            # The mask of a picture is its transparency: both are loaded in one place.
            if spot is not None and _can_hold(type_, spot.value) and _is_nameable(spot.target):
                key = (spot.target, type_ is InputType.MASK)
                if key not in self._taken:
                    self._taken.add(key)
                    free.append(spot)
        return free


def _is_nameable(target: Target) -> bool:
    return 0 < len(target.node_id) <= _MOST_LETTERS and 0 < len(target.input_name) <= _MOST_LETTERS


def _can_hold(type_: InputType, value: Any) -> bool:
    """Whether a place that holds this now is one for such values."""
    if isinstance(value, bool):
        return False
    if type_ in (InputType.INT, InputType.SEED):
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, int | float if type_ is InputType.FLOAT else str)


def _as_sure(confidence: Confidence, spots: Iterable[Spot]) -> Confidence:
    """No surer than the way to these places."""
    is_certain = all(spot.is_certain for spot in spots)
    return Confidence.MEDIUM if confidence is Confidence.HIGH and not is_certain else confidence


def label(node: Node) -> str:
    """How reasons name a node: KSampler (3)."""
    title = node.title if len(node.title) <= 48 else f"{node.title[:47]}…"
    return f"{title} ({node.node_id})"


def spelled(nodes: Sequence[Node]) -> str:
    return ", ".join(label(node) for node in nodes[:4]) + (" and more" if len(nodes) > 4 else "")
