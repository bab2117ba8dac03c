"""The commands that scripts/newcomer takes out of README."""

from __future__ import annotations

from pathlib import Path

import pytest
from newcomer import Surprise, quick_start

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("begin", ["scripts/run", "export PATH=", "inventory-job list "])
def test_the_quick_start_has_each_kind_of_command_once(begin: str) -> None:
    assert len([command for command in quick_start(README) if command.startswith(begin)]) == 1


def test_commands_are_the_lines_of_blocks_in_that_section_alone() -> None:
    text = "    a\n## Quick start\nb\n```shell\n$ c\nd\n```\n    e\n## Next\n    f\n"

    assert sorted(quick_start(text)) == ["c", "d", "e"]


def test_a_readme_without_a_quick_start_is_a_surprise() -> None:
    with pytest.raises(Surprise):
        quick_start("# A title\n")
