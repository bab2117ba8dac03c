"""Standard output that cannot encode what is to be shown, that is full, or closed."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
import yaml
from structlog.testing import capture_logs

from inventory_job.cli.main import main
from tests.support.running import ServerThread
from tests.support.store import Store
from tests.support.terminal import terminal

DOMAIN = "domain-signs"
NAME = "é€😀"
LATIN = {"PYTHONIOENCODING": "latin-1"}
ASCII = {"PYTHONIOENCODING": "ascii"}
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
LIST = ("list", "--only", "plugin_id")


@pytest.fixture(autouse=True, scope="module")
def jobs(database: Store) -> None:
    for number in range(2):
        database.jobs.insert_one(
            {
                "job_id": f"job-{number:012x}",
                "domain_id": DOMAIN,
                "plugin_id": NAME,
                "status": "IN_PROGRESS",
            }
        )


def environment(server: ServerThread, more: dict[str, str]) -> dict[str, str]:
    return {"INVENTORY_JOB_ENDPOINT": server.address, "INVENTORY_JOB_DOMAIN": DOMAIN, **more}


def run(
    server: ServerThread,
    *arguments: str,
    more: dict[str, str] | None = None,
    stdout: Any = subprocess.PIPE,
    preexec_fn: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """The command as a process of its own; `preexec_fn` as subprocess has it."""
    return subprocess.run(
        [sys.executable, "-m", "inventory_job", *arguments],
        env=os.environ | environment(server, more or {}),
        timeout=60,
        check=False,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=preexec_fn,
    )


Main = Callable[..., tuple[Any, str]]


@pytest.fixture
def run_here(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Main:
    """Runs main() in this process, with a stream as its standard output: its exit status, and what
    is on standard error."""

    def run_here(stream: TextIO, *arguments: str) -> tuple[Any, str]:
        errors = io.StringIO()
        for name, value in environment(server, {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["inventory-job", *arguments])
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", errors)
        # The server, which is in this process as well, would log to the stream.
        with capture_logs(), pytest.raises(SystemExit) as ended:
            main()
        # As the interpreter does at its end.
        stream.flush()
        return ended.value.code, errors.getvalue()

    return run_here


FORMS = pytest.mark.parametrize("form", ["table", "csv", "json", "yaml"])


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("latin-1", "é\\u20ac\\U0001f600"),
        ("ascii", "\\xe9\\u20ac\\U0001f600"),
        ("utf-8", NAME),
    ],
)
@FORMS
def test_what_standard_output_cannot_encode_is_escaped(
    run_here: Main, encoding: str, shown: str, form: str
) -> None:
    written = io.BytesIO()

    ended = run_here(io.TextIOWrapper(written, encoding), *LIST, "-o", form)

    assert ended == (0, "")
    assert_shown(written.getvalue().decode(encoding), form, shown)


@FORMS
def test_what_the_locale_cannot_encode_is_escaped(server: ServerThread, form: str) -> None:
    done = run(server, *LIST, "-o", form, more=C_LOCALE)

    assert (done.returncode, done.stderr) == (0, b"")
    assert_shown(done.stdout.decode("latin-1"), form, "\\xe9\\u20ac\\U0001f600")


def assert_shown(text: str, form: str, shown: str) -> None:
    if form in {"json", "yaml"}:  # which have escapes of their own
        whole = json.loads(text) if form == "json" else yaml.safe_load(text)
        assert whole["results"] == [{"plugin_id": NAME}] * 2
    else:
        assert [*csv.reader(io.StringIO(text))] == [["plugin_id"], [shown], [shown]]


@pytest.mark.parametrize("more", [LATIN, ASCII, C_LOCALE], ids=["latin-1", "ascii", "locale C"])
@pytest.mark.parametrize(
    "arguments",
    [LIST, ("stat", "--by", "plugin_id"), ("chart", "--by", "plugin_id"), ("list", "--help")],
    ids=" ".join,
)
def test_a_terminal_that_cannot_show_it_shows_escapes(
    server: ServerThread, arguments: tuple[str, ...], more: dict[str, str]
) -> None:
    with terminal(*arguments, environment=environment(server, more)) as opened:
        assert opened.finish() == 0

    assert "Traceback" not in "\n".join(opened.lines())
    assert "--help" in arguments or arguments[0] == "chart" or b"\\u20ac" in opened.output


def test_top_shows_escapes_as_well(server: ServerThread) -> None:
    with terminal("top", environment=environment(server, ASCII), width=72) as opened:
        lines = opened.wait_for(lambda screen: len(screen) > 4 and "\\u20" in screen[-1])
        opened.press("q")
        assert opened.finish() == 0

    assert [line.split()[0] for line in lines[3:]] == ["job-000000000000", "job-000000000001"]


@pytest.mark.parametrize(
    ("encoding", "begun"), [("utf-8", b"\xef\xbb\xbfplugin_id"), ("latin-1", b"plugin_id")]
)
def test_a_byte_order_mark_is_for_encodings_that_have_one(
    server: ServerThread, encoding: str, begun: bytes
) -> None:
    done = run(server, *LIST, "-o", "csv-bom", more={"PYTHONIOENCODING": encoding})

    assert done.stdout.startswith(begun)


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
COMMANDS = [
    LIST,
    ("list", "-o", "json"),
    ("list", "-o", "csv"),
    ("get", "job-000000000001", "-o", "yaml"),
    ("stat", "--by", "plugin_id"),
    ("chart",),
    ("top",),
    ("health",),
    ("list", "--help"),
    ("--version",),
]
LOST = "inventory-job: standard output takes no more: "
NO_SPACE, NO_READER = f"{LOST}No space left on device\n", f"{LOST}Broken pipe\n"
# The interpreter writes what is left when it ends; that is the same for every command.
ENDS = [LIST, ("top",), ("--version",)]


@FULL
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_standard_output_ends_with_a_sentence(
    run_here: Main, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert run_here(full, *arguments) == (1, NO_SPACE)


@FULL
@pytest.mark.parametrize("arguments", ENDS, ids=" ".join)
def test_a_process_whose_standard_output_is_full_ends_with_a_sentence(
    server: ServerThread, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(server, *arguments, stdout=full)

    assert (done.returncode, done.stderr.decode()) == (1, NO_SPACE)


@pytest.fixture
def writing() -> Iterator[int]:
    """The end of a pipe that has no other."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_pipe_without_a_reader_ends_with_a_sentence(
    run_here: Main, writing: int, arguments: tuple[str, ...]
) -> None:
    with open(writing, "w", encoding="utf-8", closefd=False) as stream:
        assert run_here(stream, *arguments) == (1, NO_READER)


@pytest.mark.parametrize("arguments", ENDS, ids=" ".join)
def test_a_process_whose_pipe_has_no_reader_ends_with_a_sentence(
    server: ServerThread, writing: int, arguments: tuple[str, ...]
) -> None:
    done = run(server, *arguments, stdout=writing)

    assert (done.returncode, done.stderr.decode()) == (1, NO_READER)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_standard_output_ends_with_a_sentence(
    server: ServerThread, arguments: tuple[str, ...]
) -> None:
    done = run(server, *arguments, stdout=None, preexec_fn=lambda: os.close(1))

    assert (done.returncode, done.stderr.decode()) == (1, f"{LOST}it is closed\n")
