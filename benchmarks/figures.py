"""Figures of several repetitions, and the table that shows them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What the repetitions gave."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        return f"{self.median:.3g} ({min(self.values):.3g}..{max(self.values):.3g})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table."""

    name: str
    unit: str
    ours: Spread
    floor: Spread | None = None
    most: float | None = None
    """Budget for our median."""
    most_ratio: float | None = None
    """Budget for the ratio to the floor."""

    @property
    def ratio(self) -> float | None:
        return None if self.floor is None else self.ours.median / self.floor.median

    @property
    def budget(self) -> str:
        parts = []
        if self.most is not None:
            parts.append(f"<= {self.most:g} {self.unit}")
        if self.most_ratio is not None:
            parts.append(f"<= {self.most_ratio:g}x")
        return " and ".join(parts)

    @property
    def verdict(self) -> str:
        if not self.budget:
            return ""
        is_met = (self.most is None or self.ours.median <= self.most) and (
            self.most_ratio is None or (self.ratio is not None and self.ratio <= self.most_ratio)
        )
        return "met" if is_met else "MISSED"


HEADINGS = ("what", "ratio to floor", "imagegen", "floor", "unit", "budget", "")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table, also for people at a terminal. Medians, with the smallest and the largest in brackets."""
    return grid([HEADINGS, *(_row(figure) for figure in figures)])


def grid(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, whose first row is the headings."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    lines = [f"| {' | '.join(row)} |" for row in padded]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _row(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}x"
    floor = "" if figure.floor is None else str(figure.floor)
    return figure.name, ratio, str(figure.ours), floor, figure.unit, figure.budget, figure.verdict
