"""README's tables say what the code says."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inventory_job.auth.keys import KID
from inventory_job.query.limits import Limits
from inventory_job.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def section(name: str) -> str:
    text = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    return text.partition(begin)[2].partition(end)[0]


def default_of(field: FieldInfo) -> str:
    value: Any = field.default
    if field.default_factory is not None or value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def table(model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {default_of(field)} | {field.description} |"
        for name, field in model.model_fields.items()
        if name != "limits"
    ]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows]) + "\n"


@pytest.mark.parametrize(("name", "model"), [("settings", Settings), ("limits", Limits)])
def test_readme_lists_every_setting_with_its_default(name: str, model: type[BaseModel]) -> None:
    assert section(name) == table(model)


def test_readme_names_the_characters_of_a_kid() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    found = re.search(r"a `kid` has up to 128 letters, digits and `([^`]+)`, no `/` at its", text)

    assert found
    signs = set(string.punctuation)
    assert {sign for sign in signs if KID.fullmatch(f"a{sign}b")} == set(found[1].split())
    assert not any(KID.fullmatch(name) for name in ("/a", "a//b", "a..b", "a" * 129))
