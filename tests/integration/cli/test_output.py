"""Standard output that cannot encode what is to be shown, that is full, or closed."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        (LATIN, "é\\u20ac\\U0001f600"),
        (ASCII, "\\xe9\\u20ac\\U0001f600"),
        (C_LOCALE, "\\xe9\\u20ac\\U0001f600"),
        ({"PYTHONIOENCODING": "utf-8"}, NAME),
    ],
    ids=["latin-1", "ascii", "locale C", "UTF-8"],
)
@pytest.mark.parametrize("form", ["table", "csv", "json", "yaml"])
def test_what_standard_output_cannot_encode_is_escaped(
    server: ServerThread, more: dict[str, str], shown: str, form: str
) -> None:
    done = run(server, *LIST, "-o", form, more=more)

    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("utf-8" if "utf-8" in more.values() else "latin-1")
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


@FULL
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_standard_output_ends_with_a_sentence(
    server: ServerThread, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(server, *arguments, stdout=full)

    assert done.stderr.splitlines() == [
        b"inventory-job: standard output takes no more: No space left on device"
    ]
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_pipe_without_a_reader_ends_with_a_sentence(
    server: ServerThread, arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = run(server, *arguments, stdout=writing)
    os.close(writing)

    assert done.stderr.splitlines() == [
        b"inventory-job: standard output takes no more: Broken pipe"
    ]
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_standard_output_ends_with_a_sentence(
    server: ServerThread, arguments: tuple[str, ...]
) -> None:
    done = run(server, *arguments, stdout=None, preexec_fn=lambda: os.close(1))

    assert done.stderr.splitlines() == [
        b"inventory-job: standard output takes no more: it is closed"
    ]
    assert done.returncode == 1
