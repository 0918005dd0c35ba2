"""Masks as every backend reads them: white is repainted, black is kept. Pure."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from PIL import Image, ImageOps

from imagegen_adapters.contract import ImageParameters, RawGraph


def with_plain_masks(
    source: ImageParameters | RawGraph, files: Mapping[str, bytes]
) -> tuple[ImageParameters | RawGraph, Mapping[str, bytes]]:
    """The masks in the one form that every backend reads alike, under digests of their own."""
    plain = {digest: plain_mask(files[digest]) for digest in _masks_of(source)}
    digests = {digest: hashlib.sha256(data).hexdigest() for digest, data in plain.items()}
    # A picture may be the same file as a mask: that one is still there, and stays as it is.
    files = {**files, **{digests[digest]: data for digest, data in plain.items()}}
    match source:
        case ImageParameters():
            return replace(source, mask=digests.get(source.mask, "")), files
        case RawGraph():
            masks = {key: digests[source.images[key]] for key in source.masks}
            return replace(source, images={**source.images, **masks}), files
        case _ as never:
            assert_never(never)


def _masks_of(source: ImageParameters | RawGraph) -> set[str]:
    if isinstance(source, ImageParameters):
        return {source.mask} - {""}
    return {source.images[key] for key in source.masks}


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
