"""Documents and rows of results, as stored."""

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
