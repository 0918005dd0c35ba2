"""Pictures as text and back."""

import base64

import pytest

from imagegen_gateway.errors import Problem
from imagegen_gateway.pictures import convert, from_text, mask_of_transparency, small_preview, to_data_address
from tests.gateway.dialects.pictures import encoded, noise, opened, png

PICTURE = png(16, 16)
BASE64 = base64.b64encode(PICTURE).decode()


@pytest.mark.parametrize(
    "text", [BASE64, f"data:image/png;base64,{BASE64}", f"data:image/png;name=fox.png;base64,{BASE64}"]
)
async def test_base64_is_read_bare_and_as_an_address(text: str) -> None:
    assert await from_text(text, "image", 4096) == PICTURE


async def test_long_texts_are_read_too() -> None:
    data = bytes(range(256)) * 8000
    assert await from_text(await to_data_address(data, "image/png"), "image", len(data)) == data


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("data:image/png;base64,", 400),
        ("data:image/png,fox", 400),
        ("a fox", 400),
        ("Füchse==", 400),
        (BASE64 + "=", 400),
        ("A" * 8192, 413),
    ],
)
async def test_what_is_no_picture_text_is_refused(text: str, status: int) -> None:
    with pytest.raises(Problem, match=r"^init_images\[0\]: ") as caught:
        await from_text(text, "init_images[0]", 4096)
    assert caught.value.status == status


async def test_a_picture_is_converted_once_and_only_if_need_be() -> None:
    assert await convert(PICTURE, "image/png", "png") == (PICTURE, "image/png")
    glass = png(16, 16, (10, 20, 30, 40))
    for target, media_type in (("jpeg", "image/jpeg"), ("webp", "image/webp"), ("png", "image/png")):
        data, given = await convert(glass, "image/gif", target)  # type: ignore[arg-type]  # each is one of them
        assert (given, opened(data).size) == (media_type, (16, 16))
        assert ("A" in opened(data).getbands()) == (target != "jpeg")


async def test_what_is_no_picture_is_not_converted() -> None:
    with pytest.raises(Problem) as caught:
        await convert(b"<svg/>", "image/svg+xml", "png")
    assert caught.value.status == 415


async def test_previews_become_small_enough() -> None:
    frame = encoded(opened(PICTURE).convert("RGB"), "JPEG")
    assert await small_preview(frame, "image/jpeg") == (frame, "image/jpeg")
    for large in (noise(512, 512), noise(700, 300, "JPEG"), png(64, 64)):
        small = await small_preview(large, "image/png")
        assert small is not None
        assert (len(small[0]) <= 60_000, small[1], max(opened(small[0]).size) <= 512) == (True, "image/jpeg", True)
    assert await small_preview(b"garbage", "image/png") is None


async def test_a_picture_is_encoded_again_for_a_quality() -> None:
    photo = noise(64, 64, "JPEG")
    smaller, _ = await convert(photo, "image/jpeg", "jpeg", quality=5)
    assert len(smaller) < len(photo)
    assert await convert(PICTURE, "image/png", "png", quality=5) == (PICTURE, "image/png")


async def test_a_mask_is_white_where_the_picture_was_transparent() -> None:
    glass = opened(png(16, 16, (9, 9, 9, 255)))
    glass.putpixel((3, 3), (9, 9, 9, 0))
    mask = opened(await mask_of_transparency(encoded(glass, "PNG"), "mask"))
    assert (mask.mode, mask.getpixel((3, 3)), mask.getpixel((4, 4))) == ("L", 255, 0)


@pytest.mark.parametrize("data", [PICTURE, b"no picture"])
async def test_what_is_nowhere_transparent_is_no_mask(data: bytes) -> None:
    with pytest.raises(Problem, match=r"^mask: is "):
        await mask_of_transparency(data, "mask")
