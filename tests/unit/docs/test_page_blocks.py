"""Every block of README and of docs/ is run or checked by a test."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.documents import README, ROOT, SHOWN, Block, Page

BLOCKS = [block for each in SHOWN for block in each.blocks]

KINDS = {
    # Run by integration/docs/test_page_examples.py, each with the block after it.
    *("json get", "json list", "json stat", "json analyze", "json delete"),
    *("json answer", "json refusal"),
    # Compared by unit/test_operations_doc.py.
    "json service-config",
    # Run by integration/docs/test_shown_calls.py, with the text after it.
    "python",
    # Checked by unit/docs/test_documented_commands.py.
    "shell",
    # What a program prints, or a drawing, whose names unit/docs/test_references.py looks up.
    "text",
    "console",
}
CONSOLES = {
    "README.md": "integration/docs/test_shown_calls.py",
    "docs/clients.md": "integration/docs/test_shown_calls.py",
    "docs/authentication.md": "integration/docs/test_authentication_doc.py",
    "docs/command-line.md": "integration/docs/test_command_line_doc.py",
}
"""What runs the terminal sessions of a page."""


def test_every_page_is_found() -> None:
    assert {"README.md", "docs/query-language.md", "docs/adr/0001-stubs-are-checked-in.md"} <= {
        each.name for each in SHOWN
    }


def test_readme_is_short() -> None:
    assert len(README.text.splitlines()) <= 200


@pytest.mark.parametrize("each", SHOWN, ids=lambda each: each.name)
def test_every_block_is_fenced(each: Page) -> None:
    assert each.text.count("```") == 2 * len(each.blocks)
    # Indented by four where no list item is above.
    assert not re.search(
        r"\n\n {4}", re.sub(r"^ *([-*]|\d+\.) (.|\n +)*", "", each.prose, flags=re.MULTILINE)
    )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_of_a_kind_that_is_run_or_checked(block: Block) -> None:
    assert block.kind in KINDS
    if block.kind == "console":
        assert (ROOT / "tests" / CONSOLES[block.page]).exists()
    elif block.kind.startswith("json "):
        json.loads(block.text)
