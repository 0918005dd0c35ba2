"""What the backends allow for the inputs of a workflow, as they are now. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from imagegen_adapters.contract import Catalog
from imagegen_adapters.graphs.inputs import InputType
from imagegen_adapters.graphs.node_classes import InputKind, NodeClasses
from imagegen_server.workflows.model import Field, Workflow
from imagegen_server.workflows.values import Allowed

LISTS: Final[Mapping[str, Sequence[str]]] = {
    "model": ("checkpoints", "diffusion_models"),
    "sampler": ("samplers",),
    "scheduler": ("schedulers",),
}
"""Lists of `Catalog` that the names in fields of ImageParameters are from; those of other inputs say it themselves."""


def by_catalogs(workflow: Workflow, catalogs: Sequence[Catalog]) -> dict[str, Allowed]:
    """For a workflow that is made into ImageParameters: what any of the backends has."""
    lists = {
        field.name: LISTS.get(field.name) or (field.input.model_type,)
        for field in workflow.form
        if field.name in LISTS or field.input.model_type
    }
    names = {name: names_in(wanted, catalogs) for name, wanted in lists.items()}
    return {name: Allowed(choices=choices) for name, choices in names.items() if choices}


def by_classes(form: Iterable[Field], classes: NodeClasses) -> dict[str, Allowed]:
    """For a graph: what the inputs of its nodes allow. Of several targets what all of them do."""
    return {field.name: _united([_allowed(kind, field) for kind in _kinds(field, classes)]) for field in form}


def names_in(lists: Iterable[str], catalogs: Collection[Catalog]) -> tuple[str, ...]:
    """The names in these lists of the catalogues, each once."""
    named = (getattr(catalog, each) for each in lists for catalog in catalogs)
    return tuple(dict.fromkeys(model.name for models in named for model in models))


def _kinds(field: Field, classes: NodeClasses) -> list[InputKind]:
    """Of its targets, as far as their classes are known."""
    found = []
    for target, class_type in zip(field.input.targets, field.target_classes, strict=True):
        node_class = classes.find(class_type)
        kind = node_class.inputs.get(target.input_name) if node_class is not None else None
        if kind is not None:
            found.append(kind)
    return found


def _allowed(kind: InputKind, field: Field) -> Allowed:
    takes_choices = field.input.type in {InputType.CHOICE, InputType.MODEL, InputType.LORAS}
    is_number = kind.type in {"INT", "FLOAT"}
    return Allowed(
        choices=tuple(map(str, kind.options)) if takes_choices and kind.options is not None else None,
        minimum=kind.minimum if is_number else None,
        maximum=kind.maximum if is_number else None,
        step=kind.step if is_number else None,
    )


def _united(each: Sequence[Allowed]) -> Allowed:
    lists = [one.choices for one in each if one.choices is not None]
    steps = [one.step for one in each if one.step is not None]
    return Allowed(
        choices=_common(lists) if lists else None,
        minimum=max((one.minimum for one in each if one.minimum is not None), default=None),
        maximum=min((one.maximum for one in each if one.maximum is not None), default=None),
        step=max(steps, default=None),
    )


def _common(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, *others = lists
    common = set(first).intersection(*others)
    return tuple(choice for choice in first if choice in common)
