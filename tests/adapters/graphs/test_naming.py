"""What may have been meant."""

import pytest

from imagegen_adapters.graphs.naming import LISTED_NAMES, UnknownName, near_names, shown, unknown_name

SUBJECTS = ("oil", "pastel", "ink", "charcoal", "gouache", "watercolour", "etching", "mosaic", "fresco", "collage")
LORAS = ("Style\\Watercolour_v2.safetensors", "other/sketch.safetensors", "sketch.ckpt", "watercolour_v3.safetensors")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Style/Watercolour_v2.safetensors", "Style\\Watercolour_v2.safetensors"),
        ("watercolour_v2.safetensors", "Style\\Watercolour_v2.safetensors"),
        ("a/b/WATERCOLOUR_V3.CKPT", "watercolour_v3.safetensors"),
        ("sketch.safetensors", "other/sketch.safetensors"),
        ("watercolor_v3.safetensors", "watercolour_v3.safetensors"),
    ],
)
def test_a_file_elsewhere_or_written_otherwise_is_the_nearest(name: str, nearest: str) -> None:
    assert near_names(name, LORAS)[0] == nearest


def test_what_only_has_the_extension_in_common_is_not_near() -> None:
    assert near_names("unrelated.png", ["example.safetensors", "x.png"]) == []


def test_long_lists_are_cut() -> None:
    sentence = unknown_name("sampler", "s7", [f"s{number}x" for number in range(50)])

    assert sentence.startswith("no such sampler 's7'; allowed: s7x, ")
    assert sentence.endswith(" and 30 more")


def test_the_nearest_of_thousands_of_names_come_first() -> None:
    """Only those that have something in common with the name are compared letter by letter."""
    names = [f"style/{subject}_{number:03}.safetensors" for subject in SUBJECTS for number in range(300)]
    assert "allowed: style/watercolour_217.safetensors, " in unknown_name("choice", "watercolor_217.safetensors", names)


def test_what_all_names_have_in_common_tells_nothing() -> None:
    names = [f"the same long beginning of every name {number:05}.safetensors" for number in range(3000)]
    assert near_names("The same long beginning of every name 02999", names)[0] == names[2999]


def test_suggestions_are_the_near_ones_and_then_what_is_allowed() -> None:
    unknown = UnknownName(what="sampler", name="eulr", allowed=("ddim", "euler", *map(str, range(40))))

    assert unknown.suggestions[:3] == ("euler", "ddim", "0")
    assert len(unknown.suggestions) == LISTED_NAMES


def test_of_hundreds_only_near_ones_are_suggested() -> None:
    unknown = UnknownName(what="node class", name="KSamplr", allowed=("KSampler", "SaveImage"), has_many=True)

    assert unknown.suggestions == ("KSampler",)
    assert unknown.sentence == "no such node class 'KSamplr'; alike: KSampler"

    strange = UnknownName(what="node class", name="Canny", allowed=("KSampler", "SaveImage"), has_many=True)
    assert strange.sentence == "no such node class 'Canny'"


def test_values_are_shown_in_short() -> None:
    assert shown("x" * 1000) == f"'{'x' * 256}'…"
    assert shown(10**1000) == "1" + "0" * 255
    assert [shown(value) for value in ("a", 1, 1.5, True, None)] == ["'a'", "1", "1.5", "True", "None"]
    assert (shown([[]]), shown({"a": 1})) == ("a list", "an object")


def test_very_long_names_are_near_to_none() -> None:
    """Comparing takes the product of both lengths."""
    assert near_names("x" * 1_000_000, ["x" * 255]) == []
