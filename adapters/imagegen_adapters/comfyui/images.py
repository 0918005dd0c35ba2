"""Bytes of images: what they are, and masks made ready. Pure."""

import io
import mimetypes

from PIL import Image, ImageFilter

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"GIF8", "image/gif", ".gif"),
)


def media_type_of(data: bytes, filename: str = "") -> str:
    """What the bytes are; where they do not tell, what their name says."""
    for magic, media_type, _ in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def upload_name(digest: str, data: bytes) -> str:
    """A name for an input image: the same bytes get the same, so that the server keeps them once."""
    suffix = next((suffix for magic, _, suffix in _MAGIC if data.startswith(magic)), ".webp")
    return f"{digest}{suffix}"


def prepare_mask(data: bytes, *, width: int, height: int, blur: int) -> bytes:
    """A mask in the size of the image, with a soft edge, as PNG: white is repainted."""
    with Image.open(io.BytesIO(data)) as image:
        mask = image.convert("L").resize((width, height), Image.Resampling.BILINEAR)
    if blur:
        mask = mask.filter(ImageFilter.GaussianBlur(blur))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
