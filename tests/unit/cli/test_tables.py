"""Tables for terminals: how wide, and what of them goes."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from inventory_job.cli.client.tables import table

ID = "job-0123456789ab"
names = st.lists(st.text("abc_", min_size=1, max_size=30), max_size=8, unique=True)
values = (
    st.none()
    | st.integers()
    | st.text(max_size=60)
    | st.just("2026-03-04T01:02:03.456Z")
    | st.lists(st.text(max_size=20), max_size=4)
)


def drawn(
    columns: list[str], rows: list[dict[str, Any]], width: int
) -> tuple[list[str], list[str]]:
    """The lines of the table, and the columns left out."""
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    shown, left_out = table(columns, rows, width)
    with console.capture() as captured:
        console.print(shown)
    return captured.get().split("\n"), left_out


@given(names, st.integers(16, 120), st.data())
def test_a_table_fits_with_whole_ids_and_says_what_it_leaves_out(
    others: list[str], width: int, data: st.DataObject
) -> None:
    columns = ["job_id", *others]
    rows = [
        {"job_id": ID, **{name: data.draw(values) for name in others}}
        for _ in range(data.draw(st.integers(1, 3)))
    ]

    lines, left_out = drawn(columns, rows, width)

    assert max(map(cell_len, lines)) <= width
    assert sum(line.startswith(ID) for line in lines) == len(rows)
    assert left_out == columns[len(columns) - len(left_out) :]


def test_what_fits_is_whole() -> None:
    time = "2026-03-04T01:02:03.456Z"

    lines, left_out = drawn(["a", "b"], [{"a": "x" * 50, "b": time}], 71)

    assert left_out == []
    assert lines[2].rstrip() == "x" * 50 + "  2026-03-04 01:02:03"
