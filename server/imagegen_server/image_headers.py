"""What bytes are, told by themselves: never by a name or by who sent them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

# 2**26: a photo of 8192 x 8192. More would not fit an ordinary server once it is decoded.
MAX_PIXELS = 67_108_864
UNKNOWN_TYPE = "application/octet-stream"

_FORMATS = ("PNG", "JPEG", "WEBP")
_HEAD_BYTES = 16
_LYING = (5, 6, 7, 8)
"""Values of EXIF's Orientation: what phones give to what was taken upright. Backends turn such pictures first."""


class UnreadableImage(Exception):
    """`str()` says why, for a person."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Media type, and size in pixels as the picture is shown; 0 x 0 for what is no image."""

    media_type: str
    width: int = 0
    height: int = 0


def read_image(path: Path) -> Kind:
    """Reads the whole picture, so that one which broke off half-way is found. Raises UnreadableImage."""
    return _read(path, _decode)


def sniff(path: Path) -> Kind:
    """What the file begins with; never fails, and decodes nothing."""
    try:
        return _read(path, lambda _: None)
    except UnreadableImage:
        with path.open("rb") as file:
            return Kind(_type_of_head(file.read(_HEAD_BYTES)))


def _read(path: Path, look: Callable[[Image.Image], None]) -> Kind:
    try:
        with Image.open(path, formats=_FORMATS) as image:
            kind = Kind(_media_type(image), *_upright_size(image))
            look(image)
            return kind
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise UnreadableImage(f"it has more than the {MAX_PIXELS} pixels that are allowed") from exc
    # Pillow raises SyntaxError and ValueError, too, for files that are broken in one way or another.
    except (OSError, SyntaxError, ValueError, EOFError) as exc:
        raise UnreadableImage("it is no PNG, JPEG or WebP image that can be read") from exc


def _media_type(image: Image.Image) -> str:
    # Phones append a depth map or a second view to a JPEG, which Pillow calls MPO and everybody else shows as JPEG.
    return Image.MIME["JPEG" if image.format == "MPO" else image.format or ""]


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    # Looked for only where it has been read already: for a PNG, Pillow would decode the whole picture.
    orientation = image.getexif().get(ExifTags.Base.Orientation) if "exif" in image.info else None
    return (height, width) if orientation in _LYING else (width, height)


def _decode(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImage(f"it has more than the {MAX_PIXELS} pixels that are allowed")
    # A JPEG is read to its end also at an eighth of its size, which takes a 64th of the memory.
    image.draft(None, (max(image.width // 8, 1), max(image.height // 8, 1)))
    image.load()


def _type_of_head(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return UNKNOWN_TYPE
