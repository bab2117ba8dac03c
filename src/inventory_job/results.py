"""What the operations on jobs give: documents and rows as stored, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

StoredDocument = dict[str, Any]
"""A document as it is stored: field name to BSON value, dates naive and in UTC."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """Stored jobs of one page, and how many match in all."""

    documents: list[StoredDocument]
    total: int


@dataclass(frozen=True, slots=True)
class StatPage:
    """Rows (or values) of one page, and how many there are in all."""

    rows: list[Any]
    total: int


@dataclass(frozen=True, slots=True)
class AnalyzePage:
    """Rows of one page, and whether more follow."""

    rows: list[StoredDocument]
    more: bool
