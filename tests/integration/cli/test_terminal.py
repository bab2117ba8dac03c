"""The commands as people see them: in a terminal, on its screen."""

from __future__ import annotations

import re

import pytest

from tests.cases.cli_jobs import AWS, AZURE, DOMAIN, JOBS
from tests.support.running import ServerThread
from tests.support.store import Store
from tests.support.terminal import Screen, run, shown

pytestmark = pytest.mark.usefixtures("jobs")


def test_a_list_is_a_table_with_times_to_the_second(server: ServerThread) -> None:
    lines = shown(server, "list", "--page-size", "3", "-f", "total_tasks<8", width=100)

    assert lines == [
        "job_id            status    created_at           finished_at          plugin_id",
        "─" * 98,
        "job-000000000007  SUCCESS   2026-03-03 12:00:00  2026-03-03 12:07:00  " + AZURE,
        "job-000000000006  CANCELED  2026-03-03 04:00:00  2026-03-03 04:06:00  " + AWS,
        "job-000000000005  SUCCESS   2026-03-02 20:00:00  2026-03-02 20:05:00  " + AWS,
        "jobs 1 to 3 of 7; --page 2 shows more",
    ]


def test_in_80_columns_times_and_long_text_are_shorter_and_nothing_wraps(
    server: ServerThread,
) -> None:
    lines = shown(server, "list", "--page-size", "2", "-f", "total_tasks<8", width=80)

    assert lines == [
        "job_id            status    created_at        finished_at       plugin_id",
        "─" * 80,
        "job-000000000007  SUCCESS   2026-03-03 12:00  2026-03-03 12:07  plugin-azure-in…",
        "job-000000000006  CANCELED  2026-03-03 04:00  2026-03-03 04:06  plugin-aws-inve…",
        "jobs 1 to 2 of 7; --page 2 shows more",
    ]


def test_where_a_terminal_is_narrow_ids_stay_whole_and_columns_go(server: ServerThread) -> None:
    lines = shown(server, "list", "-f", "status=FAILURE", width=60)

    assert max(map(len, lines)) <= 60
    assert lines[2:] == [
        "job-000000000002  FAILURE  2026-03-01 20:00",
        "no room for finished_at, plugin_id; --output shows them",
    ]


@pytest.mark.parametrize("width", [30, 80, 120])
def test_all_fields_at_once_are_no_wider_than_the_terminal(
    server: ServerThread, width: int
) -> None:
    everything = "job_id,collector_id,domain_id,workspace_id,total_tasks,plugin_id,updated_at"

    head, _, *rows = shown(server, "list", "--only", everything, "-s", "job_id", width=width)

    assert head.startswith("job_id  ")
    assert [row.split()[0] for row in rows[:8]] == [job["job_id"] for job in JOBS]


def test_a_job_is_shown_whole_in_as_many_lines_as_that_takes(server: ServerThread) -> None:
    lines = shown(server, "get", "job-000000000007", width=40)

    assert "plugin-azure-inven-collector" in "".join(line[20:].strip() for line in lines)


def test_lists_are_broken_into_lines(server: ServerThread) -> None:
    command = ("analyze", "--by", "collector_id,status", "--fold", "status")

    lines = shown(server, *command, width=60)

    assert max(map(len, lines)) <= 60
    assert '{"status":"FAILURE"' in "".join(line[13:].strip() for line in lines)


def test_no_stored_text_is_obeyed_by_the_terminal(server: ServerThread) -> None:
    with run(server, "list") as opened:
        assert opened.finish() == 0

    assert b"\x1b[2J" not in opened.output
    assert "\u202e".encode() not in opened.output


def test_colours_are_left_out_when_they_are_not_wanted(server: ServerThread) -> None:
    with run(server, "list", environment={"NO_COLOR": "1"}) as plain:
        assert plain.finish() == 0
    with run(server, "list") as coloured:
        assert coloured.finish() == 0

    assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", plain.output)
    assert re.search(rb"\x1b\[[0-9;]*3[0-7]m", coloured.output)


def test_numbers_of_a_stat_stand_below_each_other(server: ServerThread) -> None:
    assert shown(server, "stat", "--by", "status", "--count", "--sum", "total_tasks") == [
        "status       jobs  sum_total_tasks",
        "──────────────────────────────────",
        "CANCELED        1                6",
        "FAILURE         1                2",
        "IN_PROGRESS     2               12",
        "SUCCESS         4               16",
    ]


CHART = ("chart", "--since", "2026-03-01", "--until", "2026-03-05")


def test_a_chart_has_a_bar_for_each_day_as_long_as_its_jobs_are_many(server: ServerThread) -> None:
    assert shown(server, *CHART, width=45) == [
        "jobs per day by status, UTC",
        "██ SUCCESS 4   ▓▓ FAILURE 1  ▒▒ IN_PROGRESS 2",
        "░░ CANCELED 1",
        "2026-03-01 ██████████▓▓▓▓▓▓▓▓▓▓▓ 2",
        "2026-03-02 █████████████████████▒▒▒▒▒▒▒▒▒▒ 3",
        "2026-03-03 ██████████▒▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░ 3",
        "2026-03-04 0",
    ]


def test_a_chart_is_drawn_with_what_the_terminal_can_show(server: ServerThread) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}

    lines = shown(server, *CHART, "-f", "status=SUCCESS", environment=ascii_only, width=40)

    assert lines[2:] == [
        "2026-03-01 " + "#" * 13 + " 1",
        "2026-03-02 " + "#" * 26 + " 2",
        "2026-03-03 " + "#" * 13 + " 1",
        "2026-03-04 0",
    ]


def test_delete_asks_first(server: ServerThread, database: Store) -> None:
    database.jobs.insert_one({"job_id": "job-doomed", "domain_id": "domain-2"})
    command = ("delete", "job-doomed", "--domain", "domain-2")

    def shows_the_question(screen: Screen) -> bool:
        return any("Delete job-doomed with all tasks? [y/N]:" in line for line in screen)

    with run(server, *command) as opened:
        opened.wait_for(shows_the_question)
        opened.press("n\n")
        assert opened.finish() == 1
    assert database.jobs.count_documents({"job_id": "job-doomed"}) == 1
    with run(server, *command) as opened:
        opened.wait_for(shows_the_question)
        opened.press("y\n")
        assert opened.finish() == 0
    assert database.jobs.count_documents({"job_id": "job-doomed"}) == 0


@pytest.mark.parametrize(
    ("options", "browser", "expected"),
    [
        ((), "echo opened %s", ["{page}", "opened {page}"]),
        (("--print",), "echo opened %s", ["{page}"]),
        ((), "false", ["{page}", "inventory-job: there is no browser here that could be opened"]),
    ],
)
def test_open_prints_the_address_of_the_page_and_opens_it(
    server: ServerThread, options: tuple[str, ...], browser: str, expected: list[str]
) -> None:
    page = f"http://127.0.0.1:8080/#domain={DOMAIN}&view=jobs&status=FAILURE"
    # Without PATH there are no browsers but that one.
    environment = {"BROWSER": browser} | ({"PATH": ""} if browser == "false" else {})

    lines = shown(server, "open", "-f", "status=FAILURE", *options, environment=environment)

    assert sorted(lines) == sorted(line.format(page=page) for line in expected)


def test_show_has_the_tasks_as_a_bar(server: ServerThread) -> None:
    lines = shown(server, "show", "job-000000000002")

    assert lines[2:6] == [
        "job_id                job-000000000002",
        "status                FAILURE",
        "duration              2m 00s",
        f"tasks                 {'█' * 12}{'▓' * 12}  2 of 2 done, 1 failed",
    ]


def test_show_says_of_a_running_job_whether_it_is_stuck(server: ServerThread) -> None:
    [stuck, duration, tasks] = shown(server, "show", "job-000000000004", width=150)[4:7]

    assert stuck == (
        "stuck                 running for longer than 99 % of its plugin's newest finished jobs "
        "took; not updated for an hour"
    )
    assert re.fullmatch(r"duration +\d+d \d\dh so far", duration)
    assert tasks == f"tasks                 {'█' * 12}{'░' * 12}  2 of 4 done"


def test_show_is_drawn_with_what_the_terminal_can_show(server: ServerThread) -> None:
    lines = shown(server, "show", "job-000000000002", environment={"PYTHONIOENCODING": "ascii"})

    [tasks] = [line for line in lines if line.startswith("tasks")]
    assert tasks.endswith(f"{'#' * 12}{'x' * 12}  2 of 2 done, 1 failed")
    assert all(map(str.isascii, lines))
