"""What `serve --demo` says to do next: each step works as it is printed, and it is said to people
who start a server that trusts everybody, and to them alone."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urldefrag

import httpx
import pytest

from inventory_job.cli import next_steps
from inventory_job.cli.next_steps import next_steps as steps_of
from inventory_job.embedded.demo_data import LARGEST_TENANT
from tests.support.store import Store

STEP = re.compile(r"^  (the page|the API|what failed|to stop) +(\S.*)$", re.MULTILINE)
OPTIONS = ("--port", "0", "--http", "--http-port", "0", "--log-format", "console")


@pytest.fixture(autouse=True, scope="module")
def failed(database: Store) -> None:
    job = {"job_id": "job-failed", "domain_id": LARGEST_TENANT, "status": "FAILURE"}
    database.jobs.insert_one(job)


@contextmanager
def starting(
    mongo_uri: str, database: str, *options: str, until: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`serve` with these options, and what it has written up to a line with `until`."""
    variables = {"MONGO_URI": mongo_uri, "MONGO_DATABASE": database}
    with subprocess.Popen(
        [sys.executable, "-m", "inventory_job", "serve", *OPTIONS, *options],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {f"INVENTORY_JOB_{name}": value for name, value in variables.items()},
    ) as process:
        assert process.stderr is not None
        written = ""
        try:
            for line in process.stderr:
                written += line
                if until in line:
                    break
            yield process, written
        finally:
            process.terminate()


def steps(mongo_uri: str, database: str, *options: str) -> dict[str, str]:
    """Those that are said by a server that is stopped once it serves."""
    with starting(mongo_uri, database, *options, until="serving") as (process, written):
        process.terminate()
        assert process.stderr is not None
        return dict(STEP.findall(written + process.stderr.read()))


def test_each_step_works_as_it_is_printed(mongo_uri: str, database: Store) -> None:
    with starting(mongo_uri, database.name, "--demo", until="to stop") as (process, written):
        found = dict(STEP.findall(written))
        page, fragment = urldefrag(found["the page"])

        assert parse_qs(fragment) == {"domain": [LARGEST_TENANT]}
        assert "<html" in httpx.get(page).text
        assert httpx.get(found["the API"]).status_code == 200
        listed = subprocess.run(
            found["what failed"], shell=True, capture_output=True, text=True, check=True, timeout=50
        )
        assert listed.stdout.splitlines()[1].startswith("job-failed\tFAILURE\t")
        assert found["to stop"] == "Ctrl-C"
        assert process.poll() is None
        assert "serving" in written.split("Serving demo data")[0]


@pytest.mark.parametrize(
    "options",
    [(), ("--demo", "--log-format", "json"), ("--demo", "--log-format", "auto")],
    ids=["no demo data", "json", "no terminal"],
)
def test_it_is_not_said_without_demo_data_or_to_a_program(
    mongo_uri: str, database: Store, options: tuple[str, ...]
) -> None:
    assert steps(mongo_uri, database.name, *options) == {}


def test_it_is_not_said_where_tokens_are_asked_for(
    mongo_uri: str, database: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text("{}")
    monkeypatch.setenv("INVENTORY_JOB_AUTH_KEY_FILE", str(keys))

    assert steps(mongo_uri, database.name, "--demo", "--auth-mode", "jwt") == {}


def test_jobs_of_others_are_no_demo_data(mongo_uri: str, database: Store) -> None:
    other = f"{database.name}-other"
    database.client[other]["job"].insert_one({"job_id": "job-1", "domain_id": "domain-1"})
    try:
        assert steps(mongo_uri, other, "--demo") == {}
    finally:
        database.client.drop_database(other)


def test_without_http_there_is_no_page(mongo_uri: str, database: Store) -> None:
    assert [*steps(mongo_uri, database.name, "--demo", "--no-http")] == ["what failed", "to stop"]


def shown(**changes: object) -> dict[str, str]:
    reached = {"grpc": "127.0.0.1:50051", "http": "127.0.0.1:8080", "domain": "d", "tls": False}
    return dict(STEP.findall(steps_of(**(reached | changes))))  # type: ignore[arg-type]


def test_only_what_is_not_the_default_is_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_steps, "program", lambda: "inventory-job")
    usual = "inventory-job list --domain d -f status=FAILURE"

    assert shown()["what failed"] == usual
    assert shown(grpc="0.0.0.0:50051")["what failed"] == usual
    assert "--endpoint [::1]:50052 " in shown(grpc="[::]:50052")["what failed"]


def test_addresses_are_those_that_a_browser_reaches() -> None:
    assert shown(http="0.0.0.0:80")["the page"] == "http://127.0.0.1:80/#domain=d"
    assert shown(http="[::]:80")["the API"] == "http://[::1]:80/docs"
    assert shown(http="jobs.example:80")["the API"] == "http://jobs.example:80/docs"


def test_with_tls_no_command_is_promised_to_work() -> None:
    found = shown(tls=True)

    assert found["the page"].startswith("https://")
    assert "what failed" not in found


def test_the_command_is_its_name_only_where_that_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "a clone" / "bin" / "inventory-job"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])

    monkeypatch.setenv("PATH", "")
    assert next_steps.program() == shlex.quote(str(program))
    monkeypatch.setenv("PATH", str(program.parent))
    assert next_steps.program() == "inventory-job"
    monkeypatch.setattr(sys, "argv", ["/somewhere/inventory_job/__main__.py"])
    assert next_steps.program() == f"{sys.executable} -m inventory_job"
