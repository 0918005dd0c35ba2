"""How a person, or a script, sees a job going on."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from imagegen.v1.event_pb2 import JobEvent
from imagegen_client.commands.pictures import Drawing, Undrawable, draw, drawing_for
from imagegen_client.commands.printing import give_json, message_as_json, plain, say
from imagegen_client.commands.status import Status, next_status, remarks

_MAX_ROWS = 24
_MAX_COLUMNS = 96


class View(Protocol):
    """Shows one job."""

    def show(self, event: JobEvent) -> None:
        """The next event."""

    def say(self, text: str) -> None:
        """A sentence that stays on the screen."""

    def show_result(self, picture: bytes) -> None:
        """A finished picture; only shown where previews are."""


def open_view(*, as_json: bool, with_pictures: bool, images: int = 0) -> AbstractContextManager[View]:
    """The view for this terminal: JSON lines, pictures, a bar, or plain lines where stderr is no terminal.

    `images` says how many there will be; 0: not known yet.
    """
    status = Status(images=images)
    if as_json:
        return nullcontext(JsonLines())
    if with_pictures:
        return _pictures(status)
    return _bar(status) if sys.stderr.isatty() else nullcontext(PlainLines(status))


class JsonLines:
    """One JSON object an event, on stdout."""

    def show(self, event: JobEvent) -> None:
        if event.HasField("preview"):
            event = _without_bytes(event)
        give_json({"event": message_as_json(event)})

    def say(self, text: str) -> None:
        say(text)

    def show_result(self, picture: bytes) -> None:
        pass


class PlainLines:
    """A line on stderr whenever something else goes on; not for every step, because nobody wipes them away."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def show(self, event: JobEvent) -> None:
        before, self._status = self._status, next_status(self._status, event)
        for text in remarks(event):
            say(text)
        if self._status.headline != before.headline:
            say(self._status.news)

    def say(self, text: str) -> None:
        say(text)

    def show_result(self, picture: bytes) -> None:
        pass


class Bar:
    """A progress bar on stderr."""

    def __init__(self, progress: Progress, status: Status) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("", total=1.0)
        self._status = status

    def show(self, event: JobEvent) -> None:
        self._status = next_status(self._status, event)
        self._progress.update(self._task, description=plain(self._status.line), completed=self._status.fraction)
        for text in remarks(event):
            self.say(text)

    def say(self, text: str) -> None:
        self._progress.console.print(plain(text), markup=False, highlight=False)

    def show_result(self, picture: bytes) -> None:
        pass


@contextmanager
def _bar(status: Status) -> Iterator[Bar]:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, status)


class Pictures:
    """Previews in a block of terminal lines that is painted over and over, with a line of text below."""

    def __init__(self, stream: TextIO, drawing: Drawing, status: Status, *, columns: int, rows: int) -> None:
        self._stream = stream
        self._drawing = drawing
        self._columns = columns
        self._rows = rows
        self._status = status
        self._note = ""
        stream.write("\n" * (rows + 1))

    def show(self, event: JobEvent) -> None:
        self._status = next_status(self._status, event)
        self._note = next(reversed(remarks(event)), self._note)
        self._paint(event.preview.data)

    def say(self, text: str) -> None:
        self._note = text
        self._paint(b"")

    def show_result(self, picture: bytes) -> None:
        self._paint(picture)

    def _paint(self, picture: bytes) -> None:
        try:
            drawn = draw(picture, self._drawing, columns=self._columns, rows=self._rows) if picture else ""
        except Undrawable as exc:
            drawn, self._note = "", f"preview not shown: {exc}"
        line = plain(f"{self._status.line} {100 * self._status.fraction:.0f} %  {self._note}").replace("\n", " ")
        # Up to the block's first line, draw, back there, down to the line below the picture, write it anew.
        self._stream.write(f"\x1b[{self._rows + 1}A\r\x1b7{drawn}\x1b8\x1b[{self._rows}B\r\x1b[2K")
        self._stream.write(line[: self._columns] + "\n")
        self._stream.flush()


@contextmanager
def _pictures(status: Status) -> Iterator[Pictures]:
    terminal = shutil.get_terminal_size()
    yield Pictures(
        sys.stdout,
        drawing_for(os.environ),
        status,
        columns=max(1, min(terminal.columns - 1, _MAX_COLUMNS)),
        rows=max(1, min(terminal.lines - 3, _MAX_ROWS)),
    )


def _without_bytes(event: JobEvent) -> JobEvent:
    bare = JobEvent()
    bare.CopyFrom(event)
    bare.preview.ClearField("data")
    return bare
