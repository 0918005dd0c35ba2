"""Small pictures for requests."""

import io
import random

from PIL import Image


def png(width: int = 64, height: int = 64, color: tuple[int, ...] = (200, 60, 20)) -> bytes:
    """One colour; four values give a picture with transparency."""
    return encoded(Image.new("RGB" if len(color) == 3 else "RGBA", (width, height), color), "PNG")


def noise(width: int, height: int, form: str = "PNG") -> bytes:
    """What no encoder makes small."""
    return encoded(Image.frombytes("RGB", (width, height), random.Random(7).randbytes(width * height * 3)), form)


def encoded(picture: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """Raises for what is no picture."""
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture
