"""The text in pictures is written as A1111 reads it, and read as A1111 writes it."""

from hypothesis import given
from hypothesis import strategies as st

from imagegen_gateway.dialects.a1111 import infotext

LINES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=40).map(str.strip)
RECORDED = (
    "cinematic still a cat, film grain\nNegative prompt: bad, lowres\nSteps: 5, Sampler: Euler a, "
    "Schedule type: Karras, CFG scale: 5.5, Seed: 42, Size: 64x72, Model hash: bf31090b88, Model: dreamlike_tiny, "
    'Tiling: True, Lora hashes: "one: 1, two: 2", Version: 1.10.1'
)


def test_a_recorded_text_is_read() -> None:
    assert infotext.read(RECORDED) == {
        "Prompt": "cinematic still a cat, film grain",
        "Negative prompt": "bad, lowres",
        "Steps": "5",
        "Sampler": "Euler a",
        "Schedule type": "Karras",
        "CFG scale": "5.5",
        "Seed": "42",
        "Size-1": "64",
        "Size-2": "72",
        "Model hash": "bf31090b88",
        "Model": "dreamlike_tiny",
        "Tiling": "True",
        "Lora hashes": "one: 1, two: 2",
        "Version": "1.10.1",
    }


def test_a_text_without_settings_is_a_prompt() -> None:
    assert infotext.read("a cat\non a mat") == {"Prompt": "a cat\non a mat", "Negative prompt": ""}
    assert infotext.read(" \n") == {}


@given(prompt=LINES, negative=LINES, model=LINES.filter(bool))
def test_what_is_written_is_read_again(prompt: str, negative: str, model: str) -> None:
    settings = {"Steps": 5, "Model": model, "Seed": 7}
    found = infotext.read(infotext.write(f"x{prompt}", negative, settings))
    assert found["Prompt"] == f"x{prompt}"
    assert found["Negative prompt"] == negative
    assert (found["Steps"], found["Seed"]) == ("5", "7")


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    infotext.read(text)
