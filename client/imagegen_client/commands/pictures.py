"""Pictures as text for terminals. Pure, but for Pillow's decoding.

Three ways, the best that the terminal announces: kitty's graphics protocol, iTerm2's inline images, and for all others
half-block characters in 24-bit colour. Inside tmux and screen only the last works without their being configured.
"""

import base64
import io
from collections.abc import Mapping
from enum import Enum

from PIL import Image

MAX_PIXELS = 64_000_000
"""Larger pictures are not decoded for the screen."""

_KITTY_CHUNK = 4096
_KITTY_IMAGE_ID = 7301


class Drawing(Enum):
    """How a terminal is made to show a picture."""

    KITTY = "kitty"
    ITERM2 = "iterm2"
    HALF_BLOCKS = "half blocks"


class Undrawable(Exception):
    """The bytes are no picture that can be shown."""


def drawing_for(environment: Mapping[str, str]) -> Drawing:
    """What the terminal can do, by what it says of itself in the environment."""
    if environment.get("TMUX") or environment.get("STY"):
        return Drawing.HALF_BLOCKS
    program, term = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if environment.get("KITTY_WINDOW_ID") or term in {"xterm-kitty", "xterm-ghostty"} or program == "ghostty":
        return Drawing.KITTY
    if program in {"iTerm.app", "WezTerm"} or environment.get("LC_TERMINAL") == "iTerm2":
        return Drawing.ITERM2
    return Drawing.HALF_BLOCKS


def draw(data: bytes, drawing: Drawing, *, columns: int, rows: int) -> str:
    """Text that draws the picture into so many cells, from the cursor to the right and down. Raises Undrawable.

    The cursor may be left anywhere within them.
    """
    picture = _decoded(data)
    width, height = fitted(picture.width, picture.height, columns=columns, rows=rows)
    match drawing:
        case Drawing.KITTY:
            return _kitty(_as_png(picture), width, height)
        case Drawing.ITERM2:
            return _iterm2(data, width, height)
        case Drawing.HALF_BLOCKS:
            return _half_blocks(picture, width, height)


def fitted(width: int, height: int, *, columns: int, rows: int) -> tuple[int, int]:
    """The largest cells of a picture that keeps its shape; a cell is taken to be twice as high as wide."""
    scale = min(columns / width, 2 * rows / height)
    return max(1, min(columns, round(width * scale))), max(1, min(rows, round(height * scale / 2)))


def _decoded(data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
        if picture.width * picture.height > MAX_PIXELS:
            raise Undrawable(f"{picture.width}x{picture.height} pixels are too many")
        return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise Undrawable("the bytes are no picture") from exc


def _as_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _kitty(png: bytes, columns: int, rows: int) -> str:
    # The same image and placement each time: the new picture replaces the old one. C=1 leaves the cursor where it is,
    # q=2 keeps the terminal from answering into our input.
    text = base64.standard_b64encode(png).decode()
    parts = [text[start : start + _KITTY_CHUNK] for start in range(0, len(text), _KITTY_CHUNK)]
    first = f"a=T,f=100,i={_KITTY_IMAGE_ID},p=1,c={columns},r={rows},C=1,q=2,"
    return "".join(
        f"\x1b_G{first if number == 0 else ''}m={int(number + 1 < len(parts))};{part}\x1b\\"
        for number, part in enumerate(parts)
    )


def _iterm2(data: bytes, columns: int, rows: int) -> str:
    text = base64.standard_b64encode(data).decode()
    return f"\x1b]1337;File=inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=1:{text}\x07"


def _half_blocks(picture: Image.Image, columns: int, rows: int) -> str:
    """Two pixels a cell: the upper one in the foreground of ▀, the lower one behind it."""
    pixels = picture.resize((columns, 2 * rows), Image.Resampling.BILINEAR).tobytes()
    stride = 3 * columns
    lines = []
    for row in range(rows):
        upper, lower = pixels[2 * row * stride :][:stride], pixels[(2 * row + 1) * stride :][:stride]
        lines.append("".join(_cell(upper[at : at + 3], lower[at : at + 3]) for at in range(0, stride, 3)) + "\x1b[0m")
    return "\r\n".join(lines)


def _cell(upper: bytes, lower: bytes) -> str:
    return f"\x1b[38;2;{upper[0]};{upper[1]};{upper[2]};48;2;{lower[0]};{lower[1]};{lower[2]}m▀"
