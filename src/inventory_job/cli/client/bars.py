"""Counts by period and series as stacked bars of text; pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OTHERS = "others"
"""The series that combines the smallest ones, when there are too many to distinguish."""

MOST_SERIES = 7
"""How many series a reader can distinguish."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of jobs of each series in each period, both in display order."""

    periods: Sequence[str]
    series: Sequence[str]
    numbers: Mapping[tuple[str, str], int]

    def row(self, period: str) -> list[int]:
        """The numbers of one period, in the order of the series."""
        return [self.numbers.get((period, name), 0) for name in self.series]

    def total(self, series: str) -> int:
        """The number of a series in all periods."""
        return sum(self.numbers.get((period, series), 0) for period in self.periods)

    def largest(self) -> int:
        """The largest sum of a period."""
        return max((sum(self.row(period)) for period in self.periods), default=0)


def counted(periods: Iterable[str], found: Iterable[tuple[str, str, int]]) -> Counts:
    """The counts of `found` (period, series, number) in all `periods` and in those found. Series
    are sorted by size, largest first; beyond MOST_SERIES, the smallest are combined in OTHERS."""
    rows = [*found]
    sizes: Counter[str] = Counter()
    for _, series, number in rows:
        sizes[series] += number
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    if len(names) > MOST_SERIES:
        names = [name for name in names if name != OTHERS][: MOST_SERIES - 1]
    numbers: Counter[tuple[str, str]] = Counter()
    for period, series, number in rows:
        numbers[period, series if series in names else OTHERS] += number
    rest = [OTHERS] if len(sizes) > len(names) else []
    every = sorted({*periods, *(period for period, _, _ in rows)})
    return Counts(every, [*names, *rest], numbers)


def segments(row: Sequence[int], largest: int, width: int) -> list[int]:
    """The number of cells of each segment of a bar, scaled so that `largest` takes `width` cells.
    A number above 0 gets at least one cell; the bar grows for this only if it must."""
    if largest <= 0:
        return [0 for _ in row]
    length = max(round(sum(row) * width / largest), sum(number > 0 for number in row))
    total = sum(row) or 1
    ends = [round(sum(row[: index + 1]) * length / total) for index in range(len(row))]
    cells = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    for index, number in enumerate(row):
        if number and not cells[index]:
            cells[index] = 1
            cells[cells.index(max(cells))] -= 1
    return cells
