"""Whether what an input of a node holds fits it: a value, a link, a file. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from imagegen_adapters.graphs.graph import Link
from imagegen_adapters.graphs.naming import UnknownName, is_model_file, shown
from imagegen_adapters.graphs.node_classes import InputKind, NodeClass, Scalar, fits, types_of
from imagegen_adapters.graphs.problems import ProblemCode

_MODEL_INPUTS: Final = frozenset(
    f"{kind}_name"
    for kind in (
        *("ckpt", "lora", "vae", "unet", "clip", "control_net", "model", "style_model", "gligen"),
        *("hypernetwork", "photomaker_model", "audio_encoder"),
    )
)
# What only ever comes out of another node. Other types may have a field in somebody's extension of the page.
_LINKED_TYPES: Final = frozenset(
    [
        "MODEL",
        "CLIP",
        "VAE",
        "CONDITIONING",
        "LATENT",
        "IMAGE",
        "MASK",
        "CONTROL_NET",
        "CLIP_VISION",
        "CLIP_VISION_OUTPUT",
        "STYLE_MODEL",
        "GLIGEN",
        "UPSCALE_MODEL",
        "SAMPLER",
        "SIGMAS",
        "NOISE",
        "GUIDER",
    ]
)

_FILE_TYPES: Final = frozenset({"COMBO", "STRING", "*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why something does not fit its input."""

    code: ProblemCode
    description: str = ""
    is_certain: bool = True
    """Whether ComfyUI refuses it, too, whatever the class is."""
    unknown: UnknownName | None = None
    """What there is not; the description goes on from there."""

    @property
    def sentence(self) -> str:
        return f"{self.unknown.sentence if self.unknown is not None else ''}{self.description}"


def is_model_choice(input_name: str, value: object = "") -> bool:
    """Whether an input chooses a model: by its name, as "lora_name" or "clip_name2", or by a value that is a file."""
    return input_name.rstrip("0123456789") in _MODEL_INPUTS or (isinstance(value, str) and is_model_file(value))


def link_misfit(link: Link, label: str, source: NodeClass, node_class: NodeClass | None) -> Misfit | None:
    """What is wrong with a link to a node of class `source`, which messages call `label`.

    `node_class` is that of the node with the input, if it is known.
    """
    count = len(source.outputs)
    # Negative ones count from the end, as the server's own list does.
    if not -count <= link.slot < count:
        description = f"is linked to output {link.slot} of {label}, which has {count} of them"
        return Misfit(code=ProblemCode.LINK_DANGLING, description=description, is_certain=source.is_core)
    kind = node_class.inputs.get(link.input_name) if node_class is not None else None
    given = source.outputs[link.slot].type
    if node_class is None or kind is None or fits(given, kind.type):
        return None
    description = f"takes {kind.type}, and output {link.slot} of {label} is {given}"
    is_certain = source.is_core and node_class.is_core
    return Misfit(code=ProblemCode.LINK_OF_WRONG_TYPE, description=description, is_certain=is_certain)


def upload_misfit(kind: InputKind) -> Misfit | None:
    """What is wrong with uploading a file for an input."""
    if types_of(kind.type) & _FILE_TYPES:
        return None
    return Misfit(code=ProblemCode.VALUE_OF_WRONG_TYPE, description=f"takes {kind.type}, no file")


def absence_misfit(name: str, node_class: NodeClass) -> Misfit | None:
    """What is wrong with a declared input that is not there."""
    kind = node_class.inputs[name]
    if not kind.is_required or kind.is_growing:
        return None
    return Misfit(code=ProblemCode.INPUT_MISSING, description=f"is missing; {node_class.name} needs it")


def stranger_misfit(name: str, node_class: NodeClass, *, is_upload: bool) -> Misfit | None:
    """What is wrong with an input that its class does not declare: the server drops it without a word."""
    if node_class.find_input(name) is not None or name in node_class.hidden or _is_of_page(name, node_class):
        return None
    unknown = UnknownName(what="input", name=name, allowed=node_class.inputs)
    # A picture of the caller's must not be dropped; classes of somebody else may make inputs as they are needed.
    is_certain = is_upload and node_class.is_core
    return Misfit(code=ProblemCode.INPUT_UNKNOWN, unknown=unknown, is_certain=is_certain)


def _is_of_page(name: str, node_class: NodeClass) -> bool:
    """Older pages left the name of their upload button in the graph."""
    return name == "upload" and any(kind.is_upload for kind in node_class.inputs.values())


def value_misfit(value: Any, name: str, node_class: NodeClass) -> Misfit | None:
    """What is wrong with a value that is no link. None: nothing that is known."""
    kind = node_class.inputs[name]
    if isinstance(value, list):
        return Misfit(
            code=ProblemCode.VALUE_OF_WRONG_TYPE,
            description='must be a link, as ["4", 0]: a node\'s id, which is a text, and the number of its output',
        )
    if isinstance(value, dict) and "__value__" in value:  # so the page wraps lists, which would be links otherwise
        value = value["__value__"]
    match kind.type:
        case "INT" | "FLOAT":
            return _number_misfit(value, kind, node_class)
        case "COMBO":
            return _choice_misfit(value, name, node_class)
        case kind_type if kind_type in _LINKED_TYPES and value is not None:
            # The server takes it, and the node fails with it.
            return Misfit(
                code=ProblemCode.VALUE_OF_WRONG_TYPE,
                description=f"must be a link to a node that gives {kind_type}",
                is_certain=False,
            )
        case _:
            return None


def _number_misfit(value: Any, kind: InputKind, node_class: NodeClass) -> Misfit | None:
    number = _as_number(value, kind)
    if number is None:
        expected = "a whole number" if kind.type == "INT" else "a number"
        return Misfit(code=ProblemCode.VALUE_OF_WRONG_TYPE, description=f"must be {expected}, not {shown(value)}")
    if kind.minimum is not None and number < kind.minimum:
        description = f"{shown(number)} is below the smallest value {kind.minimum}"
    elif kind.maximum is not None and number > kind.maximum:
        description = f"{shown(number)} is above the largest value {kind.maximum}"
    else:
        return None
    return Misfit(code=ProblemCode.VALUE_OUT_OF_RANGE, description=description, is_certain=node_class.is_core)


def _as_number(value: Any, kind: InputKind) -> int | float | None:
    """As the server converts it; None: it cannot."""
    try:
        if kind.type == "INT":
            return int(value)
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _choice_misfit(value: Any, name: str, node_class: NodeClass) -> Misfit | None:
    kind = node_class.inputs[name]
    if kind.options is None or kind.is_remote:
        return None
    wrong = [each for each in _chosen(value, kind) if not _is_among(each, kind.options)]
    if not wrong:
        return None
    if _is_uploaded(name, node_class):
        # Files come more often than the list is read.
        missing = _unknown("file", ProblemCode.FILE_MISSING, wrong[0], kind, is_certain=False)
        return None if _may_be_elsewhere(wrong[0]) else missing
    if is_model_choice(name, wrong[0]):
        return _unknown("model", ProblemCode.MODEL_MISSING, wrong[0], kind)
    # A class of somebody else may look at its choices by itself, and no version looks at all of the newer style.
    is_certain = node_class.is_core and kind.is_listed
    return _unknown("choice", ProblemCode.VALUE_NOT_ALLOWED, wrong[0], kind, is_certain=is_certain)


def _chosen(value: Any, kind: InputKind) -> Sequence[Any]:
    return value if kind.is_multiselect and isinstance(value, list) else [value]


def _is_among(value: Any, options: tuple[Scalar, ...]) -> bool:
    return isinstance(value, Scalar) and value in _as_set(options)


@lru_cache(maxsize=256)
def _as_set(options: tuple[Scalar, ...]) -> frozenset[Scalar]:
    return frozenset(options)


def _is_uploaded(name: str, node_class: NodeClass) -> bool:
    return node_class.inputs[name].is_upload or (node_class.name, name) == ("LoadLatent", "latent")


def _may_be_elsewhere(value: Any) -> bool:
    """The list has only the files of the folder itself, and not those of "x.png [output]"."""
    return isinstance(value, str) and ("/" in value or "\\" in value or value.endswith("]"))


def _unknown(what: str, code: ProblemCode, value: Any, kind: InputKind, *, is_certain: bool = True) -> Misfit:
    # Of people's files only those are named that may be meant.
    is_private = code is ProblemCode.FILE_MISSING
    unknown = UnknownName(what=what, name=value, allowed=kind.options or (), has_many=is_private)
    return Misfit(code=code, unknown=unknown, is_certain=is_certain)
