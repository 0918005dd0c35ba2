"""What the painter understands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.demo.prompt import Brief, read


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red fox", Brief(subject="fox", subject_color="red")),
        ("Two FOXES at sunset", Brief(hour="sunset", subject="fox", others=("two",))),
        ("a crimson sky over blue mountains", Brief(place="mountains", colors=("red", "blue"), others=("sky",))),
        ("lighthouse on a stormy coast", Brief(hour="storm", place="sea", subject="lighthouse")),
        ("misty forest with flowers", Brief(place="forest", extras=frozenset({"fog", "flowers"}))),
        ("cats_and-dogs", Brief(subject="cat")),
        ("", Brief()),
        ("красная лиса", Brief(others=("красная", "лиса"))),
    ],
)
def test_reading(prompt: str, expected: Brief) -> None:
    assert read(prompt, "") == expected


def test_the_negative_prompt_takes_words_out_and_bans_them() -> None:
    brief = read("a red fox in the mountains at night", "foxes, night, clouds")
    assert (brief.subject, brief.hour, brief.place) == ("", "", "mountains")
    assert brief.banned >= {"fox", "night", "clouds"}


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_can_be_read(prompt: str, negative: str) -> None:
    brief = read(prompt, negative)
    assert brief.subject not in brief.banned
    assert len(brief.colors) <= 3


def test_a_very_long_prompt_is_read_in_part() -> None:
    assert len(read("word " * 10_000, "").others) < 1000
