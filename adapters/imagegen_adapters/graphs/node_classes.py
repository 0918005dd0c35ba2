"""What a server's node classes take and give, out of `/object_info`. Pure."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from imagegen_adapters.errors import Unintelligible

Scalar = str | int | float | bool

_CHOSEN = frozenset({"COMBO", "STRING"})
_ANY = "*"
# Such a type stands for inputs that the page makes as they are needed: "images" for images.image0, images.image1, ...
_GROWING_TYPES = ("COMFY_AUTOGROW", "COMFY_DYNAMIC")
_UPLOAD = "_upload"
_BRANCH_DEPTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKind:
    """One input of a node class."""

    type: str
    """"MODEL", "INT", ...; "COMBO" for a choice, in both styles; "INT,FLOAT" for either; "*" for anything."""
    is_required: bool
    options: tuple[Scalar, ...] | None = None
    """What a choice allows; None: no choice, or one that is made elsewhere."""
    is_listed: bool = False
    """Whether the choice is of the older style, `[["a", "b"], {...}]`, which every server checks."""
    default: Any = None
    """What the page begins with; None: nothing given."""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    round: float | None = None
    """To a multiple of which the page rounds; None: it does not say."""
    is_multiline: bool = False
    tooltip: str = ""
    display: str = ""
    """How the page shows it, as "slider" or "color"; empty: as usual."""
    upload: str = ""
    """What can be uploaded for it: "image", "audio", "video", "file", ...; empty: nothing."""
    folder: str = ""
    """Of an upload: "output" or "temp" where its files are not in the server's input folder."""
    is_remote: bool = False
    """A choice that the page fetches from elsewhere."""
    is_multiselect: bool = False
    """Several of the options at once."""
    has_seed_control: bool = False
    """`control_after_generate`: the page keeps one more value after this one, as "randomize"."""
    force_input: bool = False
    """The page offers only a link, no field, although the type is that of a value."""
    is_socketless: bool = False
    """The page offers only a field, no link."""
    is_lazy: bool = False
    """What is linked to it need not run."""
    is_advanced: bool = False
    has_dynamic_prompts: bool = False
    """The page resolves {a|b} in the text before it sends it."""
    branches: Mapping[str, Mapping[str, "InputKind"]] = field(default_factory=dict)
    """Of a choice that brings inputs of its own ("mode" and then mode.width): those by option."""

    @property
    def is_upload(self) -> bool:
        """A file of one of the server's folders: `options` do not list subfolders."""
        return bool(self.upload)

    @property
    def is_growing(self) -> bool:
        """It stands for inputs that the page makes as they are needed: "images" for images.image0, ..."""
        return self.type.startswith(_GROWING_TYPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputKind:
    """One output of a node class."""

    type: str
    """As of inputs."""
    name: str
    is_list: bool = False
    """Whether what it gives is handed on piece by piece."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClass:
    """What a server says of one of its kinds of nodes."""

    name: str
    inputs: Mapping[str, InputKind]
    """In the order in which the page shows them: required ones, then optional ones. Not the hidden ones."""
    outputs: tuple[OutputKind, ...] = ()
    hidden: tuple[str, ...] = ()
    """Inputs that the server fills, as "prompt"."""
    display_name: str = ""
    """What people see on a node; empty: the name."""
    category: str = ""
    description: str = ""
    module: str = ""
    """Where it comes from: "nodes", "comfy_extras.nodes_mask", "custom_nodes.impact"; empty: not told."""
    is_output: bool = False
    """A graph needs at least one of these."""
    takes_lists: bool = False
    """Whether it gets lists whole, instead of running for each piece."""
    is_deprecated: bool = False
    is_experimental: bool = False

    @property
    def is_core(self) -> bool:
        """Whether it is ComfyUI's own, so that it takes nothing but what it says."""
        return self.module in {"", "nodes"} or self.module.startswith("comfy_extras.")

    def find_input(self, name: str) -> InputKind | None:
        """Of an input; of the growing one that it belongs to ("images" for images.image0); None: it is not declared."""
        kind = self.inputs.get(name)
        if kind is None:
            group = self.inputs.get(name.partition(".")[0])
            return group if group is not None and group.is_growing else None
        return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeClasses:
    """Every class that a server has."""

    by_name: Mapping[str, NodeClass] = field(default_factory=dict)

    def find(self, name: str) -> NodeClass | None:
        return self.by_name.get(name)

    def options(self, class_type: str, input_name: str) -> tuple[str, ...]:
        """What a choice of a class allows; nothing where there is no such class or choice."""
        node_class = self.by_name.get(class_type)
        kind = node_class.inputs.get(input_name) if node_class else None
        return tuple(str(option) for option in kind.options or ()) if kind else ()


def types_of(type_: str) -> frozenset[str]:
    """The types that a type stands for: "INT,FLOAT" is two."""
    return frozenset(each.strip() for each in type_.split(","))


def fits(given: str, taken: str) -> bool:
    """Whether an output of one type may be linked to an input of another, as far as their names tell."""
    if any(each == _ANY or each.startswith("COMFY_") for each in (given, taken)):
        return True
    given_types, taken_types = types_of(given), types_of(taken)
    if _ANY in given_types | taken_types or given_types & taken_types:
        return True
    # Choices are compared by their options, which outputs do not tell, and some are handed on as texts.
    return given_types <= _CHOSEN and taken_types <= _CHOSEN


def parse_node_classes(answer: bytes) -> NodeClasses:
    """Raises Unintelligible as `read_node_classes` does."""
    try:
        return read_node_classes(orjson.loads(answer))
    except orjson.JSONDecodeError as error:
        raise Unintelligible("the backend's answer to /object_info is no JSON") from error


def read_node_classes(answer: Any) -> NodeClasses:
    """Raises Unintelligible where the answer as a whole is something else; single odd classes are left out."""
    if not isinstance(answer, Mapping):
        raise Unintelligible("the backend's answer to /object_info is no object")
    return NodeClasses(
        by_name={
            str(name): _node_class(str(name), entry)
            for name, entry in answer.items()
            if isinstance(entry, Mapping) and isinstance(entry.get("input"), Mapping)
        }
    )


def _node_class(name: str, entry: Mapping[str, Any]) -> NodeClass:
    sections, order = entry["input"], entry.get("input_order")
    return NodeClass(
        name=name,
        inputs={
            input_name: _input(spec, is_required=section == "required")
            for section in ("required", "optional")
            for input_name, spec in _in_order(sections, order, section)
            if isinstance(spec, list) and spec
        },
        outputs=tuple(_outputs(entry)),
        hidden=tuple(input_name for input_name, _ in _in_order(sections, order, "hidden")),
        display_name=_text(entry.get("display_name")),
        category=_text(entry.get("category")),
        description=_text(entry.get("description")),
        module=_text(entry.get("python_module")),
        is_output=entry.get("output_node") is True,
        takes_lists=entry.get("is_input_list") is True,
        is_deprecated=entry.get("deprecated") is True,
        is_experimental=entry.get("experimental") is True,
    )


def _in_order(sections: Mapping[str, Any], order: Any, section: str) -> Iterator[tuple[str, Any]]:
    """The inputs of a section: JSON objects of some servers are sorted by name, so the order stands beside them."""
    inputs = sections.get(section)
    if not isinstance(inputs, Mapping):
        return
    listed = order.get(section) if isinstance(order, Mapping) else None
    names = [name for name in _sequence(listed) if isinstance(name, str) and name in inputs]
    for name in dict.fromkeys([*names, *inputs]):
        yield name, inputs[name]


def _input(spec: list[Any], *, is_required: bool, depth: int = _BRANCH_DEPTH) -> InputKind:
    kind = spec[0]
    settings: Mapping[str, Any] = spec[1] if len(spec) > 1 and isinstance(spec[1], Mapping) else {}
    # A choice is ["COMBO", {"options": [...]}] since nodes of API version 3, and [[...], {...}] before and beside.
    is_listed = isinstance(kind, list)
    choices = kind if is_listed else settings.get("options") if kind == "COMBO" else None
    uploads = [key.removesuffix(_UPLOAD) for key, on in settings.items() if key.endswith(_UPLOAD) and on is True]
    return InputKind(
        type="COMBO" if is_listed else str(kind),
        is_required=is_required,
        options=_options(choices),
        is_listed=is_listed,
        default=settings.get("default"),
        minimum=_number(settings.get("min")),
        maximum=_number(settings.get("max")),
        step=_number(settings.get("step")),
        round=_number(settings.get("round")),
        is_multiline=settings.get("multiline") is True,
        tooltip=_text(settings.get("tooltip")),
        display=_text(settings.get("display")),
        upload=uploads[0] if uploads else "",
        folder=_text(settings.get("image_folder")),
        is_remote=bool(settings.get("remote") or settings.get("remote_combo")),
        is_multiselect=bool(settings.get("multiselect") or settings.get("multi_select")),
        has_seed_control=bool(settings.get("control_after_generate")),
        force_input=settings.get("forceInput") is True,
        is_socketless=settings.get("socketless") is True,
        is_lazy=settings.get("lazy") is True,
        is_advanced=settings.get("advanced") is True,
        has_dynamic_prompts=settings.get("dynamicPrompts") is True,
        branches=dict(_branches(settings.get("options"), depth)),
    )


def _branches(options: Any, depth: int) -> Iterator[tuple[str, Mapping[str, InputKind]]]:
    for option in _sequence(options) if depth else ():
        inputs = option.get("inputs") if isinstance(option, Mapping) else None
        if isinstance(inputs, Mapping):
            yield (
                str(option.get("key")),
                {
                    name: _input(spec, is_required=section == "required", depth=depth - 1)
                    for section in ("required", "optional")
                    for name, spec in _in_order(inputs, None, section)
                    if isinstance(spec, list) and spec
                },
            )


def _outputs(entry: Mapping[str, Any]) -> Iterator[OutputKind]:
    names, lists = _sequence(entry.get("output_name")), _sequence(entry.get("output_is_list"))
    for slot, given in enumerate(_sequence(entry.get("output"))):
        kind = "COMBO" if isinstance(given, list) else str(given)
        name = names[slot] if slot < len(names) and isinstance(names[slot], str) else kind
        yield OutputKind(type=kind, name=name, is_list=slot < len(lists) and lists[slot] is True)


def _options(choices: Any) -> tuple[Scalar, ...] | None:
    """None also for options that are objects, as some custom nodes have them: what they take as a value is theirs."""
    if not isinstance(choices, list) or not all(isinstance(choice, Scalar) for choice in choices):
        return None
    return tuple(choices)


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    """None also for what is as good as no limit: infinity, and integers that no float holds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and abs(value) <= sys.float_info.max else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
