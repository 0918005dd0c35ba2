"""Text is added to PNG files without touching their pixels."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagegen_gateway.dialects.a1111.png import has_text, with_text


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("text", ["a cat", "", "ein Käfer", "猫 and a cat"])
def test_pillow_reads_what_was_written(text: str) -> None:
    data = with_text(png(), "parameters", text)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.info["parameters"] == text
    assert has_text(data, "parameters")
    assert not has_text(data, "prompt")
    assert not has_text(png(), "parameters")


@given(st.binary(max_size=60), st.booleans())
def test_other_bytes_stay_as_they_are_and_break_nothing(data: bytes, is_png: bool) -> None:
    whole = png()[:8] + data if is_png else data
    assert not has_text(whole, "parameters")
    assert with_text(whole, "parameters", "x") == whole or is_png
