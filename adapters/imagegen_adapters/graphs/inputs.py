"""What people can set in a graph: named, typed inputs, and where their values go. Pure."""

from dataclasses import dataclass
from enum import Enum
from typing import Any


class InputType(Enum):
    """What an input takes. The same names as `imagegen.v1.WorkflowInputType`."""

    STRING = "string"
    """One line of text."""
    TEXT = "text"
    """Text of any number of lines."""
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    CHOICE = "choice"
    """One of several texts."""
    MODEL = "model"
    """A name of the list `GraphInput.model_type`."""
    IMAGE = "image"
    """A digest."""
    MASK = "mask"
    """A digest; white is repainted."""
    SEED = "seed"
    """0..2^64-1, chosen where the caller gives none."""
    LORAS = "loras"
    """A list of {"name", "weight"}. Each target is the `lora_name` of a loader, which as many loaders replace."""


@dataclass(frozen=True, slots=True)
class Target:
    """An input of a node."""

    node_id: str
    input_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphInput:
    """Something that people can set in a graph. As `imagegen.v1.WorkflowInput`, which says it in full."""

    name: str
    """A lower-case letter, then letters, digits and underscores, 64 at most."""
    type: InputType
    targets: tuple[Target, ...] = ()
    """Each of them gets the value."""
    default: Any = None
    """A JSON value; None: what the graph holds at the first target. Always None for a seed."""
    required: bool = False
    minimum: float | None = None
    """Of a number, or of a text's length; None: what the node allows."""
    maximum: float | None = None
    step: float | None = None
    """Between numbers; None: what the node says."""
    choices: tuple[str, ...] = ()
    """Of a CHOICE or MODEL; empty: what the node allows, as it is now."""
    model_type: str = ""
    """Of a MODEL: the name of a list of `Catalog`, as "checkpoints"."""
    title: str = ""
    """What people call it; empty: made from the name."""
    help: str = ""
    group: str = ""
    """Heading in forms; empty: a main input."""


class Confidence(Enum):
    """How sure a proposal is. The same names as `imagegen.v1.Confidence`."""

    LOW = "low"
    """Guessed from a name or a position."""
    MEDIUM = "medium"
    """Found by links, through nodes that are not known to pass it on unchanged, or one of several."""
    HIGH = "high"
    """Found by links from a sampler through nodes that are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An input that a graph seems to have."""

    input: GraphInput
    confidence: Confidence
    reason: str
    """A sentence that says how it was found."""
