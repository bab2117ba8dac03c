"""The console script: what it lists, what it imports, what the shell completes."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from inventory_job.cli.client import completion
from inventory_job.cli.main import ENTRIES, Entry, app

REPORT = """
import json, sys
from inventory_job.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported(*arguments: str) -> set[str]:
    """The packages that a command has imported when it ends."""
    command = [sys.executable, "-c", REPORT, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_command_is_listed_with_the_first_sentence_of_its_own_help(entry: Entry) -> None:
    command: Any = entry.load()

    assert inspect.cleandoc(command.help).partition("\n\n")[0].replace("\n", " ") == entry.help


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_command_explains_itself(entry: Entry) -> None:
    shown = CliRunner().invoke(app, [entry.name, "--help"])

    assert shown.exit_code == 0
    assert f"inventory-job {entry.name}" in shown.output


@pytest.mark.parametrize(
    "arguments",
    [[], ["token", "sign"], ["token"], *([entry.name] for entry in ENTRIES)],
    ids=" ".join,
)
def test_no_flag_is_shown_with_a_type(arguments: list[str]) -> None:
    shown = CliRunner().invoke(app, [*arguments, "--help"], env={"COLUMNS": "200"})

    assert "--help" in shown.output
    assert "bool" not in shown.output.lower()


def test_a_command_that_there_is_not_is_wrong_usage() -> None:
    refused = CliRunner().invoke(app, ["lst"])

    assert refused.exit_code == 2
    assert "'lst'" in refused.output


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        (["--help"], {"grpc", "google", "pydantic_settings", "pymongo", "mongoengine", "yaml"}),
        (["health", "--help"], {"pydantic_settings", "pymongo", "mongoengine", "yaml"}),
        (["list", "--help"], {"pydantic_settings", "pymongo", "mongoengine", "structlog"}),
        # What makes demo data, a mongod and HTTP is for servers that have them.
        (["serve", "--help"], {"platformdirs", "fiftyone", "uvicorn", "starlette", "joserfc"}),
    ],
    ids=["help", "health", "list", "serve"],
)
def test_a_command_imports_what_it_needs_and_no_more(
    arguments: list[str], spared: set[str]
) -> None:
    assert not imported(*arguments) & spared


@pytest.mark.parametrize(
    ("begun", "completed"),
    [
        ("sta", ["status"]),
        ("created_at>=now/", ["created_at>=now/d", "created_at>=now/w", "created_at>=now/m"]),
        ("status=F", ["status=FAILURE"]),
        ("status=FAILURE,C", ["status=FAILURE,CANCELED"]),
        ("status!", ["status!=", "status!~"]),
        ("job_id=", []),
        ("nothing", []),
    ],
)  # fmt: skip
def test_filters_are_completed_step_by_step(begun: str, completed: list[str]) -> None:
    assert completion.filters(begun) == completed


def test_the_operators_come_when_the_field_is_whole() -> None:
    assert {"status=", "status!=", "status~"} <= {*completion.filters("status")}


def test_the_last_name_of_a_list_is_completed() -> None:
    assert completion.fields("job_id,st") == ["job_id,status"]
    assert completion.sort_keys("status,-cr") == ["status,-created_at"]
