"""Pictures of a few words, for where a picture is expected and there is none yet, or never will be."""

import io
import textwrap
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

LONGEST_SIDE = 512
CALM = ((232, 234, 238), (92, 98, 110))
TROUBLE = ((247, 233, 230), (140, 58, 44))


def card_size(width: int, height: int) -> tuple[int, int]:
    """The shape of a picture, within LONGEST_SIDE; a square for what is not known."""
    if not width or not height:
        return LONGEST_SIDE, LONGEST_SIDE
    factor = min(1.0, LONGEST_SIDE / max(width, height))
    return max(64, round(width * factor)), max(64, round(height * factor))


@lru_cache(maxsize=64)
def draw_card(text: str, size: tuple[int, int], *, is_trouble: bool = False) -> bytes:
    """The words in the middle of a soft plain picture, as PNG."""
    background, ink = TROUBLE if is_trouble else CALM
    picture = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=max(12, size[0] // 22))
    lines = textwrap.wrap(text, width=34, max_lines=8, placeholder=" …")
    draw.multiline_text(
        (size[0] / 2, size[1] / 2),
        "\n".join(lines),
        fill=ink,
        font=font,
        anchor="mm",
        align="center",
        spacing=max(4, size[0] // 64),
    )
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
