"""What a terminal gets: a bar, and pictures drawn in text."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imagegen.v1.event_pb2 import JobEvent
from imagegen_client.commands.pictures import Drawing, Undrawable, draw, drawing_for, fitted
from imagegen_client.commands.printing import plain, size_text
from imagegen_client.commands.status import Status
from imagegen_client.commands.views import Pictures
from tests.client.fake import png

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "TERM": "xterm-256color",
    "LANG": "C.UTF-8",
    "PYTHONPATH": ":".join(sys.path),
}


def on_terminal(address: str, folder: Path, *arguments: str) -> str:
    """What a command writes when stdout and stderr are a terminal."""
    primary, secondary = pty.openpty()
    program = [sys.executable, "-m", "imagegen_client", "--server", address, *arguments]
    with subprocess.Popen(program, cwd=folder, stdout=secondary, stderr=secondary, env=ENVIRONMENT) as process:
        os.close(secondary)
        written = b""
        try:
            while chunk := os.read(primary, 65536):
                written += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        assert process.wait(10) == 0
    os.close(primary)
    return written.decode()


def test_terminal_gets_a_bar(server_process: str, tmp_path: Path) -> None:
    text = on_terminal(server_process, tmp_path, "generate", "warn me", "-o", "fox.png")

    assert "\x1b[" in text
    assert "warning: the size was [31m rounded" in text
    assert text.endswith("fox.png\r\n")


def test_terminal_gets_pictures(server_process: str, tmp_path: Path) -> None:
    text = on_terminal(server_process, tmp_path, "generate", "a red fox", "--watch", "-o", "fox.png")

    assert "▀" in text
    assert "succeeded 100 %" in text
    assert text.endswith("fox.png\r\n")


@pytest.mark.parametrize(
    ("environment", "drawing"),
    [
        ({"TERM": "xterm-256color"}, Drawing.HALF_BLOCKS),
        ({"TERM": "xterm-kitty"}, Drawing.KITTY),
        ({"KITTY_WINDOW_ID": "1"}, Drawing.KITTY),
        ({"TERM_PROGRAM": "ghostty"}, Drawing.KITTY),
        ({"TERM_PROGRAM": "iTerm.app"}, Drawing.ITERM2),
        ({"TERM_PROGRAM": "WezTerm"}, Drawing.ITERM2),
        ({"LC_TERMINAL": "iTerm2"}, Drawing.ITERM2),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "1"}, Drawing.HALF_BLOCKS),
        ({}, Drawing.HALF_BLOCKS),
    ],
)
def test_terminal_is_known_by_what_it_says(environment: dict[str, str], drawing: Drawing) -> None:
    assert drawing_for(environment) is drawing


@pytest.mark.parametrize(
    ("size", "cells"),
    [
        ((512, 512), (48, 24)),
        ((1024, 256), (80, 10)),
        ((256, 1024), (12, 24)),
        ((4096, 1), (80, 1)),
        ((1, 4096), (1, 24)),
    ],
)
def test_picture_keeps_its_shape(size: tuple[int, int], cells: tuple[int, int]) -> None:
    assert fitted(*size, columns=80, rows=24) == cells


def test_half_blocks_are_two_pixels_a_cell() -> None:
    buffer = io.BytesIO()
    picture = Image.new("RGB", (1, 2), (255, 0, 0))
    picture.putpixel((0, 1), (0, 0, 255))
    picture.save(buffer, "PNG")

    assert draw(buffer.getvalue(), Drawing.HALF_BLOCKS, columns=1, rows=1) == "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m"


def test_kitty_gets_chunks_of_which_only_the_last_is_the_last() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((128, 128), 90).save(buffer, "JPEG")

    chunks = draw(buffer.getvalue(), Drawing.KITTY, columns=20, rows=10).split("\x1b\\")[:-1]

    assert len(chunks) > 2
    assert chunks[0].startswith("\x1b_Ga=T,f=100,")
    assert all("m=1;" in chunk for chunk in chunks[:-1])
    assert chunks[-1].startswith("\x1b_Gm=0;")


def test_iterm2_gets_the_bytes_as_they_are() -> None:
    assert draw(png("x"), Drawing.ITERM2, columns=20, rows=10).startswith("\x1b]1337;File=inline=1;")


@pytest.mark.parametrize("data", [b"", b"no picture", png("x")[:40]])
@pytest.mark.parametrize("drawing", list(Drawing))
def test_what_is_no_picture_is_not_drawn(data: bytes, drawing: Drawing) -> None:
    with pytest.raises(Undrawable):
        draw(data, drawing, columns=20, rows=10)


def test_preview_that_is_no_picture_is_said() -> None:
    stream, event = io.StringIO(), JobEvent()
    event.preview.data = b"no picture"

    Pictures(stream, Drawing.HALF_BLOCKS, Status(), columns=60, rows=2).show(event)

    assert "preview not shown" in stream.getvalue()


def test_text_from_elsewhere_cannot_control_the_terminal() -> None:
    assert plain("a\x1b]0;title\x07b\r\u009b31mc\nd ü…") == "a ]0;title b  31mc\nd ü…"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25_000_000, "25 MB"), (3 * 10**12, "3000 GB")]
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text
