"""Writes the tables of docs/configuration.md from the models of the settings."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings

PAGE = Path(__file__).parents[1] / "docs/configuration.md"
MODELS: Mapping[str, type[BaseModel]] = MappingProxyType({"settings": Settings, "limits": Limits})
"""The tables by the name in their comments, and what each lists."""


def with_tables(text: str) -> str:
    """The page `text` with each table as its model has it; raises ValueError without its place."""
    for name, model in MODELS.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"there is no place for the table of {name}")
        text = before + begin + table(model) + end + after
    return text


def table(model: type[BaseModel]) -> str:
    """Name, default and description of every setting, as a Markdown table."""
    rows = [
        f"| `{name}` | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
        if name != "limits"
    ]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if field.default_factory is not None or value is None or value == ():
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    """Writes the tables, or with --check exits with 1 where that is needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8")
    if with_tables(text) == text:
        return
    if check:
        raise SystemExit(f"{PAGE.name} does not list the settings as they are: run scripts/tables")
    PAGE.write_text(with_tables(text), encoding="utf-8")


if __name__ == "__main__":
    main()
