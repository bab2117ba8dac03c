"""The results of the operations on jobs: pages of documents and rows, as stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

StoredDocument = dict[str, Any]
"""A document as stored: field names to BSON values, with dates naive and in UTC."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents in BSON, `size` bytes. `decoded` decodes them, which takes several times the
    memory; it raises ServiceError."""

    size: int
    decoded: Callable[[], list[StoredDocument]]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The jobs or rows of one page, and the total of all pages."""

    rows: Rows
    total: int


@dataclass(frozen=True, slots=True)
class AnalyzePage:
    """The rows of one page, and whether more rows follow."""

    rows: Rows
    more: bool
