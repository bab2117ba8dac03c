"""The project's pages as tests read them: what is fenced, what stands in tables, what is linked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]

SHOWN_ADDRESS = "127.0.0.1:50051"
"""Where the pages' examples find the gRPC port."""
SHOWN_HTTP_ADDRESS = "127.0.0.1:8080"
"""Where they find the HTTP port."""

_FENCED = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences. `kind` is what is written behind the first one."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Of a terminal session: each command, with what it is said to print."""
        joined = self.text.replace("\\\n", " ")
        parts = [part.partition("\n") for part in re.split(r"^\$ ", joined, flags=re.MULTILINE)[1:]]
        return [(command.strip(), output) for command, _, output in parts]


@dataclass(frozen=True)
class Page:
    """A page by its path inside the project."""

    name: str

    @cached_property
    def text(self) -> str:
        """The page as it is written."""
        return (ROOT / self.name).read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The page without what is fenced."""
        return _FENCED.sub("", self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        """Everything fenced, in order."""
        return [
            Block(self.name, self.text.count("\n", 0, found.start()) + 1, found[2], found[3])
            for found in _FENCED.finditer(self.text)
        ]

    @property
    def pairs(self) -> Iterator[tuple[Block, Block]]:
        """Each block but the last, with the one after it."""
        return pairwise(self.blocks)

    def of_kind(self, *kinds: str) -> list[Block]:
        """The blocks of these kinds, in order."""
        return [block for block in self.blocks if block.kind in kinds]

    def marked(self, name: str) -> str:
        """The text between the comments `name: begin` and `name: end`."""
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        assert self.text.count(begin) == self.text.count(end) == 1, (self.name, name)
        return self.text.partition(begin)[2].partition(end)[0]

    def rows(self, name: str) -> list[list[str]]:
        """The cells of the table between those comments, without its head."""
        cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in self.marked(name).splitlines()[2:]]
        return [[cell.strip() for cell in row] for row in cells]

    @cached_property
    def anchors(self) -> frozenset[str]:
        """What a link into the page may name, made of its headings as GitHub makes it."""
        titles = [
            re.sub(r"[`*]|\]\([^)]*\)|\[", "", title) for title in _HEADING.findall(self.prose)
        ]
        return frozenset(
            re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles
        )

    @property
    def links(self) -> Iterator[str]:
        """Where the page's links lead."""
        for found in _LINK.finditer(self.prose):
            yield found[1] or found[2]


README = Page("README.md")
PAGES = tuple(
    Page(path.relative_to(ROOT).as_posix())
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md")
    for path in sorted(ROOT.glob(pattern))
)
"""Every page of the project."""
SHOWN = tuple(each for each in PAGES if each == README or each.name.startswith("docs/"))
"""Those whose every example is run or checked."""


def page(name: str) -> Page:
    """The page called so."""
    [found] = [each for each in PAGES if each.name == name]
    return found
