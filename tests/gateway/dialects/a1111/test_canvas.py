"""Pictures and masks are prepared as A1111 does it, and what was cut out goes back into its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from imagegen_gateway.dialects.a1111.canvas import Fitting, cutout, prepare, put_back
from imagegen_gateway.dialects.a1111.faults import Refused
from imagegen_gateway.pictures import opened, saved


def picture() -> Image.Image:
    """Blue on the left, yellow on the right."""
    made = Image.new("RGB", (120, 60), "blue")
    ImageDraw.Draw(made).rectangle((60, 0, 119, 59), fill="yellow")
    return made


def mask(*box: int, size: tuple[int, int] = (120, 60)) -> Image.Image:
    made = Image.new("L", size, 0)
    ImageDraw.Draw(made).rectangle(box, fill=255)
    return made


def prepared(area: Image.Image, **fields: Any) -> tuple[Image.Image, Image.Image]:
    ready = prepare(saved(picture()), saved(area), Fitting(width=120, height=60, **fields))
    assert ready.mask is not None
    return opened(ready.picture), opened(ready.mask)


def test_a_picture_that_is_only_stretched_is_left_to_the_backend() -> None:
    data = b"not even looked at"
    assert prepare(data, None, Fitting(width=64, height=64)).picture == data


@pytest.mark.parametrize(
    ("mode", "corner", "middle"), [(1, (0, 0, 255), (255, 255, 0)), (2, (0, 0, 255), (255, 255, 0))]
)
def test_a_picture_is_cropped_or_filled_up(
    mode: int, corner: tuple[int, int, int], middle: tuple[int, int, int]
) -> None:
    made = opened(prepare(saved(picture()), None, Fitting(width=64, height=64, resize_mode=mode)).picture)
    assert made.size == (64, 64)
    assert made.getpixel((0, 0)) == corner
    assert made.getpixel((63, 32)) == middle


def test_a_mask_is_made_hard_and_turned_round() -> None:
    grey = mask(0, 0, 29, 59).point([200 if value else 90 for value in range(256)])
    assert prepared(grey)[1].getcolors() == [(30 * 60, 255), (90 * 60, 0)] or prepared(grey)[1].getextrema() == (0, 255)
    assert prepared(grey)[1].getpixel((0, 0)) == 255
    assert prepared(grey, is_mask_inverted=True)[1].getpixel((0, 0)) == 0
    assert prepared(grey, has_hard_mask=False)[1].getpixel((0, 0)) == 200


def test_a_transparent_mask_says_it_by_its_transparency() -> None:
    area = Image.new("RGBA", (120, 60), (255, 255, 255, 0))
    ImageDraw.Draw(area).rectangle((0, 0, 29, 59), fill=(0, 0, 0, 255))
    made = prepared(area)[1]
    assert (made.getpixel((0, 0)), made.getpixel((100, 0))) == (255, 0)


def test_what_is_masked_takes_the_colours_around() -> None:
    red = picture()
    ImageDraw.Draw(red).rectangle((10, 10, 29, 49), fill="red")
    ready = prepare(saved(red), saved(mask(10, 10, 29, 49)), Fitting(width=120, height=60, fills=True))
    color = opened(ready.picture).getpixel((12, 30))
    assert isinstance(color, tuple)
    assert color[0] < 60
    assert color[2] > 180


def test_only_what_is_around_the_mask_is_made_and_put_back() -> None:
    fitting = Fitting(width=64, height=64, only_masked_padding=4, mask_blur=2)
    ready = prepare(saved(picture()), saved(mask(70, 20, 89, 39)), fitting)
    assert ready.frame is not None
    assert opened(ready.picture).size == (64, 64)
    assert opened(ready.picture).getpixel((0, 0)) == (255, 255, 0)
    whole = opened(put_back(saved(Image.new("RGB", (64, 64), "red")), ready.frame))
    assert whole.size == (120, 60)
    assert whole.getpixel((80, 30)) == (255, 0, 0)
    assert whole.getpixel((5, 5)) == (0, 0, 255)
    assert whole.getpixel((110, 50)) == (255, 255, 0)


def test_nothing_is_kept_decoded_while_a_part_is_made() -> None:
    initial = saved(picture())
    frame = prepare(initial, saved(mask(70, 20, 89, 39)), Fitting(width=64, height=64, only_masked_padding=4)).frame
    assert frame is not None
    assert {type(getattr(frame, name)) for name in ("picture", "mask")} == {bytes}
    assert frame.picture is initial
    part = Image.new("RGB", (64, 64), "red")
    left, top, right, bottom = frame.box
    soft = mask(70, 20, 89, 39).filter(ImageFilter.GaussianBlur(4))
    made = picture()
    made.paste(part.resize((right - left, bottom - top)), (left, top))
    assert put_back(saved(part), frame) == saved(Image.composite(made, picture(), soft))


def test_an_empty_mask_leaves_the_whole() -> None:
    ready = prepare(saved(picture()), saved(mask(-2, -2, -1, -1)), Fitting(width=64, height=64, only_masked_padding=0))
    assert ready.frame is None
    assert opened(ready.picture).size == (64, 64)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\nrubbish"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="Invalid encoded image"):
        prepare(data, None, Fitting(width=64, height=64, resize_mode=1))


@given(data=st.data())
def test_a_cutout_holds_the_mask_within_the_whole(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 400))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    inner = (left, top, data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height)))
    target = data.draw(st.integers(64, 1024)), data.draw(st.integers(64, 1024))
    box = cutout(inner, (width, height), target, data.draw(st.integers(0, 64)))
    assert 0 <= box[0] <= inner[0] < inner[2] <= box[2] <= width
    assert 0 <= box[1] <= inner[1] < inner[3] <= box[3] <= height
