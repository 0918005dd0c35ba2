"""Pictures as files."""

import io

import numpy as np
import pytest
from PIL import Image

from imagegen_adapters.demo import files
from imagegen_adapters.demo.fields import Frame

FRAME = Frame(16, 8)


def _encoded(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def _noise() -> Image.Image:
    values = np.arange(8 * 16 * 3, dtype=np.uint8).reshape(8, 16, 3) * 7
    return Image.fromarray(values)


def test_png_holds_the_parameters_and_is_reproducible() -> None:
    picture = np.full((8, 16, 3), 0.5, np.float32)
    data = files.png(picture, "a fox\nSteps: 20, 北極狐")
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert image.info["parameters"] == "a fox\nSteps: 20, 北極狐"
    assert data == files.png(picture, "a fox\nSteps: 20, 北極狐")


def test_a_lossless_image_survives_the_way_in_and_out() -> None:
    picture = files.picture_of(_encoded(_noise(), "PNG"), FRAME)
    with Image.open(io.BytesIO(files.png(picture, ""))) as image:
        assert np.array_equal(np.asarray(image), np.asarray(_noise()))


def test_values_outside_0_to_1_are_clamped() -> None:
    with Image.open(io.BytesIO(files.png(np.array([[[-1.0, 0.5, 2.0]]], np.float32), ""))) as image:
        assert image.getpixel((0, 0)) == (0, 128, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_images_are_brought_to_the_frames_size(kind: str) -> None:
    picture = files.picture_of(_encoded(_noise().resize((40, 40)), kind), FRAME)
    assert picture.shape == (8, 16, 3)
    assert picture.dtype == np.float32
    assert 0 <= picture.min() <= picture.max() <= 1


def test_transparent_areas_are_white() -> None:
    picture = files.picture_of(_encoded(Image.new("RGBA", (16, 8), (0, 0, 0, 0)), "PNG"), FRAME)
    assert (picture == 1).all()


def test_a_mask_is_grey_and_its_edge_is_blurred() -> None:
    values = np.zeros((8, 16), np.uint8)
    values[:, 8:] = 255
    hard, soft = (files.mask_of(_encoded(Image.fromarray(values), "PNG"), FRAME, blur) for blur in (0, 2))
    assert set(np.unique(hard).tolist()) == {0.0, 1.0}
    assert len(np.unique(soft)) > 2


@pytest.mark.parametrize("data", [b"", b"no image", _encoded(_noise(), "PNG")[:60], _encoded(_noise(), "GIF")])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(files.UnreadableImage):
        files.picture_of(data, FRAME)
    with pytest.raises(files.UnreadableImage):
        files.mask_of(data, FRAME, 4)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = _encoded(Image.new("1", (8200, 8200)), "PNG")
    with pytest.raises(files.UnreadableImage, match="larger"):
        files.picture_of(bomb, FRAME)
