"""The commands, options and variables that README and docs/ name are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import typer

from inventory_job.cli.main import ENTRIES, app
from inventory_job.query.limits import Limits
from inventory_job.settings import Settings
from tests.support.documents import ROOT, SHOWN, Page

COMMANDS = {entry.name: entry.load() for entry in ENTRIES}
LINES = [
    (str(block), line)
    for each in SHOWN
    for block in each.of_kind("shell")
    for line in block.text.replace("\\\n", " ").splitlines()
]

_VARIABLE = re.compile(r"\bINVENTORY_JOB_[A-Z][A-Z_]*[A-Z]\b")
_LIKE_A_SETTING = re.compile(
    r"(?!inventory_job|process|pause_)\w+_(seconds|calls|bytes|file|uri|mode|hosts|second)|limits__\w+"
)
_INLINE = re.compile(r"`((?:inventory-job|scripts/)[^`\n]*)`")


def subcommands(command: Any) -> dict[str, Any]:
    """The commands of a group; of others, the command itself without a name."""
    inner: dict[str, Any] = getattr(command, "commands", {"": command})
    return inner


def called(words: list[str]) -> Any:
    """The command that these words call; None without one of this name."""
    if not words or words[0].startswith("-"):
        return typer.main.get_command(app)
    command = COMMANDS.get(words[0])
    return subcommands(command).get(words[1], command) if words[1:] else command


def options_of(command: Any) -> set[str]:
    return {option for each in command.params for option in [*each.opts, *each.secondary_opts]}


def problems_with(line: str) -> Iterator[str]:
    """What a line for a shell names that is not there."""
    words = shlex.split(line, comments=True)
    while words and (words[0] == "export" or re.match(r"\w+=", words[0])):
        words.pop(0)
    if not words or words == [".", ".venv/bin/activate"]:
        return
    program, *arguments = words
    given = {word.partition("=")[0] for word in arguments if re.match(r"--\w", word)}
    if program == "inventory-job":
        command = called(arguments)
        known = options_of(command) | {"--help", "--install-completion"} if command else set()
        yield from [] if command else [f"there is no command {arguments[0]}"]
    elif (ROOT / program).is_file():
        known = set(re.findall(r"--[\w-]+", text_of(program)))
    else:
        known = given
        yield f"there is no {program}"
    yield from (f"{program} has no {option}" for option in given - known)
    files = [word for word in arguments if word.startswith("tests/")]
    yield from (f"there is no {word}" for word in files if not (ROOT / word).exists())


def text_of(script: str) -> str:
    """A script, with the modules that it runs, and with the options of the tests if it does."""
    text = (ROOT / script).read_text(encoding="utf-8")
    modules = re.findall(r"scripts/\w+\.py", text)
    modules += [
        f"scripts/{name}/__main__.py" for name in re.findall(r"exec .*python -m (\w+)", text)
    ]
    if "pytest" in text:
        modules.append("tests/conftest.py")
    return text + "".join((ROOT / name).read_text(encoding="utf-8") for name in modules)


@pytest.mark.parametrize(("where", "line"), LINES)
def test_a_line_for_a_shell_names_what_there_is(where: str, line: str) -> None:
    assert list(problems_with(line)) == []


@pytest.mark.parametrize("each", SHOWN, ids=lambda each: each.name)
def test_every_command_in_a_sentence_is_there(each: Page) -> None:
    found = [
        (command, problem)
        for command in _INLINE.findall(each.prose)
        for problem in problems_with(command)
    ]

    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "inventory-job serve --nope",
        "inventory-job lost",
        "inventory-job token sign --nope",
        "./nope",
        "scripts/test tests/*.nope",
        "scripts/tables --nope",
        "unheard of",
    ],
)
def test_what_is_not_there_is_found(line: str) -> None:
    assert list(problems_with(line)) != []


@cache
def variables() -> set[str]:
    """Every variable that the server, its command line or its tests read."""
    names = {name.upper() for name in Settings.model_fields if name != "limits"}
    names |= {f"LIMITS__{name.upper()}" for name in Limits.model_fields}
    commands = [each for command in COMMANDS.values() for each in subcommands(command).values()]
    of_commands = {each.envvar for command in commands for each in command.params if each.envvar}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    of_tests = set(re.findall(r"\bINVENTORY_JOB_TEST_\w+\b", tests))
    return {f"INVENTORY_JOB_{name}" for name in names} | of_commands | of_tests


@pytest.mark.parametrize("each", SHOWN, ids=lambda each: each.name)
def test_every_setting_in_a_sentence_is_one(each: Page) -> None:
    if each.name == "docs/adr/0003-one-event-loop-answers-short-calls.md":
        pytest.skip("speaks of what has been")
    known = {*Settings.model_fields, *(f"limits__{name}" for name in Limits.model_fields)}
    known |= set(Limits.model_fields)
    quoted = re.findall(r"`([a-z_]+)(?:=[^`]*)?`", each.prose)

    assert {name for name in quoted if _LIKE_A_SETTING.fullmatch(name)} <= known


@pytest.mark.parametrize("each", SHOWN, ids=lambda each: each.name)
def test_every_variable_on_a_page_is_read(each: Page) -> None:
    assert set(_VARIABLE.findall(each.text)) <= variables()
