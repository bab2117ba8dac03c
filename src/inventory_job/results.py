"""What the operations on jobs give: documents and rows as stored, a page at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

StoredDocument = dict[str, Any]
"""A document as it is stored: field name to BSON value, dates naive and in UTC."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents as they came, `size` bytes. `decoded` gives them, in several times the memory; it
    raises ServiceError."""

    size: int
    decoded: Callable[[], list[StoredDocument]]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Jobs or rows of one page, and how many there are in all."""

    rows: Rows
    total: int


@dataclass(frozen=True, slots=True)
class AnalyzePage:
    """Rows of one page, and whether more follow."""

    rows: Rows
    more: bool
