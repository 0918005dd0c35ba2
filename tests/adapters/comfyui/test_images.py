"""What bytes are, and masks."""

import io

import pytest
from PIL import Image

from imagegen_adapters.comfyui.images import media_type_of, prepare_mask, upload_name


@pytest.mark.parametrize(
    ("data", "filename", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n...", "a.jpg", "image/png"),
        (b"\xff\xd8\xff\xe0...", "", "image/jpeg"),
        (b"GIF89a", "", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"\x00\x00\x00\x18ftypmp42", "clip.mp4", "video/mp4"),
        (b"?", "model.glb9", "application/octet-stream"),
    ],
)
def test_bytes_come_before_names(data: bytes, filename: str, media_type: str) -> None:
    assert media_type_of(data, filename) == media_type


@pytest.mark.parametrize(
    ("data", "name"), [(b"\x89PNG\r\n\x1a\n", "d.png"), (b"\xff\xd8\xff", "d.jpg"), (b"RIFF....WEBP", "d.webp")]
)
def test_uploads_are_named_by_digest(data: bytes, name: str) -> None:
    assert upload_name("d", data) == name


def mask_of(*, blur: int) -> Image.Image:
    white_left = Image.new("RGB", (32, 32), "black")
    white_left.paste("white", (0, 0, 16, 32))
    out = io.BytesIO()
    white_left.save(out, "PNG")
    return Image.open(io.BytesIO(prepare_mask(out.getvalue(), width=64, height=128, blur=blur)))


def test_masks_are_scaled_to_the_image() -> None:
    mask = mask_of(blur=0)

    assert (mask.size, mask.mode) == ((64, 128), "L")
    assert (mask.getpixel((4, 64)), mask.getpixel((60, 64))) == (255, 0)


def test_masks_get_a_soft_edge() -> None:
    sharp, soft = mask_of(blur=0), mask_of(blur=6)

    assert (sharp.getpixel((24, 64)), sharp.getpixel((40, 64))) == (255, 0)
    assert 0 < int(str(soft.getpixel((40, 64)))) < int(str(soft.getpixel((24, 64)))) < 255
    assert soft.getpixel((2, 64)) == 255
