"""What goes where: results to stdout, everything said to a person to stderr, nothing with escape codes off a tty."""

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NoReturn, TextIO

import orjson
import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from imagegen_client.commands.exits import Exit
from imagegen_client.errors import ImagegenError
from imagegen_client.specs import whole_numbers

_WIDE = 240
"""Columns of a table that goes into a pipe, where nothing should be cut off."""


def plain(text: str) -> str:
    """Text from elsewhere, fit for a terminal: without control characters, which could make it do things."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


@contextmanager
def until_closed(stream: TextIO) -> Iterator[None]:
    """Ends the command without a word when whoever read the stream has gone."""
    try:
        yield
    except BrokenPipeError:
        _leave(stream)


def _leave(stream: TextIO) -> NoReturn:
    # What is still in the buffer is written when the interpreter ends, and that would fail again, aloud.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    raise typer.Exit(Exit.CLOSED)


def say(text: str) -> None:
    """One line for the person, on stderr."""
    with until_closed(sys.stderr):
        print(plain(text), file=sys.stderr, flush=True)  # noqa: T201  # the command's voice


def give(text: str) -> None:
    """One line of the result, on stdout."""
    with until_closed(sys.stdout):
        print(plain(text), flush=True)  # noqa: T201  # the command's result


def give_json(value: Mapping[str, Any]) -> None:
    """One JSON object of the result, on stdout, in a line of its own."""
    with until_closed(sys.stdout):
        sys.stdout.write(orjson.dumps(value).decode() + "\n")
        sys.stdout.flush()


def message_as_json(message: Message) -> dict[str, Any]:
    """A message by proto3's JSON mapping, with the names of the proto, empty fields included."""
    value = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {name: whole_numbers(each) for name, each in value.items()}


def give_one(kind: str, message: Message, text: str, *, as_json: bool) -> None:
    """What a command gives: the message as JSON under its kind, or the text."""
    if as_json:
        give_json({kind: message_as_json(message)})
    else:
        give(text)


def error_as_json(error: ImagegenError) -> dict[str, Any]:
    """An error, as the last line of a command with --json."""
    return {
        "error": {
            "code": error.code.name,
            "reason": error.reason,
            "message": error.message,
            "violations": [{"field": each.field, "description": each.description} for each in error.violations],
            "quotas": [{"subject": each.subject, "description": each.description} for each in error.quotas],
            "retry_after_s": error.retry_after_s,
        }
    }


def give_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, optional: Collection[str] = frozenset()
) -> None:
    """A table: as wide as the terminal, and not cut off in a pipe.

    Columns with one of the headings `optional` are left out when no row has anything there.
    """
    shown = [
        column for column, heading in enumerate(headings) if heading not in optional or any(row[column] for row in rows)
    ]
    table = Table(*(headings[column] for column in shown), box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(plain(row[column])) for column in shown))
    # Explicitly and by stdout alone: rich would also take FORCE_COLOR for a terminal.
    is_tty = sys.stdout.isatty()
    _Output(file=sys.stdout, force_terminal=is_tty, width=None if is_tty else _WIDE).print(table)


class _Output(Console):
    """Rich, but for how it ends the process when whoever read the output has gone."""

    def on_broken_pipe(self) -> None:
        _leave(sys.stdout)


def local_time(time: Timestamp) -> str:
    """A moment as the person's clock shows it."""
    moment = datetime.fromtimestamp(time.seconds, tz=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def size_text(size_bytes: int) -> str:
    """A size for a person."""
    size, units = float(size_bytes), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, _ = size / 1000, units.pop(0)
    return f"{size:.0f} {units[0]}" if size >= 10 or units[0] == "B" else f"{size:.1f} {units[0]}"
