"""What README shows of the command line is what a terminal shows."""

from __future__ import annotations

import re
import shlex
from datetime import datetime
from pathlib import Path

import pytest

from inventory_job.cli.seed import load_demo
from inventory_job.embedded.demo_data import Demo
from tests.running import ServerThread
from tests.store import Store
from tests.terminal import Screen, terminal

README = Path(__file__).parents[2] / "README.md"
SHOWN_ADDRESS = "127.0.0.1:50051"
WIDTH, HEIGHT = 100, 16
_AGE = re.compile(r"\d+d \d\dh")


def sessions() -> list[tuple[str, Screen]]:
    """Each command of the sessions with what it is said to show."""
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"```ShellSession\n(.*?)```", text, re.DOTALL)
    commands = re.split(r"^\$ ", "".join(blocks), flags=re.MULTILINE)[1:]
    found = [
        (command, shown.splitlines()) for command, _, shown in (c.partition("\n") for c in commands)
    ]
    return [(command, shown) for command, shown in found if not command.startswith("export ")]


@pytest.fixture(autouse=True, scope="module")
def demo(database: Store) -> None:
    load_demo(database.for_seeding, Demo(2000, seed=0, until=datetime(2026, 3, 1)))


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


def test_readme_shows_the_command_line() -> None:
    assert {command.split()[1] for command, _ in sessions()} >= {"list", "stat", "chart", "top"}


@pytest.mark.parametrize(("command", "shown"), sessions())
def test_a_command_shows_what_readme_shows(
    server: ServerThread, command: str, shown: Screen
) -> None:
    lines = [line.replace(server.address, SHOWN_ADDRESS) for line in shown_by(command, server)]

    if command.startswith("inventory-job top"):
        lines, shown = without_age(lines), without_age(shown)
    assert lines == shown
