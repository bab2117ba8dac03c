"""What the pages and the sources refer to is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.documents import PAGES, ROOT, Page, page

PACKAGE = ROOT / "src" / "inventory_job"
FOLDERS = "docs|deploy|scripts|src/inventory_job|tests|proto"
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("src", "tests", "scripts", "deploy", "proto", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".proto", ".yaml", ""} and path.is_file()
    # Written by others, or made of what is written elsewhere.
    if not {"stubs", "static", "__pycache__"} & set(path.parts)
}

_OWN_LINK = re.compile(r"(?!https?://|mailto:)([^#]*)(?:#(.+))?")
_QUOTED = re.compile(r"`([^`\n]+)`")
_INSIDE = re.compile(
    rf"(?<![\w./$-])((?:{FOLDERS})/[\w./-]*[\w/]|[\w-]+(?:/[\w-]+)*\.md\b)(?:#([\w-]+))?"
)
_DECISION = re.compile(r"\b(?:ADR|[Dd]ecision) (\d+)\b")


def problems_with(path: Path, anchor: str | None) -> str | None:
    """Why a reference to `anchor` in the file at `path` leads nowhere, if so."""
    if not path.exists():
        return "there is no such file"
    if anchor is None:
        return None
    name = path.resolve().relative_to(ROOT.resolve()).as_posix()
    known = next((each.anchors for each in PAGES if each.name == name), frozenset())
    return None if anchor in known else "the page has no such heading"


@pytest.mark.parametrize("name", [each.name for each in PAGES])
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    where = page(name)
    dead = {}
    for link in where.links:
        if found := _OWN_LINK.fullmatch(link):
            path = (ROOT / name).parent / found[1] if found[1] else ROOT / name
            if problem := problems_with(path, found[2]):
                dead[link] = problem

    assert not dead


def test_every_page_can_be_reached_from_readme() -> None:
    reached: set[str] = set()
    pending = ["README.md"]
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            paths = [(ROOT / name).parent / link.partition("#")[0] for link in page(name).links]
            found = {path.resolve() for path in paths}
            pending += [each.name for each in PAGES if (ROOT / each.name).resolve() in found]

    assert {each.name for each in PAGES} - reached == set()


def is_there(name: str) -> bool:
    """Whether a quoted name of a file is one of the project, or of the package."""
    return any((root / name).exists() for root in (ROOT, PACKAGE, ROOT / "deploy"))


@pytest.mark.parametrize("where", PAGES, ids=lambda each: each.name)
def test_every_file_that_a_page_names_is_there(where: Page) -> None:
    if re.search(r"^20\d\d-\d\d-\d\d, superseded", where.text, re.MULTILINE):
        pytest.skip("speaks of what has been")
    names = {quoted.split()[0] for quoted in _QUOTED.findall(where.prose)}
    names |= {word for block in where.of_kind("text") for word in block.text.split()}
    paths = {
        name
        for name in names
        if re.fullmatch(
            rf"(?:{FOLDERS}|transport|query|model|wire|auth|app|observability)/[\w./-]+", name
        )
    }

    assert {name for name in paths if not is_there(name)} == set()


def test_every_file_that_a_source_names_is_there() -> None:
    dead = {
        (name, found[0]): problem
        for name, text in SOURCES.items()
        for found in _INSIDE.finditer(text)
        if (problem := problems_with(ROOT / found[1], found[2]))
    }

    assert len(_INSIDE.findall("".join(SOURCES.values()))) > 50
    assert not dead


@cache
def members() -> dict[str, frozenset[str]]:
    """The methods and attributes of every class of the package, and its functions, by name."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                names = found.setdefault(node.name, set())
                for inner in ast.walk(node):
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                        names.add(inner.name)
                    elif isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                        names.add(inner.attr)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(node.name, set())
    return {name: frozenset(names) for name, names in found.items()}


def test_every_stop_of_the_journeys_is_in_the_code() -> None:
    text = page("docs/architecture.md").prose
    journeys = text.partition("## A get")[2].partition("## What runs on the loop")[0]
    named = re.findall(r"`([A-Z]\w+)\.(\w+)`", journeys)
    functions = re.findall(r"`([a-z]+(?:_[a-z]+)+|bounded)`", journeys)

    assert len(re.findall(r"^\d+\. ", journeys, re.MULTILINE)) <= 14
    assert {(name, member) for name, member in named if member not in members()[name]} == set()
    assert set(functions) <= members().keys()


def test_decisions_are_numbered_one_after_the_other() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]


def test_every_decision_is_in_the_list_as_it_is() -> None:
    listed = [tuple(cells) for cells in page("docs/adr/README.md").rows("decisions")]

    assert listed == [decision(path) for path in sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))]


def decision(path: Path) -> tuple[str, ...]:
    """The row that a decision has in the list."""
    title, _, status, *_ = path.read_text(encoding="utf-8").splitlines()
    number, _, name = title.removeprefix("# ").partition(". ")
    later = re.search(r"superseded by \[decision (\d+)\]", status)
    state = f"superseded by {later[1]}" if later else "accepted"
    return number, f"[{name}]({path.name})", status[:10], state


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=str)
def test_a_decision_has_its_number_date_and_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith(f"# {int(path.name[:4])}. ")
    status = text.splitlines()[2]
    assert re.match(r"20\d\d-\d\d-\d\d, (accepted\b|superseded by \[decision \d+\])", status)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_every_decision_that_is_spoken_of_has_been_taken() -> None:
    texts = [*SOURCES.values(), *(each.text for each in PAGES)]
    taken = {int(file.name[:4]) for file in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    spoken_of = {int(number) for text in texts for number in _DECISION.findall(text)}

    assert spoken_of <= taken
