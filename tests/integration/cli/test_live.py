"""Screens that follow the jobs until a key ends them: top and list --watch."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.cases.cli_jobs import AWS
from tests.support.running import ServerThread
from tests.support.store import Store
from tests.support.terminal import Screen, run, terminal

pytestmark = pytest.mark.usefixtures("jobs")

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
