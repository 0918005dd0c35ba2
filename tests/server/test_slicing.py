"""Which images an attempt makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import JobSpec, Slice
from imagegen_server.running.slicing import cut, part_of, passes_in, within


def spec(count: int, batch_size: int = 1) -> JobSpec:
    return JobSpec(source=ImageParameters(prompt="", seed=100, count=count, batch_size=batch_size))


GRAPH = JobSpec(source=RawGraph(json="{}"))


def test_a_part_has_the_seeds_that_it_has_in_the_whole() -> None:
    part = part_of(spec(8).source, Slice(first=3, count=2))
    assert isinstance(part, ImageParameters)
    assert (part.seed, part.count) == (103, 2)
    assert part_of(GRAPH.source, Slice()) is GRAPH.source


def test_passes_are_counted_whole() -> None:
    assert passes_in(spec(7, 2), [Slice(count=4), Slice(first=6, count=1)]) == 3
    assert passes_in(GRAPH, [Slice()]) == 1


def test_an_attempt_ends_at_a_gap() -> None:
    missing = [Slice(count=2), Slice(first=5, count=3)]
    assert cut(spec(8), missing, 4) == (Slice(count=2), [Slice(first=5, count=3)])
    assert cut(spec(8), missing, 1) == (Slice(count=1), [Slice(first=1, count=1), Slice(first=5, count=3)])
    assert cut(GRAPH, [Slice()], 1) == (Slice(), [])


@given(count=st.integers(1, 64), batch_size=st.integers(1, 8), passes=st.integers(1, 64))
def test_nothing_is_lost_by_cutting(count: int, batch_size: int, passes: int) -> None:
    wanted = spec(count, batch_size)
    piece, rest = cut(wanted, [Slice(count=count)], passes)
    assert [image for each in (piece, *rest) for image in each.images] == list(range(count))
    assert passes_in(wanted, [piece]) <= passes
    assert passes_in(wanted, [piece]) + passes_in(wanted, rest) == passes_in(wanted, [Slice(count=count)])


@pytest.mark.parametrize(
    ("missing", "old", "shared"),
    [
        ([Slice(count=8)], Slice(first=2, count=3), Slice(first=2, count=3)),
        ([Slice(first=4, count=2)], Slice(first=2, count=3), Slice(first=4, count=1)),
        ([Slice(count=1), Slice(first=3, count=1)], Slice(first=2, count=3), Slice(first=3, count=1)),
        ([Slice(first=6, count=2)], Slice(first=2, count=3), None),
        ([Slice()], Slice(), Slice()),
        ([], Slice(), None),
    ],
)
def test_what_an_earlier_attempt_was_to_make_is_found(missing: list[Slice], old: Slice, shared: Slice | None) -> None:
    assert within(missing, old) == shared
