"""Log lines: whole, in order, none lost, no secrets in them, and levels."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import threading, structlog
from inventory_job.observability.logging import configure_logging
configure_logging("info", "json")
log = structlog.get_logger("test")
def work(name):
    for number in range(200):
        log.info("line", name=name, number=number)
threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
log.debug("too little")
log.warning("last")
"""


def told_by(program: str) -> str:
    """What a process that runs the program writes on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return done.stderr


def logged_by(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told_by(program).splitlines()]


def test_no_line_is_lost_or_torn_when_the_process_ends() -> None:
    entries = logged_by(PROGRAM)

    for name in "abcd":
        assert [e["number"] for e in entries if e.get("name") == name] == list(range(200))
    assert len(entries) == 801
    assert entries[-1]["event"] == "last"


FAILURE = """
import structlog
from inventory_job.observability.logging import configure_logging
configure_logging("info", "STYLE")
def look_up(token):
    raise KeyError("no such thing")
try:
    look_up("1174-TERCES"[::-1])  # the line itself may be shown
except KeyError as error:
    structlog.get_logger("test").error("failed", exc_info=error)
"""


def test_a_traceback_shows_where_and_no_values_of_variables() -> None:
    [entry] = logged_by(FAILURE.replace("STYLE", "json"))

    [trace] = entry["exception"]
    assert trace["exc_type"] == "KeyError"
    assert [frame["name"] for frame in trace["frames"]] == ["<module>", "look_up"]
    assert "SECRET" not in json.dumps(entry)


def test_a_traceback_for_people_shows_no_values_of_variables_either() -> None:
    text = told_by(FAILURE.replace("STYLE", "console"))

    assert "KeyError" in text
    assert "SECRET" not in text


def test_warnings_of_libraries_are_entries_as_well() -> None:
    program = """
import logging
from inventory_job.observability.logging import configure_logging
configure_logging("info", "json")
configure_logging("info", "json")
logging.getLogger("a.library").warning("%s is late", "it")
logging.getLogger("a.library").info("too little")
"""

    [entry] = logged_by(program)

    assert (entry["event"], entry["logger"], entry["level"]) == (
        "it is late",
        "a.library",
        "warning",
    )


def test_loggers_made_before_a_change_of_level_follow_it() -> None:
    program = """
import structlog
from inventory_job.observability.logging import configure_logging, show_from
log = structlog.get_logger("test")
configure_logging("warning", "json")
for level in ("warning", "debug", "info"):
    show_from(level)
    log.debug("debug", of=level)
    log.info("info", of=level)
"""

    entries = logged_by(program)

    assert [(entry["event"], entry["of"]) for entry in entries] == [
        ("debug", "debug"),
        ("info", "debug"),
        ("info", "info"),
    ]


def test_while_the_log_is_not_read_memory_is_bounded_and_the_loss_is_logged() -> None:
    program = """
import sys, threading, structlog
from inventory_job.observability.logging import configure_logging
class Stuck:
    def __init__(self, stream):
        self._stream, self.goes_on = stream, threading.Event()
    def isatty(self):
        return False
    def write(self, text):
        self.goes_on.wait()
        return self._stream.write(text)
    def flush(self):
        self._stream.flush()
stuck = sys.stderr = Stuck(sys.stderr)
configure_logging("info", "json")
log = structlog.get_logger("test")
for number in range(120_000):
    log.info("line", number=number)
stuck.goes_on.set()
"""
    entries = logged_by(program)
    lines = [entry["number"] for entry in entries if entry["event"] == "line"]
    [lost] = [entry["number"] for entry in entries if entry["event"] == "log entries lost"]

    assert lines == sorted(lines)
    assert len(lines) + lost == 120_000
    assert 0 < lost < 120_000 - 50_000


def test_writes_that_fail_lose_their_entries_and_no_others() -> None:
    program = """
import errno, sys, threading, structlog
from inventory_job.observability.logging import configure_logging
class Full:
    def __init__(self, stream):
        self._stream, self.failed = stream, threading.Event()
    def isatty(self):
        return False
    def write(self, text):
        if "before" in text:
            self.failed.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._stream.write(text)
    def flush(self):
        self._stream.flush()
full = sys.stderr = Full(sys.stderr)
configure_logging("info", "json")
log = structlog.get_logger("test")
for _ in range(FAILURES):
    log.info("before")
    full.failed.wait()
    full.failed.clear()
log.info("after")
"""
    # The entry that says so is lost as well where the next write fails.
    for failures, lost in ((1, 1), (2, 3)):
        entries = logged_by(program.replace("FAILURES", str(failures)))
        assert [(entry["event"], entry.get("number")) for entry in entries] == [
            ("after", None),
            ("log entries lost", lost),
        ]


CONTROLS = """
import logging, structlog
from inventory_job.observability.logging import configure_logging
configure_logging("info", "STYLE")
hostile = "a\\x9b2J\\x1b[2J\\x85b\\x7f\\u2028c\\u00e4"
structlog.get_logger("test").warning("entry", value=hostile, several=[hostile, {"in": hostile}])
structlog.get_logger("test").warning(hostile)
structlog.get_logger("test").log(logging.WARNING, "told", value=hostile)
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_control_characters_in_values_are_escaped(style: str) -> None:
    text = told_by(CONTROLS.replace("STYLE", style))

    lines = text.removesuffix("\n").split("\n")
    assert len(lines) == 3
    assert [character for line in lines for character in line if not character.isprintable()] == []
    if style == "json":
        hostile = "a\x9b2J\x1b[2J\x85b\x7f\u2028c\u00e4"
        entries = [json.loads(line) for line in lines]
        assert entries[0]["value"] == entries[1]["event"] == entries[2]["value"] == hostile
        assert entries[0]["several"] == [hostile, {"in": hostile}]


def test_what_libraries_warn_of_are_entries_as_well() -> None:
    program = """
import warnings
from inventory_job.observability.logging import configure_logging
configure_logging("info", "json")
warnings.warn("the moon is full")
"""

    [entry] = logged_by(program)

    assert (entry["event"], entry["logger"], entry["level"]) == (
        "the moon is full",
        "UserWarning",
        "warning",
    )
