"""Masks as every backend reads them: white is repainted, black is kept. Pure."""

import hashlib
import io
from dataclasses import replace

from PIL import Image, ImageOps

from imagegen_adapters.contract import ImageParameters, RawGraph


def with_plain_mask(
    source: ImageParameters | RawGraph, files: dict[str, bytes]
) -> tuple[ImageParameters | RawGraph, dict[str, bytes]]:
    """The mask in the one form that every backend reads alike, under a digest of its own."""
    if not isinstance(source, ImageParameters) or not source.mask:
        return source, files
    mask = plain_mask(files[source.mask])
    digest = hashlib.sha256(mask).hexdigest()
    # The initial image may be the same file, and stays as it is.
    return replace(source, mask=digest), {source.init_image: files[source.init_image], digest: mask}


def plain_mask(data: bytes) -> bytes:
    """The mask as an 8-bit greyscale PNG.

    Backends disagree about anything else: some look at the alpha channel alone, some at the red one, some at all.
    What is transparent counts as black.
    """
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "PNG" and image.mode == "L" and not image.has_transparency_data:
            return data
        # Backends turn photos upright; the new file has no orientation by which they could.
        upright = ImageOps.exif_transpose(image)
    out = io.BytesIO()
    _to_grey(upright).save(out, "PNG")
    return out.getvalue()


def _to_grey(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, of which a plain conversion would make white all that is above 255
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, (0, 0, 0, 255)), colour)
    return image.convert("L")
