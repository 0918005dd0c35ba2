"""Masks in every form that people send."""

import io
from collections.abc import Callable

import pytest
from PIL import Image

from imagegen_server.running.masks import plain_mask


def half(mode: str, kept: object, repainted: object) -> Image.Image:
    """The right half is to be repainted."""
    image = Image.new(mode, (4, 2), kept)  # type: ignore[arg-type]  # a colour of that mode
    image.paste(repainted, (2, 0, 4, 2))  # type: ignore[arg-type]
    return image


def palette() -> Image.Image:
    """Index 0 is transparent white, index 1 is opaque white."""
    image = half("P", 0, 1)
    image.putpalette([255, 255, 255] * 2)
    image.info["transparency"] = 0
    return image


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


MASKS: dict[str, Callable[[], bytes]] = {
    "grey": lambda: encoded(half("L", 0, 255)),
    "black and white": lambda: encoded(half("1", 0, 1)),
    "colour": lambda: encoded(half("RGB", (0, 0, 0), (255, 255, 255))),
    "white that is transparent": lambda: encoded(half("RGBA", (255, 255, 255, 0), (255, 255, 255, 255))),
    "opaque colour": lambda: encoded(half("RGBA", (0, 0, 0, 255), (255, 255, 255, 255))),
    "grey with alpha": lambda: encoded(half("LA", (255, 0), (255, 255))),
    "palette": lambda: encoded(palette()),
    "grey with a transparent shade": lambda: encoded(half("L", 7, 255), transparency=7),
    "16 bits": lambda: encoded(half("I;16", 0, 65535)),
    "webp": lambda: encoded(half("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)), "WEBP", lossless=True),
    "jpeg": lambda: encoded(half("L", 0, 255).resize((64, 32), Image.Resampling.NEAREST), "JPEG", quality=100),
}


@pytest.mark.parametrize("name", MASKS)
def test_white_is_repainted_and_what_is_transparent_is_kept(name: str) -> None:
    with Image.open(io.BytesIO(plain_mask(MASKS[name]()))) as mask:
        assert (mask.format, mask.mode, mask.has_transparency_data) == ("PNG", "L", False)
        assert mask.getpixel((0, 0)) == 0
        assert mask.getpixel((mask.width - 1, 0)) == 255


def test_shades_stay_shades() -> None:
    for shade in (64, 128):
        with Image.open(io.BytesIO(plain_mask(encoded(Image.new("I;16", (4, 2), shade * 256))))) as mask:
            assert mask.getpixel((0, 0)) == shade


def test_a_plain_mask_stays_as_it_is() -> None:
    data = encoded(half("L", 0, 255))
    assert plain_mask(data) is data


def test_an_upright_mask_is_made_of_one_that_lies_on_its_side() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    wide = half("L", 0, 255).resize((64, 32), Image.Resampling.NEAREST)
    with Image.open(io.BytesIO(plain_mask(encoded(wide, "JPEG", quality=100, exif=exif.tobytes())))) as mask:
        assert mask.size == (32, 64)
        assert (mask.getpixel((0, 0)), mask.getpixel((0, 63))) == (0, 255)
