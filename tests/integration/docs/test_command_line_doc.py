"""What the page about the command line shows is what a terminal shows."""

from __future__ import annotations

import re
import shlex
from datetime import datetime

import pytest

from inventory_job.embedded.demo_data import Demo
from tests.support.documents import SHOWN_ADDRESS, page
from tests.support.running import ServerThread, seed
from tests.support.store import Store
from tests.support.terminal import Screen, terminal

PAGE = page("docs/command-line.md")
WIDTH, HEIGHT = 100, 16
_AGE = re.compile(r"\d+d \d\dh")


def sessions() -> list[tuple[str, Screen]]:
    """Each command of the sessions with what it is said to show."""
    return [
        (command, shown.splitlines())
        for block in PAGE.of_kind("console")
        for command, shown in block.commands
        if not command.startswith("export ")
    ]


@pytest.fixture(autouse=True, scope="module")
def demo(database: Store) -> None:
    seed(database, Demo(2000, seed=0, until=datetime(2026, 3, 1)))


def is_full(screen: Screen) -> bool:
    return len(screen) == HEIGHT - 2 and screen[-1].endswith("-collector")


def shown_by(command: str, server: ServerThread) -> Screen:
    program, *arguments = shlex.split(command)
    assert program == "inventory-job"
    environment = {
        "INVENTORY_JOB_ENDPOINT": server.address,
        "INVENTORY_JOB_DOMAIN": "domain-demo00000001",
        "NO_COLOR": "1",
    }
    with terminal(*arguments, environment=environment, width=WIDTH, height=HEIGHT) as opened:
        if arguments[0] == "top":
            lines = opened.wait_for(is_full)
            opened.press("q")
            assert opened.finish() == 0
            return lines
        assert opened.finish() == 0
        return opened.lines()


def without_age(lines: Screen) -> Screen:
    """The lines, but for how long ago jobs were created and for how wide that makes them."""
    return [re.sub(r"[ ─]+", " ", _AGE.sub("(age)", line)) for line in lines]


def test_the_page_shows_the_commands_that_draw() -> None:
    assert {command.split()[1] for command, _ in sessions()} >= {"list", "stat", "chart", "top"}


@pytest.mark.parametrize(("command", "shown"), sessions())
def test_a_command_shows_what_the_page_shows(
    server: ServerThread, command: str, shown: Screen
) -> None:
    lines = [line.replace(server.address, SHOWN_ADDRESS) for line in shown_by(command, server)]

    if command.startswith("inventory-job top"):
        lines, shown = without_age(lines), without_age(shown)
    assert lines == shown
