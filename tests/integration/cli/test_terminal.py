"""The commands as people see them: in a terminal, on its screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.cases.cli_jobs import AWS, AZURE, DOMAIN, JOBS
from tests.support.running import ServerThread
from tests.support.store import Store
from tests.support.terminal import Screen, Terminal, terminal


@pytest.fixture(autouse=True, scope="module")
def jobs(database: Store) -> None:
    database.jobs.insert_many(dict(job) for job in JOBS)


def run(
    server: ServerThread, *arguments: str, environment: dict[str, str] | None = None, **size: int
) -> AbstractContextManager[Terminal]:
    target = {"INVENTORY_JOB_ENDPOINT": server.address, "INVENTORY_JOB_DOMAIN": DOMAIN}
    return terminal(*arguments, environment=target | (environment or {}), **size)


def shown(server: ServerThread, *arguments: str, **options: Any) -> Screen:
    """The screen when the command has ended."""
    with run(server, *arguments, **options) as opened:
        assert opened.finish() == 0
        return opened.lines()


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


TOP = ("top", "--interval", "0.5")


def running(screen: Screen) -> bool:
    """Whether both running jobs are on the screen, down to its last word."""
    return screen[:1] != [] and screen[0].startswith("2 running") and screen[-1].endswith(" " + AWS)


def test_top_shows_the_running_jobs_and_how_far_they_are(server: ServerThread) -> None:
    with run(server, *TOP) as opened:
        title, head, _, *lines = opened.wait_for(running)
        opened.press("q")
        assert opened.finish() == 0

    assert title == f"2 running, newest first  {server.address}, every 0.5 s, s sorts, q ends"
    assert head.split() == ["job", "age", "progress", "tasks", "failed", "stuck", "plugin"]
    assert [line.split()[0] for line in lines] == ["job-000000000008", "job-000000000004"]
    assert all(re.search(r"━+\W+ 50%  +\d/\d  +0  \S+", line) for line in lines), lines
    assert "2/4" in lines[1]
    # The plugin of the first has no finished jobs to compare it with.
    assert re.search(r" 0  stale +\\x1b", lines[0]), lines
    assert re.search(rf" 0  slow stale +{AWS}", lines[1]), lines


def test_top_follows_the_jobs(server: ServerThread, database: Store) -> None:
    job = {"job_id": "job-new", "domain_id": "domain-3", "status": "IN_PROGRESS", "total_tasks": 4}

    with run(server, *TOP, "--domain", "domain-3") as opened:
        opened.wait_for(lambda screen: any("0 running" in line for line in screen))
        database.jobs.insert_one(job | {"remained_tasks": 4})
        opened.wait_for(lambda screen: any("  0%" in line for line in screen))
        database.jobs.update_one({"job_id": "job-new"}, {"$set": {"remained_tasks": 1}})
        opened.wait_for(lambda screen: any(" 75%" in line for line in screen))
        database.jobs.update_one({"job_id": "job-new"}, {"$set": {"status": "SUCCESS"}})
        opened.wait_for(lambda screen: any("0 running" in line for line in screen))
        opened.press("q")
        assert opened.finish() == 0


@pytest.mark.parametrize("way", ["q", "Ctrl-C"])
def test_top_leaves_the_terminal_as_it_was(server: ServerThread, way: str) -> None:
    with run(server, *TOP) as opened:
        opened.wait_for(running)
        assert not opened.is_cooked()
        opened.press("q") if way == "q" else opened.interrupt()
        assert opened.finish() == 0
        assert opened.is_cooked()
        assert opened.output.rstrip().endswith((b"\x1b[?1049l\x1b[?25h", b"\x1b[?25h\x1b[?1049l"))


def test_top_shows_the_newest_jobs_that_there_is_room_for(server: ServerThread) -> None:
    with run(server, *TOP, height=6) as opened:
        lines = opened.wait_for(lambda screen: screen[-1:] != [] and "u202eplugin" in screen[-1])
        opened.press("q")
        opened.finish()

    assert "  1 to 1 shown, arrows scroll" in lines[0]
    assert [line.split()[0] for line in lines[3:]] == ["job-000000000008"]


def test_top_scrolls_and_sorts(server: ServerThread) -> None:
    def first_is(number: int) -> Callable[[Screen], bool]:
        return lambda screen: len(screen) == 4 and f"job-00000000000{number} " in screen[3]

    with run(server, *TOP, height=6) as opened:
        opened.wait_for(first_is(8))
        opened.press("\x1b[B")
        assert "2 to 2 shown" in opened.wait_for(first_is(4))[0]
        opened.press("\x1b[B")
        opened.press("k")
        opened.wait_for(first_is(8))
        opened.press("G")
        opened.wait_for(first_is(4))
        opened.press("s")
        assert opened.wait_for(lambda s: "oldest first" in s[0] and first_is(4)(s))
        opened.press("q")
        assert opened.finish() == 0


def test_top_begins_sorted_as_it_is_asked_to_be(server: ServerThread) -> None:
    with run(server, *TOP, "--sort", "total_tasks") as opened:
        lines = opened.wait_for(lambda screen: screen[:1] != [] and "0008" in screen[-1])
        opened.press("q")
        opened.finish()

    assert lines[0].startswith("2 running, sorted by total_tasks  ")
    assert [line.split()[0] for line in lines[3:]] == ["job-000000000004", "job-000000000008"]


WATCH = ("list", "--watch", "--interval", "0.5")


@pytest.mark.parametrize("way", ["q", "Ctrl-C"])
def test_a_watched_list_follows_the_jobs_and_leaves_the_terminal_as_it_was(
    server: ServerThread, database: Store, way: str
) -> None:
    job = {"job_id": f"job-{way}", "domain_id": "domain-4", "status": "FAILURE"}

    with run(server, *WATCH, "--domain", "domain-4", "-f", f"job_id=job-{way}") as opened:
        title = opened.wait_for(lambda screen: screen[:1] != [] and "0 jobs" in screen[0])[0]
        assert title == f"0 jobs  {server.address}, every 0.5 s, q ends"
        database.jobs.insert_one(job)
        lines = opened.wait_for(lambda screen: screen[0].startswith("1 jobs") and len(screen) > 3)
        assert [line.split() for line in lines[3:]] == [[f"job-{way}", "FAILURE"]]
        opened.press("q") if way == "q" else opened.interrupt()
        assert opened.finish() == 0
        assert opened.is_cooked()
        assert opened.output.rstrip().endswith((b"\x1b[?1049l\x1b[?25h", b"\x1b[?25h\x1b[?1049l"))


def test_a_watched_list_keeps_to_the_terminal(server: ServerThread) -> None:
    with run(server, *WATCH, "--page-size", "6", "--page", "2", height=8, width=60) as opened:
        lines = opened.wait_for(lambda screen: screen[-1:] == ["jobs 7 to 8 shown"])
        opened.press("q")
        opened.finish()

    assert [line.split()[0] for line in lines[3:5]] == ["job-000000000002", "job-000000000001"]
    assert lines[5] == "no room for finished_at, plugin_id; --output shows them"
    assert len(lines) < 8


@pytest.mark.parametrize("options", [("--all",), ("-o", "json")])
def test_a_list_is_watched_as_a_table_of_one_page(
    server: ServerThread, options: tuple[str, ...]
) -> None:
    with run(server, *WATCH, *options) as opened:
        assert opened.finish() == 2
        assert "--watch: it shows one page, as a table" in " ".join(opened.lines())


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


def test_top_waits_for_a_server_that_went_away(mongo_uri: str, database: Store) -> None:
    with ServerThread(
        Settings(
            port=0, mongo_uri=SecretStr(mongo_uri), mongo_database=database.name, grace_seconds=0
        )
    ) as server:
        opening = run(server, *TOP)
        opened = opening.__enter__()
        opened.wait_for(running)
    try:
        lines = opened.wait_for(lambda screen: running(screen) and len(screen) == 6)
        opened.press("q")
        assert opened.finish() == 0
    finally:
        opening.__exit__(None, None, None)

    assert "UNAVAILABLE" in lines[1]


def test_top_does_not_begin_without_a_server() -> None:
    nowhere = {"INVENTORY_JOB_ENDPOINT": "127.0.0.1:1"}

    with terminal(*TOP, environment=nowhere) as opened:
        assert opened.finish() == 5
        assert opened.lines()[0].startswith("inventory-job: 127.0.0.1:1: UNAVAILABLE: ")
