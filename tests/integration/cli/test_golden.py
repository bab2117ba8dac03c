"""Every command that calls a server, when it is not on a terminal: all it writes, as in
`tests/cases/cli/`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cases.cli_jobs import DOMAIN
from tests.support.running import ServerThread
from tests.support.shell import Shell

GOLDEN = sorted((Path(__file__).parents[2] / "cases" / "cli").glob("*.txt"))

pytestmark = pytest.mark.usefixtures("jobs")


def session(text: str, address: str) -> str:
    """What the commands of a golden file write, each below its prompt; its exit status as well
    when it is not 0."""
    shell = Shell(address, INVENTORY_JOB_DOMAIN=DOMAIN)
    written = ""
    for command in re.findall(r"^\$ inventory-job (.*)$", text, re.MULTILINE):
        done = shell(*shlex.split(command))
        status = f"[exit status {done.exit_code}]\n" if done.exit_code else ""
        written += f"$ inventory-job {command}\n{done.output}{status}"
    return written


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_commands_write_what_their_golden_file_shows(server: ServerThread, file: Path) -> None:
    golden = file.read_text(encoding="utf-8")

    assert session(golden, server.address) == golden
