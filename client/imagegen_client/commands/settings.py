"""`imagegen settings`: what can be set while everything runs."""

import difflib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, TypeAlias

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from imagegen.v1.settings_pb2 import Settings, SettingsChange, UpdateSettingsResponse
from imagegen_client.client import Client
from imagegen_client.commands.printing import give, give_json, give_table, local_time, message_as_json
from imagegen_client.commands.session import AsJson, is_alone, run
from imagegen_client.commands.wording import either, instead
from imagegen_client.specs import whole_numbers

app = typer.Typer(invoke_without_command=True)

_GROUPS: dict[str, Any] = {group.name: group.message_type for group in Settings.DESCRIPTOR.fields}
FIELDS: dict[str, FieldDescriptor] = {
    f"{name}.{field.name}": field for name, group in _GROUPS.items() for field in group.fields
}
"""What can be set, by its path."""

Paths: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="As `imagegen settings` shows them, or a whole group.")
]
ExpectedVersion: TypeAlias = Annotated[
    int, typer.Option(min=0, metavar="VERSION", help="Only if nobody has changed anything since.", show_default=False)
]


@app.callback()
def settings(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what counts now, and what of it was set here; set and unset it. The rest is in imagegen.toml."""
    if not is_alone(context):
        return

    async def body(client: Client) -> None:
        answer = await client.settings()
        if as_json:
            give_json({"settings": message_as_json(answer)})
            return
        effective, stored = _values(answer.effective), _values(answer.stored)
        rows = [[path, _shown(path, effective.get(path)), "set here" if path in stored else ""] for path in FIELDS]
        give(f"version {answer.version}")
        give_table(["SETTING", "VALUE", ""], rows)

    run(context, body, as_json=as_json)


@app.command("set")
def set_settings(
    context: typer.Context,
    assignments: Annotated[list[str], typer.Argument(metavar="PATH=VALUE...", help="As defaults.steps=30.")],
    expected_version: ExpectedVersion = 0,
    as_json: AsJson = False,
) -> None:
    """Set something. Lists are separated by commas; owners are JSON."""
    wanted, mask = Settings(), []
    for assignment in assignments:
        path, separator, text = assignment.partition("=")
        if not separator:
            raise typer.BadParameter(f"{assignment!r} is no PATH=VALUE, as defaults.steps=30")
        _check(path, FIELDS)
        _set(wanted, path, text)
        mask.append(path)
    _update(context, wanted, mask, expected_version, as_json=as_json)


@app.command()
def unset(context: typer.Context, paths: Paths, expected_version: ExpectedVersion = 0, as_json: AsJson = False) -> None:
    """Let things be as imagegen.toml says, or else as built in."""
    for path in paths:
        _check(path, [*FIELDS, *_GROUPS])
    _update(context, Settings(), paths, expected_version, as_json=as_json)


def _check(path: str, known: Collection[str]) -> None:
    if path in known:
        return
    alike = difflib.get_close_matches(_last(path), [_last(name) for name in known])
    meant = [name for name in known if _last(name) in alike]
    raise typer.BadParameter(f"there is no setting {path!r}; {either(meant) if meant else instead(path, known)}")


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _update(context: typer.Context, wanted: Settings, mask: Sequence[str], version: int, *, as_json: bool) -> None:
    async def body(client: Client) -> None:
        answer: UpdateSettingsResponse = await client.update_settings(
            wanted, update_mask=mask, expected_version=version
        )
        if as_json:
            give_json({"settings": message_as_json(answer)})
            return
        effective = _values(answer.effective)
        for path in FIELDS:
            if path in mask or path.partition(".")[0] in mask:
                give(f"{path}={_shown(path, effective.get(path))}")

    run(context, body, as_json=as_json)


@app.command()
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the changes, newest first: who set what to what."""

    async def body(client: Client) -> None:
        changes = await client.settings_changes(limit=limit)
        if as_json:
            for change in changes:
                give_json({"change": message_as_json(change)})
            return
        rows = [row for change in changes for row in _change_rows(change)]
        give_table(["VERSION", "WHEN", "WHO", "SETTING", "BEFORE", "AFTER"], rows, optional={"WHO"})

    run(context, body, as_json=as_json)


def _change_rows(change: SettingsChange) -> Iterator[list[str]]:
    before, after = _values(change.before), _values(change.after)
    for path in change.paths:
        said = [_shown(path, values.get(path)) if path in values else "(not set)" for values in (before, after)]
        yield [str(change.version), local_time(change.time), change.owner, path, *said]


def _values(settings: Settings) -> dict[str, Any]:
    """The values by path, as JSON has them; what is not set is not there."""
    groups = whole_numbers(MessageToDict(settings, preserving_proto_field_name=True))
    return {f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()}


def _shown(path: str, value: Any) -> str:
    """As it would be said to `set`."""
    match value:
        case None:
            return ""
        case dict() if not value:
            return "(none)"
        case {"patterns": list(patterns)}:
            return ", ".join(patterns)
        case {"owners": dict(owners)}:
            return json.dumps(owners)
        case str():
            return value.removeprefix(_prefix(FIELDS[path])).lower() if _prefix(FIELDS[path]) else value
        case _:
            return json.dumps(value)


def _set(settings: Settings, path: str, text: str) -> None:
    group, _, name = path.partition(".")
    try:
        ParseDict({group: {name: _value(FIELDS[path], text)}}, settings)
    except (ParseError, ValueError, RecursionError):
        raise typer.BadParameter(f"{path} takes {_kind(FIELDS[path])}, not {text!r}") from None


def _value(field: FieldDescriptor, text: str) -> Any:
    """What JSON has for it. Raises ValueError."""
    if field.message_type is None:
        return _prefix(field) + text.upper().removeprefix(_prefix(field)) if _prefix(field) else text
    if field.message_type.name == "PatternList":
        return {"patterns": [part.strip() for part in text.split(",") if part.strip()]}
    return {"owners": json.loads(text)}


def _prefix(field: FieldDescriptor) -> str:
    """What the names of an enum's values begin with; empty: it is none."""
    return "" if field.enum_type is None else field.enum_type.values[0].name.removesuffix("UNSPECIFIED")


def _kind(field: FieldDescriptor) -> str:
    """What a field takes, in a few words."""
    if field.message_type is not None:
        return 'JSON, as {"anna": {"weight": 2, "max_queued_jobs": 10, "max_running_jobs": 1}}'
    if field.enum_type is not None:
        names = [value.name.removeprefix(_prefix(field)).lower() for value in field.enum_type.values[1:]]
        return " or ".join(names)
    is_float = field.cpp_type in {field.CPPTYPE_DOUBLE, field.CPPTYPE_FLOAT}
    return "a number" if is_float else "a whole number from 0"
