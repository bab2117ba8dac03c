"""Counts by period and series as stacked bars of text; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

OTHERS = "others"
"""The name of all series that are too many to distinguish."""

MOST_SERIES = 7
"""How many series eyes can distinguish."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs there are of each series in each period, both in the order they are shown."""

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
    """The counts of all `periods`, and of what was `found`: period, series and number. Series are
    by size, the largest first; the smallest beyond MOST_SERIES become OTHERS, the last."""
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
    """The cells of each part of a bar, of `width` cells for `largest`. Whatever there is has a
    cell at least, and together they have the length that the sum asks for, if they fit."""
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
