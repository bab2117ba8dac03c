"""What the commands show: cells, periods, bars, progress. No server."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory_job.cli.client.bars import MOST_SERIES, OTHERS, counted, segments
from inventory_job.cli.client.cells import cell, csv_cell, escaped, short_cell
from inventory_job.cli.client.durations import RUNNING, duration, in_words, percentile
from inventory_job.cli.client.filters import parse_filter
from inventory_job.cli.client.page import NotOnPage, jobs_view
from inventory_job.cli.client.periods import FORMATS, Period, labels, parse_time, start_of
from inventory_job.cli.client.queries import Selection
from inventory_job.cli.client.stuck import SLOW, STALE, flags
from inventory_job.cli.client.tasks import tasks_of

NOW = datetime(2026, 3, 4, 4, 30, 15)

rows_of_numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=8)


def is_obeyed(character: str) -> bool:
    """Whether a terminal does something else with it than showing it."""
    is_control = unicodedata.category(character) == "Cc"
    return is_control or unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF"}


@given(st.text() | st.lists(st.text()))
def test_nothing_that_a_terminal_obeys_is_in_a_cell(value: str | list[str]) -> None:
    assert not any(map(is_obeyed, cell(value)))


def test_what_a_terminal_would_obey_is_shown_as_an_escape() -> None:
    assert cell("\x1b[2J\t\n\x9b\u202e") == r"\x1b[2J\t\n\x9b\u202e"
    assert escaped('"\x9b\u202e"') == r'"\u009b\u202e"'


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, ""), (True, "true"), (3, "3"), (0.5, "0.5"), ("é", "é"), (["a", None], '["a",null]')],
)
def test_values_are_shown_as_json_but_for_text_and_null(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_a_timestamp_is_shown_to_the_second() -> None:
    assert short_cell("2026-03-04T01:02:03.456Z") == "2026-03-04 01:02:03"


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "  =1"],
)
def test_text_that_a_spreadsheet_would_compute_is_quoted(text: str) -> None:
    assert csv_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["\xa0=1", "\u3000\uff1d1", "\n+1"])
def test_blanks_do_not_hide_a_formula(text: str) -> None:
    assert csv_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["a=1", "job-1", " a", "", "1-2"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert csv_cell(text) == text


def test_a_negative_number_is_no_formula() -> None:
    assert csv_cell(-1) == "-1"


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("30d", datetime(2026, 2, 2, 4, 30, 15)),
        ("12h", datetime(2026, 3, 3, 16, 30, 15)),
        ("now/m-1w", datetime(2026, 2, 22)),
        ("2026-03-01", datetime(2026, 3, 1)),
    ],
)
def test_a_time_is_an_age_or_one_of_the_query_language(text: str, time: datetime) -> None:
    assert parse_time(text, NOW) == time


@pytest.mark.parametrize("text", ["", "d", "30", "-3d", "now-2y", "99999999d", "yesterday", "٣d"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        parse_time(text, NOW)


@pytest.mark.parametrize(
    ("period", "start", "end", "expected"),
    [
        (
            Period.HOUR,
            "2026-03-04T23:59",
            "2026-03-05T01:00",
            ["2026-03-04 23:00", "2026-03-05 00:00"],
        ),
        (Period.DAY, "2026-02-28", "2026-03-02", ["2026-02-28", "2026-03-01"]),
        (Period.WEEK, "2026-12-30", "2027-01-05", ["2026-W53", "2027-W01"]),
        (Period.MONTH, "2026-01-31", "2026-03-01", ["2026-01", "2026-02"]),
        (Period.YEAR, "2024-02-29", "2026-01-01", ["2024", "2025"]),
        (Period.YEAR, "9999-02-28", "9999-12-31", ["9999"]),
    ],
)
def test_every_period_between_two_times_is_labelled(
    period: Period, start: str, end: str, expected: list[str]
) -> None:
    found = labels(period, datetime.fromisoformat(start), datetime.fromisoformat(end))

    assert list(found) == expected


@given(st.sampled_from(Period), st.datetimes(datetime(1001, 1, 1), datetime(9998, 1, 1)))
def test_a_period_begins_before_what_is_in_it_and_has_its_label(
    period: Period, time: datetime
) -> None:
    start = start_of(period, time)

    assert start <= time
    assert start.strftime(FORMATS[period]) == time.strftime(FORMATS[period])


@given(rows_of_numbers, st.integers(10, 200))
def test_all_that_is_there_is_seen_and_fits(row: list[int], width: int) -> None:
    cells = segments(row, sum(row), width)

    assert [number > 0 for number in row] == [count > 0 for count in cells]
    assert sum(cells) == (width if any(row) else 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["d1", "d2"]),
            st.sampled_from([*"abcdefghij", OTHERS]),
            st.integers(0, 99),
        )
    )
)
def test_no_job_is_lost_where_series_are_put_together(found: list[tuple[str, str, int]]) -> None:
    counts = counted(["d1", "d2"], found)

    assert sum(map(counts.total, counts.series)) == sum(number for _, _, number in found)
    assert len(counts.series) == len(set(counts.series)) <= MOST_SERIES


def test_a_period_without_jobs_has_zeros() -> None:
    assert counted(["d1", "d2"], [("d2", "SUCCESS", 3)]).row("d1") == [0]


@pytest.mark.parametrize(
    ("created_at", "shown"),
    [
        ("2026-03-04T04:30:05Z", "0m 10s"),
        ("2026-03-04T01:00:00Z", "3h 30m"),
        ("2026-03-01T00:30:15Z", "3d 04h"),
        ("2026-03-05T00:00:00Z", "0m 00s"),
    ],
)
def test_an_age_has_two_units_and_is_never_negative(created_at: str, shown: str) -> None:
    age = duration({"status": RUNNING, "created_at": created_at}, NOW)

    assert age is not None
    assert in_words(age) == shown


@pytest.mark.parametrize("time", ["", "soon"])
def test_a_duration_without_its_times_is_not_known(time: str) -> None:
    began = {"created_at": "2026-03-04T04:30:05Z"}

    assert duration({"status": RUNNING, "created_at": time}, NOW) is None
    assert duration({"status": "FAILURE", "finished_at": time, **began}, NOW) is None


def test_a_finished_job_has_taken_what_it_took_whenever_that_is_asked() -> None:
    times = {"created_at": "2026-03-03T04:30:05Z", "finished_at": "2026-03-03T05:30:05Z"}

    assert duration({"status": "SUCCESS", **times}, NOW) == timedelta(hours=1)


def test_a_job_that_ended_before_it_began_took_no_time_that_is_known() -> None:
    times = {"created_at": "2026-03-03T05:30:05Z", "finished_at": "2026-03-03T04:30:05Z"}

    assert duration({"status": "SUCCESS", **times}, NOW) is None


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (99, 99), (100, 99), (1000, 990)])
def test_a_percentile_is_one_of_the_values(count: int, expected: int) -> None:
    values = [timedelta(seconds=number) for number in range(count, 0, -1)]

    assert percentile(values, 0.99) == timedelta(seconds=expected)


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "age", "silence", "expected"),
    [
        (RUNNING, timedelta(minutes=30), timedelta(minutes=59), []),
        (RUNNING, timedelta(minutes=31), timedelta(minutes=1), [SLOW]),
        (RUNNING, timedelta(minutes=30), timedelta(minutes=61), [STALE]),
        (RUNNING, HOUR, None, [SLOW]),
        (RUNNING, 2 * HOUR, None, [SLOW, STALE]),
        ("SUCCESS", 2 * HOUR, 2 * HOUR, []),
    ],
)
def test_a_running_job_is_flagged_for_its_age_and_for_its_silence(
    status: str, age: timedelta, silence: timedelta | None, expected: list[str]
) -> None:
    job = {
        "status": status,
        "plugin_id": "p",
        "created_at": (NOW - age).isoformat(),
        "updated_at": "" if silence is None else (NOW - silence).isoformat(),
    }

    assert flags(job, {"p": timedelta(minutes=30)}, NOW) == expected


def test_without_finished_jobs_of_its_plugin_no_job_is_slow() -> None:
    job = {"status": RUNNING, "plugin_id": "p", "created_at": (NOW - 9 * HOUR).isoformat()}

    assert flags(job, {"other": HOUR}, NOW) == [STALE]


COUNTS = ("total_tasks", "remained_tasks", "success_tasks", "failure_tasks")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((5, 2, 3, 0), "3 of 5 done"),
        ((5, -1, 4, 1), "5 of 5 done, 1 failed"),
        ((3, 5, 0, 0), "0 of 3 done"),
        ((4, 0, 1, 1), "4 of 4 done, 1 failed, 2 neither succeeded nor failed"),
        ((0, 0, 0, 0), "0 of 0 done"),
        ((-1, 0, 0, 0), "0 of 0 done"),
        ((2, 0, 9, 9), "2 of 2 done, 2 failed"),
    ],
)
def test_tasks_stay_between_none_and_all(counts: tuple[int, ...], words: str) -> None:
    assert tasks_of(dict(zip(COUNTS, counts, strict=True))).in_words() == words


@given(st.tuples(*[st.integers(-5, 50)] * 4), st.booleans())
def test_the_bar_of_tasks_is_as_wide_as_its_room_and_shows_each_outcome(
    counts: tuple[int, ...], ascii_only: bool
) -> None:
    tasks = tasks_of(dict(zip(COUNTS, counts, strict=True)))
    fillings = "#x-." if ascii_only else "█▓▒░"

    bar = tasks.bar(20, ascii_only=ascii_only).plain

    assert len(bar) == (20 if tasks.total else 0)
    numbers = (tasks.succeeded, tasks.failed, tasks.others, tasks.left)
    assert [filling in bar for filling in fillings] == [number > 0 for number in numbers]


def test_the_page_has_no_time_behind_the_calendar() -> None:
    last = parse_filter("created_at<=9999-12-31T23:59:59.999")

    with pytest.raises(NotOnPage, match="9999"):
        jobs_view(Selection((last,)), ())
