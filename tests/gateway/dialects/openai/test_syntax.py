"""How a message orders a picture."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_gateway.dialects.openai.syntax import (
    FLAGS,
    MAX_COUNT,
    MAX_SEED,
    SyntaxProblem,
    asks_for_help,
    help_text,
    parse,
    render,
)
from imagegen_gateway.dialects.orders import SIDES, Order, shaped, sized
from imagegen_gateway.dialects.wishes import Offer

ORDERS = [
    ("a red fox", Order(prompt="a red fox")),
    ("", Order()),
    ("a fox --size 768x512", Order(prompt="a fox", size=(768, 512))),
    ("a fox --size=640", Order(prompt="a fox", size=(640, 640))),
    ("--seed 42 a fox --steps 30 in snow", Order(prompt="a fox in snow", seed=42, steps=30)),
    ("a fox --seed -1", Order(prompt="a fox")),
    ("a fox --no text, watermark --n 4", Order(prompt="a fox", negative_prompt="text, watermark", count=4)),
    ('a fox --no "text, watermark" at night', Order(prompt="a fox at night", negative_prompt="text, watermark")),
    ("a fox --no “red hats”", Order(prompt="a fox", negative_prompt="red hats")),
    ("a fox --no —a, \\--b", Order(prompt="a fox", negative_prompt="—a, --b")),
    ("a fox --sampler DPM++ 2M --scheduler karras", Order(prompt="a fox", sampler="DPM++ 2M", scheduler="karras")),
    ("a fox --ar 16:9, --cfg 4.5", Order(prompt="a fox", aspect=(16, 9), cfg_scale=4.5)),
    ("make it blue --edit --denoise .4", Order(prompt="make it blue", is_edit=True, denoise=0.4)),
    ("make it blue --EDIT", Order(prompt="make it blue", is_edit=True)),
    ("a fox —size 64x64", Order(prompt="a fox", size=(64, 64))),
    ("a fox — in snow", Order(prompt="a fox — in snow")),
    ("a fox —unheard of", Order(prompt="a fox —unheard of")),
    ("well-known -- or a--b, --- and -5", Order(prompt="well-known -- or a--b, --- and -5")),
    ("a sign that says \\--danger", Order(prompt="a sign that says --danger")),
    ("two lines\nof words --steps 5", Order(prompt="two lines\nof words", steps=5)),
]
PROBLEMS = [
    ("a fox --foo 3", "There is no flag --foo. There are --size, --ar"),
    ("a fox --size768x512", "There is no flag --size768x512"),
    ("a fox --steps", "--steps needs a value, as in `--steps 30`"),
    ("a fox --n --seed 4", "--n needs a value"),
    ("a fox --no --n 2", "--no needs a value"),
    ("a fox --steps many", "--steps takes a whole number from 1 to 500; `many` is none"),
    ("a fox --steps 501", "from 1 to 500"),
    ("a fox --n 17", f"from 1 to {MAX_COUNT}"),
    ("a fox --size 770x512", "the nearest is 768x512"),
    ("a fox --size 9000x9000", "the nearest is 4096x4096"),
    ("a fox --ar wide", "width to height, as 16:9"),
    ("a fox --ar 16:0", "width to height, as 16:9"),
    ("a fox --cfg 1e3", "a number from 0 to 100"),
    ("a fox --denoise 2", "a number from 0 to 1"),
    ("a fox --seed 9223372036854775808", f"from 0 to {MAX_SEED}"),
    ("a fox --seed 1 --seed 2", "--seed is given twice"),
]
WORDS = st.text("abc -—\\\n", max_size=30).map(str.strip)
SIZES = st.tuples(st.sampled_from(SIDES), st.sampled_from(SIDES))


@pytest.mark.parametrize(("text", "order"), ORDERS)
def test_what_a_message_orders(text: str, order: Order) -> None:
    assert parse(text) == order


@pytest.mark.parametrize(("text", "problem"), PROBLEMS)
def test_what_cannot_be_understood_is_said(text: str, problem: str) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse(text)
    assert problem in str(caught.value)


@given(st.text('abn "“”=—–-\\:x0123456789.,\n', max_size=60) | st.text(max_size=40))
def test_any_text_is_an_order_or_a_problem(text: str) -> None:
    try:
        order = parse(text)
    except SyntaxProblem:
        return
    assert parse(render(order)) == order


@given(
    st.builds(
        Order,
        prompt=WORDS,
        size=st.none() | SIZES,
        aspect=st.none() | st.tuples(st.integers(10, 80), st.integers(10, 80)),
        steps=st.none() | st.integers(1, 500),
        seed=st.none() | st.integers(0, MAX_SEED),
        negative_prompt=st.none() | WORDS.filter(bool),
        count=st.none() | st.integers(1, MAX_COUNT),
        cfg_scale=st.none() | st.integers(0, 1000).map(lambda tenths: tenths / 10),
        denoise=st.none() | st.integers(0, 100).map(lambda percent: percent / 100),
        sampler=st.none() | st.sampled_from(["euler", "DPM++ 2M"]),
        is_edit=st.booleans(),
    )
)
def test_what_is_rendered_is_read_as_the_same(order: Order) -> None:
    assert parse(render(order)) == order


def test_help_names_the_flags_that_a_model_takes() -> None:
    style = Offer(id="s", workflow_id="s", base="text-to-image", inputs=frozenset({"prompt", "steps", "width"}))
    graph = Offer(id="g", name="Comic", workflow_id="g", inputs=frozenset({"prompt", "steps", "width"}))
    assert all(f"`--{flag.name}" in help_text(Offer(id="sdxl")) for flag in FLAGS)
    assert re.findall("`--([a-z]+)", help_text(style)) == ["size", "ar", "steps", "edit", "denoise"]
    assert re.findall("`--([a-z]+)", help_text(graph)) == ["size", "ar", "steps"]
    assert ("Attach" in help_text(style), "Attach" in help_text(graph)) == (True, False)
    assert help_text(Offer(id="g", name="Comic", workflow_id="g")) == (
        "Say what the picture should show; **Comic** makes it."
    )


def test_help_is_asked_for_by_itself() -> None:
    assert all(asks_for_help(text) for text in ("help", " /Help\n", "--help", "?"))
    assert not asks_for_help("help, a fox")


@given(st.integers(1, 80), st.integers(1, 80), st.integers(64 * 64, 4096 * 4096))
def test_a_shape_is_a_size_that_can_be_made(width: int, height: int, area: int) -> None:
    assert all(side in SIDES for side in shaped(width, height, area))


def test_a_size_goes_before_a_shape() -> None:
    assert sized(Order(), 512 * 512) is None
    assert sized(Order(aspect=(16, 9)), 1024 * 1024) == (1368, 768)
    assert sized(Order(size=(64, 72), aspect=(16, 9)), 512 * 512) == (64, 72)
